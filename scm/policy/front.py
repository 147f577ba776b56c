"""Policies designed from a log, and what they would be worth: never valued on a round that they were learned from.

The rounds are cut into folds. For each fold, scores of all arms are estimated on the other folds alone (doubly robust,
with nuisances cross-fitted within these), and a rule is learned from them for each budget. What these rules do on the
fold, joined over folds, is a policy like any other: `dr` values it with the nuisances of the same folds. So the value
is that of the procedure, learned from (folds - 1) / folds of the log; the rule that is handed out is learned from all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.policy.budgeted import Scored, multipliers_of, path, within
from ifonly.scm.policy.costs import Costs, dr_scores
from ifonly.scm.policy.doubly_robust import dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.nuisance import FOLDS, assign_folds, fit_rewards

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scm.draw import Draw
    from ifonly.scm.policy.budgeted import Learner, Priced
    from ifonly.scm.policy.logged import Floats, Logged
    from ifonly.scm.policy.rules import Rule
    from ifonly.scm.policy.value import Value

__all__ = ["Designed", "design", "dominated"]

_INNER = 3
"""Folds within which nuisances are fitted to learn a rule, at most."""


@dataclass(frozen=True, eq=False)
class Designed:
    """What may be had for a budget.

    Attributes:
        budget: largest mean cost of a round that was asked for.
        rule: learned from the whole log.
        policy: what the rules of the folds do, each where it was not learned, shape (n, K).
        value: of that.
        cost: of that.
    """

    budget: float
    rule: Rule
    policy: Floats
    value: Value
    cost: Value


def design(
    log: Logged,
    names: Sequence[str],
    costs: Floats,
    learner: Learner,
    budgets: Sequence[float] = (),
    *,
    folds: int = FOLDS,
    draw: Draw | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Designed]:
    """Learn a rule for each budget, and value each on folds that it was not learned from.

    Long because the folds of learning and of valuing are made in one place, where one can see that they never mix.

    Args:
        log: with propensities, and the features of the rule as contexts.
        names: of the features.
        costs: of every arm in every round, shape (n, K), where they are known; or of the arm taken, shape (n,).
        learner: of rules.
        budgets: mean costs of a round; seven between the cheapest and the dearest arm, if there are none.
        folds: to cut the log into.
        draw: of the folds; seed 0 if None.
        progress: told the folds done, and of how many.

    Raises:
        NotApplicable: if the log has no propensities, fewer groups than folds, or costs of another shape.
    """
    assigned = assign_folds(log, folds, draw)
    model = fit_rewards(log, assigned)
    paid = Costs(log, costs, assigned)
    scored = _scored(log, names, paid, model)
    wanted = list(budgets) or _between(scored.costs.mean(0))
    policies = np.zeros((len(wanted), len(log), len(log.arms)))
    for fold in range(folds):
        inside, outside = np.flatnonzero(assigned == fold), np.flatnonzero(assigned != fold)
        learned = _learned(log.take(outside), names, costs[outside], learner, min(folds, _INNER), draw)
        for place, budget in enumerate(wanted):
            rule = within(learned, budget).rule
            policies[place, inside] = rule.policy(names, scored.features[inside], log.arms)
        progress(fold + 1, folds + 1)
    whole = path(scored, learner, multipliers_of(scored))
    progress(folds + 1, folds + 1)
    return [
        Designed(
            budget,
            within(whole, budget).rule,
            policy,
            dr(Evaluation.of(log, policy, model)),
            paid.value(policy),
        )
        for budget, policy in zip(wanted, policies, strict=True)
    ]


def dominated(points: Sequence[tuple[float, ...]]) -> list[bool]:
    """Return for each point whether another is at least as good in all, and better in one: smaller is better.

    Args:
        points: of one length, for instance (-value, cost, seconds).
    """
    table = np.array(points, dtype=float)
    return [bool(((table <= one).all(1) & (table < one).any(1)).any()) for one in table]


def _learned(
    log: Logged, names: Sequence[str], costs: Floats, learner: Learner, folds: int, draw: Draw | None
) -> list[Priced]:
    """The path of rules that these rounds alone teach."""
    assigned = assign_folds(log, folds, draw)
    scored = _scored(log, names, Costs(log, costs, assigned), fit_rewards(log, assigned))
    return path(scored, learner, multipliers_of(scored))


def _scored(log: Logged, names: Sequence[str], costs: Costs, model: Floats) -> Scored:
    """Scores of gains and costs of all arms, cross-fitted."""
    contexts = np.zeros((len(log), 0)) if log.contexts is None else log.contexts
    return Scored(tuple(names), contexts, log.arms, dr_scores(log, model), costs.scores)


def _between(costs: Floats) -> list[float]:
    """Budgets from the cheapest arm to the dearest."""
    low, high = float(costs.min()), float(costs.max())
    return [low + share * (high - low) for share in (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)]
