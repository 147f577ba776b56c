"""The shape of a line of ifonly's own JSONL: one trajectory, whole and compact.

Every request of a run repeats the conversation before it, so messages are kept once, in a pool of the line,
and requests name ranges of it; so do ``reads`` with ranges of steps. A call that a reply made, and a result
that a message shows, are named by their place in the pool. Values that equal a record's default are left out.

A version never changes: files written once open for ever, and a new shape gets a new number. Version 2 adds what live
calls tell of a step: time to the first token, the stream, a router's choice; a tool's effect and idempotency key.
Version 3 adds what telemetry tells: when a step started, the id of its span, and the error in place of a reply.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from ifonly.agents.records import (
    Effect,
    EnvironmentRef,
    Message,
    Outcome,
    Record,
    Routing,
    StreamPart,
    TokenLogprob,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)

__all__ = ["SINCE", "VERSION", "Frame", "InputLine", "Line", "ModelLine", "Range", "ToolLine"]

# Of the lines written; all from 1 up to this are read.
VERSION = 3

# The fields of a step that came with each version.
SINCE = {
    2: frozenset({"first_token_seconds", "stream", "routing", "effect", "key"}),
    3: frozenset({"started", "span", "error"}),
}

# From, and up to but without.
Range = tuple[int, int]


class Frame(Record):
    """What requests share: all of a `Request` but its messages."""

    model: str
    tools: tuple[ToolSpec, ...] | None = None
    toolset: str | None = None
    settings: dict[str, JsonValue] = Field(default_factory=dict)


class InputLine(Record):
    """An `InputStep`; `message` is an index of the pool."""

    kind: Literal["input"]
    site: str
    message: int
    reads: tuple[Range | str, ...] = ()


class ModelLine(Record):
    """A `ModelStep`; `frame`, `messages` and `reply` are indices and ranges of the pools."""

    kind: Literal["model"]
    site: str
    frame: int
    messages: tuple[Range, ...]
    reply: int
    reads: tuple[Range | str, ...] = ()
    usage: Usage | None = None
    cost: float | None = None
    seconds: float | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    first_token_seconds: float | None = None
    stream: tuple[StreamPart, ...] | None = None
    routing: Routing | None = None
    started: float | None = None
    span: str | None = None
    error: str | None = None


class ToolLine(Record):
    """A `ToolStep`; `call` may be a message of the pool and a number of its calls, `result` a message."""

    kind: Literal["tool"]
    site: str
    call: Range | ToolCall
    result: int | ToolResult
    reads: tuple[Range | str, ...] = ()
    cost: float | None = None
    seconds: float | None = None
    effect: Effect | None = None
    key: str | None = None
    started: float | None = None
    span: str | None = None


class Line(Record):
    """A `Trajectory`."""

    ifonly: int = Field(ge=1, le=VERSION)
    id: str
    task: str
    agent: str
    model: str
    messages: tuple[Message, ...]
    frames: tuple[Frame, ...]
    steps: tuple[Annotated[InputLine | ModelLine | ToolLine, Field(discriminator="kind")], ...]
    outcome: Outcome = Outcome()
    environment: EnvironmentRef | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    seconds: float | None = None
