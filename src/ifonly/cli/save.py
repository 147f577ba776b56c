"""The counterfactual run of an answer, written as a trajectory of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.canonical import canonical_json, digest
from ifonly.agents.importers.native_export import write
from ifonly.agents.rerun import Rerun
from ifonly.sim.whatif import counterfactual_paths

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.agents.environments.base import Environment
    from ifonly.agents.records import Trajectory
    from ifonly.sim.answers import WhatIfAnswer
    from ifonly.sim.continuations import Continuation

__all__ = ["counterfactual_run", "save"]


def counterfactual_run(
    run: Trajectory, answer: WhatIfAnswer, continuation: Continuation, environment: Environment
) -> Trajectory:
    """The likeliest counterfactual path, under an id of its own and labelled as what it is."""
    actions = answer.actions
    paths = counterfactual_paths(run, actions, continuation=continuation, rerun=Rerun(environment))
    twin = max(paths, key=lambda path: path.weight).walk.trajectory(run)
    done = canonical_json([action.model_dump(mode="json") for action in actions])
    name = digest(f"{done} {answer.continuation}")[:8]
    labels = {**run.labels, "world": "counterfactual", "of": run.id, "continuation": answer.continuation}
    return twin.model_copy(update={"id": f"{run.id}/counterfactual-{name}", "labels": labels, "seconds": None})


def save(
    path: Path, run: Trajectory, answer: WhatIfAnswer, continuation: Continuation, environment: Environment
) -> None:
    """Write the counterfactual run as JSONL of ifonly, whole or not at all."""
    write(path, [counterfactual_run(run, answer, continuation, environment)])
