"""Recorded runs as traffic before any law: which calls each made, what they waited for, and what their times tell.

How much a record tells of time differs, and is said:

| `clock` | the record has | the calls |
|---|---|---|
| `spans` | start and duration of steps | wait for what the graph says (`graph`) |
| `durations` | durations of steps alone | follow each other; the agent itself takes no time between |
| `whole` | the duration of the run alone | follow each other, and share it (`abduction`) |
| `none` | nothing | follow each other; a world file must tell what they take |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ifonly.agents.records import InputStep, ModelStep
from ifonly.sim.timing.graph import Placed, placed
from ifonly.sim.timing.kinds import failure_kind
from ifonly.sim.timing.prompts import characters, prefixes, tokens_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import ToolStep, Trajectory
    from ifonly.sim.services.service import FailureKind

__all__ = ["Clock", "RecordedCall", "RecordedRun", "recorded_run"]

Clock = Literal["spans", "durations", "whole", "none"]
"""What a record tells of time."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call as recorded.

    Attributes:
        site: of its step.
        service: the model or tool that was asked.
        model: whether it is a model.
        after: sites of the calls that it waited for.
        lag: seconds from then until it was made.
        seconds: that it took by itself; None where the record does not say.
        started: seconds since the epoch at which it was made; None where the record does not say.
        input_tokens: of the prompt, told by the provider or counted from characters.
        output_tokens: of the reply; None of a failed call, whose reply did not come.
        counted: whether tokens were counted from characters.
        prefix: the name of the prompt's beginning that an earlier call may have left in a cache.
        prefix_tokens: of that.
        cost: US dollars, as recorded.
        failure: how it failed.
        fatal: whether it failed, and nothing came after it: the run ended with it.
        answered: whether it was answered with an error (of a tool, to its arguments).
        again: whether it asks what the failed call before it asked: a retry by the agent.
        inner: the calls that ran inside it.
    """

    site: str
    service: str
    model: bool
    after: tuple[str, ...]
    lag: float
    seconds: float | None
    started: float | None = None
    input_tokens: int = 0
    output_tokens: int | None = 0
    counted: bool = False
    prefix: str | None = None
    prefix_tokens: int = 0
    cost: float | None = None
    failure: FailureKind | None = None
    fatal: bool = False
    answered: bool = False
    again: bool = False
    inner: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run as recorded.

    Attributes:
        id: of the trajectory.
        task: of the trajectory.
        clock: what the record tells of time.
        started: seconds since the epoch; None where the record does not say.
        calls: in an order in which each comes after those that it waited for.
        tail: seconds from the end of the last call until the run ended.
        seconds: of the whole run; None where the record does not say.
        untimed: steps without a time of their own in a run that has times: their time is the agent's own.
    """

    id: str
    task: str
    clock: Clock
    started: float | None
    calls: tuple[RecordedCall, ...]
    tail: float
    seconds: float | None
    untimed: int


def recorded_run(run: Trajectory) -> RecordedRun:
    """A trajectory as traffic.

    Args:
        run: the trajectory.
    """
    steps = [step for step in run.steps if not isinstance(step, InputStep)]
    clock = _clock(run, steps)
    found = placed(run.steps) if clock == "spans" else _chained(steps, timed=clock == "durations")
    followed = {site for one in found for site in one.after}
    calls = tuple(
        replace(call, fatal=call.failure is not None and call.site not in followed)
        for call in _calls(run, found, told=clock in ("spans", "durations"))
    )
    last = max((one.end for one in found), default=0.0)
    starts = [step.started for step in steps if step.started is not None]
    timed = clock in ("spans", "durations")
    return RecordedRun(
        id=run.id,
        task=run.task,
        clock=clock,
        started=min(starts, default=None),
        calls=calls,
        tail=max(0.0, (run.seconds or 0.0) - last) if timed else 0.0,
        seconds=max(run.seconds or 0.0, last) if timed else run.seconds,
        untimed=len(steps) - len(found),
    )


def _clock(run: Trajectory, steps: Sequence[ModelStep | ToolStep]) -> Clock:
    if any(step.started is not None and step.seconds is not None for step in steps):
        return "spans"
    if any(step.seconds is not None for step in steps):
        return "durations"
    return "none" if run.seconds is None or not steps else "whole"


def _chained(steps: Sequence[ModelStep | ToolStep], *, timed: bool) -> list[Placed]:
    """Steps one after another."""
    found: list[Placed] = []
    for step in steps:
        if timed and step.seconds is None:
            continue
        start = found[-1].end if found else 0.0
        after = (found[-1].step.site,) if found else ()
        found.append(Placed(step, start, step.seconds or 0.0, after, 0.0))
    return found


def _calls(run: Trajectory, found: Sequence[Placed], *, told: bool) -> list[RecordedCall]:
    models = [one.step for one in found if isinstance(one.step, ModelStep)]
    rate = tokens_of(models)
    begun = prefixes(run.id, models)
    asked = {s.site: rate(characters(s)) if s.usage is None else s.usage.input_tokens for s in models}
    failed: dict[str, ModelStep] = {}
    calls = []
    for one in found:
        step = one.step
        if not isinstance(step, ModelStep):
            calls.append(_tool(one, step, told=told))
            continue
        before = failed.pop(step.request.model, None)
        kind = failure_kind(step.error, tool=False)
        if kind is not None:
            failed[step.request.model] = step
        usage, (prefix, shared) = step.usage, begun[step.site]
        calls.append(
            RecordedCall(
                site=step.site,
                service=step.request.model,
                model=True,
                after=one.after,
                lag=one.lag,
                seconds=one.seconds if told else None,
                started=step.started,
                input_tokens=asked[step.site],
                output_tokens=usage.output_tokens if usage else None if kind else rate(characters(step, reply=True)),
                counted=usage is None,
                prefix=prefix,
                prefix_tokens=min(asked[shared], asked[step.site]),
                cost=step.cost,
                failure=kind,
                again=before is not None and before.request == step.request,
                inner=one.inner,
            )
        )
    return calls


def _tool(one: Placed, step: ToolStep, *, told: bool) -> RecordedCall:
    kind = failure_kind(step.result.error, tool=True)
    return RecordedCall(
        site=step.site,
        service=step.call.name,
        model=False,
        after=one.after,
        lag=one.lag,
        seconds=one.seconds if told else None,
        started=step.started,
        cost=step.cost,
        failure=kind,
        answered=step.result.error is not None and kind is None,
        inner=one.inner,
    )
