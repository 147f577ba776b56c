"""Reading recorded runs: the trajectories of any paths, and what could not be read.

`read` gives all of them, `stream` one at a time, `find_run` a single one by its id or a part of it.
"""

from __future__ import annotations

import gc
import heapq
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import JsonValue

from ifonly.agents.errors import InputError, UnknownName
from ifonly.agents.files import RecordFile, expand, parsed
from ifonly.agents.importers import IMPORTERS
from ifonly.agents.importers.base import Companions, Importer, Place, describe
from ifonly.agents.records import Trajectory
from ifonly.agents.streams.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Paths = str | Path | Iterable[str | Path]

__all__ = ["FORMATS", "Reading", "find_run", "read", "stream"]

FORMATS = tuple(importer.name for importer in IMPORTERS)
"""Names of the formats that can be read."""

_PROBED = 16
"""Records of a file in which its format is looked for."""

_COMPANIONS = tuple(pattern for importer in IMPORTERS for pattern in importer.companions)


@dataclass(frozen=True)
class Reading:
    """What was read. Each problem stands for what was left out: one record, or the rest of one file."""

    trajectories: tuple[Trajectory, ...]
    problems: tuple[InputError, ...]

    @property
    def left_out(self) -> int:
        """How many records or files were left out."""
        return len(self.problems)


