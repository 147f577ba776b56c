"""Cross-fitted nuisances: what each action would bring, and how likely it was, to models that never saw the round.

The rounds are cut into folds, whole groups together; what is predicted in a fold comes from models fitted on the
others. So an estimator may treat the prediction as known beforehand (Chernozhukov et al. 2018, "Double/debiased machine
learning", Econometrics Journal 21:C1, definition 3.1). Any scikit-learn estimator may stand in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.logged import group_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from sklearn.base import BaseEstimator

    from ifonly.scm.policy.logged import Floats, Ints, Logged

__all__ = ["FOLDS", "RewardModel", "assign_folds", "fit_propensities", "fit_rewards"]

FOLDS = 5
"""Folds, unless told otherwise."""

_FEW = 50
"""Rounds of an arm below which its mean is all that is learned."""
_FLOOR = 1e-3
"""Smallest fitted propensity: below it a weight is the model's error and not the log's doing."""


_TREES = {"max_iter": 50, "learning_rate": 0.1, "max_leaf_nodes": 8, "max_bins": 32, "l2_regularization": 1.0}
"""On the prompts of `ifonly.scenarios.routing` as good as larger ones, in half the time."""


@cache
def _classifier() -> BaseEstimator:
    """For rewards of 0 and 1."""
    return HistGradientBoostingClassifier(**_TREES, early_stopping=False)


@cache
def _regressor() -> BaseEstimator:
    """For all other rewards."""
    return HistGradientBoostingRegressor(**_TREES, early_stopping=False)


@cache
def _chooser() -> BaseEstimator:
    """For propensities: few parameters, and calibrated where the logit is linear."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1_000))


@dataclass(frozen=True, eq=False)
class RewardModel:
    """The expected reward of each arm, from a log: one scikit-learn model an arm, or one of all. Make it with `of`.

    Attributes:
        arms: of each of the K arms, its prediction from contexts of shape (m, d), shape (m,).
    """

    arms: tuple[Callable[[Floats], Floats], ...]

    @classmethod
    def of(
        cls,
        log: Logged,
        estimator: BaseEstimator | None = None,
        weights: Floats | None = None,
        pooled: bool = False,
    ) -> RewardModel:
        """Fit it.

        An arm with fewer than 50 rounds, or without any context, is predicted by its mean; one that was never taken, by
        the mean of all. Pooled, one model sees all rounds, and the arm as K columns beside the context.

        Args:
            log: to learn from.
            estimator: a classifier for rewards of 0 and 1, or a regressor; gradient-boosted trees if None.
            weights: of the rounds, shape (n,); equal, if None.
            pooled: whether the arms share one model: right for many arms with few rounds each.

        Raises:
            NotApplicable: if a classifier is to predict rewards other than 0 and 1.
        """
        contexts = _contexts(log)
        overall = float(np.average(log.rewards, weights=weights))
        if pooled:
            columns = np.eye(len(log.arms))
            both = _fitted(np.hstack([contexts, columns[log.actions]]), log.rewards, estimator, weights, overall)
            return cls(tuple(_beside(column, both) for column in columns))
        made = []
        for arm in range(len(log.arms)):
            rows = np.flatnonzero(log.actions == arm)
            given = None if weights is None else weights[rows]
            made.append(_fitted(contexts[rows], log.rewards[rows], estimator, given, overall))
        return cls(tuple(made))

    def predict(self, contexts: Floats) -> Floats:
        """q(x, a) for each context and arm, shape (m, K).

        Args:
            contexts: shape (m, d).
        """
        return np.stack([arm(contexts) for arm in self.arms], 1)


def assign_folds(log: Logged, folds: int = FOLDS, draw: Draw | None = None) -> Ints:
    """Return the fold of each round, shape (n,): groups are kept whole, and folds hold as many groups each.

    Args:
        log: the rounds.
        folds: at least 2.
        draw: of the assignment; seed 0 if None.

    Raises:
        NotApplicable: if there are fewer groups than folds.
    """
    groups = group_numbers(log.clusters, len(log))
    number = int(groups.max()) + 1
    if not 1 < folds <= number:
        raise NotApplicable(
            f"{number} group(s) of rounds cannot be cut into {folds} folds: at least 2, at most as many"
        )
    places = (draw or Draw()).generator("folds").permutation(number) % folds
    assigned: Ints = places[groups].astype(np.intp)
    return assigned


