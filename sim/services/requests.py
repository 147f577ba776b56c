"""Traffic: each request a graph of calls."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Call", "Request"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a request.

    Attributes:
        site: its name in the request, the same in every world.
        service: whom it asks: a service or a route of the world.
        after: sites that must have ended before (a join); none: the request's arrival.
        lag: seconds from then until the call is made (the agent's own work).
        input_tokens: of the prompt.
        output_tokens: of the reply.
        prefix: name of the prompt prefix that a cache may hold, and `prefix_tokens` of it.
        noise: the abducted latency noise (a multiplier of the recorded service's law); None draws it.
        recorded: the service of which `noise` is the noise; None: the service asked.
        failure_noise: the abducted uniform that says whether and how the first attempt fails; None draws it.
        failed_after: seconds after which the recorded first attempt failed, for where it fails again; None draws them.
    """

    site: str
    service: str
    after: tuple[str, ...] = ()
    lag: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    prefix: str | None = None
    prefix_tokens: int = 0
    noise: float | None = None
    recorded: str | None = None
    failure_noise: float | None = None
    failed_after: float | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One run of an agent as traffic.

    It ends `tail` seconds after its last call. A call that fails, after all retries and fallbacks, ends it at once:
    calls under way are cancelled (as a task group does), later ones are not made.

    Attributes:
        name: unique in the traffic; names its noise.
        arrival: seconds of simulated time, from 0.
        calls: in an order in which each comes after those it waits for.
        tail: seconds from the last end until the request ends.
    """

    name: str
    arrival: float
    calls: tuple[Call, ...]
    tail: float = 0.0
