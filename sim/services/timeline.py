"""What a simulation gives: a span for every attempt and an end for every request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from ifonly.sim.services.service import FailureKind

__all__ = ["Ended", "Span", "Status", "Timeline"]

Status = Literal["ok", "cancelled"] | FailureKind
"""`cancelled`: a hedge that lost, or a call of a request that failed elsewhere."""


class Span(NamedTuple):
    """One attempt: it came to the service at `queued`, was served from `started` (None: never) to `ended`.

    `attempt` counts the attempts of the call from 1, at whichever service; a `hedge` has the number of the attempt that
    it stands beside. `output_tokens` are those made. Where all of a route cool down, `service` is the route.
    """

    request: str
    site: str
    service: str
    attempt: int
    queued: float
    started: float | None
    ended: float
    status: Status
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost: float | None
    hedge: bool = False


class Ended(NamedTuple):
    """How a request ended: `failed` names the site whose call failed after all retries and fallbacks."""

    request: str
    arrival: float
    end: float
    failed: str | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Spans in the order in which they ended; requests in the order of the traffic."""

    spans: tuple[Span, ...]
    requests: tuple[Ended, ...]
