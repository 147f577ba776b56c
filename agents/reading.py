"""Reading recorded runs: the trajectories of any paths, and what could not be read.

`read` gives all of them, `stream` one at a time, `placed` with their places, `read_at` those at given places, and
`find_run` a single one by its id or a part of it.
"""

from __future__ import annotations

import gc
import heapq
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ifonly.agents.errors import InputError, UnknownName
from ifonly.agents.found import FORMATS, Found, Session, importer_named
from ifonly.agents.importers.base import Companions
from ifonly.agents.records import Trajectory
from ifonly.agents.streams.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator
    from pathlib import Path

    from ifonly.agents.importers.base import Place

    Paths = str | Path | Iterable[str | Path]

__all__ = ["FORMATS", "Placed", "Reading", "find_run", "placed", "read", "read_at", "stream"]


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
    for found in placed(paths, format, model=model, limits=limits, progress=progress):
        yield found.run if isinstance(found, Placed) else found


class Placed(NamedTuple):
    """A run, where its record stands, and the format it was read as."""

    file: Path
    number: int
    format: str
    run: Trajectory


def placed(
    paths: Paths,
    format: str | None = None,
    *,
    model: str | None = None,
    limits: Limits | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Placed | InputError]:
    """As `stream`, and where each run stands."""
    session = Session(importer_named(format), Companions(limits or Limits()), model)
    first_use: dict[str, Place] = {}
    for found in session.records(session.files(paths), progress=progress):
        trajectory = found.trajectory()
        if isinstance(trajectory, InputError) or found.importer is None:
            assert isinstance(trajectory, InputError)
            yield trajectory
            continue
        first = first_use.setdefault(trajectory.id, found.place)
        if first is found.place:
            yield Placed(found.place.file, found.place.number, found.importer.name, trajectory)
        else:
            yield found.place.error(
                "id",
                f"the id {trajectory.id!r} was used before, in {first.file}, record {first.number}",
                "Keep one of the two, or give this one another id.",
            )


def read_at(file: Path, numbers: Container[int], format: str) -> Iterator[tuple[int, Trajectory | InputError]]:
    """The runs of some records of a file, each with its number, without making runs of the others.

    Args:
        file: the file.
        numbers: of the records, from 1.
        format: one of `FORMATS`, for the first records may not be among them.
    """
    session = Session(importer_named(format), Companions(Limits()), None)
    for found in session.records([file], numbers=numbers):
        yield found.place.number, found.trajectory()


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
    session = Session(importer_named(format), Companions(limits or Limits()), model)
    parts = [part for part in asked.split("/") if part not in "none"]
    files = sorted(session.files(paths), key=lambda file: not all(part in str(file) for part in parts))
    fitting: dict[str, Found] = {}
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


def _none(asked: str, records: Iterator[Found]) -> UnknownName | InputError:
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
