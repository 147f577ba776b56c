"""Which environment answers for a run: by the name in its reference, else its own log."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ifonly.agents.environments import agentdojo_ref
from ifonly.agents.environments.agentdojo import AgentDojo
from ifonly.agents.environments.recorded import Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ifonly.agents.environments.base import Environment
    from ifonly.agents.records import Trajectory

__all__ = ["EXECUTING", "environment_of"]


@cache
def _agentdojo() -> AgentDojo:
    """One for the process, so that all runs share the states that it remembers."""
    return AgentDojo()


EXECUTING: Mapping[str, Callable[[], Environment]] = {agentdojo_ref.NAME: _agentdojo}
"""The environments that execute calls, by the name that references give them."""


def environment_of(trajectory: Trajectory) -> Environment:
    """The environment that a run's reference names; its own log where it names none, or one that is not known here."""
    ref = trajectory.environment
    make = None if ref is None else EXECUTING.get(ref.name)
    return Recorded(trajectory) if make is None else make()
