"""Where results lie: one folder a job, with its manifest, its partitions, and the log of what is acknowledged.

    DIGEST/manifest.json             the job, and how its units are cut into partitions
           log.jsonl                 a line for each acknowledged partition
           rows/part-0-128.parquet   the rows of these units; nothing but such files stands here
           lock                      held by the driver that is at work

A partition is written under a temporary name, fsynced and renamed, so that it is there whole or not at all; after that
a line is appended to the log and fsynced. A line that a killed driver left half written is cut off. A partition without
a line is made again, and gives the same rows.
"""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from pydantic import ValidationError

from ifonly.agents.canonical import canonical_json
from ifonly.agents.errors import InputError
from ifonly.agents.records import Record
from ifonly.sim.batch.job import CHUNK, Job
from ifonly.sim.batch.rows import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

__all__ = ["Manifest", "Store", "Written", "write_partition"]

_MANIFEST, _LOG, _LOCK, _TEMPORARY = "manifest.json", "log.jsonl", "lock", ".tmp-"


class Manifest(Record):
    """What a folder of results is of.

    Attributes:
        version: of this layout.
        digest: of the job.
        chunk: units a partition.
        job: itself.
    """

    version: Literal[1] = 1
    digest: str
    chunk: int
    job: Job


class Written(NamedTuple):
    """A partition that is there: units from `start` up to `stop`, rows, how many of them are errors, and its bytes."""

    start: int
    stop: int
    rows: int
    errors: int
    size: int

    @property
    def name(self) -> str:
        """Of its file."""
        return _name(range(self.start, self.stop))


def write_partition(rows: Path, chunk: range, table: pa.Table) -> Written:
    """Write the rows of some units, whole or not at all.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    path = rows / _name(chunk)
    temporary = rows / f"{_TEMPORARY}{path.name}.{uuid.uuid4().hex}"
    with temporary.open("wb") as file:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)
        _sync(file.fileno())
        size = file.tell()
    temporary.replace(path)
    _sync_folder(rows)
    errors = table.num_rows - table.column("error").null_count
    return Written(chunk.start, chunk.stop, table.num_rows, errors, size)


class Store:
    """The folder of one job.

    Args:
        out: folder of all results.
        job: whose results these are.
    """

    def __init__(self, out: Path, job: Job) -> None:
        self.job, self.out, self.folder = job, out, out / job.digest
        self.rows = self.folder / "rows"
        self.chunk = CHUNK[job.units.kind]

    @contextmanager
    def opened(self, chunk: int | None) -> Iterator[None]:
        """Hold the folder, made if need be, against other drivers.

        Args:
            chunk: units a partition, where the folder is new; an old one keeps its own.

        Raises:
            InputError: another driver is at work in it, or it cannot be used.
        """
        try:
            self.rows.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / _LOCK, timeout=0):
                self._begin(chunk)
                yield
        except Timeout:
            raise InputError(
                str(self.folder), "another ifonly batch is at work on this very job", "Wait for it, or stop it."
            ) from None

    def _begin(self, chunk: int | None) -> None:
        for left in (*self.folder.glob(f"{_TEMPORARY}*"), *self.rows.glob(f"{_TEMPORARY}*")):
            left.unlink(missing_ok=True)
        path = self.folder / _MANIFEST
        if path.exists():
            self.chunk = read_manifest(path).chunk
            return
        self.chunk = chunk or self.chunk
        manifest = Manifest(digest=self.job.digest, chunk=self.chunk, job=self.job)
        replace_text(path, canonical_json(manifest.model_dump(mode="json")) + "\n")

    def acknowledged(self) -> dict[int, Written]:
        """The partitions that the log names and that are there whole, by first unit."""
        path = self.folder / _LOG
        if not path.exists():
            return {}
        lines = path.read_bytes().split(b"\n")[:-1]
        logged = [Written(*_numbers(line)) for line in lines]
        return {w.start: w for w in logged if _size(self.rows / w.name) == w.size}

    @contextmanager
    def log(self) -> Iterator[_Log]:
        """The log, to acknowledge partitions in; a last line without its end is cut off."""
        with (self.folder / _LOG).open("a+b") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            _sync_folder(self.folder)
            yield _Log(file.fileno())

    def tables(self) -> Iterator[pa.Table]:
        """The acknowledged rows, partition by partition, in the order of the units."""
        for _, written in sorted(self.acknowledged().items()):
            yield pq.read_table(self.rows / written.name, schema=SCHEMA, page_checksum_verification=True)

    def others(self) -> list[Job]:
        """Other jobs whose results lie beside these, the last one first."""
        found = []
        for path in self.out.glob(f"*/{_MANIFEST}"):
            if path.parent != self.folder:
                try:
                    found.append((path.stat().st_mtime, str(path), read_manifest(path).job))
                except (InputError, OSError):
                    continue
        return [job for *_, job in sorted(found, key=lambda one: one[:2], reverse=True)]


class _Log:
    """An open log."""

    def __init__(self, file: int) -> None:
        self._file = file

    def acknowledge(self, written: Written) -> None:
        """Note a partition; once this returns, it is never lost."""
        os.write(self._file, canonical_json(list(written)).encode() + b"\n")
        _sync(self._file)


def read_manifest(path: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(str(path), f"{place}: {first['msg']}", "Remove its folder, and run the job again.") from error


def replace_text(path: Path, text: str) -> None:
    """Write a small file, whole or not at all."""
    temporary = path.with_name(f"{_TEMPORARY}{path.name}.{uuid.uuid4().hex}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        _sync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


def _name(chunk: range) -> str:
    return f"part-{chunk.start:012d}-{chunk.stop:012d}.parquet"


def _numbers(line: bytes) -> list[int]:
    return [int(number) for number in line.strip(b"[]").split(b",")]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _sync(file: int) -> None:
    os.fsync(file)


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder last; Windows opens no folders, and needs none of this."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
