"""Policies designed from a log, and what they would be worth: never valued on a round that they were learned from.

The rounds are cut into folds. For each fold, scores of all arms are estimated on the other folds alone (doubly robust,
with nuisances cross-fitted within these), and a rule is learned from them for each budget. What these rules do on the
fold, joined over folds, is a policy like any other: `dr` values it with the nuisances of the same folds. So the value
is that of the procedure, learned from (folds - 1) / folds of the log; the rule that is handed out is learned from all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.budgeted import Scored, multipliers_of, path, within
from ifonly.scm.policy.doubly_robust import dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.nuisance import FOLDS, assign_folds, fit_rewards
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sklearn.base import BaseEstimator

    from ifonly.scm.draw import Draw
    from ifonly.scm.policy.budgeted import Learner, Priced
    from ifonly.scm.policy.logged import Floats, Ints, Logged
    from ifonly.scm.policy.rules import Rule

__all__ = ["Designed", "design", "dominated", "dr_scores", "priced_value"]

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
        NotApplicable: if the log has no propensities, or fewer groups than folds.
    """
    assigned = assign_folds(log, folds, draw)
    model = fit_rewards(log, assigned)
    scored = _scored(log, names, costs, assigned, model)
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
            priced_value(log, policy, costs, assigned),
        )
        for budget, policy in zip(wanted, policies, strict=True)
    ]


def dr_scores(log: Logged, model: Floats) -> Floats:
    """Return doubly robust scores of all arms: q(x_i, a) + 1[a = a_i] (r_i - q(x_i, a)) / p_i, shape (n, K).

    Their mean over rounds, weighed with pi, is `dr`. (Athey and Wager 2021, Econometrica 89:133, eq. 7, with scores of
    each arm.)

    Args:
        log: with propensities.
        model: q(x_i, a), cross-fitted, shape (n, K).
    """
    rows, scores = np.arange(len(log)), np.array(model, dtype=float)
    scores[rows, log.actions] += (log.rewards - model[rows, log.actions]) / log.chances
    return scores


def priced_value(log: Logged, policy: Floats, costs: Floats, folds: Ints | None = None) -> Value:
    """Return the mean cost of a policy: exact a round where costs of all arms are known, else doubly robust.

    Args:
        log: whose rounds they are.
        policy: shape (n, K).
        costs: shape (n, K), or (n,) of the arm taken.
        folds: for the model of logged costs; `assign_folds` if None.
    """
    if costs.ndim > 1:
        paid = np.einsum("nk,nk->n", policy, costs)
        value = float(paid.mean())
        return Value("known", value, paid - value, clusters=log.clusters)
    paying = replace(log, rewards=costs)
    return dr(Evaluation.of(paying, policy, fit_rewards(paying, folds, _payer())))


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
    scored = _scored(log, names, costs, assigned, fit_rewards(log, assigned))
    return path(scored, learner, multipliers_of(scored))


@cache
def _payer() -> BaseEstimator:
    """Of logged costs: mostly a price times a length, so a line will do; what it misses is corrected."""
    return make_pipeline(StandardScaler(), RidgeCV(alphas=(0.1, 1.0, 10.0, 100.0)))


def _scored(log: Logged, names: Sequence[str], costs: Floats, folds: Ints, model: Floats) -> Scored:
    """Scores of gains and costs of all arms, cross-fitted."""
    if costs.shape not in {(len(log),), (len(log), len(log.arms))}:
        raise NotApplicable(f"costs of shape {costs.shape} fit neither the {len(log)} rounds nor their arms")
    paid = costs
    if costs.ndim == 1:
        paying = replace(log, rewards=costs)
        paid = dr_scores(paying, fit_rewards(paying, folds, _payer()))
    contexts = np.zeros((len(log), 0)) if log.contexts is None else log.contexts
    return Scored(tuple(names), contexts, log.arms, dr_scores(log, model), paid)


def _between(costs: Floats) -> list[float]:
    """Budgets from the cheapest arm to the dearest."""
    low, high = float(costs.min()), float(costs.max())
    return [low + share * (high - low) for share in (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)]
