"""Estimators with a reward model: the direct method, and the doubly robust family that corrects it by weighting.

Each is the mean of what the model expects of the policy, plus a weighted mean of what it did not foresee. Names and
conventions as in Open Bandit Pipeline 0.5.7 (`obp.ope`), and the same numbers. With a reward model fitted on other
folds (`ifonly.scm.policy.nuisance`) the influence functions hold as they stand for `dr` and `sndr`: the errors of the
nuisances enter by their product only (Chernozhukov et al. 2018, "Double/debiased machine learning").
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.policy.value import Value
from ifonly.scm.policy.weighting import usable_weights

if TYPE_CHECKING:
    from ifonly.scm.policy.evaluation import Evaluation
    from ifonly.scm.policy.logged import Floats

__all__ = ["dm", "dr", "dr_os", "sndr", "switch_dr"]


def dm(evaluation: Evaluation) -> Value:
    """Return the direct method: the mean over rounds of sum over a of pi(a | x_i) q(x_i, a).

    As good as the reward model and no better. The interval takes the model as known: it holds the chance in the
    contexts alone, and misses the model's own error.

    Raises:
        NotApplicable: if there is no reward model.
    """
    scores = evaluation.expected
    value = float(scores.mean())
    return Value("dm", value, scores - value, clusters=evaluation.log.clusters)


def dr(evaluation: Evaluation, lambda_: float = inf, name: str = "dr") -> Value:
    """Return the doubly robust mean of sum over a of pi q + min(w_i, lambda) (r_i - q(x_i, a_i)).

    Consistent where the propensities or the reward model are right (Dudik, Langford and Li 2011). With the model of
    `ifonly.scm.policy.nuisance.fit_rewards(..., policy=pi)`, fitted with the weights of the estimator's variance, it is
    MRDR (Farajtabar, Chow and Ghavamzadeh 2018).

    Args:
        evaluation: the log under the policy, with a reward model.
        lambda_: largest weight; infinite for none.
        name: name of the result, for instance "mrdr".

    Raises:
        NotApplicable: if the log has no propensities, no logged action has a chance under the policy (what is left
            is `dm`, and should be called so), there is no reward model, or lambda is negative.
    """
    weights = usable_weights(evaluation, lambda_)
    return _corrected(name, evaluation, np.minimum(weights, lambda_) if lambda_ < inf else weights)


def switch_dr(evaluation: Evaluation, lambda_: float = inf) -> Value:
    """Return Switch-DR: doubly robust where w_i <= lambda, the reward model alone elsewhere.

    Wang, Agarwal and Dudik 2017, "Optimal and adaptive off-policy evaluation in contextual bandits". At lambda = 0
    (and no weight of 0) the direct method, at infinity `dr`. The interval is for a fixed lambda, and does not know of
    the bias that switching brings.

    Args:
        evaluation: the log under the policy, with a reward model.
        lambda_: largest weight that is used.

    Raises:
        NotApplicable: as `dr`.
    """
    weights = usable_weights(evaluation, lambda_)
    return _corrected("switch-dr", evaluation, weights * (weights <= lambda_) if lambda_ < inf else weights)


def dr_os(evaluation: Evaluation, lambda_: float = inf) -> Value:
    """Return DR with optimistic shrinkage: w_i is replaced by lambda w_i / (w_i^2 + lambda).

    Su, Dimakopoulou, Krishnamurthy and Dudik 2020, "Doubly robust off-policy evaluation with shrinkage". At lambda = 0
    the direct method, at infinity `dr`. The interval is for a fixed lambda, and does not know of the bias that
    shrinking brings.

    Args:
        evaluation: the log under the policy, with a reward model.
        lambda_: the larger, the less is shrunk.

    Raises:
        NotApplicable: as `dr`.
    """
    weights = usable_weights(evaluation, lambda_)
    if lambda_ == 0:
        weights = np.zeros_like(weights)
    elif lambda_ < inf:
        weights = lambda_ * weights / (np.square(weights) + lambda_)
    return _corrected("dr-os", evaluation, weights)


def sndr(evaluation: Evaluation) -> Value:
    """Return self-normalised DR: mean of sum over a of pi q, plus sum w_i (r_i - q(x_i, a_i)) / sum w_i.

    Influence function by the delta method: (sum over a of pi q)_i - its mean + w_i (r_i - q(x_i, a_i) - R) / mean(w),
    with R the second term.

    Raises:
        NotApplicable: as `dr`.
    """
    weights = usable_weights(evaluation, inf)
    expected, residual = evaluation.expected, evaluation.residual
    normaliser = evaluation.mean_weight
    direct = float(expected.mean())
    correction = float(weights @ residual) / len(weights) / normaliser
    normalised = residual - correction
    normalised *= weights
    normalised /= normaliser
    influence = expected - direct
    influence += normalised
    return Value("sndr", direct + correction, influence, weights, evaluation.log.clusters, normalised=normalised)


def _corrected(name: str, evaluation: Evaluation, weights: Floats) -> Value:
    """The model's mean, corrected with these weights."""
    scores = weights * evaluation.residual
    scores += evaluation.expected
    value = float(scores.mean())
    scores -= value
    return Value(name, value, scores, weights, evaluation.log.clusters)
