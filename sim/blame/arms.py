"""Live re-runs of one recorded run under many interventions: each is made once, and all share their noise.

Particle n of every arm draws its replies with the same seeds, so that arms are compared pair by pair, and the unchanged
control of one site serves every what-if that parts there. A batch in which the budget ends is left out whole: its
finished particles would be the short ones.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from ifonly.agents.errors import BudgetSpent
from ifonly.agents.records import ModelStep
from ifonly.scm.actions import Put, Redraw
from ifonly.sim.intervention import Intervention, redrawing
from ifonly.sim.lift import facts_of
from ifonly.sim.rollout import Arm, follow, max_steps_of, unanswered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ifonly.agents.records import Trajectory
    from ifonly.agents.rerun import Rerun
    from ifonly.sim.live import Replies
    from ifonly.sim.rollout import Effort, Particle

__all__ = ["Arms", "Doing", "Voice", "again", "keeping", "model_sites"]

Voice = Literal["independent", "gumbel-max", "inverse-cdf"]
"""How the noise of a live reply hangs together with that of the recorded one at its site: not at all (fresh noise, as
in a new run), or by one of two couplings."""


@dataclass(frozen=True, slots=True)
class Doing:
    """An intervention, and the name under which its re-runs are kept: equal names do the same."""

    key: str
    do: Intervention


class Arms:
    """Particles by arm.

    Args:
        run: the recorded run.
        rerun: executes tool calls.
        voices: where replies come from, by how their noise is coupled to the recorded one; a context manager opens and
            closes them.
        effort: calls at a time, and after how many steps a re-run is stopped.
    """

    def __init__(self, run: Trajectory, rerun: Rerun, voices: Mapping[Voice, Replies], effort: Effort) -> None:
        self.run, self.rerun, self.voices = run, rerun, voices
        self.max_steps = effort.max_steps or max_steps_of(run)
        self._room = asyncio.Semaphore(effort.workers)
        self._found: defaultdict[tuple[Voice, str], dict[int, Particle]] = defaultdict(dict)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the voices."""
        for voice in self.voices.values():
            await self._stack.enter_async_context(voice)
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close them."""
        await self._stack.aclose()

    async def fill(self, asked: Iterable[tuple[Voice, Doing]], numbers: Iterable[int]) -> None:
        """Make these particles of these arms, as far as there are none yet.

        Raises:
            BudgetSpent: the budget ended before all were made; none of them is kept.
            IfonlyError: it ended because nobody answered.
        """
        numbers = tuple(numbers)
        wanted = {
            (voice, doing.key, number): doing
            for voice, doing in asked
            for number in numbers
            if number not in self._found[voice, doing.key]
        }
        made = await asyncio.gather(
            *[
                follow(Arm(self.run, doing.do, self.rerun, self.max_steps), number, self.voices[voice], self._room)
                for (voice, _, number), doing in wanted.items()
            ]
        )
        spent = next((one.failed for one in made if isinstance(one.failed, BudgetSpent)), None)
        if spent is not None:
            raise (None if self.made else unanswered(made)) or spent
        for (voice, key, number), particle in zip(wanted, made, strict=True):
            self._found[voice, key][number] = particle

    def particles(self, voice: Voice, doing: Doing, numbers: Iterable[int]) -> list[Particle]:
        """The particles of an arm that `fill` made, in their order."""
        return [self._found[voice, doing.key][number] for number in numbers]

    def all(self, voice: Voice, doing: Doing) -> list[Particle]:
        """Every particle of an arm, in the order of their numbers."""
        return [particle for _, particle in sorted(self._found[voice, doing.key].items())]

    @property
    def made(self) -> int:
        """How many re-runs were made."""
        return sum(len(particles) for particles in self._found.values())


def model_sites(run: Trajectory) -> tuple[str, ...]:
    """The sites of the model steps, in order."""
    return tuple(step.site for step in run.steps if isinstance(step, ModelStep))


def again(run: Trajectory, site: str | None) -> Doing | None:
    """The unchanged run, asked again from this model step on: the control; None where nothing is left to ask."""
    return None if site is None else Doing(f"again/{site}", redrawing(run, site))


def keeping(run: Trajectory, kept: Collection[str], sites: Sequence[str]) -> Doing:
    """The run in which these model steps say what they said, wherever it comes to them, and the others are asked anew.

    Args:
        run: the recorded run.
        kept: those that say what they said.
        sites: all model steps.
    """
    facts = facts_of(run)
    first = next((index for index, site in enumerate(sites) if site not in kept), len(sites))
    if not kept or all(site in sites[:first] for site in kept):
        # What is kept before anything is asked anew is as recorded by itself: the control of a later site.
        return Doing(f"again/{sites[first]}", redrawing(run, sites[first])) if first < len(sites) else _as_recorded()
    does = {site: Put(facts[site]) if site in kept else Redraw() for site in sites[first:]}
    put = frozenset(site for site in sites[first:] if site in kept)
    # None of them need be reached: a run that is asked anew may end before.
    return Doing(f"keep/{','.join(sorted(kept))}", Intervention(does, put=put, redrawn=frozenset(does)))


def _as_recorded() -> Doing:
    return Doing("recorded", Intervention({}))
