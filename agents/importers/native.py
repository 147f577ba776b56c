"""ifonly's own JSONL (`native_lines`): read without loss, written by `native_export`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter

from ifonly.agents.importers.base import Place, checked
from ifonly.agents.importers.native_lines import VERSION, InputLine, Line, ModelLine, ToolLine
from ifonly.agents.records import (
    AssistantMessage,
    InputStep,
    Message,
    ModelStep,
    Request,
    Step,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolStep,
    Trajectory,
    UserMessage,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydantic import JsonValue

    from ifonly.agents.importers.native_lines import Range

__all__ = ["MAX_REFERENCES", "Native"]

MAX_REFERENCES = 60_000_000
"""Messages in requests and sites read, in all: some 0.5 GB, enough for conversations of 10,000 messages."""

_LINE = cache(lambda: TypeAdapter(Line))

T = TypeVar("T")


class Native:
    """The importer."""

    name = "native"
    signature = frozenset({"ifonly", "id", "steps", "messages", "frames"})
    companions: tuple[str, ...] = ()
    literal_ids = True

    def detect(self, record: JsonValue, path: Path) -> bool:
        """Whether the version is there; one that is too new is refused by `parse`."""
        return isinstance(record, dict) and isinstance(record.get("ifonly"), int)

    def identify(self, record: JsonValue, place: Place) -> str | None:
        """`id`."""
        given = record.get("id") if isinstance(record, dict) else None
        return given if isinstance(given, str) else None

    def parse(self, record: JsonValue, place: Place) -> Trajectory:
        """See `Importer`."""
        version = record.get("ifonly") if isinstance(record, dict) else None
        if isinstance(version, int) and version > VERSION:
            raise place.error(
                "ifonly",
                f"version {version}, written by a newer ifonly; this one reads up to {VERSION}",
                "Upgrade with: pip install -U ifonly.",
            )
        return _Unfolding(checked(_LINE(), record, place, as_json=True), place).trajectory()


class _Unfolding:
    """Gives a line's records back their shared parts."""

    def __init__(self, line: Line, place: Place) -> None:
        self._line, self._place = line, place
        self._sites = [step.site for step in line.steps]
        self._frames = [
            Request(
                model=frame.model,
                messages=(),
                tools=frame.tools,
                toolset=frame.toolset,
                settings=frame.settings,
            )
            for frame in line.frames
        ]

    def trajectory(self) -> Trajectory:
        line = self._line
        if (size := sum(map(_size, line.steps))) > MAX_REFERENCES:
            found = f"they refer to {size:,} messages and steps; the limit is {MAX_REFERENCES:,}"
            raise self._place.error("steps", found, "Split the run.")
        return Trajectory(
            id=line.id,
            task=line.task,
            agent=line.agent,
            model=line.model,
            steps=tuple([self._step(step, f"steps.{index}") for index, step in enumerate(line.steps)]),
            outcome=line.outcome,
            environment=line.environment,
            labels=line.labels,
            seconds=line.seconds,
        )

    def _step(self, step: InputLine | ModelLine | ToolLine, where: str) -> Step:
        reads = self._reads(step.reads, f"{where}.reads")
        match step:
            case InputLine():
                prompt = self._prompt(step.message, f"{where}.message")
                return InputStep(site=step.site, message=prompt, reads=reads)
            case ModelLine():
                return ModelStep(
                    site=step.site,
                    request=self._request(step, where),
                    reply=self._message(step.reply, AssistantMessage, f"{where}.reply"),
                    reads=reads,
                    usage=step.usage,
                    cost=step.cost,
                    seconds=step.seconds,
                    logprobs=step.logprobs,
                    first_token_seconds=step.first_token_seconds,
                    stream=step.stream,
                    routing=step.routing,
                    started=step.started,
                    span=step.span,
                    error=step.error,
                )
            case ToolLine():
                return ToolStep(
                    site=step.site,
                    call=self._call(step.call, f"{where}.call"),
                    result=self._result(step.result, f"{where}.result"),
                    reads=reads,
                    cost=step.cost,
                    seconds=step.seconds,
                    effect=step.effect,
                    key=step.key,
                    started=step.started,
                    span=step.span,
                )

    def _request(self, step: ModelLine, where: str) -> Request:
        frame = self._at(self._frames, step.frame, f"{where}.frame")
        pool, messages = self._line.messages, list[Message]()
        for number, part in enumerate(step.messages):
            messages += self._slice(pool, part, f"{where}.messages.{number}")
        return frame.model_copy(update={"messages": tuple(messages)})

    def _reads(self, reads: Sequence[Range | str], where: str) -> tuple[str, ...]:
        sites = list[str]()
        for number, part in enumerate(reads):
            sites += [part] if isinstance(part, str) else self._slice(self._sites, part, f"{where}.{number}")
        return tuple(sites)

    def _call(self, call: Range | ToolCall, where: str) -> ToolCall:
        if isinstance(call, ToolCall):
            return call
        reply = self._message(call[0], AssistantMessage, f"{where}.0")
        return self._at(reply.tool_calls, call[1], f"{where}.1")

    def _result(self, result: int | ToolResult, where: str) -> ToolResult:
        if isinstance(result, ToolResult):
            return result
        message = self._message(result, ToolMessage, where)
        return ToolResult(content=message.content, error=message.error)

    def _message(self, index: int, kind: type[T], where: str) -> T:
        message = self._at(self._line.messages, index, where)
        if isinstance(message, kind):
            return message
        raise self._place.error(where, f"the index of a message of role {message.role}", _DAMAGED)

    def _prompt(self, index: int, where: str) -> SystemMessage | UserMessage:
        message = self._at(self._line.messages, index, where)
        return message if isinstance(message, SystemMessage) else self._message(index, UserMessage, where)

    def _at(self, items: Sequence[T], index: int, where: str) -> T:
        if not 0 <= index < len(items):
            raise self._place.error(where, f"index {index} into a list of {len(items)}", _DAMAGED)
        return items[index]

    def _slice(self, items: Sequence[T], part: Range, where: str) -> Sequence[T]:
        start, end = part
        if not 0 <= start < end <= len(items):
            raise self._place.error(where, f"range {start} to {end} of a list of {len(items)}", _DAMAGED)
        return items[start:end]


def _size(step: InputLine | ModelLine | ToolLine) -> int:
    """How many messages and sites a step unfolds to."""
    named = [*step.reads, *(step.messages if isinstance(step, ModelLine) else ())]
    return sum(1 if isinstance(part, str) else max(0, part[1] - part[0]) for part in named)


_DAMAGED = "Export the run again: this line was damaged or edited."
