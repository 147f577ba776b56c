"""The records of any paths, each with its place and its format, before they are made trajectories."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import JsonValue

from ifonly.agents.errors import InputError, UnknownName
from ifonly.agents.files import RecordFile, expand, parsed
from ifonly.agents.importers import IMPORTERS
from ifonly.agents.importers.base import Companions, Importer, Place, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from ifonly.agents.records import Trajectory

    Paths = str | Path | Iterable[str | Path]

__all__ = ["FORMATS", "Found", "Session", "importer_named"]

FORMATS = tuple(importer.name for importer in IMPORTERS)
"""Names of the formats that can be read."""

_PROBED = 16
"""Records of a file in which its format is looked for."""

_COMPANIONS = tuple(pattern for importer in IMPORTERS for pattern in importer.companions)


class Found(NamedTuple):
    """A record with its format, or the error in its place."""

    place: Place
    importer: Importer | None
    record: Any

    def trajectory(self) -> Trajectory | InputError:
        """The run, or why there is none."""
        if self.importer is None:
            error: InputError = self.record
            return error
        try:
            return self.importer.parse(self.record, self.place)
        except InputError as error:
            return error

    def only(self) -> Trajectory:
        """The run.

        Raises:
            InputError: it cannot be read.
        """
        trajectory = self.trajectory()
        if isinstance(trajectory, InputError):
            raise trajectory
        return trajectory

    def name(self) -> str | None:
        """The id of the run; None where it cannot be told."""
        return None if self.importer is None else self.importer.identify(self.record, self.place)


def importer_named(name: str | None) -> Importer | None:
    """The importer of a format; None for None.

    Raises:
        UnknownName: there is no such format.
    """
    if name is None:
        return None
    for importer in IMPORTERS:
        if importer.name == name:
            return importer
    raise UnknownName("format", name, FORMATS)


@dataclass(frozen=True)
class Session:
    """One reading of files.

    Args:
        forced: the importer of all records; found out for each file where it is None.
        companions: access to the files beside them.
        model: the model to assume where a log names none.
    """

    forced: Importer | None
    companions: Companions
    model: str | None

    def files(self, paths: Paths) -> list[Path | InputError]:
        """The files that paths stand for, without those that hold no runs."""
        return list(expand([paths] if isinstance(paths, str | Path) else paths, _COMPANIONS))

    def records(
        self,
        files: Sequence[Path | InputError],
        needles: Sequence[bytes] = (),
        progress: Callable[[int, int], None] | None = None,
        numbers: Container[int] | None = None,
    ) -> Iterator[Found]:
        """Every record of the files; with needles, those alone in whose id all of them may stand.

        With numbers, those alone; then the format must be forced, for the first records may be left out.
        """
        sizes = [file.stat().st_size if isinstance(file, Path) else 0 for file in files]
        done, total = 0, sum(sizes)
        for file, size in zip(files, sizes, strict=True):
            if isinstance(file, InputError):
                yield Found(Place(Path(file.file), 0), None, file)
                continue
            source = RecordFile(file, self.companions.limits)
            for count, found in enumerate(self._records_of(source, needles, numbers)):
                yield found
                if progress and count % 64 == 0:
                    progress(done + min(size, source.position), total)
            done += size
            if progress:
                progress(done, total)

    def _records_of(
        self, source: RecordFile, needles: Sequence[bytes], numbers: Container[int] | None
    ) -> Iterator[Found]:
        importer, waiting = self.forced, list[tuple[Place, JsonValue]]()
        for number, raw in source:
            if numbers is not None and number not in numbers:
                continue
            if importer and importer.literal_ids and not _may_hold(raw, needles):
                continue
            place = Place(source.path, number, self.companions, self.model)
            value = parsed(source.path, number, raw, self.companions.limits)
            if isinstance(value, InputError):
                yield Found(place, None, value)
                continue
            importer = importer or _detected(value, source.path)
            waiting.append((place, value))
            if importer is None and len(waiting) < _PROBED:
                continue
            if importer is None:
                break
            for at, record in waiting:
                yield Found(at, importer, record)
            waiting = []
        if waiting:
            place, value = waiting[0]
            yield Found(place, None, _unknown(place, value))


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
    fix = (
        f"ifonly reads {', '.join(FORMATS)}. Write the run as a list of OpenAI chat messages, or name its format with "
        "--format if it is one of these."
    )
    return place.error(None, found, fix, near[:2])
