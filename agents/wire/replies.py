"""A chat-completions reply as a `Completion`."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeGuard

from ifonly.agents.completion import Completion
from ifonly.agents.errors import ProviderError
from ifonly.agents.importers.base import describe
from ifonly.agents.records import AssistantMessage, TokenLogprob, ToolCall, Usage
from ifonly.agents.wire import schema
from ifonly.agents.wire.calls import arguments_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.records import Content, Request

__all__ = ["UnfinishedReply", "completion_of"]


_ENDPOINT = "Check api_base: it must be an endpoint for OpenAI's chat completions."


class UnfinishedReply(ProviderError):
    """A request that went out and got no whole reply (a time-out, a broken stream): it may have been billed."""


def completion_of(response: Mapping[str, Any], request: Request, seconds: float | None = None) -> Completion:
    """The completion that a reply holds. Of several choices the first counts.

    Log-probabilities that are no numbers count as not given. What providers add for people (reasoning, annotations)
    is left out, as no later request repeats it.

    Args:
        response: the JSON of the reply.
        request: what was asked; its tool mode says how to read the text.
        seconds: wall time of the call.

    Raises:
        ProviderError: the reply is an error.
        UnfinishedReply: it has no message.
    """
    asked = f"model {request.model!r}"
    if (error := response.get("error")) and not response.get("choices"):
        told = error.get("message") if isinstance(error, dict) else None
        raise ProviderError(asked, f"the provider answered with an error: {told or error}", "See its message.")
    choice = next(iter(_list(response.get("choices"))), None)
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        found = f"a reply without choices[0].message, with {', '.join(map(repr, list(response)[:6])) or 'no keys'}"
        raise UnfinishedReply(asked, found, _ENDPOINT)
    model, finish = response.get("model"), choice.get("finish_reason")
    return Completion(
        reply=_reply(message, request),
        model=model if isinstance(model, str) and model else None,
        usage=_usage(response.get("usage")),
        seconds=seconds,
        logprobs=_logprobs(choice.get("logprobs")),
        finish=finish if isinstance(finish, str) else None,
    )


def _reply(message: Mapping[str, Any], request: Request) -> AssistantMessage:
    legacy = message.get("function_call")
    made = [{"function": legacy}] if isinstance(legacy, dict) else _list(message.get("tool_calls"))
    calls = tuple(_call(call) for call in made if isinstance(call, dict))
    content = message.get("content")
    if not _is_content(content):
        found = f"content that is neither text nor a list of parts but {describe(content)}"
        raise UnfinishedReply(f"model {request.model!r}", found, _ENDPOINT)
    if not content and isinstance(message.get("refusal"), str):
        content = [{"type": "refusal", "refusal": message["refusal"]}]
    by_schema = request.settings.get("tool_mode") == schema.MODE and request.tools
    if by_schema and isinstance(content, str) and not calls:
        content, read = schema.read(content)
        calls = tuple(read)
    return AssistantMessage(content=content, tool_calls=calls)


def _is_content(value: Any) -> TypeGuard[Content]:
    return value is None or isinstance(value, str) or (isinstance(value, list) and all(map(_is_object, value)))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _call(raw: Mapping[str, Any]) -> ToolCall:
    function = raw.get("function")
    function = function if isinstance(function, dict) else {}
    key = raw.get("id")
    return ToolCall(
        name=str(function.get("name") or ""),
        arguments=arguments_of(function.get("arguments")),
        id=key if isinstance(key, str) and key else None,
    )


def _usage(raw: Any) -> Usage | None:
    """The tokens; all zero is how some servers, and litellm, say that they do not know."""
    if not isinstance(raw, dict):
        return None
    given = [raw.get("prompt_tokens"), raw.get("completion_tokens")]
    counts = [count if isinstance(count, int) and count >= 0 else 0 for count in given]
    return Usage(input_tokens=counts[0], output_tokens=counts[1]) if any(counts) else None


def _logprobs(raw: Any) -> tuple[TokenLogprob, ...] | None:
    parts = [raw.get(key) for key in ("content", "refusal")] if isinstance(raw, dict) else []
    tokens = [_token(token) for token in chain.from_iterable(map(_list, parts))]
    known = [token for token in tokens if token is not None]
    return tuple(known) if known and len(known) == len(tokens) else None


def _token(raw: Any) -> TokenLogprob | None:
    if not isinstance(raw, dict) or not _is_logprob(raw.get("logprob")):
        return None
    top: dict[str, float] = {}
    for other in _list(raw.get("top_logprobs")):
        if isinstance(other, dict) and _is_logprob(other.get("logprob")):
            text, mass = str(other.get("token")), _at_most_zero(other["logprob"])
            # Tokens of which the text shows only a replacement character look alike: their masses add up.
            top[text] = min(_log_sum(top[text], mass), 0.0) if text in top else mass
    return TokenLogprob(token=str(raw.get("token")), logprob=_at_most_zero(raw["logprob"]), top=top)


def _is_logprob(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _at_most_zero(value: float) -> float:
    """Rounding makes some servers say 1e-9."""
    return min(float(value), 0.0)


def _log_sum(one: float, other: float) -> float:
    high, low = max(one, other), min(one, other)
    return high + math.log1p(math.exp(low - high))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
