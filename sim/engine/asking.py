"""A call: what its client does around it until it has an answer or gives up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ifonly.sim.engine.attempt import Attempt, State
from ifonly.sim.engine.chance import Purpose
from ifonly.sim.services.timeline import Span

if TYPE_CHECKING:
    from ifonly.sim.engine.chance import Chance
    from ifonly.sim.engine.clock import Clock, Happening
    from ifonly.sim.engine.routing import Target
    from ifonly.sim.engine.station import Station
    from ifonly.sim.services.client import Client
    from ifonly.sim.services.requests import Call

__all__ = ["Asking", "Caller", "Desk"]


class Caller(Protocol):
    """The request whose call it is."""

    name: str

    def answered(self, asking: Asking) -> None:
        """The call has its answer."""

    def failed(self, asking: Asking) -> None:
        """The call has failed, after all retries and fallbacks."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What all calls share.

    Attributes:
        clock: the time.
        chance: the uniforms.
        targets: by the name asked: whom to ask, and how its callers behave.
        spans: of all attempts that have ended.
    """

    clock: Clock
    chance: Chance
    targets: dict[str, tuple[Target, Client]]
    spans: list[Span]


class Asking:
    """One call under way.

    Attributes:
        caller: its request.
        call: what is asked.
        index: of the call among all calls of the traffic.
        place: of the call in its request.
    """

    __slots__ = (
        "_backoff",
        "_client",
        "_desk",
        "_fallbacks",
        "_hedged",
        "_live",
        "_number",
        "_over",
        "_target",
        "_tries",
        "call",
        "caller",
        "index",
        "place",
    )

    def __init__(self, desk: Desk, caller: Caller, call: Call, index: int, place: int) -> None:
        self.caller, self.call, self.index, self.place = caller, call, index, place
        self._desk = desk
        self._target, self._client = desk.targets[call.service]
        self._fallbacks = 0
        self._live: dict[Attempt, tuple[Station | None, Target]] = {}
        self._number = self._tries = 0
        self._backoff = self._client.retry.base
        self._hedged = self._over = False

    def ask(self) -> None:
        """Make the next attempt."""
        self._number += 1
        self._tries += 1
        self._hedged = False
        self._put(self._target, hedge=False)
        if self._client.hedge is not None:
            clock = self._desk.clock
            clock.at(clock.now + self._client.hedge.seconds, self._hedge, self._number)

    def ended(self, attempt: Attempt) -> None:
        """An attempt is over: the answer, or the next thing to try."""
        if self._over:
            return
        now = self._desk.clock.now
        station, target = self._live.pop(attempt)
        if target.cools and station is not None:
            target.told(station.name, attempt, now)
        if attempt.status == "ok":
            self._over = True
            if self._live:
                self.cancel()
            self.caller.answered(self)
        elif not self._live:
            self._failed(attempt, now)

    def cancel(self) -> None:
        """Leave what is under way; nothing more is tried."""
        self._over = True
        for attempt, (station, _) in self._live.items():
            if attempt.state is not State.OVER and station is not None:
                station.leave(attempt, "cancelled")
        self._live.clear()

    def _put(self, target: Target, hedge: bool) -> None:
        attempt = Attempt(self, self.caller.name, self.call, self.index, self._number, hedge)
        now = self._desk.clock.now
        station = target.pick(attempt, now)
        self._live[attempt] = (station, target)
        if station is not None:
            station.offer(attempt, self._client.timeout)
        else:
            self._nobody(attempt, target, now)

    def _nobody(self, attempt: Attempt, target: Target, now: float) -> None:
        """All services of the route are cooling down."""
        attempt.state, attempt.status = State.OVER, "rate_limited"
        call = self.call
        self._desk.spans.append(
            Span(
                attempt.request,
                call.site,
                target.name,
                attempt.number,
                now,
                None,
                now,
                "rate_limited",
                call.input_tokens,
                0,
                0,
                0.0,
                attempt.hedge,
            )
        )
        self._desk.clock.at(now, lambda _: self.ended(attempt), None)

    def _hedge(self, happening: Happening) -> None:
        if self._over or self._hedged or not self._live or happening.what != self._number:
            return
        hedge = self._client.hedge
        assert hedge is not None
        self._hedged = True
        self._put(self._target if hedge.service is None else self._desk.targets[hedge.service][0], hedge=True)

    def _failed(self, attempt: Attempt, now: float) -> None:
        """Retry, fall back, or fail."""
        retry, clock = self._client.retry, self._desk.clock
        if self._tries < retry.attempts and attempt.status in retry.on and self._target.has(now):
            clock.at(now + self._wait(attempt), self._again, None)
        elif self._fallbacks < len(self._client.fallbacks):
            self._target = self._desk.targets[self._client.fallbacks[self._fallbacks]][0]
            self._fallbacks += 1
            self._tries = 0
            self._backoff = retry.base
            self.ask()
        else:
            self._over = True
            self.caller.failed(self)

    def _wait(self, attempt: Attempt) -> float:
        """Seconds until the next attempt."""
        retry = self._client.retry
        if retry.elsewhere and self._target.several:
            return 0.0
        wait = min(self._backoff, retry.cap)
        self._backoff = min(self._backoff * retry.factor, retry.cap)
        if retry.jitter != "none":
            u = self._desk.chance.uniforms(attempt)[Purpose.BACKOFF]
            wait *= u if retry.jitter == "full" else 0.5 + 0.5 * u
        return max(wait, attempt.retry_after)

    def _again(self, _: Happening) -> None:
        if not self._over:
            self.ask()
