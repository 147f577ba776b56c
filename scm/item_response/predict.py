"""Outcomes that were not seen: probabilities, intervals, and intervals of counts. Numpy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import effective_size

if TYPE_CHECKING:
    from ifonly.scm.draw import Draw
    from ifonly.scm.estimate import Rung
    from ifonly.scm.intervals import Interval
    from ifonly.scm.item_response.facets import Floats

__all__ = ["NOISE", "count_interval", "estimate_of", "quantiles"]

NOISE = "a hierarchical item-response world"
"""What every answer of such a world rests on."""


def quantiles(draws: Floats, at: tuple[float, ...], weights: Floats | None = None) -> Floats:
    """Weighted quantiles of draws: the least value whose cumulated weight comes to the share.

    Args:
        draws: shape (draws, cells).
        at: shares in [0, 1].
        weights: of the draws, shape (draws,) or (draws, cells); None where all are alike.

    Returns:
        Shape (shares, cells).
    """
    order = np.argsort(draws, axis=0)
    weights = np.ones(len(draws)) if weights is None else weights
    spread = np.broadcast_to(weights.reshape(len(draws), -1), draws.shape)
    mass = np.cumsum(np.take_along_axis(spread, order, axis=0), axis=0)
    # The last sum is the whole, in rounding too.
    places = [np.minimum((mass < share * mass[-1]).sum(axis=0), len(draws) - 1) for share in at]
    ordered = np.take_along_axis(draws, order, axis=0)
    return np.stack([np.take_along_axis(ordered, place[None], axis=0)[0] for place in places])


def estimate_of(
    draws: Floats,
    level: float,
    *,
    rung: Rung,
    weights: Floats | None = None,
    noise: str = NOISE,
) -> Estimate:
    """One probability from its posterior draws: their mean, and the equal-tailed credible interval.

    Args:
        draws: of the probability, shape (draws,).
        level: posterior probability of the interval.
        rung: of the estimand.
        weights: of the draws; None where all are alike.
        noise: what the value rests on.
    """
    weights = np.ones(len(draws)) if weights is None else weights
    value = float(np.clip(weights @ draws / weights.sum(), 0.0, 1.0))
    low, high = quantiles(draws[:, None], ((1 - level) / 2, (1 + level) / 2), weights)[:, 0]
    return Estimate(
        value=value,
        low=min(float(low), value),
        high=max(float(high), value),
        level=level,
        effective=effective_size(weights),
        rung=rung,
        identified="assumed",
        noise=noise,
    )


def count_interval(chances: Floats, level: float, draw: Draw) -> Interval:
    """Predictive interval of how many cells of a group succeed: what a real count can be held against.

    Args:
        chances: joint draws of P(Y = 1 | latents), shape (draws, cells).
        level: at least this predictive probability lies inside, up to the draws' own error.
        draw: of the outcomes' noise, keyed ``count``.
    """
    outcomes = draw.uniform("count", (50, *chances.shape)) < chances
    counts = np.sort(outcomes.sum(axis=-1).ravel())
    tail = int((1 - level) / 2 * len(counts))
    return float(counts[tail]), float(counts[-1 - tail])
