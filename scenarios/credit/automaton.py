"""What a run's tools do, found by executing them: classes of results, and the states that choices lead to.

Every tool is executed once for each option and each combination of results it can meet (`execute`). Two results of a
step are of one class if no later tool tells them apart. The state before a step is the classes of the earlier results
that anything from there on reads. Tools are deterministic, so that a state and an option give the next state, and all
runs of a task form a finite automaton: what a choice leads to needs no question to a model.

`Automaton.worth` is the probability of success from a state if all options were taken alike. It has no meaning for the
agent, but it is the same in every task of a workflow, where names are not: it orders options and classes, so that
what was seen in one run can be told of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from ifonly.scenarios.credit.logs import Bench, LoggedRun
    from ifonly.scm.gumbel import Floats

__all__ = ["Automaton", "Executed", "Parents", "execute", "ranked", "states_of"]

Parents = tuple[tuple[int, ...], ...]
"""Of each step, earlier steps, ascending."""

Ints = NDArray[np.int64]

_MOST_STATES = 5_000
_MOST_EXECUTIONS = 20_000
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Executed:
    """All that the tools of one task return.

    Attributes:
        parents: of each step, the steps whose results its tool reads.
        tables: of each step, the results of its options (in menu order) by the results of its parents.
        classes: of each step, the class of each result, from 0; the logged result is of class 0.
        success: whether each last result solves the task.
    """

    parents: Parents
    tables: tuple[dict[tuple[str, ...], tuple[str, ...]], ...]
    classes: tuple[dict[str, int], ...]
    success: dict[str, bool]


def execute(run: LoggedRun, bench: Bench, parents: Parents) -> Executed:
    """Execute every tool of a task on all that it can meet.

    Args:
        run: gives menus and the results of steps that a tool does not read.
        bench: executes.
        parents: of each step, the steps whose results its tool reads.

    Raises:
        NotApplicable: that is too many executions.
    """
    known: list[list[str]] = []
    tables: list[dict[tuple[str, ...], tuple[str, ...]]] = []
    for step in run.steps:
        context, table = list(step.context), {}
        if prod(len(known[j]) for j in parents[step.k]) * len(step.menu) > _MOST_EXECUTIONS:
            raise NotApplicable(
                f"the tool of step {step.k} of {run.run_id} can meet too many combinations of results to execute all"
            )
        for combination in product(*(known[j] for j in parents[step.k])):
            for j, result in zip(parents[step.k], combination, strict=True):
                context[j] = result
            table[combination] = tuple([bench.tool(step.k, option, context) for option in step.menu])
        tables.append(table)
        known.append(list(dict.fromkeys([step.result, *(result for row in table.values() for result in row)])))
    success = {answer: bench.success(answer) for answer in known[-1]}
    classes = tuple(_classes(k, known[k], parents, tables, success) for k in range(len(known)))
    return Executed(parents, tuple(tables), classes, success)


def _classes(
    k: int,
    results: list[str],
    parents: Parents,
    tables: list[dict[tuple[str, ...], tuple[str, ...]]],
    success: dict[str, bool],
) -> dict[str, int]:
    """Results that no later tool tells apart; where none looks, every result is its own class."""
    seen: dict[str, list[object]] = {result: [] for result in results}
    children = [(table, read.index(k)) for table, read in zip(tables, parents, strict=True) if k in read]
    for table, place in children:
        for combination, row in table.items():
            seen[combination[place]].append(row)
    if k == len(tables) - 1:
        seen = {result: [success[result]] for result in results}
    elif not children:
        seen = {result: [result] for result in results}
    numbers: dict[tuple[object, ...], int] = {}
    return {result: numbers.setdefault(tuple(seen[result]), len(numbers)) for result in results}


@dataclass(frozen=True, eq=False)
class Automaton:
    """The states of one task, and where its options lead; the logged run is state 0 at every step.

    Attributes:
        following: of each step, the state after it by state before it and option, shape (states, options).
        results: of each step, results that lead to each state before it; the last entry: those of whole runs.
        read: of each step, by state before it, the classes that the step's law may depend on.
        classes: after each step, the class of its result by state.
        success: 1. or 0. by last state.
    """

    following: tuple[Ints, ...]
    results: tuple[tuple[tuple[str, ...], ...], ...]
    read: tuple[tuple[tuple[int, ...], ...], ...]
    classes: tuple[Ints, ...]
    success: Floats

    @cached_property
    def onward(self) -> tuple[list[list[int]], ...]:
        """`following` as lists, which are quicker to walk."""
        return tuple(following.tolist() for following in self.following)

    @cached_property
    def worth(self) -> tuple[Floats, ...]:
        """Of each step and the end, the probability of success by state, if all options were taken alike."""
        values: list[Floats] = [self.success]
        for following in reversed(self.following):
            values.append(values[-1][following].mean(1))
        return tuple(reversed(values))

    @cached_property
    def _reached(self) -> tuple[Floats, ...]:
        """Of each step and the end, the probability of each state, if all options were taken alike."""
        reached: list[Floats] = [np.ones(1)]
        for following, after in zip(self.following, self.worth[1:], strict=True):
            share = np.repeat(reached[-1] / following.shape[1], following.shape[1])
            reached.append(np.bincount(following.ravel(), share, minlength=len(after)).astype(float))
        return tuple(reached)

    @cached_property
    def option_worth(self) -> tuple[Floats, ...]:
        """Of each step, the worth of its options, over all states before it."""
        return tuple(
            reached @ after[following]
            for following, reached, after in zip(self.following, self._reached, self.worth[1:], strict=False)
        )

    @cached_property
    def class_ranks(self) -> tuple[tuple[int, ...], ...]:
        """Of each step, the rank of its result's classes by worth, the best 0; equal worth, equal rank."""
        ranks = []
        for classes, reached, worth in zip(self.classes, self._reached[1:], self.worth[1:], strict=True):
            mass = np.bincount(classes, reached)
            ranks.append(tuple(ranked(np.bincount(classes, reached * worth) / np.maximum(mass, 1e-300))))
        return tuple(ranks)


