"""Rules under a budget: as much gain as a price allows, by Lagrange's multiplier.

To maximise E[gain(X, pi(X))] over rules with E[cost(X, pi(X))] <= B, maximise gain - multiplier x cost; the larger the
multiplier, the cheaper the rule. `path` learns one rule for each multiplier, and `within` takes the one with the
largest gain among those that meet the budget. Gains and costs are scores of every arm in every round: doubly robust
ones of a log (`ifonly.scm.policy.front`), or known ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from sklearn.linear_model import RidgeCV

from ifonly.scm.policy.rules import Constant, Linear
from ifonly.scm.policy.tree import best_tree, cuts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.policy.logged import Floats
    from ifonly.scm.policy.rules import Rule

__all__ = ["Learner", "LinearLearner", "Priced", "Scored", "TreeLearner", "multipliers_of", "path", "within"]

_STEPS = 40
_SMALLEST = 1e-2


@dataclass(frozen=True, eq=False)
class Scored:
    """Rounds with what every arm would bring and cost in them.

    Attributes:
        names: of the features.
        features: shape (n, d).
        arms: names of K arms.
        gains: shape (n, K).
        costs: shape (n, K).
    """

    names: tuple[str, ...]
    features: Floats
    arms: tuple[str, ...]
    gains: Floats
    costs: Floats


class Learner(Protocol):
    """Learns a rule for each multiplier."""

    def rules(self, scored: Scored, multipliers: Sequence[float]) -> list[Rule]:
        """The rule that is best at each multiplier, or nearly so."""
        ...


@dataclass(frozen=True)
class TreeLearner:
    """Policy trees on gain - multiplier x cost.

    Attributes:
        depth: questions on a path, at most.
        cuts: of one feature, at most.
    """

    depth: int = 2
    cuts: int = 16

    def rules(self, scored: Scored, multipliers: Sequence[float]) -> list[Rule]:
        """The best tree at each multiplier: see `ifonly.scm.policy.tree`."""
        cuts = cuts_of(scored.names, scored.features, self.cuts)
        return [
            best_tree(scored.gains - multiplier * scored.costs, cuts, scored.arms, self.depth)
            for multiplier in multipliers
        ]


@dataclass(frozen=True)
class LinearLearner:
    """A threshold on predicted gain a unit of cost: the arm with the largest predicted gain - multiplier x cost.

    Gains and costs of each arm are ridge regressions on the standardised features (a DR-learner where the scores are
    doubly robust: Kennedy 2023), its penalty chosen by leave-one-out.

    Attributes:
        penalties: that may be chosen.
    """

    penalties: tuple[float, ...] = field(default=(1.0, 10.0, 100.0, 1_000.0, 10_000.0))

    def rules(self, scored: Scored, multipliers: Sequence[float]) -> list[Rule]:
        """The rule at each multiplier; both regressions are fitted once."""
        gains, costs = self._fitted(scored, scored.gains), self._fitted(scored, scored.costs)
        made: list[Rule] = []
        for multiplier in multipliers:
            intercepts, weights = (g - multiplier * c for g, c in zip(gains, costs, strict=True))
            made.append(
                Linear(
                    arms=scored.arms,
                    features=scored.names,
                    intercepts=tuple(intercepts.tolist()),
                    weights=tuple(map(tuple, weights.tolist())),
                )
            )
        return made

    def _fitted(self, scored: Scored, targets: Floats) -> tuple[Floats, Floats]:
        """Intercepts, shape (K,), and weights, shape (K, d), on the features as they are."""
        k, d = targets.shape[1], scored.features.shape[1]
        spread = scored.features.std(0)
        used = np.flatnonzero(spread > 0)
        weights = np.zeros((k, d))
        if not len(used) or not (np.ptp(targets, axis=0) > 0).any():
            return targets.mean(0), weights
        centre = scored.features[:, used].mean(0)
        inputs = (scored.features[:, used] - centre) / spread[used]
        fitted = RidgeCV(alphas=self.penalties, alpha_per_target=True).fit(inputs, targets)
        weights[:, used] = np.reshape(fitted.coef_, (k, len(used))) / spread[used]
        return np.reshape(fitted.intercept_, k) - weights[:, used] @ centre, weights


@dataclass(frozen=True, eq=False)
class Priced:
    """A rule of a path.

    Attributes:
        multiplier: what a unit of cost was counted as.
        rule: the rule.
        gain: its mean gain on the rounds that it was learned from: optimistic, never to be reported as its value.
        cost: its mean cost there.
    """

    multiplier: float
    rule: Rule
    gain: float
    cost: float


def multipliers_of(scored: Scored, steps: int = _STEPS) -> list[float]:
    """Return multipliers from 0 to where cost is all that counts, evenly spaced on a logarithmic scale.

    Args:
        scored: the rounds.
        steps: how many above 0.
    """
    mean = scored.costs.mean(0)
    gap = np.diff(np.sort(mean))
    gap = gap[gap > 1e-12 * max(float(np.abs(mean).max()), 1e-300)]
    if not len(gap):
        return [0.0]
    low, high = np.quantile(scored.gains, [0.02, 0.98])
    apart = float(np.ptp(scored.gains.mean(0)))
    largest = max(float(high - low), apart, 1e-12) / float(gap.min())
    # Weights stretch doubly robust scores far beyond what arms differ by, and that is what small multipliers trade.
    smallest = _SMALLEST * min(largest, max(apart / float(np.ptp(mean)), _SMALLEST * largest))
    return [0.0, *np.geomspace(smallest, largest, steps).tolist()]


def path(scored: Scored, learner: Learner, multipliers: Sequence[float]) -> list[Priced]:
    """Learn a rule for each multiplier; the cheapest single arm ends the path.

    Args:
        scored: the rounds to learn from.
        learner: how.
        multipliers: ascending.
    """
    made = [
        _priced(scored, rule, multiplier)
        for multiplier, rule in zip(multipliers, learner.rules(scored, multipliers), strict=True)
    ]
    cheapest = scored.arms[int(scored.costs.mean(0).argmin())]
    return [*made, _priced(scored, Constant(arms=(cheapest,)), float("inf"))]


def within(found: Sequence[Priced], budget: float) -> Priced:
    """Return the rule with the largest gain among those of a path that meet the budget; else the cheapest.

    Args:
        found: a path.
        budget: largest mean cost of a round.
    """
    meeting = [one for one in found if one.cost <= budget]
    return max(meeting, key=lambda one: one.gain) if meeting else min(found, key=lambda one: one.cost)


def _priced(scored: Scored, rule: Rule, multiplier: float) -> Priced:
    policy = rule.policy(scored.names, scored.features, scored.arms)
    gain, cost = (float((policy * table).sum(1).mean()) for table in (scored.gains, scored.costs))
    return Priced(multiplier, rule, gain, cost)
