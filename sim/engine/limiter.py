"""A rate limit by virtual scheduling: no process ticks, so that a run ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ifonly.sim.services.service import Limit

__all__ = ["Limiter"]


class Limiter:
    """The generic cell rate algorithm, GCRA(T, (burst - 1) T) (ITU-T I.371, annex A), for attempts of any size."""

    __slots__ = ("_interval", "_theoretical", "_tolerance", "refuses")

    def __init__(self, limit: Limit) -> None:
        self.refuses = limit.over == "refuse"
        self._interval = 60.0 / limit.per_minute
        self._tolerance = (limit.burst - 1.0) * self._interval
        self._theoretical = 0.0

    def conforms(self, now: float) -> float:
        """From when an attempt conforms: `now` if it does."""
        return max(now, self._theoretical - self._tolerance)

    def take(self, time: float, size: float) -> None:
        """An attempt of this size passes at `time`."""
        self._theoretical = max(time, self._theoretical) + size * self._interval
