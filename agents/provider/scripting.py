"""A model whose reply probabilities are exactly known, in the shapes that litellm wants."""

from __future__ import annotations

import hashlib
import math
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ifonly.agents.canonical import canonical_json, request_digest
from ifonly.agents.errors import ProviderError
from ifonly.agents.optionlaw import option_of, option_token
from ifonly.agents.wire import TRANSPORT, from_body
from ifonly.agents.wire.calls import made_id, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from ifonly.agents.records import AssistantMessage, Request

    Law = Callable[[Request], Sequence[tuple[AssistantMessage, float]]]

__all__ = ["PROVIDER", "Script", "forget", "scripts_of"]

PROVIDER = "scripted"
"""litellm's name of the provider that scripted models have."""

_BITS = 53
"""As many as the fraction of a float holds."""

_TOLERANCE = 1e-9

_REPORTING = frozenset({"logprobs", "stream", "top_logprobs"})


@dataclass(frozen=True)
class Script:
    """A law of replies, and how it is sampled.

    With a seed the reply is a function of seed, name and request (tool-call ids aside); without, the draw is fresh.
    A temperature T turns p into p ** (1 / T), made to sum to one; 0 takes the likeliest, the first of equals.

    Args:
        name: of the model.
        law: the replies to a request, each with its probability.
    """

    name: str
    law: Law

    def response(self, request: Request) -> dict[str, Any]:
        """The reply to a request, in the shape of OpenAI's chat completions.

        With `logprobs` set, the first token stands for the option that the reply takes, and its alternatives for all.

        Raises:
            ProviderError: the law's probabilities are none.
        """
        weighted = self._weighted(request)
        reply = self._drawn(weighted, request)
        calls = [
            {
                "id": call.id or made_id(len(request.messages), number),
                "type": "function",
                "function": {"name": call.name, "arguments": text_of(call.arguments)},
            }
            for number, call in enumerate(reply.tool_calls)
        ]
        content = reply.content if reply.content is None or isinstance(reply.content, str) else str(reply.content)
        message = {"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})}
        choice: dict[str, Any] = {"index": 0, "finish_reason": "tool_calls" if calls else "stop", "message": message}
        if request.settings.get("logprobs"):
            choice["logprobs"] = _logprobs(weighted, reply, request)
        usage = {"prompt_tokens": len(request.messages), "completion_tokens": 1}
        usage["total_tokens"] = sum(usage.values())
        return {"model": self.name, "object": "chat.completion", "choices": [choice], "usage": usage}

    def chunks(self, request: Request) -> Iterator[dict[str, Any]]:
        """The same reply in pieces: text by words, each tool call whole, then the end with the usage."""
        response = self.response(request)
        (choice,) = response["choices"]
        message, logprobs = choice["message"], choice.get("logprobs")
        deltas: list[dict[str, Any]] = [{"content": text} for text in _pieces(message["content"] or "")]
        calls = message.get("tool_calls", ())
        deltas += [{"tool_calls": [call | {"index": number}]} for number, call in enumerate(calls)]
        deltas = deltas or [{"content": ""}]
        for number, delta in enumerate(deltas):
            piece = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}
            # litellm hears of the usage only in a piece that has content.
            usage = response["usage"] if number == len(deltas) - 1 else None
            yield _chunk(response, [piece | ({"logprobs": logprobs} if logprobs and not number else {})], usage)
        yield _chunk(response, [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}])

    def _weighted(self, request: Request) -> list[tuple[AssistantMessage, float]]:
        law = list(self.law(request))
        total = math.fsum(mass for _, mass in law)
        if not law or min(mass for _, mass in law) < 0 or abs(total - 1) > _TOLERANCE:
            found = f"{len(law)} replies whose probabilities sum to {total:g}"
            raise ProviderError(f"the scripted model {self.name!r}", found, "Let them be at least 0 and sum to 1.")
        heat = request.settings.get("temperature")
        if not isinstance(heat, int | float) or heat == 1:
            return law
        highest = max(mass for _, mass in law)
        if heat <= 0:
            first = next(number for number, (_, mass) in enumerate(law) if mass == highest)
            return [(reply, float(number == first)) for number, (reply, _) in enumerate(law)]
        sharp = [(reply, (mass / highest) ** (1 / heat)) for reply, mass in law]
        total = math.fsum(mass for _, mass in sharp)
        return [(reply, mass / total) for reply, mass in sharp]

    def _drawn(self, law: Sequence[tuple[AssistantMessage, float]], request: Request) -> AssistantMessage:
        left = self._uniform(request)
        for reply, mass in law:
            left -= mass
            if left < 0:
                return reply
        return next(reply for reply, mass in reversed(law) if mass > 0)

    def _uniform(self, request: Request) -> float:
        seed = request.settings.get("seed")
        if seed is None:
            return math.ldexp(secrets.randbits(_BITS), -_BITS)
        # How a reply is reported does not move it.
        settings = {key: value for key, value in request.settings.items() if key not in _REPORTING}
        asked = request_digest(request.model_copy(update={"settings": settings}))
        key = canonical_json([self.name, seed, asked]).encode()
        bits = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> (64 - _BITS)
        return math.ldexp(bits, -_BITS)


