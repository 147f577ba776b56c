"""Tokens of prompts where the record does not tell them, and what prompts share with those before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ifonly.agents.records import AssistantMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.agents.records import Message, ModelStep

__all__ = ["CHARACTERS_A_TOKEN", "characters", "prefixes", "tokens_of"]

CHARACTERS_A_TOKEN = 4.0
"""Of English text under the tokenizers in use, roughly: what is taken where no call of a run tells its tokens."""


def characters(step: ModelStep, *, reply: bool = False) -> int:
    """Characters of a call's messages, or of its reply: texts, and calls with their arguments."""
    return _length(step.reply) if reply else sum(map(_length, step.request.messages))


def tokens_of(steps: Sequence[ModelStep]) -> Callable[[int], int]:
    """How many tokens so many characters make in this run: as in those of its prompts whose tokens are told."""
    told = [(characters(step), step.usage.input_tokens) for step in steps if step.usage is not None]
    known = [(count, tokens) for count, tokens in told if count and tokens]
    rate = sum(t for _, t in known) / sum(c for c, _ in known) if known else 1.0 / CHARACTERS_A_TOKEN
    return lambda count: round(count * rate)


def prefixes(run: str, steps: Sequence[ModelStep]) -> dict[str, tuple[str, str]]:
    """By site, the name of the beginning that a prompt shares with earlier ones of the run, and the site of the last.

    A prompt that starts with all messages of an earlier call of the same model continues its conversation: it has the
    name of that one, and shares all that one asked. Any other starts a conversation of its own, and shares its own.

    Args:
        run: id of the run.
        steps: model steps in order.
    """
    found: dict[str, tuple[str, str]] = {}
    before: list[ModelStep] = []
    for step in steps:
        asked = step.request.messages
        for other in reversed(before):
            shared = other.request.messages
            if other.request.model == step.request.model and shared and asked[: len(shared)] == shared:
                found[step.site] = (found[other.site][0], other.site)
                break
        else:
            found[step.site] = (f"{run}/{step.site}", step.site)
        before.append(step)
    return found


def _length(message: Message) -> int:
    content = message.content
    count = len(content) if isinstance(content, str) else 0 if content is None else len(json.dumps(content))
    if isinstance(message, AssistantMessage):
        count += sum(len(call.name) + len(json.dumps(call.arguments)) for call in message.tool_calls)
    return count
