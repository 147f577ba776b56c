"""Which service an attempt is put to, and which of a route's services are cooling down."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from ifonly.sim.engine.chance import Purpose

if TYPE_CHECKING:
    from ifonly.sim.engine.attempt import Attempt
    from ifonly.sim.engine.chance import Chance
    from ifonly.sim.engine.station import Station
    from ifonly.sim.services.world import Cooldown, Route

__all__ = ["Target"]

_MINUTE = 60.0
_SHARE, _ENOUGH = 0.5, 5
"""litellm's DEFAULT_FAILURE_THRESHOLD_PERCENT and DEFAULT_FAILURE_THRESHOLD_MINIMUM_REQUESTS."""


class _Health:
    """What a route has seen of one of its services."""

    __slots__ = ("attempts", "failures", "since", "until")

    def __init__(self) -> None:
        self.attempts = self.failures = 0
        self.since = self.until = 0.0

    def count(self, failed: bool, now: float) -> None:
        """Count an attempt that ended, in a minute that begins with the first."""
        if not self.attempts or now >= self.since + _MINUTE:
            self.attempts = self.failures = 0
            self.since = now
        self.attempts += 1
        self.failures += failed


class Target:
    """A name that calls ask: a service, or a route over several.

    Attributes:
        name: of the service or route.
        several: whether there is a choice.
        cools: whether services may cool down, so that ends must be told.
    """

    def __init__(self, name: str, stations: tuple[Station, ...], route: Route | None, chance: Chance) -> None:
        self.name = name
        self.several = len(stations) > 1
        self._stations, self._chance = stations, chance
        self._strategy = "first" if route is None else route.strategy
        weights = (1.0,) * len(stations) if route is None or route.weights is None else route.weights
        self._weights = dict(zip(stations, weights, strict=True))
        self._cooldown: Cooldown | None = None if route is None else route.cooldown
        self.cools = self._cooldown is not None
        self._health = {station.name: _Health() for station in stations}

    def pick(self, attempt: Attempt, now: float) -> Station | None:
        """The service that an attempt is put to; None if all are cooling down."""
        healthy = self._healthy(now) if self.cools else self._stations
        if len(healthy) < 2 or self._strategy == "first":  # noqa: PLR2004
            return healthy[0] if healthy else None
        if self._strategy == "least-busy":
            return min(healthy, key=lambda station: station.under_way)
        ends = list(accumulate(self._weights[station] for station in healthy))
        u = self._chance.uniforms(attempt)[Purpose.ROUTE]
        return healthy[min(bisect_right(ends, u * ends[-1]), len(healthy) - 1)]

    def has(self, now: float) -> bool:
        """Whether a service is not cooling down."""
        return bool(self._healthy(now))

    def told(self, station: str, attempt: Attempt, now: float) -> None:
        """An attempt at a service ended."""
        if self._cooldown is None:
            return
        health = self._health[station]
        health.count(attempt.status not in {"ok", "malformed"}, now)
        if attempt.status not in {"ok", "malformed"} and self._cools(self._cooldown, health, attempt):
            health.until = max(health.until, now + (attempt.retry_after or self._cooldown.seconds))

    def _healthy(self, now: float) -> tuple[Station, ...]:
        if self._cooldown is None:
            return self._stations
        return tuple(station for station in self._stations if self._health[station.name].until <= now)

    def _cools(self, cooldown: Cooldown, health: _Health, attempt: Attempt) -> bool:
        if cooldown.allowed_fails is not None:
            return health.failures > cooldown.allowed_fails
        if not self.several:
            return False
        mostly = health.attempts >= _ENOUGH and health.failures > _SHARE * health.attempts
        return attempt.status == "rate_limited" or mostly
