"""Which recorded runs are units of a job: read once, to be named by file and record."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from ifonly.agents.reading import Placed, placed
from ifonly.sim.batch.job import RunFile, file_digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ifonly.agents.errors import InputError
    from ifonly.agents.found import Paths
    from ifonly.agents.records import Trajectory

__all__ = ["Chosen", "choose"]


class Chosen(NamedTuple):
    """Files as a job names them, how many runs were looked at, and what could not be read."""

    files: tuple[RunFile, ...]
    seen: int
    problems: tuple[InputError, ...]


def choose(
    paths: Paths,
    format: str | None = None,
    *,
    wanted: Callable[[Trajectory], bool] = lambda run: True,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Chosen:
    """The runs of paths, or those that are wanted.

    Args:
        paths: files, folders or globs.
        format: of the runs; found out for each file if None.
        wanted: which runs are taken.
        limit: how many at most.
        progress: called with the bytes read so far and the bytes in all.

    Raises:
        UnknownName: there is no such format.
        InputError: nothing could be read.
    """
    records: dict[tuple[Path, str], list[int]] = defaultdict(list)
    problems: list[InputError] = []
    seen = taken = 0
    for one in placed(paths, format, progress=progress):
        if not isinstance(one, Placed):
            problems.append(one)
            continue
        seen += 1
        if wanted(one.run):
            records[one.file, one.format].append(one.number)
            taken += 1
        if taken == limit:
            break
    if problems and not seen:
        raise problems[0]
    return Chosen(tuple(_file(*place, numbers) for place, numbers in records.items()), seen, tuple(problems))


def _file(path: Path, format: str, records: list[int]) -> RunFile:
    return RunFile(path=str(path), digest=file_digest(path), format=format, records=tuple(records))
