"""Both worlds under one noise, as often as something of it must be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.scm.draw import Draw
from ifonly.scm.durations import Constant
from ifonly.sim.engine.simulate import simulate
from ifonly.sim.services.arrivals import Bursts, ClosedLoop, Poisson
from ifonly.sim.services.metrics import Metrics, measure
from ifonly.sim.simulate.applying import arrive

if TYPE_CHECKING:
    from collections.abc import Callable

    from ifonly.sim.services.arrivals import Arrivals
    from ifonly.sim.services.requests import Request
    from ifonly.sim.services.timeline import Timeline
    from ifonly.sim.simulate.applying import Changed
    from ifonly.sim.timing.abduction import Traffic

__all__ = ["Replayed", "Replayer"]


@dataclass(frozen=True)
class Replayed:
    """Both worlds, replication by replication.

    Attributes:
        drawn: what was drawn, in words; nothing: one replication tells all.
        factual: metrics of the factual world.
        counterfactual: metrics of the changed one.
        timelines: of both, in the first replication.
    """

    drawn: tuple[str, ...]
    factual: tuple[Metrics, ...]
    counterfactual: tuple[Metrics, ...]
    timelines: tuple[Timeline, Timeline]


class Replayer:
    """Runs changed worlds beside the factual one, under the same noise.

    The factual world is simulated anew only where something of it is drawn.

    Args:
        traffic: recorded, in its factual world.
        arrivals: of both worlds.
        replications: where something is drawn.
        seed: of the first; the next have the numbers after it.
    """

    def __init__(self, traffic: Traffic, arrivals: Arrivals, replications: int = 20, seed: int = 0) -> None:
        self.traffic, self.arrivals, self.replications, self.seed = traffic, arrivals, replications, seed
        self.drawn_in_fact = tuple(self._drawn_in_fact())
        self._known: dict[int, tuple[tuple[Request, ...], Timeline, Metrics]] = {}

    def replay(self, changed: Changed, progress: Callable[[int, int], None] = lambda done, of: None) -> Replayed:
        """Run a changed world.

        Args:
            changed: the world and what becomes of the traffic.
            progress: told the replications done, and of how many.
        """
        requests, factual, metrics = self._factual(self.seed)
        timeline, asked = self._counterfactual(changed, requests, self.seed)
        drawn = (*self.drawn_in_fact, *self._drawn(changed, asked, timeline))
        facts, others = [metrics], [measure(timeline, changed.world)]
        count = self.replications if drawn else 1
        for seed in range(self.seed + 1, self.seed + count):
            progress(seed - self.seed, count)
            requests, _, metrics = self._factual(seed)
            facts.append(metrics)
            others.append(measure(self._counterfactual(changed, requests, seed)[0], changed.world))
        progress(count, count)
        return Replayed(drawn, tuple(facts), tuple(others), (factual, timeline))

    def _factual(self, seed: int) -> tuple[tuple[Request, ...], Timeline, Metrics]:
        """The requests of a replication, and what becomes of them unchanged."""
        seed = seed if self.drawn_in_fact else self.seed
        if seed not in self._known:
            draw, world = Draw(seed), self.traffic.world
            requests = self.traffic.requests(draw)
            timed, loop = arrive(requests, self.arrivals, draw)
            timeline = simulate(world, timed, draw, loop=loop)
            self._known[seed] = requests, timeline, measure(timeline, world)
        return self._known[seed]

    def _counterfactual(
        self, changed: Changed, requests: tuple[Request, ...], seed: int
    ) -> tuple[Timeline, tuple[Request, ...]]:
        draw = Draw(seed)
        if not self.drawn_in_fact and seed != self.seed:
            # The posterior of what the record does not tell matters in the changed world alone.
            requests = self.traffic.requests(draw)
        timed, loop = arrive(changed.requests(requests, draw), self.arrivals, draw, changed.factor)
        return simulate(changed.world, timed, draw, loop=loop, factual=self.traffic.world), timed

    def _drawn_in_fact(self) -> list[str]:
        """What is drawn even where nothing is changed."""
        arrivals, unknown, told = self.arrivals, self.traffic.unknown, []
        if unknown:
            told.append(f"the times of {unknown:,} calls, which no record tells")
        if isinstance(arrivals, Poisson | Bursts):
            told.append("times of arrival")
        if isinstance(arrivals, ClosedLoop) and not isinstance(arrivals.think, Constant):
            told.append("times between a user's requests")
        return told

    def _revives(self, changed: Changed, timeline: Timeline) -> bool:
        """Whether a reply that never came counts in the changed world: it is given, or its tokens are limited."""
        failed = self.traffic.failed
        if not failed:
            return False
        limited = any(service.tokens is not None for service in changed.world.services.values())
        return limited or any(s.status == "ok" and (s.request, s.site) in failed for s in timeline.spans)

    def _drawn(self, changed: Changed, asked: tuple[Request, ...], timeline: Timeline) -> list[str]:
        """What else is drawn in the changed world."""
        told, world, factual = [], changed.world, self.traffic.world
        if any(not chances.certain for chances in changed.chances.values()):
            told.append("which model a run is given")
        pairs = {(call.service, call.recorded) for request in asked for call in request.calls}
        routes = {name: world.routes[name] for name, _ in pairs if name in world.routes}
        if any(route.strategy == "shuffle" and len(route.services) > 1 for route in routes.values()):
            told.append("which service of a route is asked")
        for name, recorded in pairs:
            before = () if recorded is None else factual.services[recorded].failures
            services = routes[name].services if name in routes else (name,)
            if any(world.services[one].failures not in ((), before) for one in services):
                told.append("whether calls fail where the record does not tell")
                break
        if self._revives(changed, timeline):
            told.append("what calls that failed in the record would have answered")
        further = sum(span.attempt > 1 or span.hedge for span in timeline.spans)
        if further:
            told.append(f"the times of attempts that were not recorded: {further:,} in the first replication")
        return told
