"""Units of a fitted or known world: replayed in chunks, vectorised over units.

A world is whatever `World` says; this package knows none. A job names the function that makes one, ``module:name``, so
that every process can make it; `ifonly.scenarios.catalog` lists those that come with ifonly.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from ifonly.agents.errors import IfonlyError, UnknownName
from ifonly.scm.draw import Draw
from ifonly.sim.batch.job import KnownUnits
from ifonly.sim.batch.rows import SCHEMA, failed, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ifonly.agents.actions import Action
    from ifonly.sim.batch.job import Job, Question
    from ifonly.sim.batch.rows import Row

__all__ = ["Both", "World", "WorldBench", "world_of"]


class Both(NamedTuple):
    """A score of each unit, in the factual and the counterfactual world, each of shape (units,)."""

    factual: NDArray[np.float64]
    counterfactual: NDArray[np.float64]


class World(Protocol):
    """Units that can be replayed by number.

    What a unit does may depend on its number, the draw and the actions alone: never on which units stand beside it.
    """

    noise: str | None
    """The noise model that is assumed; None where the units' own noise is known, so that answers are exact."""

    def check(self, actions: Sequence[Action]) -> None:
        """See that the actions can be done here.

        Raises:
            UnknownName: there is no such site, model or option.
            ActionError: an action makes no sense in this world.
        """
        ...

    def names(self, units: range) -> Sequence[str]:
        """What units are called."""
        ...

    def tasks(self, units: range) -> Sequence[str] | None:
        """The cluster of each unit; None where units are independent."""
        ...

    def replay(self, units: range, actions: Sequence[Action], draw: Draw) -> Mapping[str, Both]:
        """Every score of the units in both worlds, under the same noise of each unit."""
        ...


def world_of(units: KnownUnits) -> World:
    """The world that units belong to.

    Raises:
        UnknownName: no module or function is so called.
    """
    module, _, name = units.world.partition(":")
    try:
        make: Any = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        fix = f"Name the function that makes a world as module:name ({error})."
        raise UnknownName("world", units.world, (), fix) from error
    world: World = make(units.settings, tuple(Path(file.path) for file in units.files))
    return world


class WorldBench:
    """Answers what-ifs of a world's units.

    Args:
        job: of units of a world.

    Raises:
        UnknownName: there is no such world, or it has no such site.
        ActionError: a question makes no sense in it.
    """

    def __init__(self, job: Job) -> None:
        if not isinstance(job.units, KnownUnits):
            raise TypeError(f"units of kind {job.units.kind!r} belong to no world")
        self._job, self._draw = job, Draw(job.seed)
        self.world = world_of(job.units)
        for question in job.questions:
            self.world.check(question.actions)

    def table(self, chunk: range) -> pa.Table:
        """The rows of the units in a range; a unit that raises gets a row of its own, the others their answers."""
        try:
            blocks = [block for question in self._job.questions for block in self._answered(chunk, question)]
            order = np.arange(len(blocks) * len(chunk)).reshape(len(blocks), -1).T.ravel()
            return pa.concat_tables(blocks).take(order) if len(blocks) > 1 else blocks[0]
        except Exception as error:
            if len(chunk) > 1:
                return pa.concat_tables([self.table(range(index, index + 1)) for index in chunk])
            return table_of([self._failed(chunk.start, error)])

    def _failed(self, index: int, error: Exception) -> Row:
        unit = range(index, index + 1)
        tasks = self.world.tasks(unit)
        return failed(index, self.world.names(unit)[0], error, tasks[0] if tasks else None)

    def _answered(self, chunk: range, question: Question) -> list[pa.Table]:
        """A table of each score, its rows in the order of the units."""
        scores = self.world.replay(chunk, question.actions, self._draw)
        if not scores:
            raise IfonlyError(f"world {self._job.units}", "it gave no score", "Let its replay give at least one.")
        tasks = self.world.tasks(chunk)
        known: dict[str, Any] = {
            "number": np.arange(chunk.start, chunk.stop),
            "unit": self.world.names(chunk),
            "task": tasks or [None] * len(chunk),
        }
        whole = {
            "question": question.name,
            "identified": "assumed" if self.world.noise else "exact",
            "noise": self.world.noise,
            "verdict": "answered",
        }
        return [_table(len(chunk), known, whole | {"score": name}, both) for name, both in scores.items()]


def _table(size: int, known: dict[str, Any], whole: Mapping[str, str | None], both: Both) -> pa.Table:
    """Rows of one score: columns by unit, and those that are the same all through."""
    columns = known | {
        "factual": both.factual,
        "counterfactual": both.counterfactual,
        "low": both.counterfactual,
        "high": both.counterfactual,
    }
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.repeat(pa.scalar(whole.get(field.name), field.type), size)
        for field in SCHEMA
    ]
    return pa.table(arrays, SCHEMA)
