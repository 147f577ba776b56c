"""Estimators of a policy's value held against prompts whose both answers are known: `ifonly bench routing`.

Worlds: ``hardness logged`` (all that moved the choice is in the log) and ``hidden`` (the router also knew whether the
small model would fail: no estimator can be right, and the table shows by how much it is not).

- `bias`, `rmse`: of the estimate, over ten policies and all seeds; `worst`: the largest error
- `coverage`: share of 95 % intervals that hold the true value on these prompts; the prompts are held fixed, so that
  intervals, which allow for other prompts as well, should hold it more often than that
- `width`: mean width of the intervals
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.records import Record
from ifonly.scenarios.routing import ARMS, confounded_log, policies
from ifonly.scm.draw import Draw
from ifonly.scm.policy.budgeted import LinearLearner, TreeLearner
from ifonly.scm.policy.estimators import all_estimators
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.front import design
from ifonly.scm.policy.nuisance import assign_folds, fit_rewards
from ifonly.sim.policy.decisions import Columns, decisions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ifonly.scenarios.routing import Prompts
    from ifonly.scm.policy.logged import Floats, Ints, Logged
    from ifonly.scm.policy.value import Value

__all__ = ["COLUMNS", "FrontRow", "PolicyRow", "RoutingRow", "front_rows", "oracle", "routing_rows"]

# Where a routing log says what.
COLUMNS = Columns("model", "correct", ("domain", "prompt"), propensity="propensity", cost="cost")

WORLDS = {"hardness logged": 0.0, "hidden": 1.0}
"""How strongly the router knows what the log does not show, by world."""

_CLIP = 5.0


class RoutingRow(Record):
    """One estimator in one world. The module says what its numbers mean."""

    estimator: str
    world: str
    bias: float
    rmse: float
    worst: float
    coverage: float
    width: float


class PolicyRow(Record):
    """One policy in one world, on the first seed."""

    policy: str
    world: str
    true: float
    naive: float
    estimate: float
    low: float
    high: float


class FrontRow(Record):
    """What may be had for a budget: as estimated, as it truly is, and what one who knew both answers could have."""

    rule: str
    budget: float
    estimate: float
    low: float
    high: float
    true: float
    cost: float
    oracle: float


@dataclass(frozen=True)
class _Scored:
    estimator: str
    error: float
    covered: bool
    width: float


def routing_rows(
    prompts: Prompts, seeds: int, progress: Callable[[int, int], None] = lambda done, of: None
) -> Iterator[RoutingRow | PolicyRow]:
    """Draw logs, value ten policies on each, and score every estimator.

    Args:
        prompts: all outcomes.
        seeds: logs of each world.
        progress: told the logs done, and of how many.
    """
    for place, (world, hidden) in enumerate(WORLDS.items()):
        scored: list[_Scored] = []
        for seed in range(seeds):
            table, _ = confounded_log(prompts, seed, hidden)
            log = decisions_of(table, COLUMNS).log
            folds = assign_folds(log, draw=Draw(seed))
            model = fit_rewards(log, folds)
            found = {name: _valued(log, policy, model, folds) for name, policy in policies(prompts).items()}
            truth = {name: prompts.value(policy) for name, policy in policies(prompts).items()}
            scored += [_score(one, truth[name]) for name, values in found.items() for one in values]
            if seed == 0:
                yield from (_policy_row(name, world, truth[name], values) for name, values in found.items())
            progress(place * seeds + seed + 1, len(WORLDS) * seeds)
        for estimator in dict.fromkeys(one.estimator for one in scored):
            yield _row(estimator, world, [one for one in scored if one.estimator == estimator])


def front_rows(prompts: Prompts, seed: int = 0, rules: Sequence[str] = ("linear", "tree")) -> Iterator[FrontRow]:
    """Design policies from one log, and hold each to its true value and to the oracle's at the same true cost.

    Args:
        prompts: all outcomes.
        seed: of the log.
        rules: kinds of rule.
    """
    table, _ = confounded_log(prompts, seed)
    decisions = decisions_of(table, COLUMNS)
    for rule in rules:
        learner = TreeLearner() if rule == "tree" else LinearLearner()
        for one in design(decisions.log, decisions.encoding.names, prompts.costs, learner, draw=Draw(seed)):
            estimate, cost = one.value.estimate(), prompts.cost(one.policy)
            yield FrontRow(
                rule=rule,
                budget=one.budget,
                estimate=one.value.value,
                low=estimate.low,
                high=estimate.high,
                true=prompts.value(one.policy),
                cost=cost,
                oracle=oracle(prompts, cost),
            )


def oracle(prompts: Prompts, budget: float) -> float:
    """Return the largest value that any policy has within a budget, both answers known: by gain a unit of cost.

    Args:
        prompts: all outcomes.
        budget: largest mean cost of a prompt.
    """
    large, small = (prompts.correct[:, ARMS.index(arm)] for arm in ARMS)
    gain, extra = large - small, prompts.costs[:, 0] - prompts.costs[:, 1]
    worth = np.flatnonzero(gain > 0)
    order = worth[np.argsort(extra[worth])]
    left = budget * len(gain) - prompts.costs[:, 1].sum()
    bought = np.searchsorted(np.cumsum(extra[order]), left, side="right")
    return float((small.sum() + bought) / len(gain))


def _valued(log: Logged, policy: Floats, model: Floats, folds: Ints) -> list[Value]:
    return all_estimators(Evaluation.of(log, policy, model), fit_rewards(log, folds, policy=policy), _CLIP)


def _score(value: Value, truth: float) -> _Scored:
    made = value.estimate()
    return _Scored(value.estimator, value.value - truth, made.low <= truth <= made.high, made.high - made.low)


def _row(estimator: str, world: str, scored: Sequence[_Scored]) -> RoutingRow:
    errors = np.array([one.error for one in scored])
    return RoutingRow(
        estimator=estimator,
        world=world,
        bias=float(errors.mean()),
        rmse=float(np.sqrt(np.square(errors).mean())),
        worst=float(np.abs(errors).max()),
        coverage=float(np.mean([one.covered for one in scored])),
        width=float(np.mean([one.width for one in scored])),
    )


def _policy_row(name: str, world: str, truth: float, values: Sequence[Value]) -> PolicyRow:
    by = {one.estimator: one for one in values}
    best = by["sndr"].estimate()
    return PolicyRow(
        policy=name,
        world=world,
        true=truth,
        naive=by["naive"].value,
        estimate=by["sndr"].value,
        low=best.low,
        high=best.high,
    )
