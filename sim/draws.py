"""Draws from recorded runs: which values a corpus offers at a place, and how often it shows each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ifonly.agents.canonical import canonical_json, digest
from ifonly.agents.records import AssistantMessage, InputStep, ModelStep, ToolStep, message_of
from ifonly.sim.walk import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ifonly.agents.corpus import Turn
    from ifonly.agents.records import ToolCall

__all__ = ["AnyStep", "Drawn", "options_for"]

AnyStep: TypeAlias = InputStep | ModelStep | ToolStep
"""A step of any kind."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A value that recorded runs show.

    Args:
        value: the reply, user turn or tool result; None where the runs ended instead.
        source: the first run and site that gave it.
        count: how many recorded places gave it.
        total: how many places there were.
        stops: whether those runs were stopped before the calls of this reply were made.
        provenance: recorded, or live where a model was asked for it.
    """

    value: Any
    source: str
    count: int
    total: int
    stops: bool
    provenance: Provenance = Provenance.RECORDED


def options_for(
    turns: Iterable[Turn], agent: str, kind: type[AnyStep], call: ToolCall | None = None
) -> tuple[Drawn, ...]:
    """The distinct values that steps of this kind took at these places, with their counts.

    A model's reply depends on its request alone, whatever agent put it; tool results (which an agent may rewrite),
    user turns and the end of a run, which is a value wherever somebody could speak, are only taken from runs of the
    same agent.

    Args:
        turns: places where the same conversation stood.
        agent: the agent that runs.
        kind: the kind of step that is due.
        call: for a tool step, the call that the result must answer.
    """
    same: dict[str, list[Turn]] = {}
    for turn in turns:
        replies = kind is ModelStep and turn.step is not None
        if _fits(turn.step, kind, call) and (replies or turn.run.agent == agent):
            same.setdefault(_key(turn), []).append(turn)
    total = sum(map(len, same.values()))
    return tuple(
        Drawn(
            _value(first.step),
            f"{first.run.id}#{first.step.site if first.step else 'end'}",
            len(all_),
            total,
            _stops(first),
        )
        for all_ in same.values()
        for first in all_[:1]
    )


def _fits(step: AnyStep | None, kind: type[AnyStep], call: ToolCall | None) -> bool:
    if isinstance(step, ToolStep):
        return (
            kind is ToolStep
            and call is not None
            and (step.call.name, step.call.arguments) == (call.name, call.arguments)
        )
    return isinstance(step, kind) or (step is None and kind is not ToolStep)


def _value(step: AnyStep | None) -> Any:
    if isinstance(step, ToolStep):
        return step.result
    return message_of(step) if step is not None else None


def _key(turn: Turn) -> str:
    value = _value(turn.step)
    if isinstance(value, AssistantMessage):  # providers draw call ids at random: they tell no replies apart
        value = value.model_copy(
            update={"tool_calls": tuple(c.model_copy(update={"id": None}) for c in value.tool_calls)}
        )
    return digest(canonical_json([value.model_dump() if value is not None else None, _stops(turn)]))


def _stops(turn: Turn) -> bool:
    return turn.ends and isinstance(turn.step, ModelStep) and bool(turn.step.reply.tool_calls)
