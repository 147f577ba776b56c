"""Checks that a policy's value must pass if its assumptions hold: effects that should be none.

Each compares what the log says a policy would bring, self-normalised, with the mean of the log, paired round by round:

- a negative-control reward: something that the action cannot have moved, but that what confounds reward and action
  would move too (Lipsitch, Tchetgen Tchetgen and Cohen 2010, "Negative controls", Epidemiology 21:383)
- a pre-treatment outcome: the reward's like from before the choice
- a negative-control action: an action that cannot have moved the reward
- a permuted action: the same rewards under actions drawn anew, where there is nothing to be found

A small p-value of the first three speaks against the propensities, or for an unmeasured common cause; one of the last
says that the action matters at all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.special import stdtr

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.weighting import naive, snipw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.draw import Draw
    from ifonly.scm.policy.logged import Floats, Ints
    from ifonly.scm.policy.value import Value

__all__ = ["Check", "Control", "contrast", "negative_action", "negative_control", "permuted_action"]

Control = Literal["negative-control reward", "pre-treatment outcome"]
"""What a column is, that the action cannot have moved."""


class Check(BaseModel):
    """A check, and what came of it.

    Attributes:
        kind: which of the module's checks.
        name: of the column or action.
        difference: value under the policy less the mean of the log.
        p_value: of no difference.
        placebo: the mean and central range of the difference under permuted actions; None for the other checks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Control | Literal["negative-control action", "permuted action"]
    name: str
    difference: Estimate
    p_value: float
    placebo: Estimate | None = None


def contrast(evaluation: Evaluation) -> Value:
    """Return V(pi), self-normalised, less the mean reward of the log, paired round by round.

    Args:
        evaluation: the log under the policy; with propensities.

    Raises:
        NotApplicable: if the log has no propensities, or no logged action has a chance under the policy.
    """
    return replace(snipw(evaluation).less(naive(evaluation)), estimator="contrast")


def negative_control(
    evaluation: Evaluation,
    column: Floats,
    name: str,
    kind: Control = "negative-control reward",
    level: float = 0.95,
) -> Check:
    """Value a column as if it were the reward, which the action cannot have moved: there should be no difference.

    Args:
        evaluation: the log under the policy; with propensities.
        column: one number a round, shape (n,).
        name: of the column.
        kind: what it is.
        level: coverage of the interval.

    Raises:
        NotApplicable: if the column has another shape or is not finite, or as `contrast`.
    """
    return _checked(kind, name, Evaluation(replace(evaluation.log, rewards=column), evaluation.policy), level)


def negative_action(evaluation: Evaluation, name: str, level: float = 0.95) -> Check:
    """Value a policy over actions that cannot have moved the reward: there should be no difference.

    Args:
        evaluation: a log of that other action, with its propensities, under a policy over it.
        name: of the action.
        level: coverage of the interval.

    Raises:
        NotApplicable: as `contrast`.
    """
    return _checked("negative-control action", name, evaluation, level)


def permuted_action(
    evaluation: Evaluation,
    draw: Draw,
    repeats: int = 999,
    strata: Sequence[str] | None = None,
    level: float = 0.95,
) -> Check:
    """Compare the difference with those of actions drawn anew: an exact randomisation test that actions move nothing.

    Actions are drawn from the behaviour policy where the log has it; else they change places, with their propensities,
    within strata in which propensities do not depend on the context. p is the share of draws, the log among them, with
    a difference at least as far from 0 (Fisher 1935; Phipson and Smyth 2010 for the log among them).

    Args:
        evaluation: the log under the policy.
        draw: of the actions; the stream is keyed by the name "permuted_action".
        repeats: number of draws.
        strata: the stratum of each round, of length n; not needed where the log has the behaviour policy.
        level: of the placebo's central range, and coverage of the difference's interval.

    Raises:
        NotApplicable: if neither the behaviour policy nor strata are known, or as `contrast`.
    """
    log = evaluation.log
    if log.behaviour is None and strata is None:
        raise NotApplicable(
            "to draw actions anew, the chances of all actions must be known (the log's behaviour), or strata within "
            "which they do not depend on the context: give one of the two"
        )
    groups = np.unique(np.asarray([""] * len(log) if strata is None else strata, dtype=str), return_inverse=True)[1]
    value = contrast(evaluation)
    found = _differences(evaluation, groups, draw.generator("permuted_action"), repeats)
    extreme = int((np.abs(found) >= abs(value.value) - 1e-12).sum())
    return Check(
        kind="permuted action",
        name="action",
        difference=value.estimate(level),
        p_value=(1 + extreme) / (1 + repeats),
        placebo=_range(found, level),
    )


def _differences(evaluation: Evaluation, groups: Ints, generator: np.random.Generator, repeats: int) -> Floats:
    """Contrasts under actions drawn anew, shape (repeats,); 0 where none drawn has a chance under the policy."""
    log = evaluation.log
    found = np.zeros(repeats)
    for row in range(repeats):
        actions, chances = _drawn(evaluation, groups, generator)
        weights = evaluation.policy[np.arange(len(log)), actions] / chances
        if (total := float(weights.sum())) > 0:
            found[row] = weights @ log.rewards / total - log.rewards.mean()
    return found


def _range(found: Floats, level: float) -> Estimate:
    """The mean of draws, and their central range."""
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    centre = float(found.mean())
    return Estimate(
        value=centre,
        low=min(float(low), centre),
        high=max(float(high), centre),
        level=level,
        rung="interventional",
        identified="point",
    )


def _checked(
    kind: Control | Literal["negative-control action"], name: str, evaluation: Evaluation, level: float
) -> Check:
    value = contrast(evaluation)
    error = value.standard_error
    p = 2 * float(stdtr(max(value.groups - 1, 1), -abs(value.value) / error)) if error > 0 else float(value.value == 0)
    return Check(kind=kind, name=name, difference=value.estimate(level), p_value=p)


def _drawn(evaluation: Evaluation, groups: Ints, generator: np.random.Generator) -> tuple[Ints, Floats]:
    """Actions as the logging policy might have taken them, and their chances."""
    log = evaluation.log
    rows = np.arange(len(log))
    if log.behaviour is not None:
        ends = log.behaviour.cumsum(1)
        picks = (ends < generator.random((len(log), 1)) * ends[:, -1:]).sum(1).astype(np.intp)
        return picks, log.behaviour[rows, picks]
    # Sorted by stratum twice, once with ties at random: rounds of a stratum change places.
    from_, to = np.lexsort((generator.random(len(log)), groups)), np.argsort(groups, kind="stable")
    places = np.empty(len(log), dtype=np.intp)
    places[to] = from_
    return log.actions[places], log.chances[places]
