"""Which environment executes a run's tool calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.environments.agentdojo import AgentDojo
from ifonly.agents.environments.agentdojo_ref import NAME as AGENTDOJO

if TYPE_CHECKING:
    from ifonly.agents.environments.base import Environment
    from ifonly.agents.records import Trajectory

__all__ = ["environment_of"]

_ENVIRONMENTS = {AGENTDOJO: AgentDojo}


def environment_of(trajectory: Trajectory) -> Environment:
    """The environment that the run names, if it is known here; else the run's own log."""
    return _ENVIRONMENTS[trajectory.environment.name]()
