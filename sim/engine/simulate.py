"""Traffic through a world of services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.sim.engine.asking import Desk
from ifonly.sim.engine.chance import Chance, quantile
from ifonly.sim.engine.clock import Clock
from ifonly.sim.engine.routing import Target
from ifonly.sim.engine.running import Running
from ifonly.sim.engine.station import Station
from ifonly.sim.services.timeline import Ended, Timeline
from ifonly.sim.services.traffic import check_traffic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.draw import Draw
    from ifonly.sim.engine.clock import Happening
    from ifonly.sim.services.arrivals import ClosedLoop
    from ifonly.sim.services.client import Client
    from ifonly.sim.services.requests import Request
    from ifonly.sim.services.timeline import Span
    from ifonly.sim.services.world import World

__all__ = ["Simulation", "simulate"]


def simulate(
    world: World,
    requests: Sequence[Request],
    draw: Draw,
    *,
    loop: ClosedLoop | None = None,
    factual: World | None = None,
) -> Timeline:
    """Return the timeline of the requests in a world of services.

    All chance is keyed by the names of requests, sites and attempts: equal worlds give equal timelines to the last
    digit, and runs of changed worlds under one `draw` share their noise, whichever services they ask (common random
    numbers). Counterfactual for the requests whose noise was abducted, interventional for the others.

    Args:
        world: services, routes and clients.
        requests: the traffic, in any order of arrival; names are unique.
        draw: of all noise.
        loop: how many users send the requests, in their order, each when its last has ended; arrival times are then
            not used. None: at their arrival times.
        factual: the world in which the noise of calls was abducted; None: this one. It tells the laws of which the
            noise is, where `world` changes them.

    Raises:
        UnknownName: a call asks or waits for what there is not, or its noise is of an unknown service.
        NotApplicable: two requests or sites of one name, or a time that is negative.
    """
    simulation = Simulation(world, requests, draw, loop=loop, factual=factual)
    simulation.clock.run()
    return simulation.timeline()


class Simulation:
    """A run that has not begun: `clock.run()` runs it, `clock.step()` does one event.

    Attributes:
        clock: the time.
        stations: services at work, by name.
        present: requests that have come and not ended.
    """

    def __init__(
        self,
        world: World,
        requests: Sequence[Request],
        draw: Draw,
        *,
        loop: ClosedLoop | None = None,
        factual: World | None = None,
    ) -> None:
        check_traffic(world, requests)
        self.clock = Clock()
        self.present = 0
        self._requests, self._draw, self._loop = requests, draw, loop
        self._spans: list[Span] = []
        self._ended: list[Ended | None] = [None] * len(requests)
        chance = Chance(world, factual or world, requests, draw)
        self.stations = {
            name: Station(name, service, self.clock, chance, self._spans) for name, service in world.services.items()
        }
        self._desk = Desk(self.clock, chance, _targets(world, self.stations, chance), self._spans)
        self._first = [0]
        for request in requests:
            self._first.append(self._first[-1] + len(request.calls))
        order = range(len(requests))
        self._order = iter(order if loop else sorted(order, key=lambda place: requests[place].arrival))
        for _ in range(loop.users if loop else 1):
            self._release()

    def timeline(self) -> Timeline:
        """What has ended so far."""
        return Timeline(tuple(self._spans), tuple(ended for ended in self._ended if ended is not None))

    def _release(self) -> None:
        """The next request: at its time, or when the user who takes it has thought."""
        place = next(self._order, None)
        if place is None:
            return
        request = self._requests[place]
        if self._loop is None:
            at = request.arrival
        else:
            u = self._draw.eight(f"think\x1f{request.name}")[0]
            at = self.clock.now + quantile(self._loop.think, u)
        self.clock.at(at, self._arrive, place)

    def _arrive(self, happening: Happening) -> None:
        place: int = happening.what
        if self._loop is None:
            self._release()
        self.present += 1
        Running(self._desk, self._requests[place], place, self._first[place], self._end).begin()

    def _end(self, running: Running) -> None:
        self.present -= 1
        self._ended[running.place] = Ended(running.name, running.arrival, self.clock.now, running.failed_at)
        if self._loop is not None:
            self._release()


def _targets(world: World, stations: dict[str, Station], chance: Chance) -> dict[str, tuple[Target, Client]]:
    """Whom each name asks, and how its callers behave: none falls back to whom it asked."""
    targets = {name: Target(name, (station,), None, chance) for name, station in stations.items()}
    for name, route in world.routes.items():
        targets[name] = Target(name, tuple(stations[service] for service in route.services), route, chance)
    clients = {name: world.clients.get(name, world.client) for name in targets}
    others = {name: tuple(one for one in client.fallbacks if one != name) for name, client in clients.items()}
    return {name: (targets[name], clients[name].model_copy(update={"fallbacks": others[name]})) for name in targets}
