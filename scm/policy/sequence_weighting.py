"""Importance sampling of whole runs: no model of what is to come, and little use beyond a few steps.

With rho_it = pi(a_it | s_it) / p_it and W_it = rho_i0 ... rho_it,

    tis     mean over i of W_iT sum over t of discount^t r_it           (T: the last step)
    pdis    mean over i of sum over t of discount^t W_it r_it
    sntis   tis over the mean of W_iT
    snpdis  sum over t of discount^t (mean of W_it r_it) / (mean of W_it)

(Precup, Sutton and Singh 2000, "Eligibility traces for off-policy policy evaluation"; the last: Thomas 2015, "Safe
reinforcement learning", section 3.8). Names as in SCOPE-RL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from ifonly.scm.policy.logged import Floats
    from ifonly.scm.policy.sequences import SequenceEvaluation

__all__ = ["naive_return", "pdis", "snpdis", "sntis", "tis"]


def naive_return(evaluation: SequenceEvaluation) -> Value:
    """Return the mean return of the logged runs: the value of the policy that was followed.

    Args:
        evaluation: the log; its policy plays no part.
    """
    return _mean("naive", evaluation, evaluation.log.rewards @ evaluation.discounts, weigh=False)


def tis(evaluation: SequenceEvaluation) -> Value:
    """Return the trajectory-wise importance-sampling value: unbiased, and of little use beyond a few steps.

    Args:
        evaluation: the log under the policy.

    Raises:
        NotApplicable: if no run could have been the policy's.
    """
    evaluation.check_overlap()
    return _mean("tis", evaluation, evaluation.weights[:, -1] * (evaluation.log.rewards @ evaluation.discounts))


def pdis(evaluation: SequenceEvaluation) -> Value:
    """Return the per-decision value: a reward is weighed by the choices before it alone. Unbiased.

    Args:
        evaluation: the log under the policy.

    Raises:
        NotApplicable: if no run could have been the policy's.
    """
    evaluation.check_overlap()
    return _mean("pdis", evaluation, (evaluation.weights * evaluation.log.rewards) @ evaluation.discounts)


def sntis(evaluation: SequenceEvaluation) -> Value:
    """Return `tis` over the mean weight, a weighted mean of the logged returns: biased by order 1 / n, steadier.

    Args:
        evaluation: the log under the policy.

    Raises:
        NotApplicable: if no run could have been the policy's.
    """
    returns = evaluation.log.rewards @ evaluation.discounts
    evaluation.check_overlap()
    value, influence = _ratio(evaluation.weights[:, -1:], returns[:, None])
    return Value("sntis", float(value[0]), influence[:, 0], evaluation.weights[:, -1], evaluation.log.clusters)


def snpdis(evaluation: SequenceEvaluation) -> Value:
    """Return `pdis` with each step's weights over their mean at that step: biased by order 1 / n, steadier.

    Args:
        evaluation: the log under the policy.

    Raises:
        NotApplicable: if no run could have been the policy's.
    """
    evaluation.check_overlap()
    values, influence = _ratio(evaluation.weights, evaluation.log.rewards)
    discounts = evaluation.discounts
    weights = evaluation.weights[:, -1]
    return Value("snpdis", float(values @ discounts), influence @ discounts, weights, evaluation.log.clusters)


def _mean(name: str, evaluation: SequenceEvaluation, scores: Floats, *, weigh: bool = True) -> Value:
    value = float(scores.mean())
    weights: Floats | None = evaluation.weights[:, -1] if weigh else None
    return Value(name, value, scores - value, weights, evaluation.log.clusters)


def _ratio(weights: Floats, rewards: Floats) -> tuple[Floats, Floats]:
    """Weighted means of each column, shape (T,), and their influence functions, shape (n, T)."""
    # Past the last step that earned anything there may be no weight: nothing is earned there, too.
    means = weights.mean(0)
    means = np.where(means > 0, means, 1.0)
    values = (weights * rewards).mean(0) / means
    influence: Floats = weights * (rewards - values) / means
    return values, influence
