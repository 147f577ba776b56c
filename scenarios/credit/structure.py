"""What the logs of many runs of one workflow share: who reads whom, what kinds of options there are, how faults fall.

Which results a tool reads is found by executing it after another result in place of one of them (`find_parents`).
Which results a law reads is found in the logs (`find_reads`): laws logged at the same step, model and classes of what
is read must be equal, whatever the options are called; where they are not, another earlier step is added, the one
after which fewest laws differ, and at last all of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scenarios.credit.automaton import Automaton, Executed, execute, ranked, states_of
from ifonly.scm.contamination import FaultLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scenarios.credit.automaton import Parents
    from ifonly.scenarios.credit.logs import Bench, LoggedRun
    from ifonly.scm.gumbel import Floats

__all__ = ["KINDS", "SAME", "Digest", "cells_of", "digest", "evidence_of", "find_parents", "find_reads", "ordered"]

# Kinds of options by worth among those of their step: best, between, worst. All are best where they are worth the same.
KINDS = ("best", "between", "worst")

SAME = 1e-6
"""Log-probabilities that differ by less are the same."""

_EXECUTED_RUNS = 30


@dataclass(frozen=True, eq=False)
class Digest:
    """One run with what executing its tools told.

    Attributes:
        run: as logged.
        executed: what its tools return.
        automaton: its states.
    """

    run: LoggedRun
    executed: Executed
    automaton: Automaton

    @cached_property
    def taken(self) -> tuple[int, ...]:
        """The option taken at each step, by its place in the menu."""
        return tuple(step.menu.index(step.action) for step in self.run.steps)

    @cached_property
    def log_laws(self) -> Floats:
        """Logged log-probabilities, shape (steps, options), in menu order."""
        return np.array([[step.logprobs[option] for option in step.menu] for step in self.run.steps])

    @cached_property
    def option_ranks(self) -> tuple[tuple[int, ...], ...]:
        """Of each step, the rank of its options by worth, the best 0."""
        return tuple(tuple(ranked(worth)) for worth in self.automaton.option_worth)

    @cached_property
    def kinds(self) -> tuple[tuple[int, ...], ...]:
        """Of each step, the kind of its options: an index of `KINDS`."""
        return tuple(
            tuple(0 if rank == 0 else 2 if rank == max(ranks) else 1 for rank in ranks) for ranks in self.option_ranks
        )

    @cached_property
    def ranks(self) -> tuple[int, ...]:
        """The rank of each logged result's class."""
        return tuple(ranks[0] for ranks in self.automaton.class_ranks)

    def with_reads(self, reads: Parents) -> Digest:
        """The same run with states that tell apart what laws read."""
        return Digest(self.run, self.executed, states_of(self.run, self.executed, reads))


def digest(run: LoggedRun, bench: Bench, parents: Parents) -> Digest:
    """Execute a run's tools and walk through its states, as far as tools tell them apart.

    Args:
        run: as logged.
        bench: executes.
        parents: of each step, the steps whose results its tool reads.
    """
    executed = execute(run, bench, parents)
    return Digest(run, executed, states_of(run, executed, parents))


def find_parents(runs: Sequence[LoggedRun], bench_of: Callable[[str], Bench]) -> Parents:
    """Find whose results each tool reads: those whose change changes what it returns, in any of some runs.

    Args:
        runs: of one workflow; the first thirty are executed.
        bench_of: a task's bench.
    """
    found: list[set[int]] = [set() for _ in runs[0].steps]
    for run in runs[:_EXECUTED_RUNS]:
        bench, rows = bench_of(run.task), list[list[str]]()
        for step in run.steps:
            rows.append([bench.tool(step.k, option, step.context) for option in step.menu])
            for j in set(range(step.k)) - found[step.k]:
                for other in set(rows[j]) - {run.steps[j].result}:
                    context = (*step.context[:j], other, *step.context[j + 1 :])
                    if [bench.tool(step.k, option, context) for option in step.menu] != rows[-1]:
                        found[step.k].add(j)
                        break
    return tuple(tuple(sorted(read)) for read in found)


def find_reads(digests: Sequence[Digest], parents: Parents) -> Parents:
    """Find whose results each law reads: its tool's parents, and what else it takes for equal laws to be met again.

    Args:
        digests: of the logged runs.
        parents: of each step, the steps whose results its tool reads.
    """
    laws = np.sort(np.stack([digest.log_laws for digest in digests]), axis=-1)
    return tuple(_reads(digests, laws, k, read) for k, read in enumerate(parents))


def _reads(digests: Sequence[Digest], laws: Floats, k: int, read: tuple[int, ...]) -> tuple[int, ...]:
    """What one step's law reads: one more step at a time, while that makes fewer laws differ."""
    differing = _differing(digests, laws, k, read)
    while differing:
        tried = {j: _differing(digests, laws, k, (*read, j)) for j in range(k) if j not in read}
        best = min(tried, key=lambda j: tried[j], default=None)
        if best is None or tried[best] >= differing:
            return tuple(range(k))
        read, differing = tuple(sorted((*read, best))), tried[best]
    return read


def _differing(digests: Sequence[Digest], laws: Floats, k: int, read: Sequence[int]) -> int:
    """How many logs at a step have another law than the first log of the same model and classes."""
    first: dict[object, Floats] = {}
    keys = [(digest.run.steps[k].model, *(digest.ranks[j] for j in read)) for digest in digests]
    return sum(
        bool(np.abs(first.setdefault(key, law) - law).max() > SAME) for key, law in zip(keys, laws[:, k], strict=True)
    )


def evidence_of(digests: Sequence[Digest], laws: Floats | None = None) -> FaultLog:
    """What the logs say about faults, by kinds of options.

    Args:
        digests: of the logged runs.
        laws: probabilities of the options, shape (runs, steps, options); the logged ones, if left out.
    """
    taken = np.array([digest.taken for digest in digests])[..., None]
    kinds = np.array([digest.kinds for digest in digests])
    if laws is None:
        laws = np.exp(np.stack([digest.log_laws for digest in digests]))
    return FaultLog(
        p_taken=np.take_along_axis(laws, taken, -1)[..., 0],
        kind=np.take_along_axis(kinds, taken, -1)[..., 0],
        menu=(kinds[..., None] == np.arange(len(KINDS))).sum(-2),
    )


def ordered(ranks: Sequence[int], law: Floats) -> list[int] | None:
    """Options by worth, and among equals by a law; None where two of them are alike in both.

    Args:
        ranks: of the options.
        law: log-probabilities.
    """
    order = sorted(range(len(ranks)), key=lambda o: (ranks[o], -law[o]))
    alike = any(
        min(a - b for a, b in pairwise(values)) < SAME
        for _, group in groupby(order, key=lambda o: ranks[o])
        if len(values := [law[o] for o in group]) > 1
    )
    return None if alike else order


def cells_of(digests: Sequence[Digest], reads: Parents) -> dict[tuple[object, ...], list[Digest]]:
    """The runs that logged a step under a model and ranks of what its law reads, by (step, model, ranks)."""
    cells: dict[tuple[object, ...], list[Digest]] = defaultdict(list)
    for one in digests:
        for step, read in zip(one.run.steps, reads, strict=True):
            cells[step.k, step.model, tuple(one.ranks[j] for j in read)].append(one)
    return cells
