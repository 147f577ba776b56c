"""What if a step had been otherwise: abduction, action, prediction on one recorded run.

The recorded values are the facts; they pin the noise of every site. The actions are done in the lifted world, which is
then run again in that noise. Where the changed world asks what the recording does not settle, the continuation serves
recorded replies to equal requests; their draws are enumerated, so no seed enters. The answer is exact where nothing was
drawn, a mean over enumerated paths where something was, and bounds where some path could not go on.
"""

from __future__ import annotations

from math import fsum, isclose
from typing import TYPE_CHECKING, Any

from ifonly.agents.environments.base import Undetermined
from ifonly.agents.environments.registry import environment_of
from ifonly.agents.errors import ActionError, nearest
from ifonly.agents.records import ToolCall, ToolStep, message_of
from ifonly.agents.rerun import Rerun
from ifonly.scm.enumeration import Enumeration, enumerate_world
from ifonly.scm.errors import NeverReached
from ifonly.sim.answers import Divergence, StepAnswer, Verdict, WhatIfAnswer
from ifonly.sim.continuations import Bounds, Hold
from ifonly.sim.intervention import Intervention, compile_actions
from ifonly.sim.lift import environment_ref, facts_of
from ifonly.sim.outcomes import Path, outcome_of
from ifonly.sim.walk import Provenance
from ifonly.sim.world import AgentWorld

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ifonly.agents.actions import Action
    from ifonly.agents.environments.base import Environment
    from ifonly.agents.records import Trajectory
    from ifonly.sim.continuations import Continuation
    from ifonly.sim.walk import Walk

__all__ = ["assumptions", "counterfactual_paths", "paths_under", "shown", "whatif"]


def whatif(
    run: Trajectory,
    actions: Iterable[Action],
    *,
    continuation: Continuation | None = None,
    environment: Environment | None = None,
    level: float = 0.95,
) -> WhatIfAnswer:
    """What would have happened in this very run, had the actions been done.

    Args:
        run: the recorded run.
        actions: what is done; none gives the recorded run back.
        continuation: where replies come from beyond the recording; `Bounds` if None.
        environment: where tool calls are executed; the run's own, if it is known here.
        level: coverage of the intervals.

    Raises:
        UnknownName: an action names a site that the run does not have.
        ActionError: an action does not fit the step at its site.
        ToolEnvironmentError: the run's environment is known but not installed, or does not know the task.
    """
    actions = tuple(actions)
    continuation = continuation or Bounds()
    rerun = Rerun(environment or environment_of(run))
    paths = counterfactual_paths(run, actions, continuation=continuation, rerun=rerun)
    return WhatIfAnswer(
        run=run.id,
        task=run.task,
        actions=actions,
        continuation=continuation.name,
        outcomes={
            name: outcome_of(name, factual, paths, level, assumed=continuation.noise)
            for name, factual in run.outcome.scores.items()
        },
        assumes=assumptions(run, continuation, rerun),
        **shown(run, paths),
    )


def shown(run: Trajectory, paths: Sequence[Path]) -> dict[str, Any]:
    """What the paths show: the likeliest one beside the recording, and how much of them is settled."""
    settled = fsum(path.weight for path in paths if path.walk.stopped is None)
    likeliest = max(paths, key=lambda path: path.weight)
    steps = _side_by_side(run, likeliest.walk)
    return {
        "first_divergence": _first_divergence(steps),
        "steps": steps,
        "path_share": likeliest.weight,
        "paths": len(paths),
        "settled": min(settled, 1.0),
        "verdict": _verdict(settled, paths),
        "reasons": tuple(dict.fromkeys(_reason(p.walk.stopped) for p in paths if p.walk.stopped is not None)),
    }


def counterfactual_paths(
    run: Trajectory, actions: Sequence[Action], *, continuation: Continuation, rerun: Rerun
) -> tuple[Path, ...]:
    """Every path that the changed world can take, in the noise of the recorded run, with its probability.

    Raises:
        UnknownName: an action names a site that the run does not have.
        ActionError: an action does not fit the step at its site.
    """
    do = compile_actions(actions, run, hold=isinstance(continuation, Hold))
    return paths_under(do, run, continuation=continuation, rerun=rerun)


