"""Rollouts: particles of a changed run and of its unchanged control, with models that are asked now.

Every particle is one path: the prefix is the recording's, never asked again while its requests are equal; from the
divergence on, replies are asked for. The control is the same run without the action, its steps asked again from the
same place: it shows how often a re-run alone "repairs" a failure. Particles are taken in their order, so that stopping
early never prefers the short ones.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ifonly.agents.errors import BudgetSpent, IfonlyError
from ifonly.agents.records import ModelStep
from ifonly.sim.intervention import compile_actions, redrawing
from ifonly.sim.live import Live
from ifonly.sim.whatif import paths_under

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.agents.actions import Action
    from ifonly.agents.completion import Completion
    from ifonly.agents.records import Trajectory
    from ifonly.agents.rerun import Rerun
    from ifonly.sim.intervention import Intervention
    from ifonly.sim.live import Replies, Wanted
    from ifonly.sim.walk import Walk

__all__ = ["Arm", "Effort", "Particle", "Rollouts", "follow", "max_steps_of", "probe", "rollouts", "unanswered"]

MAX_STEPS = "max_steps"
"""The label under which a harness says after how many model steps it stops."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is asked for.

    Args:
        particles: at most so many in each arm.
        workers: model calls at a time.
        max_steps: model steps after which a run is stopped; as `max_steps_of` says, if None.
        width: an interval of the change this narrow is enough; None runs all particles.
        level: coverage of the intervals.
    """

    particles: int = 20
    workers: int = 8
    max_steps: int | None = None
    width: float | None = None
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Particle:
    """One live re-run.

    Args:
        index: its number; the particle of this number in the other arm shares its noise.
        walk: its path.
        asked: the live replies by site.
        failed: why it could not go on, if a reply could not be had.
    """

    index: int
    walk: Walk
    asked: dict[str, Completion]
    failed: IfonlyError | None = None

    def trajectory(self, run: Trajectory) -> Trajectory:
        """The path as a run of its own, with what was measured beside its live replies."""
        path = self.walk.trajectory(run)
        steps = [
            step.model_copy(update=self.asked[step.site].measured)
            if isinstance(step, ModelStep) and step.site in self.asked
            else step
            for step in path.steps
        ]
        return path.model_copy(update={"id": f"{run.id}~live/{self.index}", "steps": tuple(steps)})


@dataclass
class Rollouts:
    """Both arms, by particle number; `control` is empty where the control needs no call.

    Args:
        parted: the first live step and what is asked there; None where the recording settles all.
        stopped: why not all particles were run; None if they were.
    """

    parted: Wanted | None
    changed: list[Particle] = field(default_factory=list)
    control: list[Particle] = field(default_factory=list)
    stopped: str | None = None


@dataclass(frozen=True)
class Arm:
    """One arm: an intervention on the world of a run.

    Args:
        run: the recorded run.
        do: what is done to its world.
        rerun: executes tool calls.
        max_steps: model steps after which a re-run is stopped.
    """

    run: Trajectory
    do: Intervention
    rerun: Rerun
    max_steps: int

    def walk(self, live: Live) -> Walk:
        """One pass with the replies got so far."""
        live.wanted = None
        (path,) = paths_under(self.do, self.run, continuation=live, rerun=self.rerun)
        return path.walk


def max_steps_of(run: Trajectory) -> int:
    """After how many model steps the harness of a run stops: as it says, else twice what it took, and ten at least."""
    steps = sum(isinstance(step, ModelStep) for step in run.steps)
    told = run.labels.get(MAX_STEPS, "")
    return int(told) if told.isdigit() else max(2 * steps, 10)


def probe(run: Trajectory, actions: Sequence[Action], rerun: Rerun, max_steps: int) -> Wanted | None:
    """The first model step that the changed run needs to ask; None where the recording settles all.

    Raises:
        UnknownName: an action names a site that the run does not have.
        ActionError: an action does not fit the step at its site.
    """
    live = Live("probe", max_steps)
    Arm(run, compile_actions(actions, run), rerun, max_steps).walk(live)
    return live.wanted


async def rollouts(
    run: Trajectory,
    actions: Sequence[Action],
    replies: Replies,
    rerun: Rerun,
    effort: Effort,
    *,
    enough: Callable[[Rollouts], bool] = lambda found: False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Rollouts:
    """Run particles in both arms, in batches, until there are enough.

    A batch in which the budget ends is left out whole: its finished particles would be the short ones. Under abducted
    noise the unchanged run comes out as recorded, so there is no control arm.

    Args:
        run: the recorded run.
        actions: what is done in the changed arm.
        replies: where live replies come from.
        rerun: executes tool calls.
        effort: how many particles, and how many at a time.
        enough: looks at what there is after each batch; may say to stop.
        progress: told the particles done, and of how many.

    Raises:
        ActionError: an action does not fit the run.
        IfonlyError: no particle of the first batch came to its end; this is the first one's error.
    """
    max_steps = effort.max_steps or max_steps_of(run)
    found = Rollouts(probe(run, actions, rerun, max_steps))
    arms = _arms(run, actions, rerun, max_steps, found.parted, paired=replies.noise == "fresh")
    if found.parted is None:
        found.changed.append(Particle(0, arms[0].walk(Live("recorded", max_steps)), {}))
        return found
    async with replies:
        await _fill(found, arms, replies, effort, enough, progress)
    return found


async def _fill(
    found: Rollouts,
    arms: Sequence[Arm],
    replies: Replies,
    effort: Effort,
    enough: Callable[[Rollouts], bool],
    progress: Callable[[int, int], None],
) -> None:
    """Run batch after batch until there are enough particles, or no money."""
    room, batch = asyncio.Semaphore(effort.workers), max(1, effort.workers // len(arms))
    for start in range(0, effort.particles, batch):
        numbers = range(start, min(start + batch, effort.particles))
        done = await asyncio.gather(*[follow(arm, n, replies, room) for n in numbers for arm in arms])
        if _stops(found, done, start):
            break
        found.changed += done[:: len(arms)]
        found.control += done[1 :: len(arms)] if arms[1:] else []
        progress(numbers.stop, effort.particles)
        if numbers.stop < effort.particles and enough(found):
            found.stopped = f"the interval was narrow enough after {numbers.stop} particles"
            break


def _arms(
    run: Trajectory, actions: Sequence[Action], rerun: Rerun, max_steps: int, parted: Wanted | None, *, paired: bool
) -> list[Arm]:
    """The changed arm, and the control where its steps are to be asked again."""
    arms = [Arm(run, compile_actions(actions, run), rerun, max_steps)]
    if paired and parted is not None and any(step.site == parted.site for step in run.steps):
        arms.append(Arm(run, redrawing(run, parted.site), rerun, max_steps))
    return arms


def _stops(found: Rollouts, batch: Sequence[Particle], start: int) -> bool:
    """Whether to stop for want of money; a first batch of nothing but failures is an error.

    Raises:
        IfonlyError: the first failure, where nothing came of the first batch.
    """
    failed = [particle.failed for particle in batch if particle.failed is not None]
    spent = next((error for error in failed if isinstance(error, BudgetSpent)), None)
    if failed and not start and (spent or len(failed) == len(batch)):
        raise unanswered(batch) or spent or failed[0]
    if spent:
        found.stopped = f"the budget was spent after {start} particles"
    return spent is not None


def unanswered(particles: Sequence[Particle]) -> IfonlyError | None:
    """Why nobody answered, where no particle came to its end: a budget that was spent on failures is not the reason."""
    failed = [particle.failed for particle in particles]
    return None if None in failed else next((one for one in failed if not isinstance(one, BudgetSpent)), None)


async def follow(arm: Arm, number: int, replies: Replies, room: asyncio.Semaphore) -> Particle:
    """One path from the divergence to its end; a reply that cannot be had ends it, and is told in `Particle.failed`.

    Args:
        arm: the changed world.
        number: of the particle; those of this number share their noise, whatever the arm.
        replies: where live replies come from.
        room: how many calls may be open at a time.
    """
    factual = {step.site: step for step in arm.run.steps if isinstance(step, ModelStep)}
    live = Live(f"live/{number}", arm.max_steps)
    while True:
        walk = arm.walk(live)
        if live.wanted is None:
            return Particle(number, walk, _asked(live))
        wanted = live.wanted
        try:
            async with room:
                completion = await replies.reply(
                    wanted.request,
                    site=wanted.site,
                    particle=f"{arm.run.id}/{number}",
                    factual=factual.get(wanted.site),
                )
        except IfonlyError as error:
            return Particle(number, walk, _asked(live), error)
        live.give(completion)


def _asked(live: Live) -> dict[str, Completion]:
    return {site: completion for site, (_, completion) in live.known.items()}
