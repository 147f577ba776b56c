"""Where the law of a choice in a context that was not logged comes from: asked, or shared between runs.

A law is asked for once for a run, step, model and classes of what it reads: one model evaluation. It is not asked for
where other runs logged it. Their options have other names; what is shared is the law by order of options: by worth, and
among options of equal worth by log-probability. Which option of this run takes which place follows from worth and from
the run's own logged law at that step. That order among equals is the same in all contexts is no more than a guess, so
a shared law must first agree with two questions put for other runs, or it is not shared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scenarios.credit.structure import SAME, Digest, cells_of, ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ifonly.scenarios.credit.automaton import Parents
    from ifonly.scenarios.credit.logs import Bench
    from ifonly.scm.gumbel import Floats

__all__ = ["Asker", "Laws", "Shared", "share"]

Cell = tuple[object, ...]
"""A step, a model, and the ranks of what the law reads."""

_CHECKS = 2


@dataclass(frozen=True, eq=False)
class Shared:
    """Laws that the logs of many runs share.

    Attributes:
        laws: by cell, log-probabilities of the options by worth, and among equals by log-probability.
        asked: how many questions it took to check them.
    """

    laws: Mapping[Cell, Floats]
    asked: int = 0

    def law(self, one: Digest, cell: Cell, k: int) -> Floats | None:
        """Return a law in a run's menu order; None where the logs do not tell it.

        Args:
            one: the run.
            cell: the step, model, and ranks of what the law reads.
            k: the step.
        """
        law = self.laws.get(cell)
        if law is None:
            return None
        order = ordered(one.option_ranks[k], one.log_laws[k])
        if order is None:
            return None
        result = np.empty(len(law))
        result[order] = law
        return result


def share(digests: Sequence[Digest], reads: Parents, bench_of: Callable[[str], Bench]) -> Shared:
    """Collect the laws that runs share, and check each with two questions.

    Args:
        digests: of the logged runs.
        reads: of each step, the earlier steps whose classes its law reads.
        bench_of: a task's bench, to ask.
    """
    laws: dict[Cell, Floats] = {}
    for cell, members in cells_of(digests, reads).items():
        k = _step(cell)
        rows = np.array([_sorted(one, k) for one in members])
        if np.ptp(rows, axis=0).max() < SAME:
            laws[cell] = rows[0]
    return _checked(laws, digests, reads, bench_of)


def _checked(
    laws: dict[Cell, Floats], digests: Sequence[Digest], reads: Parents, bench_of: Callable[[str], Bench]
) -> Shared:
    shared, asked, agreed = Shared(laws), 0, dict.fromkeys(laws, 0)
    for one in digests:
        if not laws or min(agreed.values()) >= _CHECKS:
            break
        wide = one.with_reads(reads)
        for cell, state in _elsewhere(wide, reads):
            if agreed.get(cell, _CHECKS) >= _CHECKS or (law := shared.law(one, cell, _step(cell))) is None:
                continue
            asker = Asker(wide, bench_of(one.run.task))
            told = asker.ask(_step(cell), str(cell[1]), state)
            asked += 1
            agreed[cell] += 1
            if np.abs(told - law).max() > SAME:
                del laws[cell], agreed[cell]
    return Shared({cell: law for cell, law in laws.items() if agreed[cell] >= _CHECKS}, asked)


def _elsewhere(one: Digest, reads: Parents) -> list[tuple[Cell, int]]:
    """The cells that a run could have met at its steps, other than the one it did, each with a state."""
    found: dict[Cell, int] = {}
    models = sorted({step.model for step in one.run.steps})
    for step, read in zip(one.run.steps, reads, strict=True):
        own = (step.k, step.model, tuple(one.ranks[j] for j in read))
        for state in range(len(one.automaton.read[step.k])):
            for model in models:
                if (cell := (step.k, model, rank_of(one, reads, step.k, state))) != own:
                    found.setdefault(cell, state)
    return list(found.items())


def rank_of(one: Digest, reads: Parents, k: int, state: int) -> tuple[int, ...]:
    """The ranks of what a law reads in a state."""
    classes = one.automaton.read[k][state]
    return tuple([one.automaton.class_ranks[j][c] for j, c in zip(reads[k], classes, strict=True)])


def _sorted(one: Digest, k: int) -> Floats:
    law, ranks = one.log_laws[k], one.option_ranks[k]
    return np.array([law[o] for o in sorted(range(len(ranks)), key=lambda o: (ranks[o], -law[o]))])


def _step(cell: Cell) -> int:
    step = cell[0]
    assert isinstance(step, int)
    return step


@dataclass(eq=False)
class Asker:
    """Questions to a model about one run.

    Attributes:
        one: the run.
        bench: answers.
        asked: how many were put.
    """

    one: Digest
    bench: Bench
    asked: int = 0

    def ask(self, k: int, model: str, state: int) -> Floats:
        """Return the model's log-probabilities at a step, in menu order, after results that lead to a state."""
        self.asked += 1
        told = self.bench.log_probabilities(k, self.one.automaton.results[k][state], model)
        return np.array([told[option] for option in self.one.run.steps[k].menu])


@dataclass(eq=False)
class Laws:
    """The laws of one run in any context: logged, else shared, else asked for once.

    Attributes:
        one: the run.
        asker: of a model.
        reads: of each step, the earlier steps whose classes its law reads.
        shared: what other runs tell; None to ask for all that this run did not log.
    """

    one: Digest
    asker: Asker
    reads: Parents
    shared: Shared | None = None
    _known: dict[Cell, Floats] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for step, law in zip(self.one.run.steps, self.one.log_laws, strict=True):
            self._known[step.k, step.model, self.one.automaton.read[step.k][0]] = law

    @property
    def own(self) -> Floats:
        """Of the logged contexts, shape (steps, options)."""
        return self.one.log_laws

    @property
    def asked(self) -> int:
        """How many questions were put."""
        return self.asker.asked

    def law(self, k: int, model: str, state: int) -> Floats:
        """Return log-probabilities of the options of a step, in menu order.

        Args:
            k: the step.
            model: that chooses.
            state: before the step.
        """
        key = (k, model, self.one.automaton.read[k][state])
        law = self._known.get(key)
        if law is None and self.shared is not None:
            law = self.shared.law(self.one, (k, model, rank_of(self.one, self.reads, k, state)), k)
        if law is None:
            law = self.asker.ask(k, model, state)
        self._known[key] = law
        return law
