"""What a worker does, whatever started it: the rows of a chunk, written as a partition."""

from __future__ import annotations

import importlib
import sys
import traceback
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pyarrow as pa

from ifonly.agents.errors import IfonlyError
from ifonly.sim.batch.job import Job
from ifonly.sim.batch.rows import failed, table_of
from ifonly.sim.batch.store import write_partition

if TYPE_CHECKING:
    from collections.abc import Callable

    from ifonly.sim.batch.store import Written

__all__ = ["Bench", "Task", "WorkFailed", "WorkerKilled", "bench_of", "perform", "told"]


class WorkFailed(IfonlyError):
    """A batch that cannot go on: not a unit that raised, but the work around it."""


class WorkerKilled(IfonlyError):
    """A unit whose every worker was killed while it was at it: out of memory, perhaps, or a crash of a library."""


class Bench(Protocol):
    """Answers the questions of a job."""

    def table(self, chunk: range) -> pa.Table:
        """The rows of the units in a range."""
        ...


class Task(NamedTuple):
    """What every worker of a batch is told: the job, as JSON, and the folder of its rows."""

    job: str
    rows: str


# Imported when they are needed: recorded runs take torch, which would be most of a worker's start and memory.
_BENCHES = {
    "recorded": ("ifonly.sim.batch.recorded", "RecordedBench"),
    "world": ("ifonly.sim.batch.worlds", "WorldBench"),
}


def bench_of(job: Job) -> Bench:
    """What answers a job's questions."""
    module, name = _BENCHES[job.units.kind]
    bench: Bench = getattr(importlib.import_module(module), name)(job)
    return bench


@lru_cache(maxsize=1)
def _bench(job: str) -> Bench:
    """One for the process: a corpus is read, and a world fitted, once."""
    return bench_of(Job.model_validate_json(job))


def perform(
    task: Task, chunk: range, lost: frozenset[int] = frozenset(), at: Callable[[int], None] | None = None
) -> Written:
    """Work a chunk off, and write its partition.

    Args:
        task: what to do.
        chunk: its units.
        lost: units that kill their worker; each becomes a row with an error.
        at: told the index of each unit before it is begun; units are then taken one by one, to the same rows.

    Raises:
        IfonlyError: the job itself cannot be worked on.
        OSError: the partition cannot be written.
    """
    bench = _bench(task.job)
    if at is None and not lost:
        table = bench.table(chunk)
    else:
        tables = []
        for index in chunk:
            if at is not None:
                at(index)
            tables.append(_lost(index) if index in lost else bench.table(range(index, index + 1)))
        table = pa.concat_tables(tables)
    return write_partition(Path(task.rows), chunk, table)


def told(error: Exception) -> tuple[str, str, str, tuple[str, ...]]:
    """What a worker says of an error that stops the batch: the arguments of `WorkFailed`, which any pipe can carry."""
    if isinstance(error, IfonlyError):
        return error.asked, error.found, error.fix, error.near
    sys.stderr.write("".join(traceback.format_exception(error)))
    return "a worker", f"{type(error).__name__}: {error}", "Run the batch again: what was done stays done.", ()


def _lost(index: int) -> pa.Table:
    error = WorkerKilled(
        f"unit {index}", "each worker that took it was killed", "Look for what it does to memory, and run it alone."
    )
    return table_of([failed(index, f"unit {index}", error)])
