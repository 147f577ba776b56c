"""A `Request` as the JSON body of a chat-completions call, and back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue, TypeAdapter

from ifonly.agents.errors import ProviderError
from ifonly.agents.importers.base import Place, checked, describe
from ifonly.agents.importers.chat import ChatMessage, messages_of
from ifonly.agents.records import AssistantMessage, Request, ToolCall, ToolMessage, ToolSpec
from ifonly.agents.wire import schema
from ifonly.agents.wire.calls import arguments_of, made_id, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.records import Message

__all__ = ["TRANSPORT", "from_body", "to_body"]

TRANSPORT = frozenset(
    {"api_base", "api_key", "api_version", "base_url", "client", "custom_llm_provider", "extra_headers", "headers"}
    | {"max_retries", "metadata", "num_retries", "organization", "store", "stream_options", "timeout", "user"}
)
"""Fields of a body that say how it travels and who pays, not what is asked: they never stand in a request."""

_PLACE = Place(Path("request body"), 1)
_MESSAGES = cache(lambda: TypeAdapter[Sequence[Any]](list[ChatMessage]))
_SETTINGS = cache(lambda: TypeAdapter(dict[str, JsonValue]))


def to_body(request: Request) -> dict[str, Any]:
    """The body that asks a request: model, messages, tools and settings.

    A tool result whose content is empty is sent as the text of its error. A call without id, and its result, get the
    id that the call's place gives. `settings["tool_mode"]` is ours: ``native`` (the default) sends tools as such,
    ``schema`` as `ifonly.agents.wire.schema` says.

    Raises:
        ProviderError: the tool mode is unknown, or cannot hold the request's settings.
    """
    settings = {key: value for key, value in request.settings.items() if value is not None}
    mode = settings.pop("tool_mode", "native")
    if mode == schema.MODE and request.tools:
        settings |= schema.settings_of(request)
        dropped = {"tool_choice", "parallel_tool_calls"}
        settings = {key: value for key, value in settings.items() if key not in dropped}
        return {"model": request.model, "messages": schema.messages_of(request), **settings}
    if mode not in ("native", schema.MODE):
        raise ProviderError(f"the tool mode {mode!r}", "no such mode", "Use 'native' or 'schema'.")
    body: dict[str, Any] = {"model": request.model, "messages": _sent(request.messages)}
    if request.tools:
        body["tools"] = [{"type": "function", "function": _offer(tool)} for tool in request.tools]
    return body | settings


def from_body(body: Mapping[str, Any]) -> Request:
    """The request that a body asks. A body without tools offers none; fields of `TRANSPORT` are left out.

    Raises:
        InputError: a field is missing or of the wrong type; names it.
    """
    raw = [_with_arguments(message) for message in _list(body.get("messages"), "messages")]
    messages = messages_of(checked(_MESSAGES(), raw, _PLACE, as_json=True), _PLACE, "messages.")
    tools, unread = _tools(body.get("tools"))
    taken = {"model", "messages", "tools", *TRANSPORT}
    settings = {key: value for key, value in body.items() if key not in taken and value is not None}
    if settings.get("stream") is False:
        del settings["stream"]
    return Request(
        model=str(body.get("model") or ""),
        messages=tuple(messages),
        tools=tools,
        settings=checked(_SETTINGS(), settings | unread, _PLACE, as_json=True),
    )


def _sent(messages: Sequence[Message]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    waiting: list[tuple[ToolCall, str]] = []
    for index, message in enumerate(messages):
        match message:
            case AssistantMessage(content=content, tool_calls=calls):
                waiting = [(call, call.id or made_id(index, number)) for number, call in enumerate(calls)]
                made = [_call(call, key) for call, key in waiting]
                told: dict[str, Any] = {"role": "assistant", "content": _content(content) if content else None}
                # A turn without calls must have content, and some servers take no null there.
                sent.append(told | {"tool_calls": made} if made else told | {"content": told["content"] or ""})
            case ToolMessage(content=content, error=error):
                key = _answered(message, waiting, index)
                sent.append({"role": "tool", "tool_call_id": key, "content": _content(content or error) or ""})
            case _:
                sent.append({"role": message.role, "content": _content(message.content) or ""})
    return sent


def _offer(tool: ToolSpec) -> dict[str, Any]:
    """A tool as offered; some servers refuse an empty schema, and all take none for "no parameters"."""
    return tool.model_dump(exclude=None if tool.parameters else {"parameters"})


def _call(call: ToolCall, key: str) -> dict[str, Any]:
    return {"id": key, "type": "function", "function": {"name": call.name, "arguments": text_of(call.arguments)}}


def _answered(message: ToolMessage, waiting: list[tuple[ToolCall, str]], index: int) -> str:
    """The id of the call that a result answers: its own, else that of the next open call, of its name if there is."""
    own = message.tool_call_id
    open_calls = [pair for pair in waiting if pair[0].id == own]
    pair = next((pair for pair in open_calls if pair[0].name == message.name), next(iter(open_calls), None))
    if pair is None:
        return own or made_id(index, 0)
    waiting.remove(pair)
    return pair[1]


def _content(content: Any) -> Any:
    """Content as sent; AgentDojo's text parts keep their text under another key."""
    if not isinstance(content, list):
        return content
    return [
        {"type": "text", "text": part["content"]} if part.keys() == {"type", "content"} else part for part in content
    ]


def _with_arguments(message: Any) -> Any:
    """A message of a body whose calls have objects for arguments; what has another shape is left to the check."""
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    if not isinstance(calls, list):
        return message
    return message | {"tool_calls": [_with_object(call) for call in calls]}


def _with_object(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    return call | {"function": function | {"arguments": arguments_of(function.get("arguments"))}}


def _tools(raw: Any) -> tuple[tuple[ToolSpec, ...] | None, dict[str, JsonValue]]:
    """The tools offered; tools of a shape unknown here (a provider's own) stay in the settings as they came."""
    if raw is None or raw == []:
        return (), {}
    specs = [_spec(tool) for tool in _list(raw, "tools")]
    known = tuple(spec for spec in specs if spec is not None)
    return (known, {}) if len(known) == len(specs) else (None, {"tools": raw})


def _spec(tool: Any) -> ToolSpec | None:
    """A tool in OpenAI's shape, with or without its wrapper, or in Anthropic's."""
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    if "type" in tool and tool["type"] not in ("function", "custom", None):
        return None
    parameters = function.get("parameters", function.get("input_schema"))
    found = checked(_SETTINGS(), {"parameters": parameters or {}}, _PLACE, as_json=True)["parameters"]
    description = function.get("description") or ""
    return ToolSpec(
        name=function["name"], description=str(description), parameters=found if isinstance(found, dict) else {}
    )


def _list(value: Any, field: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise _PLACE.error(field, f"{describe(value)} where a list is needed", "Put a list there.")
    return list(value)
