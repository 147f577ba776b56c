"""One attempt at a service, as the engine knows it."""

from __future__ import annotations

from enum import Enum, auto
from math import inf
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ifonly.sim.services.requests import Call
    from ifonly.sim.services.timeline import Status

__all__ = ["Asker", "Attempt", "State"]


class State(Enum):
    """Where an attempt is: at the door, in the queue, in a slot, done."""

    COMING = auto()
    WAITING = auto()
    SERVED = auto()
    OVER = auto()


class Asker(Protocol):
    """Whose attempt it is."""

    def ended(self, attempt: Attempt) -> None:
        """The attempt is over, with its `status`."""


class Attempt:
    """One attempt.

    Attributes:
        asker: whom to tell its end.
        request: the name of the request.
        call: what is asked.
        index: of the call among all calls of the traffic.
        number: from 1; a hedge has the number of the attempt that it stands beside.
        hedge: whether it is one.
        uniforms: its chance, once it has been asked for.
        queued: when it came to the service.
        deadline: when its client gives up.
        state: where it is.
        started: when its service began.
        seconds: of its service, if nobody breaks it off; `first` until the first token.
        cached: tokens of the prompt that the cache held.
        outcome: how its service ends, if nobody breaks it off.
        status: how it ended.
        retry_after: what a refusal told.
    """

    __slots__ = (
        "asker",
        "cached",
        "call",
        "deadline",
        "first",
        "hedge",
        "index",
        "number",
        "outcome",
        "queued",
        "request",
        "retry_after",
        "seconds",
        "started",
        "state",
        "status",
        "uniforms",
    )

    def __init__(self, asker: Asker, request: str, call: Call, index: int, number: int, hedge: bool) -> None:
        self.asker = asker
        self.request = request
        self.call = call
        self.index = index
        self.number = number
        self.hedge = hedge
        self.uniforms: tuple[float, ...] | None = None
        self.queued = 0.0
        self.deadline = inf
        self.state = State.COMING
        self.started: float | None = None
        self.seconds = self.first = 0.0
        self.cached = 0
        self.outcome: Status = "ok"
        self.status: Status = "ok"
        self.retry_after = 0.0
