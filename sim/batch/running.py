"""A batch from its job to its answer: what is done already stays done, the rest is worked off."""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ifonly.agents.canonical import canonical_json, digest
from ifonly.agents.errors import InputError
from ifonly.agents.records import Record
from ifonly.sim.batch.job import Job, KnownUnits, RecordedUnits, file_digest
from ifonly.sim.batch.rows import SCHEMA
from ifonly.sim.batch.store import Store
from ifonly.sim.batch.summary import BatchSummary, summarise_rows
from ifonly.sim.batch.work import Task
from ifonly.sim.batch.worlds import world_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from ifonly.sim.batch.executors import Executor

__all__ = ["BatchAnswer", "checked", "rows_digest", "run_batch"]


class BatchAnswer(Record):
    """What became of a batch.

    Attributes:
        version: of this layout.
        digest: of the job.
        folder: of its results.
        rows: the folder in it that holds the Parquet partitions, and nothing else.
        executor: who did the work.
        units: of the job.
        continuation: where later replies came from; None of units of a world.
        before: how many of them were done before this start.
        partitions: in the folder.
        seconds: wall time of this start.
        rate: units a second of this start; None where nothing was left to do.
        rows_digest: of all rows, the same whatever the executor, the workers and the cut into partitions.
        summary: of all rows.
    """

    version: Literal[1] = 1
    digest: str
    folder: str
    rows: str
    executor: str
    units: int
    continuation: Literal["hold", "corpus", "bounds"] | None = None
    before: int
    partitions: int
    seconds: float
    rate: float | None
    rows_digest: str
    summary: BatchSummary


def run_batch(
    job: Job,
    out: Path,
    executor: Executor,
    *,
    chunk: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> BatchAnswer:
    """Work a job off, or what is left of it.

    Args:
        job: what to do.
        out: folder of all results; this job's are in the folder in it that is named by its digest.
        executor: who does the work.
        chunk: units a partition; an old folder keeps its own.
        progress: called with the number of units done and in all.

    Raises:
        InputError: a file of the job has changed, or another driver is at work on it.
        UnknownName: there is no such world, or it has no such site.
        ActionError: a question makes no sense in the world.
        IfonlyError: the batch cannot go on.
        KeyboardInterrupt: the user's; what is acknowledged stays, and the same job goes on from there.
    """
    checked(job)
    store, started = Store(out, job), time.perf_counter()
    with store.opened(chunk):
        known = store.acknowledged()
        before = sum(len(range(w.start, w.stop)) for w in known.values())
        left = [units for units in job.chunks(store.chunk) if units.start not in known]
        _work_off(store, left, before, executor, progress)
        return _answer(store, executor, before, time.perf_counter() - started)


def _answer(store: Store, executor: Executor, before: int, seconds: float) -> BatchAnswer:
    """What became of a batch whose every partition is there."""
    job, left = store.job, store.job.units.count - before
    return BatchAnswer(
        digest=job.digest,
        folder=str(store.folder),
        rows=str(store.rows),
        executor=executor.name,
        units=job.units.count,
        continuation=job.units.continuation if isinstance(job.units, RecordedUnits) else None,
        before=before,
        partitions=len(store.acknowledged()),
        seconds=seconds,
        rate=left / seconds if left else None,
        rows_digest=rows_digest(store.tables()),
        summary=summarise_rows(store.tables(), job.level),
    )


def _work_off(
    store: Store, left: Sequence[range], done: int, executor: Executor, progress: Callable[[int, int], None]
) -> None:
    """Have what is left worked off, and acknowledge each partition."""
    job, total = store.job, store.job.units.count
    progress(done, total)
    task = Task(job.model_dump_json(), str(store.rows))
    with store.log() as log, closing(executor.work_off(task, left)) as written:
        for partition in written:
            log.acknowledge(partition)
            done += partition.stop - partition.start
            progress(done, total)


def checked(job: Job) -> None:
    """See that a job can be worked on: its files are as they were, and its world takes its questions.

    Raises:
        InputError: a file is not what it was.
        UnknownName: there is no such world, or it has no such site.
        ActionError: a question makes no sense in the world.
    """
    units = job.units
    files = (*units.files, *units.corpus) if isinstance(units, RecordedUnits) else units.files
    for path, expected in dict.fromkeys((file.path, file.digest) for file in files):
        if file_digest(path) != expected:
            raise InputError(path, "the file has changed since the job was made", "Make the job anew.")
    if isinstance(units, KnownUnits):
        world = world_of(units)
        for question in job.questions:
            world.check(question.actions)


def rows_digest(tables: Iterable[pa.Table]) -> str:
    """128 bits of BLAKE2b of rows in their order, however they are cut into tables.

    Numbers count by their bits, so that two digests are equal only where every number is, to the last one.
    """
    parts = ("known", "length", "value")
    spelled = {(field.name, part): hashlib.blake2b(digest_size=16) for field in SCHEMA for part in parts}
    for table in tables:
        for field in SCHEMA:
            column = table.column(field.name).combine_chunks()
            spelled[field.name, "known"].update(column.is_valid().to_numpy(zero_copy_only=False).tobytes())
            if pa.types.is_string(field.type):
                column = column.fill_null("")
                spelled[field.name, "length"].update(pc.binary_length(column).to_numpy().tobytes())
                spelled[field.name, "value"].update(_text(column))
            else:
                spelled[field.name, "value"].update(column.fill_null(0).to_numpy().tobytes())
    return digest(canonical_json([found.hexdigest() for found in spelled.values()]))


def _text(column: pa.StringArray) -> bytes:
    """The texts of a column, one after the other, as Arrow holds them."""
    _, ends, text = column.buffers()
    if text is None or not len(column):
        return b""
    start, stop = (int(np.frombuffer(ends, np.int32)[column.offset + at]) for at in (0, len(column)))
    return bytes(memoryview(text)[start:stop])
