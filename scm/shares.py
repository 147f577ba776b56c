"""A share of independent trials, as an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import clopper_pearson

if TYPE_CHECKING:
    from ifonly.scm.estimate import Rung

__all__ = ["share_of"]


def share_of(successes: int, trials: int, rung: Rung, level: float = 0.95) -> Estimate:
    """Return successes / trials with Clopper and Pearson's interval.

    Args:
        successes: how many.
        trials: of how many; at least one.
        rung: of the ladder on which the share stands.
        level: coverage of the interval.
    """
    low, high = clopper_pearson(successes, trials, level)
    value = successes / trials
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        effective=float(trials),
        rung=rung,
        identified="point",
    )
