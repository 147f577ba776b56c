"""Redaction of whole runs, so that steps and the requests that repeat them stay the same texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.records import InputStep, ModelStep, ToolStep, tool_message
from ifonly.agents.redaction.calls import (
    redact_frame,
    redact_logprobs,
    redact_message,
    redact_stream,
    redact_tool_call,
)
from ifonly.agents.redaction.redactor import Redactor, remembering

if TYPE_CHECKING:
    from ifonly.agents.records import EnvironmentRef, Message, Record, Routing, Step, ToolCall, Trajectory

__all__ = ["redact_trajectory"]


def redact_trajectory(run: Trajectory) -> Trajectory:
    """The run without its secrets, one numbering for all of it.

    Calls are numbered as `redact_call` does, in the order in which they were made: where a run is one conversation, a
    cassette has the same tokens.
    """
    walk = _Walk()
    # Numbers follow what the models saw; whatever they did not see comes after.
    for step in run.steps:
        if isinstance(step, ModelStep):
            walk.step(step)
    error = run.outcome.error
    return run.model_copy(
        update={
            "steps": tuple(map(walk.step, run.steps)),
            "id": walk.redactor.text(run.id),
            "task": walk.redactor.text(run.task),
            "agent": walk.redactor.text(run.agent),
            "model": walk.redactor.text(run.model),
            "labels": walk.redactor.fields(dict(run.labels)),
            "outcome": run.outcome.model_copy(update={"error": error and walk.redactor.text(error)}),
            "environment": run.environment and walk.environment(run.environment),
        }
    )


class _Walk:
    """Redacts the steps of one run; what was redacted once stays so, wherever it comes again."""

    def __init__(self) -> None:
        self.redactor = Redactor(remembering())
        self._messages: dict[str, Message] = {}
        self._calls: dict[str, ToolCall] = {}
        self._steps: dict[int, Step] = {}

    def step(self, step: Step) -> Step:
        """The step without its secrets."""
        if id(step) not in self._steps:
            self._steps[id(step)] = self._redacted(step)
        return self._steps[id(step)]

    def environment(self, ref: EnvironmentRef) -> EnvironmentRef:
        """The reference without its secrets."""
        names = {name: self.redactor.text(getattr(ref, name)) for name in ("name", "version", "task")}
        return ref.model_copy(update={**names, "settings": self.redactor.fields(ref.settings)})

    def _redacted(self, step: Step) -> Step:
        text = self.redactor.text
        update: dict[str, object] = {}
        match step:
            case InputStep():
                update = {"message": self._message(step.message)}
            case ModelStep():
                update = self._asked(step)
            case ToolStep():
                seen = self._message(tool_message(step.call, step.result)).model_dump(include={"content", "error"})
                update = {"call": self._call(step.call), "result": step.result.model_copy(update=seen)}
                update |= {"key": step.key and text(step.key), "span": step.span and text(step.span)}
        return step.model_copy(update={**update, "site": text(step.site), "reads": tuple(map(text, step.reads))})

    def _asked(self, step: ModelStep) -> dict[str, object]:
        frame = redact_frame(step.request, self.redactor)
        messages = tuple(map(self._message, step.request.messages))
        return {
            "request": frame.model_copy(update={"messages": messages}),
            "reply": self._message(step.reply),
            "stream": step.stream and redact_stream(step.stream, self.redactor),
            "logprobs": step.logprobs and redact_logprobs(step.logprobs, self.redactor),
            "routing": step.routing and self._routing(step.routing),
            "error": step.error and self.redactor.text(step.error),
            "span": step.span and self.redactor.text(step.span),
        }

    def _routing(self, routing: Routing) -> Routing:
        text = self.redactor.text
        names = {"options": tuple(map(text, routing.options)), "chosen": text(routing.chosen)}
        return routing.model_copy(update={**names, "policy": routing.policy and text(routing.policy)})

    def _message(self, message: Message) -> Message:
        key = _spelling(message)
        if key not in self._messages:
            redacted = self._messages[key] = redact_message(message, self.redactor)
            if message.role == "assistant" and redacted.role == "assistant":
                for call, without in zip(message.tool_calls, redacted.tool_calls, strict=True):
                    self._calls.setdefault(_spelling(call), without)
        return self._messages[key]

    def _call(self, call: ToolCall) -> ToolCall:
        key = _spelling(call)
        if key not in self._calls:
            self._calls[key] = redact_tool_call(call, self.redactor)
        return self._calls[key]


def _spelling(record: Record) -> str:
    """A key under which only what is equal to the letter falls: 1, 1.0 and true differ."""
    return repr(record.model_dump())
