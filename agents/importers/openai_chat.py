"""OpenAI chat completions: a list of messages, or an object with ``messages`` and more about the run.

The object may carry ``tools``, ``model``, sampling settings, ``id``, ``task``, ``agent``, ``scores``,
``error``, ``seconds`` and ``metadata`` (which becomes the labels, values other than text as JSON); other keys
are left out. For messages see `chat`. A run without ``id`` is named after its file and record.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NotRequired

from pydantic import JsonValue, TypeAdapter
from typing_extensions import TypedDict

from ifonly.agents.canonical import canonical_json
from ifonly.agents.importers.base import UNKNOWN_MODEL, Place, checked, steps_at
from ifonly.agents.importers.chat import ChatMessage, messages_of
from ifonly.agents.records import Outcome, Request, ToolSpec, Trajectory

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OpenAIChat"]

SETTINGS = (
    "frequency_penalty",
    "logit_bias",
    "max_completion_tokens",
    "max_tokens",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "temperature",
    "tool_choice",
    "top_p",
)
"""The request parameters that move a reply."""

_FOREIGN = frozenset({"ifonly", "pipeline_name", "suite_name", "user_task_id", "traj"})


class _Parameters(TypedDict):
    name: str
    description: NotRequired[str | None]
    parameters: NotRequired[dict[str, JsonValue] | None]


class _OfferedTool(TypedDict):
    function: _Parameters


class _Chat(TypedDict):
    messages: list[ChatMessage]
    tools: NotRequired[list[_OfferedTool | _Parameters] | None]
    model: NotRequired[str | None]
    id: NotRequired[str | int | None]
    task: NotRequired[str | int | None]
    agent: NotRequired[str | None]
    scores: NotRequired[dict[str, bool | float] | None]
    error: NotRequired[str | None]
    seconds: NotRequired[float | None]
    metadata: NotRequired[dict[str, JsonValue] | None]


_CHAT = cache(lambda: TypeAdapter(_Chat))
_SETTINGS = cache(lambda: TypeAdapter(dict[str, JsonValue]))


class OpenAIChat:
    """The importer."""

    name = "openai_chat"
    signature = frozenset({"messages"})
    companions: tuple[str, ...] = ()
    literal_ids = False

    def detect(self, record: JsonValue, path: Path) -> bool:
        """Whether the record is a list of chat messages, or has one and no key of another format."""
        messages = record
        if isinstance(record, dict):
            messages = None if record.keys() & _FOREIGN else record.get("messages")
        first = messages[0] if isinstance(messages, list) and messages else None
        return isinstance(first, dict) and isinstance(first.get("role"), str)

    def identify(self, record: JsonValue, place: Place) -> str | None:
        """`id`, or the file and record."""
        given = record.get("id") if isinstance(record, dict) else None
        return f"{place.file.as_posix()}#{place.number}" if given in (None, "") else str(given)

    def parse(self, record: JsonValue, place: Place) -> Trajectory:
        """See `Importer`."""
        if isinstance(record, list):
            record, prefix = {"messages": record}, ""
        else:
            prefix = "messages."
        chat = checked(_CHAT(), record, place, strip="" if prefix else "messages.")
        model = chat.get("model") or place.model or UNKNOWN_MODEL
        run = self.identify(record, place) or ""
        tools = chat.get("tools")
        keys = record if isinstance(record, dict) else {}
        given = {key: keys[key] for key in SETTINGS if keys.get(key) is not None}
        frame = Request(
            model=model,
            messages=(),
            tools=None if tools is None else tuple(map(_tool, tools)),
            settings=checked(_SETTINGS(), given, place),
        )
        return Trajectory(
            id=run,
            task=run if chat.get("task") is None else str(chat["task"]),
            agent=chat.get("agent") or model,
            model=model,
            steps=steps_at(place, messages_of(chat["messages"], place, prefix), frame, prefix),
            outcome=Outcome(scores=chat.get("scores") or {}, error=chat.get("error")),
            labels=_labels(chat.get("metadata") or {}),
            seconds=chat.get("seconds"),
        )


def _tool(raw: Any) -> ToolSpec:
    function = raw.get("function") or raw
    return ToolSpec(
        name=function["name"],
        description=function.get("description") or "",
        parameters=function.get("parameters") or {},
    )


def _labels(metadata: dict[str, JsonValue]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else canonical_json(value) for key, value in metadata.items()}
