"""Tool calls on the wire: arguments as JSON text, and ids for calls that have none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ifonly.agents.canonical import canonical_json
from ifonly.agents.streams.strict_json import JsonError, parse_text

if TYPE_CHECKING:
    from pydantic import JsonValue

__all__ = ["INVALID", "arguments_of", "made_id", "text_of"]

INVALID = "__invalid__"
"""The one key of arguments that are no JSON object; its value is the text, as the model wrote it."""


def arguments_of(given: object) -> dict[str, JsonValue]:
    """The arguments of a call, given as JSON text or as an object; no text counts as no arguments.

    Models do write arguments that are cut off, or no object. Such text is kept as ``{INVALID: text}``: the tool then
    refuses the call, and the model sees its own words again.
    """
    if given is None:
        return {}
    try:
        text = given if isinstance(given, str) else canonical_json(given)
        value = parse_text(text) if text.strip() else {}
    except (JsonError, TypeError, ValueError, RecursionError):
        return {INVALID: given if isinstance(given, str) else repr(given)}
    return value if isinstance(value, dict) else {INVALID: text}


def text_of(arguments: dict[str, JsonValue]) -> str:
    """The arguments as JSON text with sorted keys; what was no JSON object goes back as it came."""
    kept = arguments.get(INVALID)
    if isinstance(kept, str) and len(arguments) == 1:
        return kept
    return json.dumps(arguments, sort_keys=True, ensure_ascii=False)


def made_id(message: int, number: int) -> str:
    """The id of a call that has none: the place of its message in the conversation, and its place in the message."""
    return f"call_{message}_{number}"
