"""What if, continued with models that are asked now: particles in both arms, and an honest difference."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from ifonly.agents.environments.registry import environment_of
from ifonly.agents.rerun import Rerun
from ifonly.sim.answers import LiveReport, OutcomeAnswer, WhatIfAnswer
from ifonly.sim.live import Live
from ifonly.sim.live_answer import live_outcome
from ifonly.sim.outcomes import Path, outcome_of
from ifonly.sim.rollout import Effort, Rollouts, rollouts
from ifonly.sim.whatif import assumptions, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ifonly.agents.actions import Action
    from ifonly.agents.environments.base import Environment
    from ifonly.agents.records import Trajectory
    from ifonly.sim.live import Counted, Replies

__all__ = ["LiveAnswer", "whatif_live"]


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """The answer, and the particles behind it as runs of their own.

    Args:
        answer: what is shown.
        changed: the re-runs of the changed run.
        control: the re-runs of the unchanged run.
    """

    answer: WhatIfAnswer
    changed: tuple[Trajectory, ...]
    control: tuple[Trajectory, ...]


def whatif_live(
    run: Trajectory,
    actions: Iterable[Action],
    replies: Replies,
    counted: Counted,
    *,
    seed: int = 0,
    effort: Effort | None = None,
    environment: Environment | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> LiveAnswer:
    """What would have happened, with replies asked of models where the recording does not settle them.

    Args:
        run: the recorded run.
        actions: what is done.
        replies: where live replies come from, and with which noise.
        counted: the model that `replies` asks, which counts its calls.
        seed: of all draws, for the report.
        effort: how many particles; the default `Effort` if None.
        environment: where tool calls are executed; the run's own, if it is known here.
        progress: told the particles done, and of how many.

    Raises:
        UnknownName: an action names a site that the run does not have.
        ActionError: an action does not fit the step at its site.
        ToolEnvironmentError: the run's environment is known but not installed, or does not know the task.
        IfonlyError: no particle of the first batch came to its end; this is the first one's error.
    """
    actions, effort, began = tuple(actions), effort or Effort(), monotonic()
    rerun = Rerun(environment or environment_of(run))
    enough = partial(_narrow, run, effort, replies)
    found = asyncio.run(rollouts(run, actions, replies, rerun, effort, enough=enough, progress=progress))
    report = _report(found, replies, counted, seed, monotonic() - began)
    asked = {"calls": counted.live, "cost": counted.cost, "live": report}
    answer = _answer(run, actions, found, effort, replies, rerun).model_copy(update=asked)
    changed, control = ([one.trajectory(run) for one in arm] for arm in (found.changed, found.control))
    return LiveAnswer(answer, tuple(changed), tuple(control))


def _narrow(run: Trajectory, effort: Effort, replies: Replies, found: Rollouts) -> bool:
    """Whether the interval of every change is as narrow as was asked for."""
    if effort.width is None:
        return False
    outcomes = (_outcome(run, name, found, effort, replies) for name in run.outcome.scores)
    return all(outcome.change.high - outcome.change.low <= effort.width for outcome in outcomes)


def _answer(
    run: Trajectory,
    actions: tuple[Action, ...],
    found: Rollouts,
    effort: Effort,
    replies: Replies,
    rerun: Rerun,
) -> WhatIfAnswer:
    paths = tuple(Path(1 / len(found.changed), particle.walk) for particle in found.changed)
    parts = shown(run, paths)
    errors = dict.fromkeys(str(particle.failed) for particle in found.changed if particle.failed)
    lines = assumptions(run, Live("", 0), rerun)
    return WhatIfAnswer(
        run=run.id,
        task=run.task,
        actions=actions,
        continuation="live",
        outcomes={name: _outcome(run, name, found, effort, replies) for name in run.outcome.scores},
        assumes=(*(lines[1:] if found.parted is None else (lines[0], replies.assumption, *lines[1:])),)
        or ("Nothing was asked: the recording settles it.",),
        **{**parts, "reasons": (*errors, *(parts["reasons"] if not errors else ()))},
    )


def _outcome(run: Trajectory, name: str, found: Rollouts, effort: Effort, replies: Replies) -> OutcomeAnswer:
    factual = run.outcome.scores[name]
    if found.parted is None:
        return outcome_of(name, factual, [Path(1.0, found.changed[0].walk)], effort.level, assumed=None)
    return live_outcome(name, factual, found.changed, found.control, effort, replies.noise)


def _report(found: Rollouts, replies: Replies, counted: Counted, seed: int, seconds: float) -> LiveReport | None:
    """What was asked; None where the recording settled all."""
    if found.parted is None:
        return None
    return LiveReport(
        noise=replies.noise,
        seed=seed,
        site=found.parted.site,
        particles=len(found.changed),
        control=len(found.control),
        failed=sum(particle.failed is not None for particle in (*found.changed, *found.control)),
        recorded=counted.recorded,
        seconds=seconds,
        stopped=found.stopped,
    )