def scripts_of(litellm: Any) -> dict[str, Script]:
    """The scripted models that litellm knows now, by name; what is put there can be asked.

    One handler in litellm's own registry serves them all.
    """
    for entry in litellm.custom_provider_map:
        if entry["provider"] == PROVIDER:
            known: dict[str, Script] = entry["custom_handler"].scripts
            return known
    scripts: dict[str, Script] = {}
    litellm.custom_provider_map.append({"provider": PROVIDER, "custom_handler": _handler(litellm, scripts)})
    litellm.utils.custom_llm_setup()
    return scripts


def forget(litellm: Any) -> None:
    """Take the handler out of litellm's registry."""
    litellm.custom_provider_map[:] = [one for one in litellm.custom_provider_map if one["provider"] != PROVIDER]
    for names in (litellm.provider_list, litellm._custom_providers):  # litellm has no other way
        while PROVIDER in names:
            names.remove(PROVIDER)


def _handler(litellm: Any, scripts: dict[str, Script]) -> Any:
    """A `CustomLLM`, whose base class is known only once litellm is loaded."""

    def asked(model: str, messages: Any, optional_params: dict[str, Any], logging_obj: Any) -> tuple[Script, Request]:
        logging_obj.pre_call(input=messages, api_key="", additional_args={})
        if model not in scripts:
            raise ProviderError(f"the scripted model {model!r}", "no such script", "Ask inside `scripted`.", scripts)
        settings = {key: value for key, value in optional_params.items() if key not in TRANSPORT}
        given = settings.pop("extra_body", None) or {}
        return scripts[model], from_body({"model": f"{PROVIDER}/{model}", "messages": messages, **given, **settings})

    class Handler(litellm.CustomLLM):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scripts = scripts

        def completion(
            self, *, model: str, messages: Any, optional_params: Any, logging_obj: Any, **_others: Any
        ) -> Any:
            script, request = asked(model, messages, optional_params, logging_obj)
            return litellm.ModelResponse(**script.response(request))

        def streaming(
            self, *, model: str, messages: Any, optional_params: Any, logging_obj: Any, **_others: Any
        ) -> Iterator[Any]:
            script, request = asked(model, messages, optional_params, logging_obj)
            for chunk in script.chunks(request):
                yield litellm.types.utils.ModelResponseStream(**chunk)

        async def acompletion(self, **given: Any) -> Any:
            return self.completion(**given)

        async def astreaming(self, **given: Any) -> AsyncIterator[Any]:
            for chunk in self.streaming(**given):
                yield chunk

    return Handler()


def _logprobs(
    law: Sequence[tuple[AssistantMessage, float]], reply: AssistantMessage, request: Request
) -> dict[str, Any]:
    masses: dict[str, float] = {}
    for other, mass in law:
        option = option_of(other, request)
        masses[option] = masses.get(option, 0.0) + mass
    token = option_token(masses, option_of(reply, request))
    top = [{"token": text, "logprob": log, "bytes": None} for text, log in token.top.items()]
    return {"content": [{"token": token.token, "logprob": token.logprob, "bytes": None, "top_logprobs": top}]}


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [word + (" " if number < len(words) - 1 else "") for number, word in enumerate(words)] if text else []


def _chunk(response: dict[str, Any], choices: list[dict[str, Any]], usage: Any = None) -> dict[str, Any]:
    made = {"model": response["model"], "object": "chat.completion.chunk", "choices": choices}
    return made | ({"usage": usage} if usage else {})
