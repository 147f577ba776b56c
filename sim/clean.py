"""Had the injection not been there: the actions that take an attack out of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.actions import EnvironmentAction, ResultAction
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import ActionError, UnknownName
from ifonly.agents.records import ToolStep
from ifonly.sim.lift import environment_ref

if TYPE_CHECKING:
    from ifonly.agents.records import ToolCall, ToolResult, Trajectory
    from ifonly.agents.rerun import Rerun

__all__ = ["INJECTIONS", "clean_environment", "clean_result", "injected_sites"]

INJECTIONS = "injections"
"""The setting of an environment reference that holds the injected texts."""


def clean_environment(run: Trajectory) -> EnvironmentAction:
    """do(no injections): the initial state as it is without the attack.

    Raises:
        ActionError: the run was not attacked through its environment.
    """
    if run.environment is None or not run.environment.settings.get(INJECTIONS):
        raise ActionError(
            f"clean {run.id}",
            "its environment holds no injections",
            "Choose a run of an attacked arm, or put a clean result with --at SITE --result TEXT.",
        )
    return EnvironmentAction(settings={INJECTIONS: {}})


def injected_sites(run: Trajectory, rerun: Rerun) -> tuple[str, ...]:
    """The tool steps that carried the injection: executed with and without it, their results differ.

    Raises:
        ActionError: the run was not attacked through its environment.
        ToolEnvironmentError: its environment cannot be made.
    """
    return tuple(site for site, attacked, clean in _both(run, rerun) if attacked != clean)


def clean_result(run: Trajectory, rerun: Rerun, site: str) -> ResultAction:
    """do(result) at one tool step: what its call, after the same calls, gives without the injection.

    Raises:
        UnknownName: the run has no such tool step.
        ActionError: the run was not attacked, or its environment cannot say.
        ToolEnvironmentError: its environment cannot be made.
    """
    results = {name: clean for name, _, clean in _both(run, rerun)}
    if site not in results:
        raise UnknownName("tool step", site, results)
    result = results[site]
    if isinstance(result, Undetermined):
        raise ActionError(f"the clean result at {site}", result.why, "Put one with --result TEXT.")
    return ResultAction(site=site, content=result.content, error=result.error)


def _both(run: Trajectory, rerun: Rerun) -> list[tuple[str, ToolResult | Undetermined, ToolResult | Undetermined]]:
    attacked = environment_ref(run)
    clean = clean_environment(run).changed(attacked)
    history: list[ToolCall] = []
    pairs = []
    for step in run.steps:
        if isinstance(step, ToolStep):
            history.append(step.call)
            pairs.append((step.site, (attacked, tuple(history)), (clean, tuple(history))))
    # Each world is executed once through: a session goes on from its own last call.
    before = [rerun.result(*named) for _, named, _ in pairs]
    after = [rerun.result(*named) for _, _, named in pairs]
    return [(site, a, c) for (site, _, _), a, c in zip(pairs, before, after, strict=True)]
