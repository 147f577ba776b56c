"""What recorded traffic told of its services: the laws that were fitted, and how well they fit. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ifonly.scm.durations.fits import Chosen
from ifonly.scm.estimate import Estimate
from ifonly.sim.services.service import FailureKind

__all__ = ["FailureRate", "ServiceFit", "TimingReport", "Together"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FailureRate(_Answer):
    """How often a service failed in one way.

    Attributes:
        kind: the way.
        count: of calls that did.
        rate: share of all calls, with its Clopper-Pearson interval.
        seconds: law of the time until the failure came; None where no record tells it.
    """

    kind: FailureKind
    count: int
    rate: Estimate
    seconds: Chosen | None = None


class Together(_Answer):
    """Whether the slowest calls of a service came together.

    Attributes:
        slow: how many calls count as slow: a hundredth, those of the largest noise.
        close: how many of them began within `window` seconds.
        window: what 99 % of the other calls take at most.
        p_value: of as many or more, were noise exchangeable over calls.
    """

    slow: int
    close: int
    window: float
    p_value: float


class ServiceFit(_Answer):
    """A service as the records show it: seconds = (base + per token) x noise.

    Attributes:
        service: model or tool.
        model: whether it is a model.
        calls: recorded.
        timed: of them, those whose time is known: by itself, or as a share of the run's.
        base: seconds of a call that has no tokens.
        per_input_token: seconds.
        per_output_token: seconds.
        explained: share that tokens account for of the spread of seconds (mean distance of the logarithms from their
            median); None of a tool.
        noise: law of the multiplier (of a tool: of its seconds); None where no time is known.
        input_tokens: law of their number.
        output_tokens: law of their number.
        failures: by kind, those of no count too: their intervals say how often they may come.
        answered: calls that were answered with an error, which depends on what was asked: no failure of the service.
        retried: failed calls that the agent made again.
        together: whether the slowest calls came together; None of few calls, or where none tells when it began.
    """

    service: str
    model: bool
    calls: int
    timed: int
    base: float
    per_input_token: float = 0.0
    per_output_token: float = 0.0
    explained: float | None = None
    noise: Chosen | None
    input_tokens: Chosen | None = None
    output_tokens: Chosen | None = None
    failures: tuple[FailureRate, ...] = ()
    answered: int = 0
    retried: int = 0
    together: Together | None = None


class TimingReport(_Answer):
    """What the traffic is, and what was fitted.

    Attributes:
        runs: in the traffic.
        calls: that they made.
        seconds: that they took together.
        agent_seconds: of these, the agents' own: between calls, and after the last.
        left_out: runs without calls or without times, by why.
        clocks: how many runs tell their time in which way.
        untimed: steps without times of their own in runs that have times.
        counted: model calls whose tokens were counted from characters.
        unpriced: models without a price.
        services: one each.
        assumes: what all of it rests on.
    """

    version: Literal[1] = 1
    runs: int
    calls: int
    seconds: float
    agent_seconds: float
    left_out: dict[str, int] = Field(default_factory=dict)
    clocks: dict[str, int]
    untimed: int = 0
    counted: int = 0
    unpriced: tuple[str, ...] = ()
    services: tuple[ServiceFit, ...]
    assumes: tuple[str, ...]