def read(
    paths: Paths,
    format: str | None = None,
    *,
    model: str | None = None,
    limits: Limits | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Reading:
    """All trajectories of the paths, and all problems. Arguments as for `stream`."""
    trajectories, problems = list[Trajectory](), list[InputError]()
    with _no_garbage_collection():
        for found in stream(paths, format, model=model, limits=limits, progress=progress):
            if isinstance(found, InputError):
                problems.append(found)
            else:
                trajectories.append(found)
    return Reading(tuple(trajectories), tuple(problems))


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Looking for cycles among millions of records that all stay alive would double the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def stream(
    paths: Paths,
    format: str | None = None,
    *,
    model: str | None = None,
    limits: Limits | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Trajectory | InputError]:
    """The trajectories of the paths in order, with each error in the place of what it left out.

    Args:
        paths: a file, folder or glob, or several (see `files.expand`).
        format: one of `FORMATS`; found out for each file where it is None.
        model: the model to assume where the log names none.
        limits: limits against abuse.
        progress: called with the bytes read so far and the bytes in all.

    Raises:
        UnknownName: there is no such format.
    """
    session = _Session(_importer(format), Companions(limits or Limits()), model)
    first_use: dict[str, Place] = {}
    for found in session.records(session.files(paths), progress=progress):
        trajectory = found.trajectory()
        if isinstance(trajectory, InputError):
            yield trajectory
            continue
        first = first_use.setdefault(trajectory.id, found.place)
        if first is found.place:
            yield trajectory
        else:
            yield found.place.error(
                "id",
                f"the id {trajectory.id!r} was used before, in {first.file}, record {first.number}",
                "Keep one of the two, or give this one another id.",
            )


def find_run(
    paths: Paths,
    run: str | None = None,
    format: str | None = None,
    *,
    model: str | None = None,
    limits: Limits | None = None,
) -> Trajectory:
    """A single run, without reading the others in full.

    Args:
        paths: a file, folder or glob, or several.
        run: its id, or a part of it that no other id has (at the end before elsewhere), or a file that holds
            a single run; None where the paths hold a single run.
        format: as for `stream`.
        model: as for `stream`.
        limits: as for `stream`.

    Raises:
        UnknownName: no run, or more than one, is so called; or there is no such format.
        InputError: the run, or all there is, cannot be read.
    """
    if run is not None and os.path.isfile(run):
        paths, run = run, None
    asked = run or ""
    session = _Session(_importer(format), Companions(limits or Limits()), model)
    parts = [part for part in asked.split("/") if part not in "none"]
    files = sorted(session.files(paths), key=lambda file: not all(part in str(file) for part in parts))
    fitting: dict[str, _Found] = {}
    for found in session.records(files, [part.encode() for part in parts if _PLAIN.fullmatch(part)]):
        name = found.name()
        if name is not None and name == run:
            return found.only()
        if name is not None and asked in name:
            fitting.setdefault(name, found)
    ending = [name for name in fitting if name.endswith(asked)] or list(fitting)
    if len(ending) == 1:
        return fitting[ending[0]].only()
    raise _too_many(asked, ending) if ending else _none(asked, session.records(files))


def _too_many(asked: str, names: list[str]) -> UnknownName:
    some = ", ".join(names[:3])
    fix = f"{len(names)} runs have this in their id, such as {some}: give a whole id."
    return UnknownName("run", asked, names, fix)


def _none(asked: str, records: Iterator[_Found]) -> UnknownName | InputError:
    names, problem = list[str](), None
    for found in records:
        name = found.name()
        if name is not None:
            names.append(name)
        elif problem is None and isinstance(found.record, InputError):
            problem = found.record
    if problem is not None and not names:
        return problem
    return UnknownName("run", asked, _similar(asked, names), f"{len(names)} runs were searched.")


_PLAIN = re.compile(r"[\w.:@ -]+", re.ASCII)
"""Text that JSON never escapes."""


def _similar(asked: str, known: Iterable[str]) -> list[str]:
    """The few hundred names that share most words with what was asked; difflib is slow on many."""
    words = set(re.split(r"\W|_", asked))
    return heapq.nlargest(200, known, key=lambda name: len(words.intersection(re.split(r"\W|_", name))))


class _Found(NamedTuple):
    """A record with its format, or the error in its place."""

    place: Place
    importer: Importer | None
    record: Any

    def trajectory(self) -> Trajectory | InputError:
        if self.importer is None:
            error: InputError = self.record
            return error
        try:
            return self.importer.parse(self.record, self.place)
        except InputError as error:
            return error

    def only(self) -> Trajectory:
        trajectory = self.trajectory()
        if isinstance(trajectory, InputError):
            raise trajectory
        return trajectory

    def name(self) -> str | None:
        return None if self.importer is None else self.importer.identify(self.record, self.place)


def _importer(name: str | None) -> Importer | None:
    if name is None:
        return None
    for importer in IMPORTERS:
        if importer.name == name:
            return importer
    raise UnknownName("format", name, FORMATS)


@dataclass(frozen=True)
class _Session:
    forced: Importer | None
    companions: Companions
    model: str | None

    def files(self, paths: Paths) -> list[Path | InputError]:
        return list(expand([paths] if isinstance(paths, str | Path) else paths, _COMPANIONS))

    def records(
        self,
        files: Sequence[Path | InputError],
        needles: Sequence[bytes] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[_Found]:
        """Every record of the files; with needles, those alone in whose id all of them may stand."""
        sizes = [file.stat().st_size if isinstance(file, Path) else 0 for file in files]
        done, total = 0, sum(sizes)
        for file, size in zip(files, sizes, strict=True):
            if isinstance(file, InputError):
                yield _Found(Place(Path(file.file), 0), None, file)
                continue
            source = RecordFile(file, self.companions.limits)
            for count, found in enumerate(self._records_of(source, needles)):
                yield found
                if progress and count % 64 == 0:
                    progress(done + min(size, source.position), total)
            done += size
            if progress:
                progress(done, total)

    def _records_of(self, source: RecordFile, needles: Sequence[bytes]) -> Iterator[_Found]:
        importer, waiting = self.forced, list[tuple[Place, JsonValue]]()
        for number, raw in source:
            if importer and importer.literal_ids and not _may_hold(raw, needles):
                continue
            place = Place(source.path, number, self.companions, self.model)
            value = parsed(source.path, number, raw, self.companions.limits)
            if isinstance(value, InputError):
                yield _Found(place, None, value)
                continue
            importer = importer or _detected(value, source.path)
            waiting.append((place, value))
            if importer is None and len(waiting) < _PROBED:
                continue
            if importer is None:
                break
            for at, record in waiting:
                yield _Found(at, importer, record)
            waiting = []
        if waiting:
            place, value = waiting[0]
            yield _Found(place, None, _unknown(place, value))


def _may_hold(raw: bytes | InputError, needles: Sequence[bytes]) -> bool:
    return isinstance(raw, InputError) or all(needle in raw for needle in needles)


def _detected(record: JsonValue, path: Path) -> Importer | None:
    return next((importer for importer in IMPORTERS if importer.detect(record, path)), None)


def _unknown(place: Place, record: JsonValue) -> InputError:
    keys = record.keys() if isinstance(record, dict) else set[str]()
    near = []
    for importer in sorted(IMPORTERS, key=lambda one: -len(one.signature & keys)):
        if importer.signature & keys:
            missing = ", ".join(sorted(importer.signature - keys))
            near.append(f"{importer.name} (but {missing} is missing)" if missing else importer.name)
    found = f"{describe(record)}, which is of no known format"
    return place.error(None, found, f"Force the format if you know it: {', '.join(FORMATS)}.", near[:2])
