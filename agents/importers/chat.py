"""Messages in the shape of OpenAI's chat completions, which several formats share.

``developer`` counts as ``system``; the older ``function_call`` and ``function`` messages count as calls and
results without id; a refusal without content becomes a content part. Arguments are the JSON text that the API
gives, or an object; empty text counts as no arguments. A result takes the name of the call it answers. Other
fields of messages (``annotations``, ``audio``, token details), which no later request repeats, are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired

from pydantic import Discriminator, JsonValue
from typing_extensions import TypedDict

from ifonly.agents.importers.base import MESSAGES, Place, checked, describe
from ifonly.agents.streams.strict_json import JsonError, parse_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import Message

__all__ = ["ChatMessage", "messages_of"]


# What lies deeper is checked once, where our messages are made.
_Object = dict[str, Any]
_Content = str | list[_Object] | None


class _Function(TypedDict):
    name: str
    arguments: str | _Object


class _Call(TypedDict):
    id: NotRequired[str | None]
    function: _Function


class _Prompt(TypedDict):
    role: Literal["system", "developer", "user"]
    content: _Content


class _Assistant(TypedDict):
    role: Literal["assistant"]
    content: NotRequired[_Content]
    tool_calls: NotRequired[list[_Call] | None]
    function_call: NotRequired[_Function | None]
    refusal: NotRequired[str | None]


class _Tool(TypedDict):
    role: Literal["tool"]
    content: _Content
    tool_call_id: NotRequired[str | None]
    name: NotRequired[str | None]
    error: NotRequired[str | None]


class _FunctionResult(TypedDict):
    role: Literal["function"]
    content: _Content
    name: str


# A message of the log, as it stands in the record.
ChatMessage = Annotated[_Prompt | _Assistant | _Tool | _FunctionResult, Discriminator("role")]


def messages_of(raw: Sequence[Any], place: Place, prefix: str) -> list[Message]:
    """Our messages of checked chat messages.

    Args:
        raw: checked messages.
        place: the record's place.
        prefix: of the messages in the record, for errors.

    Raises:
        InputError: a call's arguments are no JSON object.
    """
    plain: list[dict[str, object]] = []
    asked: list[dict[str, object]] = []
    for index, message in enumerate(raw):
        content, role = message.get("content"), message["role"]
        match role:
            case "assistant":
                asked = _calls(message, f"{prefix}{index}", place)
                if content is None and message.get("refusal"):
                    content = [{"type": "refusal", "refusal": message["refusal"]}]
                plain.append({"role": role, "content": content, "tool_calls": tuple(asked)})
                asked = list(asked)
            case "tool" | "function":
                plain.append(_result(message, asked))
            case _:
                plain.append({"role": "user" if role == "user" else "system", "content": content})
    return checked(MESSAGES, plain, place)


def _calls(message: Any, where: str, place: Place) -> list[dict[str, object]]:
    legacy = message.get("function_call")
    raw = [(None, legacy, f"{where}.function_call")] if legacy else []
    for number, call in enumerate(message.get("tool_calls") or ()):
        raw.append((call.get("id") or None, call["function"], f"{where}.tool_calls.{number}.function"))
    return [
        {
            "id": key,
            "name": function["name"],
            "arguments": _arguments(function["arguments"], f"{at}.arguments", place),
        }
        for key, function, at in raw
    ]


def _arguments(given: str | dict[str, JsonValue], where: str, place: Place) -> dict[str, JsonValue]:
    if isinstance(given, dict):
        return given
    try:
        value = parse_text(given) if given.strip() else {}
    except JsonError as problem:
        raise place.error(f"{where}.{problem.field}" if problem.field else where, problem.found, problem.fix) from None
    if not isinstance(value, dict):
        raise place.error(
            where, f"{describe(value)} where the JSON text of an object is needed", "Put an object there."
        )
    return value


def _result(message: Any, asked: list[dict[str, object]]) -> dict[str, object]:
    """A result takes its name from the call it answers: by id, else the next call without a result."""
    key = message.get("tool_call_id") or None
    call = next((call for call in asked if call["id"] == key), None)
    if call is not None:
        asked.remove(call)
    name = call["name"] if call is not None else message.get("name") or ""
    return {
        "role": "tool",
        "tool_call_id": key,
        "name": name,
        "content": message.get("content"),
        "error": message.get("error"),
    }
