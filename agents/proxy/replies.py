"""Completions and errors in the shapes of OpenAI's chat completions, whole and in pieces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ifonly.agents.records import Request
from ifonly.agents.wire import to_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ifonly.agents.completion import Completion
    from ifonly.agents.records import TokenLogprob

__all__ = ["chunks_of", "error_body", "event", "response_of"]


def error_body(message: str, kind: str) -> dict[str, Any]:
    """An error as OpenAI's API tells it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def response_of(completion: Completion, model: str, key: str) -> dict[str, Any]:
    """A completion as the reply to a call that is not streamed.

    Args:
        completion: what was recorded.
        model: that was asked for.
        key: names the call.
    """
    choice = {
        "index": 0,
        "message": {**_message(completion), "refusal": None},
        "logprobs": _logprobs(completion.logprobs),
        "finish_reason": _finish(completion),
    }
    return {**_head(completion, model, key, "chat.completion"), "choices": [choice], "usage": _usage(completion)}


def chunks_of(completion: Completion, model: str, key: str, *, usage: bool) -> Iterator[dict[str, Any]]:
    """A completion as the pieces of a streamed reply: text as it was streamed, each tool call whole.

    Args:
        completion: what was recorded.
        model: that was asked for.
        key: names the call.
        usage: whether a last piece tells the usage.
    """
    head = _head(completion, model, key, "chat.completion.chunk")
    message = _message(completion)
    texts = [part.text for part in completion.stream or ()] or [message["content"] or ""]
    calls = [{**call, "index": number} for number, call in enumerate(message.get("tool_calls", ()))]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": texts[0] or None}]
    deltas += [{"content": text} for text in texts[1:]]
    deltas += [{"tool_calls": [call]} for call in calls]
    logprobs = _logprobs(completion.logprobs)
    for number, delta in enumerate(deltas):
        yield {**head, "choices": [_piece(delta, None, None if number else logprobs)]}
    yield {**head, "choices": [_piece({}, _finish(completion), None)]}
    if usage:
        yield {**head, "choices": [], "usage": _usage(completion)}


def event(value: dict[str, Any] | str) -> bytes:
    """A piece as a server-sent event."""
    text = value if isinstance(value, str) else json.dumps(value)
    return f"data: {text}\n\n".encode()


def _head(completion: Completion, model: str, key: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{key}", "object": kind, "created": 0, "model": completion.model or model}


def _message(completion: Completion) -> dict[str, Any]:
    said: dict[str, Any] = to_body(Request(model="", messages=(completion.reply,)))["messages"][0]
    return said


def _finish(completion: Completion) -> str:
    return completion.finish or ("tool_calls" if completion.reply.tool_calls else "stop")


def _usage(completion: Completion) -> dict[str, int] | None:
    used = completion.usage
    if used is None:
        return None
    total = used.input_tokens + used.output_tokens
    return {"prompt_tokens": used.input_tokens, "completion_tokens": used.output_tokens, "total_tokens": total}


def _logprobs(tokens: tuple[TokenLogprob, ...] | None) -> dict[str, Any] | None:
    if tokens is None:
        return None
    told = [
        {
            "token": token.token,
            "logprob": token.logprob,
            "bytes": None,
            "top_logprobs": [{"token": text, "logprob": log, "bytes": None} for text, log in token.top.items()],
        }
        for token in tokens
    ]
    return {"content": told, "refusal": None}


def _piece(delta: dict[str, Any], finish: str | None, logprobs: dict[str, Any] | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
