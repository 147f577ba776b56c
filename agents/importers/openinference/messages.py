"""Messages as telemetry tells of them, made into records; an equal message is the same object throughout a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ifonly.agents.canonical import canonical_json
from ifonly.agents.importers.base import MESSAGES, checked, describe
from ifonly.agents.records import ToolSpec
from ifonly.agents.streams.strict_json import JsonError, parse_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from ifonly.agents.importers.base import Place
    from ifonly.agents.records import Message

__all__ = ["Pool", "arguments_of", "joined", "tool_specs"]

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
    # What smolagents calls its own turns; it sends them under the names on the right.
    "tool-call": "assistant",
    "tool-response": "user",
}


class Pool:
    """Makes messages of their fields, each once."""

    def __init__(self) -> None:
        self._known: dict[str, Message] = {}
        self._called: dict[str, str] = {}
        self._said: set[str] = set()

    def message(self, fields: dict[str, Any], place: Place, where: str) -> Message:
        """The message of a role, content, calls, id and name of a result.

        OpenTelemetry drops attributes beyond a limit, so that a message may have lost its role: it is the assistant's
        if it repeats what a reply said, else the user's.

        Args:
            fields: ``role``, ``content``, ``tool_calls``, ``tool_call_id``, ``name``.
            place: of the span.
            where: the message stands in it, for errors.

        Raises:
            InputError: the role is not known, or a field of the wrong type.
        """
        content, role = fields.get("content"), fields.get("role")
        if role is None:
            role = "assistant" if isinstance(content, str) and content in self._said else "user"
        if not isinstance(role, str) or role.lower() not in _ROLES:
            fix = f"Use one of: {', '.join(sorted(_ROLES))}."
            raise place.error(f"{where}.role", f"unknown role {role!r:.40}", fix)
        plain: dict[str, Any] = {"role": _ROLES[role.lower()], "content": content}
        if plain["role"] == "assistant":
            plain["tool_calls"] = tuple(fields.get("tool_calls") or ())
        elif plain["role"] == "tool":
            key = fields.get("tool_call_id") or None
            named = fields.get("name") or (self._called.get(key, "") if isinstance(key, str) else "")
            plain |= {"tool_call_id": key, "name": named}
        return self.same(checked(MESSAGES, [plain], place)[0])

    def same(self, message: Message) -> Message:
        """The object that stands for all messages equal to this one."""
        found = self._known.setdefault(canonical_json(message.model_dump()), message)
        if found is message and message.role == "assistant":
            self._called |= {call.id: call.name for call in message.tool_calls if call.id}
            if isinstance(message.content, str):
                self._said.add(message.content)
        return found


def joined(parts: Sequence[dict[str, JsonValue]]) -> str | list[dict[str, JsonValue]] | None:
    """Content of parts: the text where there is one text alone, None where there is nothing."""
    if len(parts) == 1 and parts[0].get("type") == "text" and isinstance(text := parts[0].get("text"), str):
        return text
    return list(parts) or None


def arguments_of(given: Any, place: Place, where: str) -> dict[str, JsonValue]:
    """The arguments of a call: an object, or its JSON text; empty text counts as none.

    Raises:
        InputError: they are neither.
    """
    if isinstance(given, str):
        try:
            given = parse_text(given) if given.strip() else {}
        except JsonError as problem:
            raise place.error(where, problem.found, problem.fix) from None
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise place.error(
            where, f"{describe(given)} where the JSON text of an object is needed", "Put an object there."
        )
    return given


def tool_specs(given: Any, place: Place, where: str) -> tuple[ToolSpec, ...] | None:
    """The tools offered, in the shape of OpenAI's or Anthropic's API; None where nothing is said.

    Raises:
        InputError: a tool has no name, or is no object.
    """
    if not isinstance(given, list):
        return None
    specs = []
    for number, raw in enumerate(given):
        tool = raw.get("function", raw) if isinstance(raw, dict) else None
        if not isinstance(tool, dict) or not isinstance(name := tool.get("name"), str):
            raise place.error(
                f"{where}.{number}", "a tool without name", "Write the tool's JSON schema as it was sent."
            )
        about = tool.get("description")
        schema: dict[str, JsonValue] = next(
            (tool[key] for key in ("parameters", "input_schema") if isinstance(tool.get(key), dict)), {}
        )
        specs.append(ToolSpec(name=name, description=about if isinstance(about, str) else "", parameters=schema))
    return tuple(specs)
