"""The hyper-parameter lambda of clipping, switching and shrinking, chosen by the data.

Names and rules as in Open Bandit Pipeline 0.5.7 (`obp.ope.estimators_tuning`). What follows is an estimate at a
lambda that was picked because of the same rewards: its interval knows neither of the pick nor of the bias that
lambda brings, and covers less often than it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import stdtrit

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.weighting import ipw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scm.policy.evaluation import Evaluation
    from ifonly.scm.policy.value import Value

__all__ = ["LAMBDAS", "Rule", "Tuned", "tuned"]

LAMBDAS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, inf)
"""What is tried, unless told otherwise."""

Rule = Literal["slope", "mse"]
"""How lambda is chosen; `tuned` says what each does."""

_SLOPE = sqrt(6) - 1


@dataclass(frozen=True, eq=False)
class Tuned:
    """An estimate with the hyper-parameter that was chosen for it.

    Attributes:
        lambda_: the choice.
        value: the estimate at it.
    """

    lambda_: float
    value: Value


def tuned(
    evaluation: Evaluation,
    estimator: Callable[[Evaluation, float], Value],
    lambdas: Sequence[float] = LAMBDAS,
    rule: Rule = "slope",
    delta: float = 0.1,
) -> Tuned:
    """Choose lambda, and return the estimate at it.

    - ``slope``: go from the widest interval to the narrowest while each meets all before it, |V_i - V_j| <= c_i +
      (sqrt(6) - 1) c_j with c the half-width, and take the last (Su, Srinath and Krishnamurthy 2020, "Adaptive
      estimator selection for off-policy evaluation"; Tucker and Lee 2021, "Improved estimator selection for off-policy
      evaluation").
    - ``mse``: the least variance plus squared bias, the bias bounded with probability 1 - delta by Bernstein's
      inequality (Su, Dimakopoulou, Krishnamurthy and Dudik 2020).

    Args:
        evaluation: the log under the policy, with a reward model if the estimator wants one.
        estimator: `ipw`, `dr`, `switch_dr` or `dr_os`.
        lambdas: what to choose from, at least one.
        rule: which of the two.
        delta: one minus the confidence of the half-widths and of the bound, in (0, 1).

    Raises:
        NotApplicable: if there is nothing to choose from, delta lies outside (0, 1), or as the estimator.
    """
    if not lambdas or not 0 < delta < 1:
        raise NotApplicable(f"need at least one lambda and delta in (0, 1), got {list(lambdas)} and {delta}")
    made = [Tuned(lambda_, estimator(evaluation, lambda_)) for lambda_ in lambdas]
    if rule == "slope":
        return _slope(made, delta)
    residual = evaluation.log.rewards if estimator is ipw else evaluation.residual
    errors = [one.value.standard_error**2 + _bias(evaluation, one.value, residual, delta) ** 2 for one in made]
    return made[int(np.argmin(errors))]


def _slope(made: list[Tuned], delta: float) -> Tuned:
    widths = [one.value.standard_error * float(stdtrit(max(one.value.groups - 1, 1), 1 - delta)) for one in made]
    before: list[tuple[Tuned, float]] = []
    for place in np.argsort(widths)[::-1]:
        here, width = made[place], widths[place]
        if any(abs(there.value.value - here.value.value) > width + _SLOPE * other for there, other in before):
            break
        before.append((here, width))
    return before[-1][0]


def _bias(evaluation: Evaluation, value: Value, residual: np.ndarray, delta: float) -> float:
    """A bound of the bias that changing the weights brings."""
    weights, n = evaluation.weights, len(residual)
    changed = weights if value.weights is None else value.weights
    seen = abs(float(((weights - changed) * residual).mean()))
    chance = log(2 / delta)
    return seen + sqrt(2 * float(np.square(weights).mean()) * chance / n) + 2 * float(weights.max()) * chance / (3 * n)
