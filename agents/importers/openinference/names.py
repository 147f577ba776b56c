"""What agents and steps are called, and which call a tool's span answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ifonly.agents.importers.openinference.attributes import at, text_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.importers.openinference.spans import Span
    from ifonly.agents.importers.openinference.told import Used
    from ifonly.agents.records import ToolCall

__all__ = ["agent_name", "answered", "is_step", "managed_by", "plain_name"]

_STEP = re.compile(r"Step \d+")


def is_step(span: Span) -> bool:
    """Whether the span is a step of an agent of smolagents: one model call, and what comes of it."""
    return "smolagents" in span.scope and _STEP.fullmatch(span.name) is not None


def agent_name(span: Span, managed: Sequence[str], *, nested: bool) -> str:
    """The name that the span tells, or that the manager's list of agents and the task have in common."""
    told = text_at(span.tree, "agent.name", "gen_ai.agent.name", "graph.node.id")
    if told is None and nested:
        task = text_at(span.tree, "input.value") or ""
        told = next((name for name in managed if f"'{name}'" in task), None)
    return plain_name(told or (span.name.removesuffix(".run") if nested else "agent"))


def managed_by(span: Span) -> tuple[str, ...]:
    """The names of the agents that an agent of smolagents may call."""
    agents = at(span.tree, "smolagents.managed_agents")
    return tuple(name for agent in (agents if isinstance(agents, list) else ()) if (name := text_at(agent, "name")))


def plain_name(name: str) -> str:
    """A name without what parts sites."""
    return "_".join(name.replace("/", " ").split()) or "agent"


def answered(calls: list[ToolCall], used: Used) -> ToolCall | None:
    """The awaited call that a tool's span tells of: by id, else by name and arguments, else the first of the name."""
    if used.id is not None and (same := next((call for call in calls if call.id == used.id), None)):
        return same
    named = [call for call in calls if call.name == used.name]
    return next((call for call in named if call.arguments == used.arguments), named[0] if named else None)