def paths_under(do: Intervention, run: Trajectory, *, continuation: Continuation, rerun: Rerun) -> tuple[Path, ...]:
    """Every path that the world of a run can take under an intervention, with its probability.

    Raises:
        ActionError: no path comes to the site of an action that is not optional.
    """
    world = AgentWorld(run, rerun, continuation, do.put, do.held)
    try:
        found = _enumerate(world, do)
    except NeverReached as error:
        raise ActionError(
            f"do at {', '.join(error.asked)}",
            "the changed world never comes to it: an earlier action ends or turns the run before",
            "Ask for the earlier action alone, or hold the later replies.",
            nearest(error.asked[0], error.reached),
        ) from error
    return tuple(Path(branch.weight, branch.twin.run.returned) for branch in found.branches)


def _enumerate(world: AgentWorld, do: Intervention) -> Enumeration:
    """All branches. A world that stops early never comes to its later optional actions, which then say nothing.

    Raises:
        NeverReached: no branch comes to the site of an action.
    """
    facts = facts_of(world.run)
    try:
        return enumerate_world(world, facts, do.actions)
    except NeverReached as error:
        if not do.optional.issuperset(error.asked):
            raise
        reached = {site: action for site, action in do.actions.items() if site not in error.asked}
        return enumerate_world(world, facts, reached)


def _side_by_side(run: Trajectory, walk: Walk) -> tuple[StepAnswer, ...]:
    """Both worlds by site: the counterfactual's order, with sites that only the recording has where they stood."""
    factual = {step.site: message_of(step) for step in run.steps}
    reached = {step.site: step for step in walk.steps}
    rows, waiting = [], list(run.sites)
    for step in walk.steps:
        while waiting and step.site in factual and waiting[0] != step.site:
            site = waiting.pop(0)
            if site not in reached:
                rows.append(StepAnswer(site=site, factual=factual[site], counterfactual=None, provenance=None))
        if step.site in waiting:
            waiting.remove(step.site)
        rows.append(
            StepAnswer(
                site=step.site,
                factual=factual.get(step.site),
                counterfactual=step.message,
                provenance=step.provenance,
                source=step.source,
                draws=step.draws,
                why=step.why.why if step.why else None,
                near=step.why.near if step.why else None,
            )
        )
    left = [site for site in waiting if site not in reached]
    return (*rows, *(StepAnswer(site=s, factual=factual[s], counterfactual=None, provenance=None) for s in left))


def _first_divergence(steps: Sequence[StepAnswer]) -> Divergence | None:
    step = next((step for step in steps if step.changed), None)
    if step is None:
        return None
    if step.provenance is Provenance.UNDETERMINED:
        return Divergence(site=step.site, why=step.why or "undetermined")
    if step.counterfactual is None:
        return Divergence(site=step.site, why="dropped" if step.provenance else "not reached")
    told = "was not there before" if step.factual is None else "differs"
    return Divergence(site=step.site, why=f"{told} ({step.provenance})")


def _verdict(settled: float, paths: Sequence[Path]) -> Verdict:
    if isclose(settled, 1.0):
        unjudged = any(isinstance(score, Undetermined) for path in paths for score in path.walk.scores.values())
        return "undetermined" if unjudged else "answered"
    if settled > 0:
        return "partly answered"
    return "needs live or fitted" if any(path.walk.wants_model for path in paths) else "undetermined"


def _reason(stopped: Undetermined) -> str:
    return stopped.why + (f" (nearest: {stopped.near})" if stopped.near else "")


def assumptions(run: Trajectory, continuation: Continuation, rerun: Rerun) -> tuple[str, ...]:
    """What the answer rests on: the continuation's assumption, and where this run does not re-execute as recorded."""
    lines = [continuation.assumption]
    if not rerun.environment.executes:
        lines.append("Tool results come from the log: a call gives what an equal call gave, whatever ran before it.")
        return tuple(lines)
    lines.append("Tools are deterministic given their calls so far; they were executed again, not asked for.")
    logged = dict.fromkeys(s.call.name for s in run.steps if isinstance(s, ToolStep) and rerun.environment.logs(s.call))
    if logged:
        lines.append(f"{', '.join(logged)}: irreversible, so never executed; results come from the log, or are open.")
    ref, history = environment_ref(run), list[ToolCall]()
    for step in run.steps:
        if isinstance(step, ToolStep):
            history.append(step.call)
            executed = rerun.result(ref, history)
            if executed != step.result:
                lines.append(
                    f"{step.site} does not re-execute as recorded; it keeps its record while its output stays."
                )
    for name, score in rerun.score(ref, history, run.messages).items():
        if run.outcome.scores.get(name, score) != score:
            lines.append(f"Today's judge gives {name} = {score} for the recorded run, not {run.outcome.scores[name]}.")
    return tuple(lines)
