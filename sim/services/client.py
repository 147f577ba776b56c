"""How callers behave: timeout, retries, hedging, fallbacks, in the meanings of litellm's Router."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ifonly.sim.services.service import Amount, FailureKind, Spec

__all__ = ["Client", "Hedge", "Retry"]


class Retry(Spec):
    """Ask again after a failure.

    Before attempt k + 1 the client waits min(base factor^(k-1), cap) seconds, times a uniform on (0, 1) with full
    jitter, on (1/2, 1) with equal jitter (Brooker 2015, "Exponential backoff and jitter"); at least the `retry_after`
    that a refusal told. With `elsewhere`, as in litellm's Router, a retry through a route of several services, one of
    which at least is not cooling down, comes at once. Where all of a route cool down there is no retry.
    """

    attempts: Annotated[int, Field(ge=1)] = 3
    base: Amount = 1.0
    factor: Annotated[float, Field(ge=1.0)] = 2.0
    cap: Amount = 60.0
    jitter: Literal["none", "equal", "full"] = "full"
    elsewhere: bool = True
    on: tuple[FailureKind, ...] = ("rate_limited", "timeout", "server_error")


class Hedge(Spec):
    """If no reply has come after `seconds`, ask once more (`service`, or the same) and take the first reply.

    Each attempt of a retry may have its hedge. The one that loses is cancelled, its slot freed; an attempt has failed
    when both have.
    """

    seconds: Amount
    service: str | None = None


class Client(Spec):
    """What a caller does around one call.

    Attributes:
        timeout: seconds after which an attempt, queueing included, is given up (`timeout`), and its slot freed; None
            never.
        fallbacks: services to ask in turn, each with the same retries, when all attempts at one have failed; that which
            the call names is passed over.
    """

    timeout: Annotated[float, Field(gt=0.0)] | None = None
    retry: Retry = Retry(attempts=1)
    hedge: Hedge | None = None
    fallbacks: tuple[str, ...] = ()
