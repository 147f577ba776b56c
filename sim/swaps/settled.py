"""Swaps that a corpus settles: another model was put the very same request, and its run went on from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.records import ModelStep
from ifonly.sim.swaps.cells import cell_of

if TYPE_CHECKING:
    from ifonly.agents.corpus import Corpus, Turn
    from ifonly.agents.records import Trajectory
    from ifonly.scm.draw import Draw

__all__ = ["Settled", "settled"]


@dataclass(frozen=True, slots=True)
class Settled:
    """A swap with a recorded answer.

    Attributes:
        step: index of the swapped step among the model steps of its run, from 0.
        run: id of the run that is asked about.
        other: id of the run of another model, in the same agent on the same item, that is the potential outcome.
    """

    step: int
    run: str
    other: str


def settled(corpus: Corpus, draw: Draw) -> tuple[Settled, ...]:
    """For each model step that some other run settles, one such run, drawn by site.

    A run settles the swap where it stood at the very same request (as the corpus says what is equal), under another
    model in the same agent, on the same task under the same attack: then its end is what would have come.
    """
    found = []
    for run in corpus.runs:
        index = 0
        for step, key in zip(run.steps, corpus.prefixes(run), strict=False):
            if not isinstance(step, ModelStep):
                continue
            others = [
                turn.run.id
                for model in sorted(corpus.models(key) - {run.model})
                for turn in corpus.turns(key, model=model)
                if _answers(turn, run)
            ]
            if others:
                at = int(draw.uniform(f"{run.id}/{step.site}") * len(others))
                found.append(Settled(index, run.id, others[at]))
            index += 1
    return tuple(found)


def _answers(turn: Turn, run: Trajectory) -> bool:
    """Whether the run that stood at this turn is the potential outcome of a swap in `run`."""
    same = cell_of(turn.run).under(run.model) == cell_of(run)
    return same and isinstance(turn.step, ModelStep)
