"""Fitted-Q evaluation: what is to come under a policy, learned backward in time from logged runs.

    q_t(s, a) = E[r_t + discount sum over a' of pi(a' | s_{t+1}) q_{t+1}(s_{t+1}, a') | s_t = s, a_t = a],

with q = 0 after the end of a run: one regression for each step and arm, the last step first (Le, Voloshin and Yue
2019, "Batch policy learning under constraints", section 4, for a finite horizon). It needs no propensities, but states
that hold what moved choices and later rewards, and a regression that can express q.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.logged import group_numbers
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from ifonly.scm.policy.logged import Floats, Ints
    from ifonly.scm.policy.sequences import SequenceEvaluation

__all__ = ["FittedQ", "fit_q", "fqe"]

_FOLDS = 10
_FEW = 10
"""Rounds of a step and arm below which their mean is all that is learned."""


@cache
def _regressor() -> BaseEstimator:
    """Few parameters, for logs of some hundred runs."""
    return make_pipeline(StandardScaler(), Ridge(alpha=1.0))


@dataclass(frozen=True, eq=False)
class FittedQ:
    """What fitted-Q evaluation learned, on all runs and without each fold. Make it with `fit_q`.

    Attributes:
        model: q_t(s_it, a) of regressions that never saw run i's fold, shape (n, T, K): for `sequential_dr`.
        value: mean over all runs of V(s_i0), as learned on all.
        without: the same without fold g, learned and averaged on the others, shape (folds,).
        folds: of each run, shape (n,).
    """

    model: Floats
    value: float
    without: Floats
    folds: Ints


def fit_q(
    evaluation: SequenceEvaluation,
    folds: int = _FOLDS,
    estimator: BaseEstimator | None = None,
    draw: Draw | None = None,
) -> FittedQ:
    """Learn q_t(s, a) on all runs, and once without each fold; groups of runs are kept whole.

    Args:
        evaluation: the log under the policy; a model that it has is not looked at.
        folds: at least 2; at most as many as there are groups are made.
        estimator: a scikit-learn regressor; ridge regression on standardised states if None. A step and arm with
            fewer than 10 rounds, or without states, is predicted by its mean; one that was never taken, by the
            step's mean.
        draw: of the folds; seed 0 if None. The stream is keyed by the name "folds".

    Raises:
        NotApplicable: if there are fewer than two groups.
    """
    log = evaluation.log
    groups = group_numbers(log.clusters, len(log))
    number = int(groups.max()) + 1
    if min(folds, number) <= 1:
        raise NotApplicable(f"{number} group(s) of runs cannot be cut into {folds} folds: at least 2 of both")
    places = (draw or Draw()).generator("folds").permutation(number) % min(folds, number)
    fold_of = places[groups].astype(np.intp)
    expected = evaluation.policy[:, 0]
    crossed = np.zeros(evaluation.policy.shape)
    without = np.empty(min(folds, number))
    for fold in range(len(without)):
        inside, outside = fold_of == fold, fold_of != fold
        learned = _learn(evaluation, np.flatnonzero(outside), estimator)
        crossed[inside] = learned[inside]
        without[fold] = (expected * learned[:, 0])[outside].sum(-1).mean()
    value = (expected * _learn(evaluation, np.arange(len(log)), estimator)[:, 0]).sum(-1).mean()
    return FittedQ(crossed, float(value), without, fold_of)


def fqe(evaluation: SequenceEvaluation, fitted: FittedQ | None = None) -> Value:
    """Return the value by fitted-Q evaluation, with the spread of a jackknife over folds.

    Influence values are those of the delete-a-fold jackknife, (G - 1) (mean of the values without a fold - the value
    without this one), so that the interval counts the regression's variance (Shao and Tu 1995, "The jackknife and
    bootstrap", section 2.3). It does not count its bias: a model that cannot express q is wrong with a narrow interval.

    Args:
        evaluation: the log under the policy.
        fitted: of `fit_q` on the same evaluation; fitted here if None.

    Raises:
        NotApplicable: if there are fewer than two groups of runs.
    """
    found = fit_q(evaluation) if fitted is None else fitted
    sizes = np.bincount(found.folds)
    apart = found.without.mean() - found.without
    shares = len(found.folds) * (len(sizes) - 1) / len(sizes) * apart / sizes
    return Value("fqe", found.value, shares[found.folds], None, found.folds)


def _learn(evaluation: SequenceEvaluation, rows: Ints, estimator: BaseEstimator | None) -> Floats:
    """q_t(s_it, a) of all runs, learned on some, shape (n, T, K)."""
    log = evaluation.log
    learned = np.zeros(evaluation.policy.shape)
    after = np.zeros(len(log))
    for t in reversed(range(log.steps)):
        running = rows[log.mask[rows, t]]
        targets = log.rewards[:, t] + evaluation.discount * after
        overall = float(targets[running].mean()) if len(running) else 0.0
        for arm in range(len(log.arms)):
            own = running[log.actions[running, t] == arm]
            learned[:, t, arm] = _predicted(log.states[:, t], targets, own, overall, estimator)
        learned[~log.mask[:, t], t] = 0.0
        after = (evaluation.policy[:, t] * learned[:, t]).sum(-1)
    return learned


def _predicted(
    states: Floats, targets: Floats, own: Ints, overall: float, estimator: BaseEstimator | None
) -> Floats | float:
    """What a regression on some runs says of all."""
    if not len(own):
        return overall
    if len(own) < _FEW or states.shape[1] == 0:
        return float(targets[own].mean())
    model: Any = clone(estimator or _regressor()).fit(states[own], targets[own])
    return cast("Floats", model.predict(states))
