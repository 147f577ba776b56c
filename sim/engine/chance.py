"""All the chance of a simulation: eight uniforms for every attempt, keyed by request, site and number of the attempt.

The key names neither service nor time: attempt 2 of `planner/0` has the same luck in every world. The first attempts'
are drawn at once, before the clock starts; others when they come.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ifonly.agents.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ifonly.scm.draw import Draw
    from ifonly.scm.durations import Duration
    from ifonly.sim.engine.attempt import Attempt
    from ifonly.sim.services.requests import Request
    from ifonly.sim.services.world import World

__all__ = ["Chance", "Noise", "Purpose", "quantile"]

_LEAST, _MOST = 2.0**-54, 1.0 - 2.0**-53
_SEPARATOR = "\x1f"
_WHOSE = "Say in `Call.recorded` whose noise it is, and give the world in which it was abducted as `factual`."

Floats: TypeAlias = "NDArray[np.float64]"
Indices: TypeAlias = "NDArray[np.int64]"


class Purpose(IntEnum):
    """What each of the uniforms of an attempt is for."""

    LATENCY = 0
    FAILURE = 1
    FAILURE_SECONDS = 2
    BACKOFF = 3
    ROUTE = 4


class Noise:
    """The latency noise of a law: of all first attempts at once, of others one by one."""

    __slots__ = ("_first", "law")

    def __init__(self, law: Duration, first: Floats) -> None:
        self.law = law
        self._first = first.data

    def of(self, attempt: Attempt, chance: Chance) -> float:
        """The multiplier of an attempt."""
        if attempt.number == 1 and not attempt.hedge:
            return self._first[attempt.index]
        return quantile(self.law, chance.uniforms(attempt)[Purpose.LATENCY])


def quantile(law: Duration, u: float) -> float:
    """The value of a law at one u."""
    return float(law.quantile(np.asarray(u)))


class Chance:
    """The uniforms of a traffic.

    Attributes:
        draw: where they come from.
        first: of all first attempts, (calls, 8), calls in the order of the traffic.
    """

    def __init__(self, world: World, factual: World, requests: Sequence[Request], draw: Draw) -> None:
        self.draw = draw
        names: list[str] = []
        named: dict[str, list[int]] = {}
        noises: dict[str, tuple[list[int], list[float]]] = {}
        failures: dict[int, float] = {}
        # One pass over the traffic: it may not fit into any cache.
        for request in requests:
            for call in request.calls:
                index = len(names)
                names.append(_key(request.name, call.site, 1))
                named.setdefault(call.service, []).append(index)
                if call.failure_noise is not None:
                    failures[index] = call.failure_noise
                if call.noise is not None:
                    indices, values = noises.setdefault(call.recorded or call.service, ([], []))
                    indices.append(index)
                    values.append(call.noise)
        self.first = draw.eights(names)
        self.first[list(failures), Purpose.FAILURE] = list(failures.values())
        self._asked = _asked(world, named)
        self._abducted = _abducted(factual, noises)
        self._columns: dict[Duration, Floats] = {}

    def noise(self, service: str, law: Duration) -> Noise:
        """The latency noise of a service of this law: abducted where it is known, else drawn."""
        column = self._columns.setdefault(law, np.zeros(len(self.first)))
        if (asked := self._asked.get(service)) is not None:
            column[asked] = law.quantile(self.first[asked, Purpose.LATENCY])
            for recorded, (at, noise) in self._abducted.items():
                # The same law gives the noise back to the last digit; cdf and quantile would not.
                column[at] = noise if recorded == law else law.quantile(recorded.cdf(noise).clip(_LEAST, _MOST))
        return Noise(law, column)

    def uniforms(self, attempt: Attempt) -> tuple[float, ...]:
        """The eight uniforms of an attempt."""
        if attempt.uniforms is None:
            if attempt.number == 1 and not attempt.hedge:
                attempt.uniforms = tuple(self.first[attempt.index].tolist())
            else:
                key = _key(attempt.request, attempt.call.site, attempt.number, attempt.hedge)
                attempt.uniforms = self.draw.eight(key)
        return attempt.uniforms


def _key(request: str, site: str, number: int, hedge: bool = False) -> str:
    return f"{request}{_SEPARATOR}{site}{_SEPARATOR}{number}{'+' if hedge else ''}"


def _asked(world: World, named: dict[str, list[int]]) -> dict[str, Indices]:
    """The calls whose first attempt may be put to a service, by service; from those that name it or its routes."""
    asked: dict[str, list[int]] = {}
    for name, indices in named.items():
        for service in world.routes[name].services if name in world.routes else (name,):
            asked.setdefault(service, []).extend(indices)
    return {service: np.asarray(indices) for service, indices in asked.items()}


def _abducted(
    factual: World, noises: dict[str, tuple[list[int], list[float]]]
) -> dict[Duration, tuple[Indices, Floats]]:
    """The abducted noise of calls, by the law of which it is; from those by service."""
    by_law: dict[Duration, tuple[Indices, Floats]] = {}
    for name, (indices, values) in noises.items():
        if name not in factual.services:
            raise UnknownName("service of recorded noise", name, factual.services, _WHOSE)
        law = factual.services[name].latency.noise
        before, earlier = by_law.get(law, (np.zeros(0, dtype=np.int64), np.zeros(0)))
        by_law[law] = (np.append(before, indices), np.append(earlier, values))
    return by_law