def fit_rewards(
    log: Logged,
    folds: Ints | None = None,
    estimator: BaseEstimator | None = None,
    policy: Floats | None = None,
    pooled: bool = False,
) -> Floats:
    """Return q(x_i, a), the expected reward of each arm, cross-fitted: shape (n, K).

    Args:
        log: the rounds.
        folds: of each round, shape (n,); `assign_folds` if None.
        estimator: see `RewardModel.of`.
        policy: a target policy, shape (n, K): then rounds weigh as in MRDR (Farajtabar, Chow and Ghavamzadeh 2018,
            "More robust doubly robust off-policy evaluation", section 4), pi(a_i | x_i)^2 (1 - p_i) / p_i^2, so that
            the model errs least where the estimator's variance comes from. Where pi is deterministic these are the
            weights of Open Bandit Pipeline, which has pi in place of its square.
        pooled: see `RewardModel.of`.

    Raises:
        NotApplicable: as `RewardModel.of`; with a policy, if the log has no propensities.
    """
    weights = None
    if policy is not None:
        taken = policy[np.arange(len(log)), log.actions]
        weights = np.square(taken) * (1 - log.chances) / np.square(log.chances)
        weights = np.maximum(weights, 1e-6 * max(float(weights.max()), 1e-300))
    found = assign_folds(log) if folds is None else folds
    contexts, predicted = _contexts(log), np.empty((len(log), len(log.arms)))
    for fold in np.unique(found):
        inside, outside = np.flatnonzero(found == fold), np.flatnonzero(found != fold)
        model = RewardModel.of(log.take(outside), estimator, None if weights is None else weights[outside], pooled)
        predicted[inside] = model.predict(contexts[inside])
    return predicted


def fit_propensities(log: Logged, folds: Ints | None = None, estimator: BaseEstimator | None = None) -> Floats:
    """Return pi_b(a | x_i), how likely each arm was, cross-fitted: shape (n, K); at least .001 for every arm.

    Identified only if the contexts hold all that the choice and the reward have in common: say so beside every answer.

    Args:
        log: the rounds; its propensities, if any, are not looked at.
        folds: of each round, shape (n,); `assign_folds` if None.
        estimator: a classifier with ``predict_proba``; logistic regression if None.
    """
    found = assign_folds(log) if folds is None else folds
    contexts, chances = _contexts(log), np.zeros((len(log), len(log.arms)))
    for fold in np.unique(found):
        inside, outside = np.flatnonzero(found == fold), np.flatnonzero(found != fold)
        taken = log.actions[outside]
        known, counts = np.unique(taken, return_counts=True)
        if contexts.shape[1] == 0 or len(known) == 1:
            chances[np.ix_(inside, known)] = counts / counts.sum()
            continue
        model: Any = clone(estimator or _chooser()).fit(contexts[outside], taken)
        chances[np.ix_(inside, known)] = model.predict_proba(contexts[inside])
    chances = np.maximum(chances, _FLOOR)
    fitted: Floats = chances / chances.sum(1, keepdims=True)
    return fitted


def _contexts(log: Logged) -> Floats:
    return np.zeros((len(log), 0)) if log.contexts is None else log.contexts


def _beside(column: Floats, model: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """The prediction of one arm by a model of all."""
    return lambda given: model(np.hstack([given, np.broadcast_to(column, (len(given), len(column)))]))


def _fitted(
    contexts: Floats, rewards: Floats, estimator: BaseEstimator | None, weights: Floats | None, overall: float
) -> Callable[[Floats], Floats]:
    """The prediction of one arm."""
    mean = float(np.average(rewards, weights=weights)) if len(rewards) else overall
    if len(rewards) < _FEW or contexts.shape[1] == 0 or np.ptp(rewards) == 0:
        return lambda given: np.full(len(given), mean)
    binary = bool(np.isin(rewards, (0.0, 1.0)).all())
    chosen = estimator or (_classifier() if binary else _regressor())
    if is_classifier(chosen) and not binary:
        raise NotApplicable("a classifier predicts rewards of 0 and 1 only: these are others; give a regressor")
    # A pipeline hands weights to its last step only if told so.
    name = f"{chosen.steps[-1][0]}__sample_weight" if isinstance(chosen, Pipeline) else "sample_weight"
    model: Any = clone(chosen).fit(contexts, rewards, **({} if weights is None else {name: weights}))
    if is_classifier(chosen):
        return lambda given: np.asarray(model.predict_proba(given)[:, 1], dtype=float)
    return lambda given: np.asarray(model.predict(given), dtype=float)
