"""Intervals that stay valid however often one looks: for means of bounded draws, by betting.

For draws x_1, x_2, ... in [0, 1] with mean m, the capital of a gambler who bets against m,

    K+_t(m) = prod over i <= t of (1 + min(l_i, c / m) (x_i - m)),
    K-_t(m) = prod over i <= t of (1 - min(l_i, c / (1 - m)) (x_i - m)),

is a non-negative martingale if m is the mean, so with probability 1 - alpha it never reaches 2 / alpha (Ville 1939).
The m at which neither did so are a confidence sequence: one may look after every draw, and stop when it is narrow
enough. The bets l_i depend on earlier draws alone (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random
variables by betting", JRSS B 86:1, eqs. 23-26, hedged capital with predictable plug-in bets and theta = 1/2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ifonly.scm.intervals import Interval

__all__ = ["betting_interval", "betting_p_value"]

_GRID = 2_001
_MOST = 0.75
"""c: the share of the capital that may be lost at one draw."""


def betting_interval(
    values: ArrayLike, low: float, high: float, level: float = 0.95, *, planned: int | None = None
) -> Interval:
    """Return an interval for the mean of independent draws in [low, high], in the order in which they came.

    Covers with probability at least `level` at any number of draws, also one chosen by looking at the draws.

    Args:
        values: shape (n,), n >= 0.
        low: smallest value a draw can have.
        high: largest value a draw can have; above `low`.
        level: coverage in (0, 1).
        planned: number of draws for which the bets are tuned; None if that is open. It moves the width, never the
            coverage.

    Raises:
        ValueError: if the range or the level is empty, or a draw lies outside the range.
    """
    x = (np.asarray(values, dtype=float) - low) / (high - low) if high > low else np.array([np.nan])
    if x.ndim != 1 or not 0 < level < 1 or not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"need a vector of values in [{low}, {high}], low < high, and 0 < level < 1; got {x}")
    means = np.linspace(0.0, 1.0, _GRID)
    kept = _survive(x, means, _bets(x, level, planned), np.log(2 / (1 - level)))
    inside = np.flatnonzero(kept)
    centre = float(x.mean()) if len(x) else 0.5
    # The grid is widened by one point each way, since the truth may lie between two of them.
    ends = (inside[0] - 1, inside[-1] + 1) if len(inside) else (np.searchsorted(means, centre),) * 2
    first, last = (means[min(max(int(end), 0), _GRID - 1)] for end in ends)
    span = high - low
    return low + span * min(float(first), centre), low + span * max(float(last), centre)


def betting_p_value(
    values: ArrayLike, low: float, high: float, null: float, *, planned: int | None = None, level: float = 0.95
) -> float:
    """Return the p-value of "the mean is at most `null`", valid at any number of draws, also one chosen by looking.

    If the mean is m <= null, the capital K+_t(null) of the gambler who bets that it is higher is a non-negative
    supermartingale that starts at 1, so P(1 / max over t of K+_t <= a) <= a for every a (Ville 1939).

    Args:
        values: shape (n,), in the order in which they came; no draw gives 1.
        low: smallest value a draw can have.
        high: largest value a draw can have; above `low`.
        null: inside (low, high).
        planned: as in `betting_interval`.
        level: for which the bets are tuned; it moves the power alone.

    Raises:
        ValueError: if the range is empty, `null` is no inner point, or a draw lies outside the range.
    """
    if not low < null < high:
        raise ValueError(f"need low < null < high, got {low}, {null}, {high}")
    x, mean = (np.asarray(values, dtype=float) - low) / (high - low), (null - low) / (high - low)
    if x.ndim != 1 or not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"need a vector of values in [{low}, {high}], got {x}")
    gained = np.log1p(np.minimum(_bets(x, level, planned), _MOST / mean) * (x - mean)).cumsum()
    return float(np.exp(-max(0.0, gained.max(initial=0.0))))


def _bets(x: NDArray[np.float64], level: float, planned: int | None) -> NDArray[np.float64]:
    """The bet before each draw, from the draws before it: shape (n,)."""
    t = np.arange(1, len(x) + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum(np.square(x - mean))) / (t + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    size = np.full(len(x), float(planned)) if planned else t * np.log(1 + t)
    bets: NDArray[np.float64] = np.sqrt(2 * np.log(2 / (1 - level)) / (before * size))
    return bets


def _survive(
    x: NDArray[np.float64], means: NDArray[np.float64], bets: NDArray[np.float64], ruin: float
) -> NDArray[np.bool_]:
    """Which means no gambler has ruined so far: shape (grid,)."""
    up = down = np.zeros(len(means))
    kept = np.ones(len(means), dtype=bool)
    with np.errstate(divide="ignore"):
        most_up, most_down = _MOST / means, _MOST / (1 - means)
    for value, bet in zip(x, bets, strict=True):
        up = up + np.log1p(np.minimum(bet, most_up) * (value - means))
        down = down + np.log1p(-np.minimum(bet, most_down) * (value - means))
        kept &= np.maximum(up, down) < ruin
    return kept
