"""What a batch is to do, as pure data: units, what-ifs, and what happens after. Its digest names the results."""

from __future__ import annotations

import hashlib
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from ifonly.agents.actions import Action
from ifonly.agents.canonical import Equality, canonical_json, digest
from ifonly.agents.errors import InputError
from ifonly.agents.records import Record

__all__ = ["CHUNK", "DataFile", "Job", "KnownUnits", "Question", "RecordedUnits", "RunFile", "Units", "file_digest"]

CHUNK = {"recorded": 128, "world": 16_384}
"""Units a partition, by kind: hundreds at least, so that handing a chunk over does not count."""


class DataFile(Record):
    """A file that results depend on; its content counts, not its place."""

    path: str
    digest: str


class RunFile(DataFile):
    """A file of recorded runs.

    Attributes:
        format: that it is read as.
        records: numbers of its records that are units, from 1, ascending.
    """

    format: str
    records: tuple[int, ...]


class RecordedUnits(Record):
    """Recorded runs, asked by executing their environment again, as `ifonly whatif RUN` does.

    Attributes:
        files: where the runs stand.
        continuation: where replies come from once the worlds part.
        corpus: runs that ``corpus`` takes replies from.
        equality: when two requests count as equal.
    """

    kind: Literal["recorded"] = "recorded"
    files: tuple[RunFile, ...]
    continuation: Literal["hold", "corpus", "bounds"] = "hold"
    corpus: tuple[RunFile, ...] = ()
    equality: Equality = Equality.EXACT

    @property
    def count(self) -> int:
        """How many units there are."""
        return sum(len(file.records) for file in self.files)


class KnownUnits(Record):
    """Units of a fitted or known world, by number.

    Attributes:
        world: the function that makes it, as ``module:name``; see `ifonly.sim.batch.worlds`.
        settings: of the world.
        files: that the world is fitted to.
        count: how many units; they are numbered from 0.
    """

    kind: Literal["world"] = "world"
    world: str
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    files: tuple[DataFile, ...] = ()
    count: int = Field(ge=0)


class Question(Record):
    """One what-if: what is done to every unit. No action at all is the unchanged run."""

    name: str
    actions: tuple[Action, ...]


Units = Annotated[RecordedUnits | KnownUnits, Field(discriminator="kind")]
"""Either kind of units."""


class Job(Record):
    """A whole batch.

    Attributes:
        version: of this layout.
        ifonly: version of the program, for another one may answer otherwise.
        units: which units.
        questions: what is asked of each; their names differ.
        level: coverage of the intervals of each answer.
        seed: of all noise that is drawn.
    """

    version: Literal[1] = 1
    ifonly: str
    units: Units
    questions: tuple[Question, ...] = Field(min_length=1)
    level: float = Field(default=0.95, gt=0.0, lt=1.0)
    seed: int = 0

    @model_validator(mode="after")
    def _named(self) -> Self:
        names = [question.name for question in self.questions]
        if len(set(names)) < len(names):
            raise ValueError(f"questions need names of their own, got {names}")
        return self

    @cached_property
    def digest(self) -> str:
        """128 bits that stand for all of the job but where its files lie."""
        return digest(canonical_json(self._content()))

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Of each file of recorded units, the number of units up to its end."""
        files = self.units.files if isinstance(self.units, RecordedUnits) else ()
        return tuple(accumulate(len(file.records) for file in files))

    def chunks(self, size: int) -> list[range]:
        """All units, cut into ranges of this many."""
        return [range(start, min(start + size, self.units.count)) for start in range(0, self.units.count, size)]

    def differences(self, other: Job) -> dict[str, tuple[JsonValue, JsonValue]]:
        """Dotted names of the fields in which two jobs differ, with what this one and the other say."""
        return dict(_differences("", self._content(), other._content()))

    def _content(self) -> JsonValue:
        return _without_paths(self.model_dump(mode="json"))


def file_digest(path: str | Path) -> str:
    """128 bits of BLAKE2b of a file's bytes, in hex.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})", "Check the path and its rights.") from error


def _without_paths(value: JsonValue) -> JsonValue:
    """The job's data without the places of its files: a `DataFile` is told by its digest."""
    if isinstance(value, list):
        return [_without_paths(entry) for entry in value]
    if isinstance(value, dict):
        file = {"path", "digest"} <= value.keys()
        return {key: _without_paths(entry) for key, entry in value.items() if not (file and key == "path")}
    return value


def _differences(place: str, mine: JsonValue, other: JsonValue) -> list[tuple[str, tuple[JsonValue, JsonValue]]]:
    if isinstance(mine, dict) and isinstance(other, dict):
        keys = dict.fromkeys([*mine, *other])
        parts = [(f"{place}.{key}" if place else key, mine.get(key), other.get(key)) for key in keys]
    elif isinstance(mine, list) and isinstance(other, list) and len(mine) == len(other):
        parts = [(f"{place}.{index}", a, b) for index, (a, b) in enumerate(zip(mine, other, strict=True))]
    else:
        return [] if mine == other else [(place, (mine, other))]
    return [found for part in parts for found in _differences(*part)]
