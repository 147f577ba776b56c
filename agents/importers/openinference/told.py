"""What a span tells in OpenInference's attributes; `genai` reads those of OpenTelemetry's GenAI conventions.

| kind | attributes |
|---|---|
| LLM | ``llm.``: ``model_name``, ``{input,output}_messages``, ``tools``, ``invocation_parameters``, ``token_count`` |
| TOOL | ``tool.name``, ``tool.id``, ``input.value``, ``output.value`` |
| AGENT | ``agent.name``, ``input.value``, ``output.value`` |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ifonly.agents.importers.openinference.attributes import at, json_at, number_at, text_at
from ifonly.agents.importers.openinference.messages import arguments_of, joined, tool_specs
from ifonly.agents.records import Usage
from ifonly.agents.streams.strict_json import JsonError, parse_text

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ifonly.agents.importers.openinference.spans import Span
    from ifonly.agents.records import ToolSpec

__all__ = ["HIDDEN", "Asked", "Used", "asked", "usage_of", "used"]

HIDDEN = "__REDACTED__"
"""What OpenInference writes in the place of content that it was told to hide."""

_FRAME = frozenset({"messages", "model", "tools", "functions", "input"})


@dataclass(frozen=True)
class Asked:
    """One call of a model. `messages` and `reply` are fields for `Pool.message`; no reply is None."""

    model: str | None
    messages: tuple[dict[str, Any], ...]
    reply: dict[str, Any] | None
    tools: tuple[ToolSpec, ...] | None
    settings: dict[str, JsonValue]
    usage: Usage | None


@dataclass(frozen=True)
class Used:
    """One call of a tool, or of an agent that others can call."""

    name: str
    result: str | None
    id: str | None = None
    arguments: dict[str, JsonValue] = field(default_factory=dict)


def asked(span: Span) -> Asked:
    """What an LLM span tells.

    Raises:
        InputError: a message, tool, setting or count is broken.
    """
    tree, place = span.tree, span.place
    settings = json_at(tree, place, "llm.invocation_parameters")
    said = _messages(span, "llm.output_messages")
    plain = text_at(tree, "output.value")
    model = text_at(tree, "llm.request.model_name", "llm.model_name", "llm.response.model_name")
    tools = at(tree, "llm.tools")
    return Asked(
        model=model,
        messages=_messages(span, "llm.input_messages") or _prompt(span),
        reply=said[0] if said else {"role": "assistant", "content": plain} if plain else None,
        tools=tool_specs([_schema(tool) for tool in tools], place, "llm.tools") if isinstance(tools, list) else None,
        settings={key: value for key, value in settings.items() if key not in _FRAME and value is not None}
        if isinstance(settings, dict)
        else {},
        usage=usage_of(span, ("llm.token_count.prompt",), ("llm.token_count.completion",)),
    )


def usage_of(span: Span, read: tuple[str, ...], written: tuple[str, ...]) -> Usage | None:
    """Token counts, where either is told.

    Args:
        span: of a model call.
        read: attributes of the tokens read.
        written: of those written.
    """
    counts = number_at(span.tree, span.place, *read), number_at(span.tree, span.place, *written)
    return None if counts == (None, None) else Usage(input_tokens=counts[0] or 0, output_tokens=counts[1] or 0)


def used(span: Span) -> Used:
    """What a TOOL span tells; smolagents' ``{"args", "kwargs"}`` become named arguments, by the tool's parameters.

    Raises:
        InputError: the arguments are broken.
    """
    tree = span.tree
    given = _parsed(text_at(tree, "input.value") or at(tree, "tool_call.function.arguments"))
    if isinstance(given, dict) and isinstance(given.get("kwargs"), dict) and isinstance(given.get("args"), list):
        names = _parsed(at(tree, "tool.parameters"))
        free = [name for name in names if name not in given["kwargs"]] if isinstance(names, dict) else []
        extra = given["args"][len(free) :]
        given = dict(zip(free, given["args"], strict=False)) | given["kwargs"] | ({"args": extra} if extra else {})
    return Used(
        name=text_at(tree, "tool.name") or span.name,
        id=text_at(tree, "tool.id", "tool_call.id"),
        arguments=given if isinstance(given, dict) else {} if given in (None, "") else {"input": given},
        result=text_at(tree, "output.value"),
    )


def _parsed(value: Any) -> Any:
    """JSON text as its value; other text as it stands."""
    try:
        return parse_text(value) if isinstance(value, str) and value.strip() else value
    except JsonError:
        return value


def _schema(tool: Any) -> Any:
    return _parsed(at(tool, "tool.json_schema"))


def _messages(span: Span, path: str) -> tuple[dict[str, Any], ...]:
    given = at(span.tree, path)
    if not isinstance(given, list):
        return ()
    inner = [at(message, "message") if at(message, "message") is not None else message for message in given]
    return tuple(_fields(raw, span, f"{path}.{number}.message") for number, raw in enumerate(inner))


def _prompt(span: Span) -> tuple[dict[str, Any], ...]:
    """The messages of a span that has none in OpenInference's own attributes: the request as it was sent."""
    text = text_at(span.tree, "input.value")
    sent = _parsed(text)
    messages = sent.get("messages") if isinstance(sent, dict) else None
    if isinstance(messages, list) and messages:
        return tuple(_fields(raw, span, f"input.value.messages.{index}") for index, raw in enumerate(messages))
    return ({"role": "user", "content": text},) if text else ()


def _fields(raw: Any, span: Span, where: str) -> dict[str, Any]:
    """The fields of a message, flattened by OpenInference or as the API has it."""
    if not isinstance(raw, dict):
        raise span.place.error(where, f"{raw!r:.40} where a message is needed", "Put an object with role and content.")
    content, parts = raw.get("content"), raw.get("contents")
    if isinstance(parts, list):
        content = joined([_part(part) for part in parts if isinstance(part, dict)])
    elif isinstance(content, list):
        content = joined([part for part in content if isinstance(part, dict)])
    calls = raw.get("tool_calls")
    made = (
        [_call(call, span, f"{where}.tool_calls.{index}") for index, call in enumerate(calls or ())]
        if isinstance(calls, list | None)
        else []
    )
    if isinstance(name := raw.get("function_call_name"), str):
        given = arguments_of(
            raw.get("function_call_arguments_json"), span.place, f"{where}.function_call_arguments_json"
        )
        made.append({"id": None, "name": name, "arguments": given})
    return {
        "role": raw.get("role"),
        "content": content,
        "tool_calls": made,
        "tool_call_id": raw.get("tool_call_id"),
        "name": raw.get("name"),
    }


def _part(part: dict[str, Any]) -> dict[str, JsonValue]:
    inner = part.get("message_content")
    return inner if isinstance(inner, dict) else part


def _call(raw: Any, span: Span, where: str) -> dict[str, Any]:
    call = raw.get("tool_call", raw) if isinstance(raw, dict) else {}
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise span.place.error(f"{where}.function.name", "missing", "Write calls as OpenInference does.")
    given = arguments_of(function.get("arguments"), span.place, f"{where}.function.arguments")
    return {"id": call.get("id") or None, "name": function["name"], "arguments": given}
