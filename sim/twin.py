"""The twin of an unchanged run: the law that every other answer stands on.

`twin` abducts the noise of a recorded run and predicts every site anew from it: each model step looks its request up in
its pinned response function, each tool call is executed again, each score judged again. Nothing is taken over for being
unchanged. The result must be the recorded run, byte for byte, with no model call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.canonical import canonical_json
from ifonly.scm.actions import Map
from ifonly.scm.queries import counterfactual
from ifonly.sim.continuations import Bounds
from ifonly.sim.lift import facts_of
from ifonly.sim.world import AgentWorld

if TYPE_CHECKING:
    from typing import Any

    from ifonly.agents.records import Trajectory
    from ifonly.agents.rerun import Rerun
    from ifonly.sim.walk import Walk

__all__ = ["identical", "twin"]


def twin(run: Trajectory, rerun: Rerun) -> Trajectory:
    """The counterfactual of a run under no action, every site computed again from its abducted noise.

    Args:
        run: the recorded run.
        rerun: executes its tool calls.

    Raises:
        ToolEnvironmentError: its environment cannot be made.
    """
    facts = facts_of(run)
    world = AgentWorld(run, rerun, Bounds())
    walk: Walk = counterfactual(world, facts, dict.fromkeys(facts, Map(_itself))).run.returned
    return walk.trajectory(run)


def identical(run: Trajectory, rerun: Rerun) -> bool:
    """Whether the twin of a run is the run, as canonical JSON, byte for byte."""
    return canonical_json(twin(run, rerun).model_dump()) == canonical_json(run.model_dump())


def _itself(value: Any) -> Any:
    return value
