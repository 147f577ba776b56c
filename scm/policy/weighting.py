"""Estimators that need no reward model: the naive mean, and inverse propensity weighting in three forms.

Names and conventions as in Open Bandit Pipeline 0.5.7 (`obp.ope`), and the same numbers.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from ifonly.scm.policy.evaluation import Evaluation
    from ifonly.scm.policy.logged import Floats

__all__ = ["ipw", "naive", "snipw", "usable_weights"]


def naive(evaluation: Evaluation) -> Value:
    """Return the mean reward of the log, whatever the policy: the value of the policy that was followed.

    The baseline that the others must beat. It estimates V(pi) only where pi is the logging policy.
    """
    log = evaluation.log
    value = float(log.rewards.mean())
    return Value("naive", value, log.rewards - value, clusters=log.clusters)


def ipw(evaluation: Evaluation, lambda_: float = inf) -> Value:
    """Return the inverse propensity weighted mean of r_i min(w_i, lambda): IPS, clipped where lambda is finite.

    Unbiased with lambda infinite, known propensities, and a logging policy that tries all that the target does
    (Horvitz and Thompson 1952). A finite lambda bounds the variance and biases towards 0: the interval is then one
    for the value of the clipped weights, and does not know of the bias.

    Args:
        evaluation: the log under the policy.
        lambda_: largest weight, positive; a weight above it counts as it.

    Raises:
        NotApplicable: if the log has no propensities, no logged action has a chance under the policy, or lambda is
            negative.
    """
    log, weights = evaluation.log, usable_weights(evaluation, lambda_)
    if lambda_ < inf:
        weights = np.minimum(weights, lambda_)
        scores = weights * log.rewards
    else:
        scores = evaluation.weighted
    value = float(scores.mean())
    return Value("ipw", value, scores - value, weights, log.clusters)


def snipw(evaluation: Evaluation) -> Value:
    """Return the self-normalised mean, sum w_i r_i / sum w_i: a ratio of means, inside the range of the rewards.

    Influence function by the delta method: psi_i = w_i (r_i - V) / mean(w) (Swaminathan and Joachims 2015, "The
    self-normalized estimator for counterfactual learning", give the estimator). Resampling w_i r_i / mean(w) with the
    mean held fixed, as Open Bandit Pipeline does, leaves out that the two vary together: its interval is several times
    too wide where rewards are far from 0.

    Raises:
        NotApplicable: if the log has no propensities, or no logged action has a chance under the policy.
    """
    log, weights = evaluation.log, usable_weights(evaluation, inf)
    normaliser = evaluation.mean_weight
    value = float(evaluation.weighted.mean()) / normaliser
    influence = log.rewards - value
    influence *= weights
    influence /= normaliser
    return Value("snipw", value, influence, weights, log.clusters, normalised=influence)


def usable_weights(evaluation: Evaluation, lambda_: float) -> Floats:
    """Return the importance weights, having seen that there is something to weigh, shape (n,).

    Args:
        evaluation: the log under the policy.
        lambda_: hyper-parameter of the estimator that asks.

    Raises:
        NotApplicable: if the log has no propensities, no logged action has a chance under the policy (see
            `Evaluation.check_overlap`), or lambda is negative or no number.
    """
    if not lambda_ >= 0:
        raise NotApplicable(f"lambda_ must be at least 0 (inf: no change to the weights), not {lambda_}")
    evaluation.check_overlap()
    return evaluation.weights
