"""How wrong the propensities may be: bounds on a policy's value when choices also followed what the log does not show.

The marginal sensitivity model (Tan 2006, JASA 101:1619): the true odds of each logged choice, given all that moved it,
differ from those in the log by a factor of at most Gamma. Then the true inverse propensity of round i lies in

    [1 + (1 / p_i - 1) / Gamma, 1 + (1 / p_i - 1) Gamma],

and the self-normalised value sum of pi_i v_i r_i / sum of pi_i v_i is bounded over all v in these boxes, a fractional
linear program that a sort solves (Zhao, Small and Bhattacharya 2019, JRSS B 81:735, proposition 2). These bounds are
valid; they are not sharp, for they do not ask that the true weights balance the contexts: `sharp_sensitivity` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.policy.logged import group_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from ifonly.scm.draw import Draw
    from ifonly.scm.policy.evaluation import Evaluation
    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["breaking_gamma", "sensitivity_bounds", "smallest_gamma"]

_MOST = 1e3


def sensitivity_bounds(
    evaluation: Evaluation, gamma: float, draw: Draw, level: float = 0.95, repeats: int = 200
) -> Estimate:
    """Return bounds on V(pi) under the marginal sensitivity model, with percentile bootstrap limits.

    The bootstrap of whole groups is valid for these bounds (Zhao, Small and Bhattacharya 2019, theorem 1). At
    Gamma = 1 they shrink to the self-normalised value and its interval.

    Args:
        evaluation: the log under the policy; with propensities.
        gamma: at least 1.
        draw: of the bootstrap; the stream is keyed by the name "sensitivity".
        level: coverage of the limits, in (0, 1).
        repeats: number of resamples.

    Raises:
        NotApplicable: if gamma is below 1, or no logged action has a chance under the policy.
    """
    if not gamma >= 1:
        raise NotApplicable(f"gamma is a factor between odds, at least 1, not {gamma}")
    rewards, least, most = _boxes(evaluation, gamma)
    groups = _groups(evaluation)
    number = int(groups.max()) + 1
    generator = draw.generator("sensitivity")
    ends = np.empty((repeats, 2))
    for row in range(repeats):
        counts = np.bincount(generator.integers(number, size=number), minlength=number)[groups].astype(float)
        ends[row] = _extremes(rewards, counts * least, counts * most)
    tail = (1 - level) / 2
    low, high = _extremes(rewards, least, most)
    return Estimate.bounded(
        min(float(np.quantile(ends[:, 0], tail)), low),
        max(float(np.quantile(ends[:, 1], 1 - tail)), high),
        "interventional",
        level,
        effective=float(number),
    )


def breaking_gamma(evaluation: Evaluation, threshold: float) -> float:
    """Return the smallest Gamma at which V(pi) may lie on the other side of a threshold: 1 if it does already.

    Args:
        evaluation: the log under the policy; with propensities.
        threshold: for instance the value of the policy that was followed.

    Raises:
        NotApplicable: if no logged action has a chance under the policy.
    """
    rewards, *_ = _boxes(evaluation, 1.0)
    point = _extremes(rewards, *_boxes(evaluation, 1.0)[1:])[0]
    end = 0 if point > threshold else 1

    def beyond(gamma: float) -> bool:
        edge = _extremes(*_boxes(evaluation, gamma))[end]
        return edge <= threshold if end == 0 else edge >= threshold

    return smallest_gamma(beyond)


def smallest_gamma(beyond: Callable[[float], bool]) -> float:
    """Return the smallest Gamma from which on bounds reach beyond something, to 1e-4; infinite above 1,000.

    Args:
        beyond: whether they do so at a Gamma; once true, true from there on.
    """
    low, high = 1.0, 2.0
    if beyond(low):
        return 1.0
    while not beyond(high):
        low, high = high, 2 * high
        if high > _MOST:
            return float("inf")
    while high / low > 1 + 1e-4:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return high


def _boxes(evaluation: Evaluation, gamma: float) -> tuple[Floats, Floats, Floats]:
    """Rewards in ascending order, with the least and largest weight of each; rounds of weight 0 are left out."""
    log = evaluation.log
    kept = evaluation.policy[np.arange(len(log)), log.actions]
    rows = np.argsort(log.rewards, kind="stable")
    if not kept.any():
        raise NotApplicable("no logged action has a chance under the policy: nothing can be weighed")
    odds = 1 / log.chances[rows] - 1
    return log.rewards[rows], kept[rows] * (1 + odds / gamma), kept[rows] * (1 + odds * gamma)


def _groups(evaluation: Evaluation) -> Ints:
    """The group of each round, in the order of the rewards."""
    log = evaluation.log
    rows = np.argsort(log.rewards, kind="stable")
    return group_numbers(log.clusters, len(log))[rows]


def _extremes(rewards: Floats, least: Floats, most: Floats) -> tuple[float, float]:
    """The smallest and the largest ratio: large weights up to some reward and small ones beyond, or the reverse.

    Args:
        rewards: ascending, shape (n,).
        least: smallest weights, shape (n,).
        most: largest weights, shape (n,).
    """

    def ratios(before: Floats, after: Floats) -> Floats:
        down = np.concatenate([[0.0], np.cumsum(before)]) + after.sum() - np.concatenate([[0.0], np.cumsum(after)])
        paid = after * rewards
        up = np.concatenate([[0.0], np.cumsum(before * rewards)])
        up += paid.sum() - np.concatenate([[0.0], np.cumsum(paid)])
        filled = down > 0
        found: Floats = up[filled] / down[filled]
        return found

    return float(ratios(most, least).min()), float(ratios(least, most).max())
