"""What a span tells in the attributes of OpenTelemetry's GenAI conventions, from the version that puts messages there.

The conventions rename attributes; `ALIASES` holds every name that a field had, newest first. Messages came to spans
with version 1.37 of the conventions (``gen_ai.input.messages``); before, they were events, which no span holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ifonly.agents.canonical import canonical_json
from ifonly.agents.importers.openinference.attributes import at, json_at, text_at
from ifonly.agents.importers.openinference.messages import arguments_of, joined, tool_specs
from ifonly.agents.importers.openinference.told import Asked, Used, usage_of

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ifonly.agents.importers.openinference.spans import Span

__all__ = ["ALIASES", "KINDS", "asked_genai", "used_genai"]

KINDS = {
    "chat": "LLM",
    "generate_content": "LLM",
    "text_completion": "LLM",
    "execute_tool": "TOOL",
    "invoke_agent": "AGENT",
}
"""Which kind of span ``gen_ai.operation.name`` makes."""

ALIASES: dict[str, tuple[str, ...]] = {
    "model": ("gen_ai.request.model", "gen_ai.response.model"),
    "input": ("gen_ai.input.messages",),
    "output": ("gen_ai.output.messages",),
    "system": ("gen_ai.system_instructions",),
    "tools": ("gen_ai.tool.definitions",),
    "read": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "written": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "tool": ("gen_ai.tool.name",),
    "call": ("gen_ai.tool.call.id",),
    "arguments": ("gen_ai.tool.call.arguments", "tool_arguments"),
    "result": ("gen_ai.tool.call.result", "tool_response"),
    "agent": ("gen_ai.agent.name",),
}
"""The attributes of each field: the name of today, then older ones."""

_SETTINGS = (
    "choice.count",
    "frequency_penalty",
    "max_tokens",
    "presence_penalty",
    "seed",
    "stop_sequences",
    "temperature",
    "top_k",
    "top_p",
)


def asked_genai(span: Span) -> Asked:
    """What a span of a model call tells.

    Raises:
        InputError: a message, tool or count is broken.
    """
    tree, place = span.tree, span.place
    prompt = json_at(tree, place, *ALIASES["system"])
    head: list[JsonValue] = [{"role": "system", "parts": prompt}] if prompt else []
    said = _messages(json_at(tree, place, *ALIASES["output"]), span, "gen_ai.output.messages")
    settings: dict[str, JsonValue] = {name: at(tree, f"gen_ai.request.{name}") for name in _SETTINGS}
    return Asked(
        model=text_at(tree, *ALIASES["model"]),
        messages=(
            *_messages(head, span, "gen_ai.system_instructions"),
            *_messages(json_at(tree, place, *ALIASES["input"]), span, "gen_ai.input.messages"),
        ),
        reply=said[0] if said else None,
        tools=tool_specs(json_at(tree, place, *ALIASES["tools"]), place, "gen_ai.tool.definitions"),
        settings={name: value for name, value in settings.items() if value is not None},
        usage=usage_of(span, ALIASES["read"], ALIASES["written"]),
    )


def used_genai(span: Span) -> Used:
    """What a span of a tool call tells.

    Raises:
        InputError: the arguments are broken.
    """
    tree = span.tree
    given = next((value for path in ALIASES["arguments"] if (value := at(tree, path)) is not None), None)
    return Used(
        name=text_at(tree, *ALIASES["tool"]) or span.name,
        id=text_at(tree, *ALIASES["call"]),
        arguments=arguments_of(given, span.place, ALIASES["arguments"][0]),
        result=text_at(tree, *ALIASES["result"]),
    )


def _messages(given: JsonValue, span: Span, where: str) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise span.place.error(where, f"{given!r:.40} where a list of messages is needed", "Put a list there.")
    made = []
    for number, message in enumerate(given):
        parts = message.get("parts") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(parts, list):
            raise span.place.error(f"{where}.{number}.parts", "missing", "Write messages with role and parts.")
        made += _of_parts(message, [part for part in parts if isinstance(part, dict)], span, f"{where}.{number}")
    return made


def _of_parts(message: dict[str, Any], parts: list[Any], span: Span, where: str) -> list[dict[str, Any]]:
    """A message of parts; each result of a call in it is a message of its own."""
    results = [
        {"role": "tool", "tool_call_id": part.get("id"), "content": _text(part.get("response", part.get("result")))}
        for part in parts
        if part.get("type") == "tool_call_response"
    ]
    calls = [
        {
            "id": part.get("id") or None,
            "name": part.get("name"),
            "arguments": arguments_of(part.get("arguments"), span.place, f"{where}.parts.{number}.arguments"),
        }
        for number, part in enumerate(parts)
        if part.get("type") == "tool_call"
    ]
    rest = [
        {"type": "text", "text": part["content"]} if part.get("type") == "text" and "content" in part else part
        for part in parts
        if part.get("type") not in ("tool_call", "tool_call_response")
    ]
    said = {"role": message.get("role"), "content": joined(rest), "tool_calls": calls}
    return [*([said] if rest or calls or not results else []), *results]


def _text(value: JsonValue) -> str | list[dict[str, JsonValue]] | None:
    if isinstance(value, dict | list):
        return [{"type": "json", "json": value}]
    return value if value is None or isinstance(value, str) else canonical_json(value)
