"""One spelling for equal things: canonical JSON, digests, and when two messages count as the same.

Three notions of equal are declared. `EXACT`: every field, tool-call ids aside (providers draw them at random).
`EQUIVALENT`: tool results are compared as `ifonly.agents.equivalence` spells them, which assumes that the stamp of a
clock or the order of a set does not move later replies. `CALLS_ONLY`: the free text of earlier assistant turns that
made tool calls is ignored, which assumes that this text does not; `ifonly corpus` tests that.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import TYPE_CHECKING

from ifonly.agents.records import AssistantMessage, Message, Request, ToolMessage

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Equality",
    "canonical_json",
    "context_digest",
    "digest",
    "extend",
    "message_digest",
    "request_digest",
    "request_key",
]


# Made once: `json.dumps` would make one a call, which costs more than most messages.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Equality(StrEnum):
    """When two requests count as equal."""

    EXACT = "exact"
    EQUIVALENT = "equivalent"
    CALLS_ONLY = "calls_only"


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces; equal values give equal text, and 1, 1.0 and true stay apart.

    Args:
        value: what JSON can hold.

    Raises:
        TypeError: for what JSON cannot hold.
        ValueError: for NaN and infinities, which JSON does not have.
    """
    return _ENCODER.encode(value)


def digest(text: str) -> str:
    """128 bits of BLAKE2b, in hex. Lone surrogates, which JSON allows and UTF-8 does not, keep their own bytes."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def message_digest(message: Message, equality: Equality = Equality.EXACT) -> str:
    """Digest of one message with tool-call ids left out."""
    match message:
        case AssistantMessage(content=content, tool_calls=calls):
            text = None if calls and equality is Equality.CALLS_ONLY else (content or None)
            made = [(call.name, call.arguments) for call in calls]
            return digest(canonical_json(("assistant", text, made)))
        case ToolMessage(name=name, content=content, error=error):
            return digest(canonical_json(["tool", name, content, error]))
        case _:
            return digest(canonical_json([message.role, message.content]))


def context_digest(request: Request) -> str:
    """Digest of what stands beside the messages: the tools offered and the settings, but not the model."""
    tools = None if request.tools is None else [tool.model_dump() for tool in request.tools]
    return digest(canonical_json([request.toolset, tools, request.settings]))


def extend(prefix: str, message: str) -> str:
    """Digest of a conversation made one message longer: ``extend(extend(context, m0), m1)`` and so on."""
    return digest(prefix + message)


def request_digest(request: Request, equality: Equality = Equality.EXACT) -> str:
    """Digest of a whole request; the model is left out, so that it can be looked up for each model."""
    return conversation_digest(context_digest(request), request.messages, equality)


def request_key(request: Request) -> str:
    """Digest of the whole canonical request, model included."""
    return digest(request.model + request_digest(request))


def conversation_digest(context: str, messages: Iterable[Message], equality: Equality) -> str:
    """Fold of `extend` over the messages."""
    for message in messages:
        context = extend(context, message_digest(message, equality))
    return context