def ranked(worth: Floats) -> list[int]:
    """Return the rank of each entry, the greatest 0; what differs by rounding alone shares a rank."""
    values, ranks, rank = worth.tolist(), [0] * len(worth), 0
    order = sorted(range(len(values)), key=lambda place: -values[place])
    for before, after in pairwise(order):
        rank += values[before] - values[after] > _ROUNDING * max(abs(values[before]), _ROUNDING)
        ranks[after] = rank
    return ranks


def states_of(run: LoggedRun, executed: Executed, reads: Parents) -> Automaton:
    """Walk through all states that options can lead to.

    Args:
        run: the logged run.
        executed: what its tools return.
        reads: of each step, the earlier steps on whose classes its law may depend.

    Raises:
        NotApplicable: there are too many states to walk through.
    """
    paths: list[tuple[str, ...]] = [()]
    following, results, read, classes = [], [], [], []
    for k, step in enumerate(run.steps):
        moves, onward = _step(k, step.menu.index(step.action), paths, executed, _kept(k, executed.parents, reads))
        if len(onward) > _MOST_STATES:
            raise NotApplicable(f"step {k} of {run.run_id} is met in more than {_MOST_STATES} states: too many to sum")
        following.append(moves)
        results.append(tuple(paths))
        read.append(tuple([tuple([executed.classes[j][path[j]] for j in reads[k]]) for path in paths]))
        paths, named = onward, executed.classes[k]
        classes.append(np.array([named[path[k]] for path in paths]))
    success = np.array([float(executed.success[path[-1]]) for path in paths])
    return Automaton(tuple(following), (*results, tuple(paths)), tuple(read), tuple(classes), success)


def _kept(k: int, parents: Parents, reads: Parents) -> list[int]:
    """The steps up to k whose results anything after k reads, and k itself."""
    later = {j for rows in (parents, reads) for row in rows[k + 1 :] for j in row}
    return sorted({j for j in later if j < k} | {k})


def _step(
    k: int, taken: int, paths: list[tuple[str, ...]], executed: Executed, kept: list[int]
) -> tuple[Ints, list[tuple[str, ...]]]:
    """Where each option leads from each state, and results that lead to the states after, the logged one first."""
    table, parents, classes = executed.tables[k], executed.parents[k], [executed.classes[j] for j in kept]
    numbers: dict[tuple[int, ...], int] = {}
    onward: list[tuple[str, ...]] = []
    moves = []
    for s, path in enumerate(paths):
        row = table[tuple([path[j] for j in parents])]
        order = list(range(len(row)))
        if s == 0:
            order.insert(0, order.pop(taken))
        to = [0] * len(row)
        for option in order:
            after = (*path, row[option])
            to[option] = numbers.setdefault(
                tuple([named[after[j]] for j, named in zip(kept, classes, strict=True)]), len(numbers)
            )
            if to[option] == len(onward):
                onward.append(after)
        moves.append(to)
    return np.array(moves), onward
