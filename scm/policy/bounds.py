"""What a log says of a policy's value without assuming what it cannot show: bounds, for rewards in a known range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.policy.support import untried
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from ifonly.scm.policy.evaluation import Evaluation
    from ifonly.scm.policy.logged import Floats

__all__ = ["limits", "natural_bounds", "support_bounds"]


def natural_bounds(evaluation: Evaluation, low: float, high: float, level: float = 0.95) -> Estimate:
    """Return bounds on V(pi) that assume nothing of how actions were chosen (Manski 1990, "Nonparametric bounds").

    In round i the policy does what was logged with probability pi(a_i | x_i), and then the reward is known; else it is
    anywhere in [low, high]: E[pi(A | X) R + (1 - pi(A | X)) low] <= V <= the same with high. Sharp; no propensity is
    needed.

    Args:
        evaluation: the log under the policy.
        low: smallest reward there can be.
        high: largest.
        level: coverage of the limits (Imbens and Manski 2004), in (0, 1).

    Raises:
        NotApplicable: if a reward lies outside the range.
    """
    log = evaluation.log
    _check(log.rewards, low, high)
    kept = evaluation.policy[np.arange(len(log)), log.actions]
    known = kept * log.rewards
    return limits(evaluation, known + (1 - kept) * low, known + (1 - kept) * high, level, (low, high))


def support_bounds(
    evaluation: Evaluation, low: float, high: float, level: float = 0.95, behaviour: Floats | None = None
) -> Estimate:
    """Return bounds on V(pi) where part of what the policy does was never tried; the rest is identified by weighting.

    V = E[sum over tried a of pi(a | X) r(X, a)] + E[sum over untried a of pi(a | X) r(X, a)]: the first term is
    weighted as in `ipw`, the second lies between low and high times the untried mass (Manski 2003, "Partial
    identification of probability distributions").

    Args:
        evaluation: the log under the policy; with propensities.
        low: smallest reward there can be.
        high: largest.
        level: coverage of the limits (Imbens and Manski 2004), in (0, 1).
        behaviour: chances of all arms, shape (n, K); see `ifonly.scm.policy.support.untried`.

    Raises:
        NotApplicable: if a reward lies outside the range, or the log has no propensities.
    """
    log = evaluation.log
    _check(log.rewards, low, high)
    missing = untried(evaluation, behaviour)
    open_ = (evaluation.policy * missing).sum(1)
    known = np.where(missing[np.arange(len(log)), log.actions] > 0, 0.0, evaluation.weighted)
    return limits(evaluation, known + open_ * low, known + open_ * high, level, (low, high))


def _check(rewards: Floats, low: float, high: float) -> None:
    if not low <= float(rewards.min()) <= float(rewards.max()) <= high:
        raise NotApplicable(
            f"rewards lie between {rewards.min():g} and {rewards.max():g}, outside the range [{low:g}, {high:g}] that "
            "bounds need: widen it"
        )


def limits(
    evaluation: Evaluation, lower: Floats, upper: Floats, level: float, span: tuple[float, float] | None = None
) -> Estimate:
    """Return confidence limits that cover the value, wherever it lies between the bounds, with probability `level`.

    c solves Phi(c + width / max(se)) - Phi(-c) = level: between the one-sided quantile, for wide bounds, and the
    two-sided one, for a point (Imbens and Manski 2004, Econometrica 72:1845, section 4).

    Args:
        evaluation: the log under the policy.
        lower: of each round, whose mean is the lower bound, shape (n,).
        upper: of each round, whose mean is the upper bound, shape (n,).
        level: coverage, in (0, 1).
        span: smallest and largest value there can be; None for any.
    """
    clusters = evaluation.log.clusters
    ends = [float(lower.mean()), float(upper.mean())]
    errors = [
        Value("bound", end, column - end, clusters=clusters).standard_error
        for end, column in zip(ends, (lower, upper), strict=True)
    ]
    widest = max(*errors, 1e-300)
    width = min((ends[1] - ends[0]) / widest, 1e6)
    c = 0.0  # at a low level wide bounds are enough, and limits are never inside them
    if ndtr(width) - ndtr(0.0) < level:
        c = float(brentq(lambda c: ndtr(c + width) - ndtr(-c) - level, 0.0, float(ndtri((3 + level) / 4)) + 1.0))
    low, high = ends[0] - c * errors[0], ends[1] + c * errors[1]
    if span is not None:
        low, high = min(max(low, span[0]), span[1]), max(min(high, span[1]), span[0])
    # Means of scores with weights in them may cross by chance.
    return Estimate.bounded(low, max(low, high), "interventional", level, effective=float(len(lower)))
