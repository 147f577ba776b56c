"""Reading runs for a command: progress and problems on standard error, and what the exit status must say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ifonly.agents.errors import ActionError, InputError, UnknownName
from ifonly.agents.reading import read, stream
from ifonly.cli.output import problems
from ifonly.cli.progress import bar
from ifonly.cli.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ifonly.agents.records import Trajectory

__all__ = ["Runs", "Streamed", "asked_runs", "find", "first_runs", "is_path", "read_runs"]

_FEW = 5
"""Ids that an error about another lists."""


@dataclass(frozen=True)
class Runs:
    """What was read.

    Args:
        runs: the trajectories.
        left_out: how many records or files could not be read.
        more: whether reading stopped before the end.
    """

    runs: tuple[Trajectory, ...]
    left_out: int = 0
    more: bool = False

    def status(self, *, keep_going: bool) -> Status:
        """The exit status that the reading alone calls for."""
        return Status.FAILED if self.left_out and not keep_going else Status.ANSWERED


def read_runs(paths: Iterable[str | Path], format: str | None = None) -> Runs:
    """All runs of the paths, with a progress bar.

    Raises:
        InputError: nothing could be read.
    """
    with bar("reading runs", unit="bytes") as told:
        reading = read(paths, format, progress=told)
    return _checked(reading.trajectories, reading.problems)


def first_runs(
    paths: Iterable[str | Path],
    format: str | None = None,
    *,
    limit: int | None = None,
    wanted: Callable[[Trajectory], bool] | None = None,
) -> Runs:
    """The first runs that are wanted, reading no further than needed.

    Args:
        paths: files, folders or globs.
        format: of the runs.
        limit: how many at most.
        wanted: which count; all, if None.

    Raises:
        InputError: nothing could be read.
    """
    runs: list[Trajectory] = []
    bad: list[InputError] = []
    more = False
    with bar("reading runs", unit="bytes") as told:
        for found in stream(paths, format, progress=told):
            if isinstance(found, InputError):
                bad.append(found)
            elif wanted is None or wanted(found):
                if len(runs) == limit:
                    more = True
                    break
                runs.append(found)
    checked = _checked(tuple(runs), bad)
    return Runs(checked.runs, checked.left_out, more)


class Streamed:
    """Runs as they are read, for work that needs no more than one at a time; the bar shows how far reading is.

    Args:
        paths: files, folders or globs.
        format: of the runs.
        doing: what is done with them.
    """

    def __init__(self, paths: Iterable[str | Path], format: str | None, doing: str) -> None:
        self._paths, self._format = paths, format
        self._bar = bar(doing, unit="bytes")
        self._problems: list[InputError] = []
        self._read = 0

    def __enter__(self) -> Self:
        self._told = self._bar.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.__exit__(None, None, None)
        if raised[0] is None:
            problems(self._problems if self._read else self._problems[1:])
            if self._problems and not self._read:
                raise self._problems[0]

    def __iter__(self) -> Iterator[Trajectory]:
        for found in stream(self._paths, self._format, progress=self._told):
            if isinstance(found, InputError):
                self._problems.append(found)
            else:
                self._read += 1
                yield found

    def status(self, *, keep_going: bool) -> Status:
        """The exit status that the reading alone calls for."""
        return Runs((), len(self._problems)).status(keep_going=keep_going)


def find(id: str, paths: Sequence[str | Path], format: str | None = None) -> Runs:
    """The run with this id.

    Raises:
        UnknownName: no run has it.
        InputError: nothing could be read.
    """
    ids: list[str] = []
    bad: list[InputError] = []
    with bar("looking for the run", unit="bytes") as told:
        for found in stream(paths, format, progress=told):
            if isinstance(found, InputError):
                bad.append(found)
            elif found.id == id:
                return Runs((found,))
            else:
                ids.append(found.id)
    if not ids and bad:
        raise bad[0]
    where = " ".join(map(str, paths))
    few = f" ({', '.join(ids)})" if len(ids) <= _FEW else ""
    raise UnknownName("run", id, ids, f"`ifonly show {where}` lists the runs that are there{few}.")


def asked_runs(asked: Sequence[str], within: list[str] | None, pool: Runs, format: str | None) -> Runs:
    """The runs that are asked about: of the paths, and those with the ids.

    Args:
        asked: paths and ids.
        within: where the ids are looked for; among the `pool`, if None.
        pool: the runs of the corpus.
        format: of the runs.

    Raises:
        ActionError: a text is no path, and there is nowhere to look for an id.
        UnknownName: no run has the id.
        InputError: nothing could be read.
    """
    paths = [text for text in asked if is_path(text)]
    chosen = read_runs(paths, format) if paths else Runs(())
    runs, left_out = list(chosen.runs), chosen.left_out + pool.left_out
    known = {run.id: run for run in pool.runs}
    for id in (text for text in asked if text not in paths):
        if id in known and not within:
            runs.append(known[id])
            continue
        if not within and not pool.runs:
            raise ActionError(id, "no such file", "If this is the id of a run, say where it is: --in PATH.")
        if not within:
            raise UnknownName("run", id, list(known), "`ifonly show PATH` lists the runs of the corpus.")
        runs.append(find(id, within, format).runs[0])
    return Runs(tuple(runs), left_out)


def is_path(text: str) -> bool:
    """Whether the text names files rather than a run."""
    return any(mark in text for mark in "*?[") or Path(text).exists()


def _checked(runs: tuple[Trajectory, ...], bad: Sequence[InputError]) -> Runs:
    problems(bad if runs else bad[1:])
    if not runs and bad:
        raise bad[0]
    return Runs(runs, len(bad))
