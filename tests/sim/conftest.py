"""Synthetic runs whose every time is known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ifonly.agents.records import (
    AssistantMessage,
    InputStep,
    ModelStep,
    Outcome,
    Request,
    ToolCall,
    ToolResult,
    ToolStep,
    Trajectory,
    Usage,
    UserMessage,
)

EPOCH = 1_700_000_000.0
"""When the first run began: a round number, so that times are exact."""


def model(site, start, seconds, reads=(), *, name="large", tokens=(100, 10), **fields):
    """A model step; `start` in seconds since `EPOCH`, None for none."""
    return ModelStep(
        site=site,
        request=Request(model=name, messages=(UserMessage(content=f"{site}?"),)),
        reply=AssistantMessage(content="" if fields.get("error") else "yes"),
        reads=reads,
        usage=None if tokens is None else Usage(input_tokens=tokens[0], output_tokens=tokens[1]),
        started=None if start is None else EPOCH + start,
        seconds=seconds,
        **fields,
    )


def tool(site, start, seconds, reads=(), error=None):
    """A tool step of the tool that its site names."""
    return ToolStep(
        site=site,
        call=ToolCall(name=site.split("/")[0], arguments={}),
        result=ToolResult(content="ok", error=error),
        reads=reads,
        started=None if start is None else EPOCH + start,
        seconds=seconds,
    )


def run(*steps, id="r", seconds=None, task="t", labels=None, error=None):
    """A run of these steps, after a question of the user's."""
    asked = InputStep(site="user/0", message=UserMessage(content="go"))
    name = next((step.request.model for step in steps if isinstance(step, ModelStep)), "large")
    return Trajectory(
        id=id,
        task=task,
        agent="a",
        model=name,
        steps=(asked, *steps),
        seconds=seconds,
        labels=labels or {},
        outcome=Outcome(scores={"solved": True}, error=error),
    )


@pytest.fixture
def timed():
    """Makers of model steps, tool steps and runs."""
    return SimpleNamespace(model=model, tool=tool, run=run, epoch=EPOCH)
