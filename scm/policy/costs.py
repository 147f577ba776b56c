"""What a policy costs: known for every arm beforehand, or logged of the arm that was taken. One model serves all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.doubly_robust import dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.nuisance import fit_rewards
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from ifonly.scm.policy.logged import Floats, Ints, Logged

__all__ = ["Costs", "dr_scores"]


@dataclass(frozen=True, eq=False)
class Costs:
    """The costs of a log's rounds. The model of logged ones is fitted once, when it is first needed.

    Attributes:
        log: whose rounds they are; with propensities, where the costs are logged.
        given: of every arm, shape (n, K), where they are known; or of the arm taken, shape (n,).
        folds: for the model of logged costs; `assign_folds` if None.

    Raises:
        NotApplicable: if the costs have another shape.
    """

    log: Logged
    given: Floats
    folds: Ints | None = None

    def __post_init__(self) -> None:
        """Check what the types do not say."""
        rounds, arms = len(self.log), len(self.log.arms)
        if self.given.shape not in {(rounds,), (rounds, arms)}:
            raise NotApplicable(f"costs of shape {self.given.shape} fit neither the {rounds} rounds nor their arms")

    @property
    def known(self) -> bool:
        """Whether the cost of every arm is known beforehand."""
        return self.given.ndim > 1

    @cached_property
    def scores(self) -> Floats:
        """What each arm costs in each round, shape (n, K): as given, or doubly robust."""
        return self.given if self.known else dr_scores(self._paying, self._model)

    def value(self, policy: Floats) -> Value:
        """Return the mean cost of a policy: exact a round where costs of all arms are known, else doubly robust.

        Args:
            policy: shape (n, K).
        """
        if not self.known:
            return dr(Evaluation.of(self._paying, policy, self._model))
        paid = np.einsum("nk,nk->n", policy, self.given)
        value = float(paid.mean())
        return Value("known", value, paid - value, clusters=self.log.clusters)

    @cached_property
    def _paying(self) -> Logged:
        return replace(self.log, rewards=self.given)

    @cached_property
    def _model(self) -> Floats:
        return fit_rewards(self._paying, self.folds, _payer())


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


@cache
def _payer() -> BaseEstimator:
    """Of logged costs: mostly a price times a length, so a line will do; what it misses is corrected."""
    return make_pipeline(StandardScaler(), RidgeCV(alphas=(0.1, 1.0, 10.0, 100.0)))
