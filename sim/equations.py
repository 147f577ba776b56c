"""The structural equations of an agent world, as functions of parent values, and the keys that pin responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ifonly.agents.canonical import digest, message_digest
from ifonly.agents.environments.base import Undetermined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.agents.records import AssistantMessage, EnvironmentRef, Message, Request, Score, ToolCall, ToolResult
    from ifonly.agents.rerun import Rerun

__all__ = [
    "asking",
    "conversation_key",
    "inherit",
    "judging",
    "picking",
    "showing",
    "using",
]


def inherit(before: str | None, recorded: str) -> Callable[..., str]:
    """The model of a step: the recorded one while the step before used its recorded one, else whatever that used."""

    def model(*previous: str) -> str:
        return recorded if not previous or previous[0] == before else previous[0]

    return model


def asking(frame: Request) -> Callable[..., Request]:
    """The request of a step: the frame's tools and settings, the model, and the messages so far."""

    def request(model: str, *messages: Message) -> Request:
        return frame.model_copy(update={"model": model, "messages": messages})

    return request


def picking(index: int) -> Callable[[AssistantMessage], ToolCall]:
    """The call that a reply makes at this index."""

    def call(reply: AssistantMessage) -> ToolCall:
        return reply.tool_calls[index]

    return call


def showing(reply: AssistantMessage, *calls: ToolCall | None) -> AssistantMessage:
    """The reply as the conversation shows it: with the calls that were in fact made."""
    return reply.model_copy(update={"tool_calls": tuple(call for call in calls if call is not None)})


def using(rerun: Rerun) -> Callable[..., ToolResult | Undetermined]:
    """The result of the last of these calls, executed in this environment after the others; dropped calls are None."""

    def result(ref: EnvironmentRef, *history: ToolCall | None) -> ToolResult | Undetermined:
        return rerun.result(ref, _made(history))

    return result


def judging(rerun: Rerun, name: str, calls: int) -> Callable[..., Score | Undetermined]:
    """A score of the end state; the parents are the environment, `calls` calls (None where dropped), and messages."""

    def score(ref: EnvironmentRef, *parents: Any) -> Score | Undetermined:
        scores = rerun.score(ref, _made(parents[:calls]), parents[calls:])
        return scores.get(name, Undetermined(why=f"the environment has no score {name!r}"))

    return score


def _made(history: Sequence[ToolCall | None]) -> tuple[ToolCall, ...]:
    return tuple(call for call in history if call is not None)


def conversation_key(*messages: Message) -> str:
    """Digest of a conversation, for what is said in answer to it."""
    return digest("".join(message_digest(message) for message in messages))
