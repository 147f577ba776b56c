"""An endpoint or tool: what one attempt at it takes, costs, and meets."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ifonly.scm.durations import Constant, Duration

__all__ = ["Cache", "Failure", "FailureKind", "Latency", "Limit", "Outage", "Price", "Service", "Spec"]

Amount: TypeAlias = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Probability: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
FailureKind = Literal["rate_limited", "timeout", "server_error", "malformed"]
"""HTTP 429, HTTP 408 or a reply that never comes, 5xx, and a reply that comes and is of no use."""


class Spec(BaseModel):
    """Base of everything that a world file states: frozen, closed to unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Latency(Spec):
    """Seconds of service = (base + per_input_token fresh + per_output_token output) x noise.

    `fresh` counts the input tokens that the prompt cache does not hold. The first token comes after
    (base + per_input_token fresh) x noise. The noise has one uniform a call, the same in every world: a call that was
    slow in the record is slow in its rank elsewhere. A tool has a base alone, often 1, and its seconds as noise.
    """

    base: Amount = 1.0
    per_input_token: Amount = 0.0
    per_output_token: Amount = 0.0
    noise: Duration = Constant(value=1.0)

    def expected(self, input_tokens: int, output_tokens: int) -> float:
        """Seconds at noise 1, where nothing of the prompt is cached."""
        return self.base + self.per_input_token * input_tokens + self.per_output_token * output_tokens


class Failure(Spec):
    """An attempt fails in this way with this probability, after `seconds` (its service time where None).

    A `timeout` without `seconds` is a reply that never comes: it lasts until the client gives up, and its service
    time where the client never does. One uniform an attempt picks the kind, in the order given: a service with
    smaller probabilities fails on some of the same attempts, and on no others.
    """

    kind: FailureKind
    probability: Probability
    seconds: Duration | None = None
    retry_after: Amount | None = None


class Limit(Spec):
    """At most `per_minute` requests or tokens a minute, by virtual scheduling (GCRA, ITU-T I.371).

    With T = 60 / per_minute seconds a unit, an attempt conforms if it comes no more than (burst - 1) T before the
    theoretical arrival time, which it then moves on by T times its size: at most `burst` requests come at once (the
    maximum burst size of I.371), then one every T. An attempt of any size conforms where nothing is owed, and what
    it takes is owed. One that does not conform is refused (`rate_limited`, with the seconds until it would) or waits
    that long at the service's door, where waiting keeps the order of coming; what it took stays taken when its
    client gives up. Refused attempts take nothing. Tokens of an attempt: input and output.
    """

    per_minute: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
    burst: Annotated[float, Field(ge=1.0, allow_inf_nan=False)] = 1.0
    over: Literal["refuse", "wait"] = "refuse"


class Outage(Spec):
    """From `start` until before `end` each attempt that would start fails at once with `server_error`."""

    start: Amount
    end: Amount

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"an outage ends after it starts: end {self.end} is not above start {self.start}")
        return self


class Price(Spec):
    """US dollars a call, and a token.

    Failed attempts cost nothing, but `malformed` ones, which were answered. One that its client left while a reply
    was on the way (a timeout, a hedge that lost, a request that failed elsewhere) costs its call, its input and the
    output made till then, as providers bill it.
    """

    per_call: Amount = 0.0
    per_input_token: Amount = 0.0
    per_cached_token: Amount | None = None
    per_output_token: Amount = 0.0


class Cache(Spec):
    """A prompt cache: a prefix stays for `seconds` after its last use; None for ever. Only `minimum` tokens or more.

    It can be read from the first token of the reply that brought it. Use is the start of an attempt that is answered.
    """

    seconds: Amount | None = 300.0
    minimum: Annotated[int, Field(ge=0)] = 1024


class Service(Spec):
    """An endpoint or a tool.

    Attributes:
        concurrency: attempts served at once; None without limit. Others queue, first come first served.
        queue: how many may queue; None without limit. One more is refused as `rate_limited`.
        price: None where it is not known; then neither is any cost that it enters.
    """

    concurrency: Annotated[int, Field(ge=1)] | None = None
    queue: Annotated[int, Field(ge=0)] | None = None
    requests: Limit | None = None
    tokens: Limit | None = None
    latency: Latency = Latency()
    failures: tuple[Failure, ...] = ()
    outages: tuple[Outage, ...] = ()
    price: Price | None = Price()
    cache: Cache | None = None

    @model_validator(mode="after")
    def _shares(self) -> Self:
        total = sum(failure.probability for failure in self.failures)
        if total > 1.0:
            raise ValueError(f"the probabilities of the failures add up to {total:.6g}, above 1")
        return self
