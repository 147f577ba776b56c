"""A request as what a sampler of tokens needs: the prompt's tokens, the shaping of laws, and the limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ifonly.agents.errors import ProviderError
from ifonly.agents.wire import to_body
from ifonly.scm.race import Shaping

if TYPE_CHECKING:
    from ifonly.agents.local.tokens import NextToken
    from ifonly.agents.records import Request

__all__ = ["Asked", "asked_of"]

_SHAPING = ("temperature", "top_k", "top_p", "min_p")
_LIMITS = ("max_tokens", "max_completion_tokens")
_IDLE = frozenset([*_SHAPING, *_LIMITS, "seed", "stream", "stream_options", "logprobs", "top_logprobs"])
"""Settings that are taken care of, or do not move the law of a token."""
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "repeat_penalty": (1,),
    "n": (1,),
    "stop": ([], ""),
    "logit_bias": ({}, []),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
}
"""Values at which other settings do not move it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for.

    Attributes:
        prompt: its tokens.
        shaping: how laws are shaped before a token is drawn.
        limit: greatest number of tokens of the reply, its end included.
        alternatives: how many other tokens are reported with each.
    """

    prompt: tuple[int, ...]
    shaping: Shaping
    limit: int
    alternatives: int


async def asked_of(request: Request, model: NextToken) -> Asked:
    """What a request asks of a model; where it names no sampling parameters the server's own hold.

    Raises:
        ProviderError: it asks for more than single tokens by their laws (tools, a response format, penalties, stops).
    """
    body = to_body(request)
    messages, settings = body.pop("messages"), body
    settings.pop("model")
    for name, value in settings.items():
        if name not in _IDLE and value not in _NEUTRAL.get(name, ()):
            found = f"its reply is drawn by more than the model's law of the next token: it has {name!r}"
            fix = "Take the law of the options (which tool, which answer) there, or fresh noise."
            raise ProviderError(f"a reply of {request.model!r} token by token", found, fix)
    facts, prompt = await model.facts(), await model.prompt(messages)
    room = facts.context - len(prompt)
    if room <= 0:
        found = f"its prompt has {len(prompt)} tokens, and the context {facts.context}"
        raise ProviderError(f"a reply of {request.model!r}", found, "Shorten the prompt.")
    known = {name: settings.get(name, facts.sampling[name]) for name in _SHAPING}
    limits = [settings[name] for name in _LIMITS if name in settings]
    if wrong := [value for value in (*known.values(), *limits) if not _is_number(value)]:
        found = f"{wrong[0]!r} where a number is needed"
        raise ProviderError(f"a reply of {request.model!r}", found, "Correct the request's settings.")
    return Asked(
        prompt=prompt,
        shaping=Shaping(known["temperature"], max(int(known["top_k"]), 0), known["top_p"], known["min_p"]),
        limit=min([room, *map(int, limits)]),
        alternatives=int(settings.get("top_logprobs", 0)),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
