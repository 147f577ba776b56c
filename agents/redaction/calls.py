"""Redaction of what is asked and answered: requests, completions, whole runs.

The order is fixed, and numbers follow it: model, tools and settings first, then the messages, then the reply. So a
conversation keeps its numbers while it grows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.records import AssistantMessage, ToolMessage
from ifonly.agents.redaction.redactor import Redactor
from ifonly.agents.redaction.spans import spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.completion import Completion
    from ifonly.agents.records import Content, Message, Request, StreamPart, TokenLogprob, ToolCall, ToolSpec

__all__ = [
    "redact_call",
    "redact_completion",
    "redact_content",
    "redact_frame",
    "redact_logprobs",
    "redact_message",
    "redact_request",
    "redact_stream",
    "redact_tool_call",
]

# Shorter alternatives of a token cannot be a secret by themselves.
_LONG_ENOUGH = 8


def redact_call(request: Request, completion: Completion) -> tuple[Request, Completion]:
    """The request and its completion without their secrets; equal secrets in both have equal tokens."""
    redactor = Redactor()
    return redact_request(request, redactor), redact_completion(completion, redactor)


def redact_request(request: Request, redactor: Redactor | None = None) -> Request:
    """The request without its secrets.

    Args:
        request: the request.
        redactor: goes on numbering where it stands; None for a fresh one.
    """
    redactor = redactor or Redactor()
    frame = redact_frame(request, redactor)
    return frame.model_copy(
        update={"messages": tuple(redact_message(message, redactor) for message in request.messages)}
    )


def redact_frame(request: Request, redactor: Redactor) -> Request:
    """The request with all but its messages redacted."""
    return request.model_copy(
        update={
            "model": redactor.text(request.model),
            "toolset": _maybe(request.toolset, redactor),
            "tools": None if request.tools is None else tuple(_spec(tool, redactor) for tool in request.tools),
            "settings": redactor.fields(request.settings),
        }
    )


def redact_completion(completion: Completion, redactor: Redactor) -> Completion:
    """The completion without its secrets; a secret spread over pieces or tokens stands in the first of them."""
    return completion.model_copy(
        update={
            "reply": completion.reply.model_copy(update=_changes(completion.reply, redactor)),
            "model": _maybe(completion.model, redactor),
            "finish": _maybe(completion.finish, redactor),
            "stream": None if completion.stream is None else redact_stream(completion.stream, redactor),
            "logprobs": None if completion.logprobs is None else redact_logprobs(completion.logprobs, redactor),
        }
    )


def redact_message(message: Message, redactor: Redactor) -> Message:
    """The message without its secrets; the same object where only its text could hold one, and holds none."""
    changes = _changes(message, redactor)
    if len(changes) == 1 and changes["content"] is message.content:
        return message
    return message.model_copy(update=changes)


def _changes(message: Message, redactor: Redactor) -> dict[str, object]:
    update: dict[str, object] = {"content": redact_content(message.content, redactor)}
    if isinstance(message, AssistantMessage):
        update["tool_calls"] = tuple(redact_tool_call(call, redactor) for call in message.tool_calls)
    elif isinstance(message, ToolMessage):
        update["tool_call_id"] = _maybe(message.tool_call_id, redactor)
        update["name"] = redactor.text(message.name)
        update["error"] = _maybe(message.error, redactor)
    return update


def redact_tool_call(call: ToolCall, redactor: Redactor) -> ToolCall:
    """The call without its secrets."""
    return call.model_copy(
        update={
            "name": redactor.text(call.name),
            "arguments": redactor.fields(call.arguments),
            "id": _maybe(call.id, redactor),
        }
    )


def redact_stream(stream: Sequence[StreamPart], redactor: Redactor) -> tuple[StreamPart, ...]:
    """The pieces of a stream, redacted as the one text they make."""
    split = redactor.split([part.text for part in stream])
    return tuple(part.model_copy(update={"text": text}) for part, (text, _) in zip(stream, split, strict=True))


def redact_logprobs(tokens: Sequence[TokenLogprob], redactor: Redactor) -> tuple[TokenLogprob, ...]:
    """The tokens of a reply, redacted as the one text they make; what touches a secret loses its alternatives."""
    split = redactor.split([token.token for token in tokens])
    return tuple(
        token.model_copy(update={"token": text, "top": {} if touched else _top(token.top, redactor)})
        for token, (text, touched) in zip(tokens, split, strict=True)
    )


def _top(top: dict[str, float], redactor: Redactor) -> dict[str, float]:
    """Alternatives, of which there may be a whole vocabulary: searched together, then singly if need be."""
    long = [text for text in top if len(text) >= _LONG_ENOUGH]
    if not long or not spans("\0".join(long)):
        return top
    return {redactor.text(text): logprob for text, logprob in top.items()}


def _spec(tool: ToolSpec, redactor: Redactor) -> ToolSpec:
    return tool.model_copy(
        update={
            "name": redactor.text(tool.name),
            "description": redactor.text(tool.description),
            "parameters": redactor.fields(tool.parameters),
        }
    )


def redact_content(content: Content, redactor: Redactor) -> Content:
    """Text or parts without their secrets."""
    if content is None:
        return None
    return redactor.text(content) if isinstance(content, str) else [redactor.fields(part) for part in content]


def _maybe(text: str | None, redactor: Redactor) -> str | None:
    return None if text is None else redactor.text(text)
