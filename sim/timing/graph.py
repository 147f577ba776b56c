"""What a call waited for, read off times and reads.

A call waits for whatever ended before it started, less what ran beside it: a call that overlaps in time with one that
this call reads (or with what that one waited for) is of another branch, unless it is read as well. What others in turn
wait for is left out (the transitive reduction), so that parallel calls stay parallel and a join waits for all.

A call that started while a reader of its result was under way ran *inside* that one: a tool that asks a model, an agent
called as a tool. The outer call is then its own work until the first inner call; inner calls come after it, and what it
did between and after them counts as the agent's own seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.records import InputStep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.agents.records import ModelStep, Step, ToolStep

__all__ = ["TICK", "Placed", "placed"]

TICK = 1e-6
"""Seconds by which two clocks of one record may differ: a float of an epoch time holds 0.2 microseconds."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A timed step in the graph of its run; seconds since the run's first step.

    Attributes:
        step: the recorded step.
        start: when it started; at most a microsecond after the record says, where it had to wait for an end.
        seconds: of its own work: all of it, or until its first inner call.
        after: sites of the calls that it waited for, none of which waits for another.
        lag: from the last of their ends (or the run's start) to its start.
        inner: sites of the calls that ran inside it.
    """

    step: ModelStep | ToolStep
    start: float
    seconds: float
    after: tuple[str, ...]
    lag: float
    inner: tuple[str, ...] = ()

    @property
    def end(self) -> float:
        """When its own work ended, without what inner calls added."""
        return self.start + self.seconds


def placed(steps: Sequence[Step]) -> list[Placed]:
    """The timed steps of a run in an order in which each comes after those that it waited for.

    Args:
        steps: of the run; those without `started` or `seconds` are passed over.
    """
    timed = [s for s in steps if not isinstance(s, InputStep) and s.started is not None and s.seconds is not None]
    if not timed:
        return []
    first = min(_started(step) for step in timed)
    spans = {s.site: (_started(s) - first, _started(s) - first + (s.seconds or 0.0)) for s in timed}
    graph = _Graph(spans, _reads(steps, spans))
    # Of calls that start at once, an outer one comes before those inside it.
    for step in sorted(timed, key=lambda s: (spans[s.site][0], -spans[s.site][1] if graph.inner[s.site] else 0.0)):
        graph.add(step)
    return list(graph.found.values())


class _Graph:
    """Places calls in the order of their starts.

    Attributes:
        inner: by site, what ran inside it.
        found: by site, what is placed.
    """

    def __init__(self, spans: Mapping[str, tuple[float, float]], reads: Mapping[str, frozenset[str]]) -> None:
        self.inner = {site: _inner(site, reads[site], spans) for site in spans}
        self.found: dict[str, Placed] = {}
        self._spans, self._reads = spans, reads
        # Sets of calls as bits of an integer: a call's own, and those of all that it waited for.
        self._bit: dict[str, int] = {}
        self._waits: dict[str, int] = {}

    def add(self, step: ModelStep | ToolStep) -> None:
        """Place a call; those that started before it are placed."""
        start = self._spans[step.site][0]
        within = [one for one in self.inner[step.site] if one not in self.found]
        seconds = step.seconds or 0.0
        if within:
            seconds = max(0.0, min(self._spans[one][0] for one in within) - start)
        after = self._after(step.site, start)
        ready = max((self.found[one].end for one in after), default=0.0)
        begun = max(start, ready)
        self.found[step.site] = Placed(step, begun, seconds, after, begun - ready, tuple(sorted(within)))
        self._bit[step.site], self._waits[step.site] = 1 << len(self._bit), 0
        for site in after:
            self._waits[step.site] |= self._bit[site] | self._waits[site]

    def _after(self, site: str, start: float) -> tuple[str, ...]:
        """The sites that a call waited for."""
        outer = {one for one in self.found if site in self.inner[one]}
        # An outer call is over for those inside it when its own first work is; for others when all of it is.
        ended = [
            one
            for one in self.found.values()
            if one.end <= start + TICK and (one.step.site in outer or self._spans[one.step.site][1] <= start + TICK)
        ]
        closure = 0
        for one in ended:
            if one.step.site in self._reads[site] or one.step.site in outer:
                closure |= self._bit[one.step.site] | self._waits[one.step.site]
        known = [one for one in ended if closure & self._bit[one.step.site]]
        waited = [
            one
            for one in ended
            if closure & self._bit[one.step.site] or not any(_overlap(one, other) for other in known)
        ]
        covered = 0
        for one in waited:
            covered |= self._waits[one.step.site]
        return tuple(one.step.site for one in waited if not covered & self._bit[one.step.site])


def _started(step: ModelStep | ToolStep) -> float:
    assert step.started is not None
    return step.started


def _reads(steps: Sequence[Step], spans: Mapping[str, tuple[float, float]]) -> dict[str, frozenset[str]]:
    """The timed steps that each step reads, through inputs and steps without time."""
    found: dict[str, frozenset[str]] = {}
    for step in steps:
        sites = set[str]()
        for site in step.reads:
            sites |= {site} if site in spans else found.get(site, frozenset())
        found[step.site] = frozenset(sites)
    return found


def _inner(site: str, reads: frozenset[str], spans: Mapping[str, tuple[float, float]]) -> frozenset[str]:
    """The steps that ran inside one: it reads them, and they started after it did and ended before it."""
    start, end = spans[site]
    return frozenset(one for one in reads if spans[one][0] >= start - TICK and start < spans[one][1] <= end + TICK)


def _overlap(one: Placed, other: Placed) -> bool:
    """Whether two calls ran at the same time for more than the clock's resolution."""
    return min(one.end, other.end) - max(one.start, other.start) > TICK
