"""Trajectories as frozen, closed, discriminated records.

A `Trajectory` is one recorded run of an agent: its steps in order, and an outcome. A step is a node of the causal
model: an `InputStep` (text from outside: system prompt, user turn), a `ModelStep` (one LLM call, with its whole
request) or a `ToolStep` (one executed tool call). Every step has a *site*: a structural name that is the same in
every world, such as ``agent/2`` (the agent's third model call) or ``search/0`` (the first call of `search`).

Unknown fields and wrong types fail at load, with their place; records are never changed after they are made.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = [
    "MEASURED",
    "AssistantMessage",
    "Effect",
    "EnvironmentRef",
    "InputStep",
    "Message",
    "ModelStep",
    "Outcome",
    "Record",
    "Request",
    "Routing",
    "Score",
    "Step",
    "StreamPart",
    "SystemMessage",
    "TokenLogprob",
    "ToolCall",
    "ToolMessage",
    "ToolResult",
    "ToolSpec",
    "ToolStep",
    "Trajectory",
    "Usage",
    "UserMessage",
]


MEASURED = frozenset(
    {
        "usage",
        "cost",
        "seconds",
        "logprobs",
        "first_token_seconds",
        "stream",
        "routing",
        "effect",
        "key",
        "started",
        "span",
    }
)
"""The fields of a step that were measured beside its value: two steps that differ in these alone are the same."""


class Record(BaseModel):
    """Base of all records: frozen, closed to unknown fields, no silent coercion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class ToolCall(Record):
    """A tool call as the model asked for it; `id` is None where the provider gives none."""

    name: str
    arguments: dict[str, JsonValue]
    id: str | None = None


Content = str | list[dict[str, JsonValue]] | None
"""Message text, a list of typed parts (OpenAI and Anthropic content blocks), or nothing."""


class SystemMessage(Record):
    """The system (or developer) prompt."""

    role: Literal["system"] = "system"
    content: Content


class UserMessage(Record):
    """A user turn."""

    role: Literal["user"] = "user"
    content: Content


class AssistantMessage(Record):
    """A model's reply: text, tool calls, or both."""

    role: Literal["assistant"] = "assistant"
    content: Content = None
    tool_calls: tuple[ToolCall, ...] = ()


class ToolMessage(Record):
    """A tool result as the model saw it; `tool_call_id` pairs it with its call."""

    role: Literal["tool"] = "tool"
    tool_call_id: str | None
    name: str
    content: Content
    error: str | None = None


Message = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]
"""One message of a conversation, told apart by `role`."""


class ToolSpec(Record):
    """A tool offered to the model: its JSON-schema parameters as sent."""

    name: str
    description: str = ""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class Request(Record):
    """All that a model step was asked with.

    `tools` is None where the log does not say which tools were offered; `toolset` then names them if a name is
    known (for instance ``agentdojo/v1/banking``), so that requests with different tools never count as equal.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] | None = None
    toolset: str | None = None
    settings: dict[str, JsonValue] = Field(default_factory=dict)


class Usage(Record):
    """Token counts of one model call."""

    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)


class TokenLogprob(Record):
    """Natural-log probability of one sampled token, with those of the alternatives that were reported."""

    token: str
    logprob: float = Field(le=0)
    top: dict[str, float] = Field(default_factory=dict)


class StreamPart(Record):
    """One piece of a streamed reply's text as it came; `seconds` since the request was sent."""

    seconds: float = Field(ge=0)
    text: str


class Routing(Record):
    """A router's choice of the model: the models it could choose, and the probability with which it chose this one."""

    options: tuple[str, ...]
    chosen: str
    propensity: float = Field(gt=0, le=1)
    policy: str | None = None


Effect = Literal["pure", "sandboxed", "irreversible"]
"""What executing a tool again does: nothing; a change in a state made for the run alone; a change in the world."""


class InputStep(Record):
    """Text that enters from outside the agent: a system prompt or a user turn."""

    kind: Literal["input"] = "input"
    site: str
    message: Annotated[SystemMessage | UserMessage, Field(discriminator="role")]
    reads: tuple[str, ...] = ()


class ModelStep(Record):
    """One LLM call. `cost` in US dollars, `seconds` of wall time, in all and to the first token.

    `started` in seconds since the Unix epoch (a float holds some 0.2 microseconds), `span` the id of the telemetry span
    that told of the call, `error` what kept the model from answering: the reply is then empty.
    """

    kind: Literal["model"] = "model"
    site: str
    request: Request
    reply: AssistantMessage
    reads: tuple[str, ...] = ()
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


class ToolResult(Record):
    """What a tool gave back; a failed call has an `error`, and often empty content."""

    content: Content
    error: str | None = None


class ToolStep(Record):
    """One executed tool call; `key` is the idempotency key under which it was executed.

    `started` and `span` as in `ModelStep`.
    """

    kind: Literal["tool"] = "tool"
    site: str
    call: ToolCall
    result: ToolResult
    reads: tuple[str, ...] = ()
    cost: float | None = None
    seconds: float | None = None
    effect: Effect | None = None
    key: str | None = None
    started: float | None = None
    span: str | None = None


Step = Annotated[InputStep | ModelStep | ToolStep, Field(discriminator="kind")]
"""One step of a run, told apart by `kind`."""

Score = bool | float
"""A named score of an outcome: a verdict, or a number."""


class Outcome(Record):
    """How a run ended: named scores, and the error that stopped it, if one did."""

    scores: dict[str, Score] = Field(default_factory=dict)
    error: str | None = None


class EnvironmentRef(Record):
    """What a tool environment needs to make a fresh state for this run's task."""

    name: str
    version: str
    task: str
    settings: dict[str, JsonValue] = Field(default_factory=dict)


class Trajectory(Record):
    """One recorded run. `labels` tell its arm: attack, defence, trial and the like."""

    id: str
    task: str
    agent: str
    model: str
    steps: tuple[Step, ...]
    outcome: Outcome = Outcome()
    environment: EnvironmentRef | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    seconds: float | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites in the order in which they ran."""
        return tuple(step.site for step in self.steps)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation that the steps make up, in order."""
        return tuple(message_of(step) for step in self.steps)


def message_of(step: InputStep | ModelStep | ToolStep) -> Message:
    """The chat message that a step adds to the conversation."""
    if isinstance(step, InputStep):
        return step.message
    if isinstance(step, ModelStep):
        return step.reply
    return tool_message(step.call, step.result)


def tool_message(call: ToolCall, result: ToolResult) -> ToolMessage:
    """The message by which the model sees the result of its call."""
    return ToolMessage(tool_call_id=call.id, name=call.name, content=result.content, error=result.error)
