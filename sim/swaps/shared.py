"""What a mid-run swap keeps of the recorded run's luck: a share of noise, learned from swaps that are on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from ifonly.scm.item_response.fit import fit
from ifonly.scm.item_response.unit import coupled, fit_share, share_draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.draw import Draw
    from ifonly.scm.item_response.facets import Floats, Ints
    from ifonly.sim.swaps.settled import Settled
    from ifonly.sim.swaps.world import SwapWorld

__all__ = ["FEWEST_SWAPS", "FEWEST_TASKS", "LAST_STEP", "HiddenSwaps", "SharedNoise"]

LAST_STEP = 4
"""Model steps from this one on are taken together: few runs come so far."""

FEWEST_SWAPS = 20
"""Fewer recorded swaps tell no share."""

FEWEST_TASKS = 10
"""Nor do more of fewer tasks."""

_FOLDS = 3


@dataclass(frozen=True, eq=False)
class SharedNoise:
    """The share of noise that two runs have in common which parted at one step.

    Attributes:
        step: index among a run's model steps; `LAST_STEP` stands for all from there on.
        swaps: recorded swaps that it was learned from.
        tasks: of how many tasks those were.
        share: in [0, 1].
        draws: of the share, by resampling tasks.
    """

    step: int
    swaps: int
    tasks: int
    share: float
    draws: Floats


@dataclass(frozen=True, eq=False)
class HiddenSwaps:
    """Recorded swaps, predicted by worlds that did not see how they ended; a row each. Make it with `of`.

    Attributes:
        steps: index of the swapped step, shape (swaps,).
        tasks: of each.
        outcomes: how the other model's run ended, shape (swaps,).
        independent: P(that it ends well), the recorded run's outcome being known, under independent noise.
        shared: the same where all noise is shared.
    """

    steps: Ints
    tasks: tuple[str, ...]
    outcomes: Floats
    independent: Floats
    shared: Floats

    @classmethod
    def of(cls, world: SwapWorld, ids: Sequence[str], swaps: Sequence[Settled], draw: Draw) -> Self:
        """Hide a third of the ends at a time, fit the rest, predict those hidden.

        Args:
            world: whose cells and outcomes are those of runs.
            ids: of these runs, one for each outcome.
            swaps: that are on record, of `ifonly.sim.swaps.settled.settled`; those between other runs are left out.
            draw: of the folds, keyed ``hidden``; its seed is that of the fits.
        """
        places = {id: place for place, id in enumerate(ids)}
        known = [(s.step, places[s.run], places[s.other]) for s in swaps if s.run in places and s.other in places]
        steps, a, b = np.array(known, dtype=np.intp).reshape(-1, 3).T
        fold = draw.generator("hidden").permutation(len(ids)) % _FOLDS
        rows, independent, shared = list[int](), list[float](), list[float]()
        for number in range(_FOLDS):
            # The recorded run's own outcome is known, so it may not be among the hidden.
            mine = np.flatnonzero((fold[b] == number) & (fold[a] != number))
            if not len(mine):
                continue
            seen = np.setdiff1d(np.arange(len(ids)), b[fold[b] == number])
            posterior = fit(world.facets, seen, world.outcomes[seen], seed=draw.seed)
            before, after = (posterior.chances(world.facets.rows(side[mine])) for side in (a, b))
            ends = coupled(before, after, world.outcomes[a[mine]])
            rows.extend(mine)
            independent.extend(ends.independent.mean(axis=0))
            shared.extend(ends.shared.mean(axis=0))
        tasks = tuple(world.cells[place].task for place in b[rows])
        return cls(steps[rows], tasks, world.outcomes[b[rows]], np.array(independent), np.array(shared))

    def share(self, step: int, draw: Draw, repeats: int) -> SharedNoise | None:
        """The share of noise at a step; None where too few swaps are on record there.

        Args:
            step: index of the swapped step among the model steps of its run.
            draw: of the resampling over tasks.
            repeats: number of resamples.
        """
        at = min(step, LAST_STEP)
        rows = np.flatnonzero(np.minimum(self.steps, LAST_STEP) == at)
        tasks = [self.tasks[row] for row in rows]
        if len(rows) < FEWEST_SWAPS or len(set(tasks)) < FEWEST_TASKS:
            return None
        told = self.independent[rows], self.shared[rows], self.outcomes[rows]
        draws = share_draws(*told, tasks, draw, repeats)
        return SharedNoise(at, len(rows), len(set(tasks)), fit_share(*told), draws)
