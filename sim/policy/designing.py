"""Policies designed from a log: the front of quality against cost against time, and the rule for a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.errors import ActionError
from ifonly.scm.draw import Draw
from ifonly.scm.policy.budgeted import LinearLearner, TreeLearner
from ifonly.scm.policy.costs import Costs
from ifonly.scm.policy.doubly_robust import dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.front import design, dominated
from ifonly.scm.policy.rules import Constant
from ifonly.sim.policy.answers import DesignedPolicy
from ifonly.sim.policy.targets import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from ifonly.scm.policy.logged import Floats
    from ifonly.scm.policy.value import Value
    from ifonly.sim.policy.evaluate import Valuing

__all__ = ["ASSUMES", "pareto"]

# What values on the front rest on, beside what values of policies do.
ASSUMES = (
    "A designed policy's value is that of the way it was learned, on folds that it did not see; the rule that is saved "
    "was learned from all of the log.",
    "Of many policies that are shown, the best one's estimate is too good on average: value it on a later log.",
)


def pareto(
    valuing: Valuing,
    rule: Literal["linear", "tree"] = "tree",
    budgets: Sequence[float] = (),
    *,
    depth: int = 2,
    seconds_price: float = 0.0,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[DesignedPolicy, ...]:
    """Every single arm, and a rule for each budget, cheapest first.

    Args:
        valuing: the log.
        rule: kind of rule: a threshold on predicted gain, or a tree that a person can read.
        budgets: mean costs of a round; some between the cheapest and the dearest arm, if there are none.
        depth: of trees.
        seconds_price: what a second counts for in the budget, beside the cost.
        progress: told the folds done, and of how many.

    Raises:
        ActionError: the log has neither costs nor prices, or no durations where they have a price.
        NotApplicable: the log has no propensities.
    """
    log, encoding = valuing.log, valuing.decisions.encoding
    paid = _paid(valuing, seconds_price)
    learner = TreeLearner(depth) if rule == "tree" else LinearLearner()
    found = design(log, encoding.names, paid, learner, budgets, draw=Draw(valuing.seed), progress=progress)
    made: list[tuple[float | None, Target, Value, Floats]] = []
    for one in found:
        target = Target(name=f"{rule} within {one.budget:.4g}", rule=one.rule, encoding=encoding)
        made.append((one.budget, target, one.value, one.policy))
    for index, arm in enumerate(log.arms):
        policy = np.broadcast_to(np.eye(len(log.arms))[index], (len(log), len(log.arms)))
        worth = dr(Evaluation.of(log, policy, valuing.model))
        made.append((None, Target(name=f"always {arm}", rule=Constant(arms=(arm,))), worth, policy))
    return _front(valuing, made)


def _paid(valuing: Valuing, seconds_price: float) -> Floats:
    costs, seconds = valuing.decisions.costs, valuing.decisions.seconds
    if costs is None and not seconds_price:
        fix = "Name the column with --cost, give --price ARM=NUMBER,..., or price time with --seconds-price."
        raise ActionError("--design", "the log has no costs", fix)
    if not seconds_price:
        return np.zeros(0) if costs is None else costs
    if seconds is None:
        raise ActionError("--seconds-price", "the log has no durations", "Name their column with --seconds.")
    priced = seconds_price * seconds
    if costs is None:
        return priced
    return costs + (priced[:, None] if costs.ndim > 1 else priced)


def _front(valuing: Valuing, made: Sequence[tuple[float | None, Target, Value, Floats]]) -> tuple[DesignedPolicy, ...]:
    """The points with all that they are judged by, and which of them others dominate."""
    level = valuing.level
    costs = valuing.costs or Costs(valuing.log, np.zeros(len(valuing.log)), valuing.folds)
    points = [
        (budget, target, worth, costs.value(policy), valuing.seconds.value(policy) if valuing.seconds else None)
        for budget, target, worth, policy in made
    ]
    beaten = dominated([(-worth.value, spent.value, t.value if t else 0.0) for _, _, worth, spent, t in points])
    front = [
        DesignedPolicy(
            budget=budget,
            target=target,
            value=worth.estimate(level),
            cost=spent.estimate(level),
            seconds=None if taken is None else taken.estimate(level),
            dominated=lost,
        )
        for (budget, target, worth, spent, taken), lost in zip(points, beaten, strict=True)
    ]
    return tuple(sorted(front, key=lambda one: (one.cost.value or 0.0, -(one.value.value or 0.0))))
