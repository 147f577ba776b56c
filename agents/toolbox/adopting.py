"""A run that another program recorded, taken for one of the user's own tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import ToolEnvironmentError
from ifonly.agents.records import ToolStep
from ifonly.agents.toolbox.environment import PythonEnvironment

if TYPE_CHECKING:
    from ifonly.agents.records import Trajectory
    from ifonly.agents.toolbox.box import Toolbox

__all__ = ["adopt", "judge"]


def adopt(run: Trajectory, toolbox: Toolbox) -> Trajectory:
    """The run with these tools as its environment; one that names an environment keeps it.

    Args:
        run: as another program recorded it.
        toolbox: the user's tools.

    Raises:
        ToolEnvironmentError: the run calls a tool that is not there.
    """
    if run.environment is not None:
        return run
    missing = sorted({step.call.name for step in run.steps if isinstance(step, ToolStep)} - toolbox.tools.keys())
    if missing:
        raise ToolEnvironmentError(
            f"tools of {toolbox.name} for run {run.id}",
            f"the run calls {', '.join(missing)}, and the file has {', '.join(toolbox.tools) or 'no tool'}",
            "Declare each with @tool: without an effect it is never executed, and the log answers for it. "
            "`ifonly tools` writes a first draft.",
        )
    return run.model_copy(update={"environment": PythonEnvironment(toolbox, run).ref(run.task)})


def judge(run: Trajectory, toolbox: Toolbox) -> Trajectory:
    """The run with what the judge of the tools says of its end; a recorded score stays as it is.

    The recorded calls are made again for it; irreversible ones are not: the log tells what came of them.

    Args:
        run: of these tools.
        toolbox: the user's tools.

    Raises:
        ToolEnvironmentError: the judge fails on the run, or the run was recorded with another source of the tools.
    """
    if toolbox.judge is None or run.environment is None:
        return run
    session = PythonEnvironment(toolbox, run).open(run.environment)
    for step in run.steps:
        if isinstance(step, ToolStep):
            session.call(step.call)
    said = toolbox.score(run.messages, session.state)
    if isinstance(said, Undetermined):
        fix = "Let it return {NAME: True, False or a number} for the messages and the state at the end of any run."
        raise ToolEnvironmentError(f"the score of run {run.id}", said.why, fix)
    scores = {**said, **run.outcome.scores}
    return run.model_copy(update={"outcome": run.outcome.model_copy(update={"scores": scores})})
