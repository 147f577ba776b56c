"""Swaps that a corpus settles: another model was put the very same request, and its run went on from there."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from ifonly.agents.records import ModelStep
from ifonly.sim.swaps.cells import cell_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ifonly.agents.corpus import Corpus
    from ifonly.agents.records import Trajectory
    from ifonly.scm.draw import Draw
    from ifonly.sim.swaps.cells import Cell

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
    stood: dict[tuple[str, Cell], list[tuple[str, str]]] = defaultdict(list)
    asked = [(run, step, key) for run in corpus.runs for step, key in _model_steps(corpus, run)]
    items = {run.id: cell_of(run).under("") for run in corpus.runs}
    for run, _, key in asked:
        stood[key, items[run.id]].append((run.model, run.id))
    for runs in stood.values():
        # By model; within one in the order of the corpus.
        runs.sort(key=itemgetter(0))
    found, index = [], Counter[str]()
    for run, step, key in asked:
        others = [id for model, id in stood[key, items[run.id]] if model != run.model]
        if others:
            at = int(draw.uniform(f"{run.id}/{step.site}") * len(others))
            found.append(Settled(index[run.id], run.id, others[at]))
        index[run.id] += 1
    return tuple(found)


def _model_steps(corpus: Corpus, run: Trajectory) -> Iterator[tuple[ModelStep, str]]:
    """The model steps of a run, each with the key of the conversation that it answers."""
    for step, key in zip(run.steps, corpus.prefixes(run), strict=False):
        if isinstance(step, ModelStep):
            yield step, key
