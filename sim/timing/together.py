"""Whether a service's slowest calls came together: the mark of a cause that they share, of which no law knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.sim.timing.answers import Together

if TYPE_CHECKING:
    from ifonly.scm.draw import Draw
    from ifonly.scm.durations.laws import Floats

__all__ = ["slowest_together"]

_SLOWEST, _LEAST = 100, 3
"""One call in so many counts as slow; how many there must be for a test."""

_NEARLY_ALL = 0.99
_RESAMPLES = 999


def slowest_together(starts: Floats, seconds: Floats, noise: Floats, draw: Draw) -> Together | None:
    """Return how many of the slowest calls began close to each other, and how often chance has as many.

    An incident is met by calls that are under way: those that began within the time that nearly all other calls take.
    Under the null noise is exchangeable over calls: the slowest hundredth may be any of them. p = (1 + resamples with
    as many) / (1 + resamples) (Phipson and Smyth 2010, Statistical Applications in Genetics 9:39).

    Args:
        starts: of the calls, in seconds, shape (n,).
        seconds: of each, shape (n,).
        noise: of each, by which they are ranked, shape (n,).
        draw: of the resamples; its stream is "together".

    Returns:
        None of fewer than 300 calls.
    """
    slow = len(noise) // _SLOWEST
    if slow < _LEAST:
        return None
    order = np.argsort(noise, kind="stable")
    window = float(np.quantile(seconds[order[:-slow]], _NEARLY_ALL))
    found = _most_within(window, starts[order[-slow:]])
    rng = draw.generator("together")
    drawn = (_most_within(window, rng.choice(starts, slow, replace=False)) for _ in range(_RESAMPLES))
    as_many = sum(one >= found for one in drawn)
    return Together(slow=slow, close=found, window=window, p_value=(1 + as_many) / (1 + _RESAMPLES))


def _most_within(window: float, starts: Floats) -> int:
    """The largest number of starts within a stretch of time."""
    ordered = np.sort(starts)
    return int((np.searchsorted(ordered, ordered + window, side="right") - np.arange(len(ordered))).max())
