"""A request: the graph of its calls, with joins, lags and a tail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.sim.engine.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Callable

    from ifonly.sim.engine.asking import Desk
    from ifonly.sim.engine.clock import Happening
    from ifonly.sim.services.requests import Request

__all__ = ["Running"]


class Running:
    """One request under way.

    Attributes:
        name: of the request.
        place: of the request in the traffic.
        arrival: when it came.
        failed_at: the site that failed it.
    """

    __slots__ = (
        "_calls",
        "_desk",
        "_done",
        "_first",
        "_left",
        "_live",
        "_tail",
        "_then",
        "_waits",
        "arrival",
        "failed_at",
        "name",
        "place",
    )

    def __init__(self, desk: Desk, request: Request, place: int, first: int, done: Callable[[Running], None]) -> None:
        self.name, self.place, self.arrival = request.name, place, desk.clock.now
        self.failed_at: str | None = None
        self._desk, self._calls, self._tail, self._first, self._done = desk, request.calls, request.tail, first, done
        self._left = len(request.calls)
        self._live: dict[int, Asking] = {}
        self._waits = [len(call.after) for call in request.calls]
        self._then: dict[str, list[int]] = {}
        for at, call in enumerate(request.calls):
            for site in call.after:
                self._then.setdefault(site, []).append(at)

    def begin(self) -> None:
        """Make the calls that wait for none."""
        if not self._calls:
            self._end_after_tail()
        for place, waits in enumerate(self._waits):
            if not waits:
                self._call(place)

    def answered(self, asking: Asking) -> None:
        """A call has its answer: make those that waited for it alone."""
        del self._live[asking.place]
        self._left -= 1
        for place in self._then.get(asking.call.site, ()):
            self._waits[place] -= 1
            if not self._waits[place]:
                self._call(place)
        if not self._left:
            self._end_after_tail()

    def failed(self, asking: Asking) -> None:
        """A call has failed: so has the request."""
        self.failed_at = asking.call.site
        del self._live[asking.place]
        for other in self._live.values():
            other.cancel()
        self._done(self)

    def _call(self, place: int) -> None:
        lag, clock = self._calls[place].lag, self._desk.clock
        if lag > 0.0:
            clock.at(clock.now + lag, self._late, place)
        else:
            self._ask(place)

    def _late(self, happening: Happening) -> None:
        if self.failed_at is None:
            self._ask(happening.what)

    def _ask(self, place: int) -> None:
        asking = self._live[place] = Asking(self._desk, self, self._calls[place], self._first + place, place)
        asking.ask()

    def _end_after_tail(self) -> None:
        if self._tail > 0.0:
            self._desk.clock.at(self._desk.clock.now + self._tail, self._end, None)
        else:
            self._done(self)

    def _end(self, _: Happening) -> None:
        self._done(self)
