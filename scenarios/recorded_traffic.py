"""Recorded traffic whose truth is known: an agent's runs, and what would have become of them in another world.

    length ---> model (large for long tasks, four times in five; small for others, as often)
       |          |
       +----> plan/0 ---> search/0, search/1 (side by side) ---> answer/0

Runs come as a Poisson process and were recorded where nothing queued, so each call's seconds are its service alone. The
two models are the services `large` and `small`; `search` is a tool. A task's length is the tokens of its replies.

Truth: the same requests with the same noise (`ifonly.scm.draw`, keyed by run and site) simulated in the changed world.
Naive: the runs that the small model had, less those that the large one had: long tasks went to the large one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ifonly.agents.records import (
    AssistantMessage,
    InputStep,
    ModelStep,
    ToolCall,
    ToolResult,
    ToolStep,
    Trajectory,
    Usage,
    UserMessage,
)
from ifonly.agents.records import Request as Prompt
from ifonly.scm.draw import Draw
from ifonly.scm.durations import LogNormal
from ifonly.sim.engine.simulate import simulate
from ifonly.sim.services.arrivals import Poisson, arriving
from ifonly.sim.services.requests import Call, Request
from ifonly.sim.services.service import Latency, Price, Service
from ifonly.sim.services.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import Step
    from ifonly.sim.services.timeline import Span

__all__ = ["RATE", "WORLD", "sample", "truth"]

RATE: Final = 0.25
"""Runs a second."""
WORLD: Final = World(
    services={
        "large": Service(
            latency=Latency(base=0.5, per_output_token=0.02, noise=LogNormal(median=1.0, sigma=0.4)),
            price=Price(per_output_token=15e-6),
        ),
        "small": Service(
            latency=Latency(base=0.3, per_output_token=0.008, noise=LogNormal(median=1.0, sigma=0.6)),
            price=Price(per_output_token=0.6e-6),
        ),
        "search": Service(latency=Latency(noise=LogNormal(median=0.8, sigma=0.5))),
    }
)
"""The services as they were: without limits."""

_EPOCH: Final = 1_700_000_000.0
_LONG: Final = 0.8
_TOKENS: Final = {False: 60, True: 300}
_PROMPT: Final = 400


def sample(count: int, seed: int = 0) -> tuple[Trajectory, ...]:
    """Runs as recorded.

    Args:
        count: of runs.
        seed: of all their chance.
    """
    requests = _requests(count, seed)
    spans: dict[str, dict[str, Span]] = {request.name: {} for request in requests}
    for span in simulate(WORLD, requests, Draw(seed)).spans:
        spans[span.request][span.site] = span
    return tuple(_run(request, spans[request.name]) for request in requests)


def truth(count: int, world: World = WORLD, *, model: str | None = None, seed: int = 0) -> tuple[float, ...]:
    """Seconds that each run of `sample` would have taken.

    Args:
        count: of runs.
        world: that they meet instead.
        model: that all of them ask instead of their own.
        seed: of all their chance.
    """
    requests = _requests(count, seed)
    if model is not None:
        requests = tuple(replace(request, calls=_asking(request.calls, model)) for request in requests)
    return tuple(ended.end - ended.arrival for ended in simulate(world, requests, Draw(seed)).requests)


def _requests(count: int, seed: int) -> tuple[Request, ...]:
    draw = Draw(seed)
    made = []
    for at in range(count):
        name = f"run/{at}"
        long = draw.uniform(f"{name}/long") < 0.5  # noqa: PLR2004
        large = (draw.uniform(f"{name}/routed") < _LONG) == long
        tokens = round(_TOKENS[bool(long)] * (0.5 + float(draw.uniform(f"{name}/length"))))
        made.append(Request(name, 0.0, _calls("large" if large else "small", tokens)))
    return arriving(made, Poisson(rate=RATE), draw)


def _calls(model: str, tokens: int) -> tuple[Call, ...]:
    return (
        Call("plan/0", model, input_tokens=_PROMPT, output_tokens=tokens),
        Call("search/0", "search", after=("plan/0",)),
        Call("search/1", "search", after=("plan/0",)),
        Call("answer/0", model, after=("search/0", "search/1"), input_tokens=_PROMPT, output_tokens=tokens),
    )


def _asking(calls: Sequence[Call], model: str) -> tuple[Call, ...]:
    return tuple(call if call.service == "search" else replace(call, service=model) for call in calls)


def _run(request: Request, spans: dict[str, Span]) -> Trajectory:
    """A simulated request, as a recorder of its agent would have written it."""
    steps: list[Step] = [InputStep(site="user/0", message=UserMessage(content="go"))]
    for call in request.calls:
        span = spans[call.site]
        reads, began, seconds = call.after or ("user/0",), _EPOCH + span.queued, span.ended - span.queued
        if call.service == "search":
            asked, found = ToolCall(name="search", arguments={}), ToolResult(content="found")
            steps.append(
                ToolStep(site=call.site, call=asked, result=found, reads=reads, started=began, seconds=seconds)
            )
            continue
        steps.append(
            ModelStep(
                site=call.site,
                request=Prompt(model=call.service, messages=(UserMessage(content=call.site),)),
                reply=AssistantMessage(content="done"),
                reads=reads,
                usage=Usage(input_tokens=call.input_tokens, output_tokens=call.output_tokens),
                cost=span.cost,
                started=began,
                seconds=seconds,
            )
        )
    model = request.calls[0].service
    return Trajectory(
        id=request.name, task=request.name, agent="planner", model=model, steps=tuple(steps), labels={"model": model}
    )
