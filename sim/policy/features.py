"""Columns as numbers: how the features of a policy are read off a table, kept with the rule that reads them.

The same encoding must be applied wherever the rule is: it is data, and travels with the rule (`Encoding`, JSON).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ifonly.agents.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.agents.tables import Table
    from ifonly.scm.policy.logged import Floats

__all__ = ["Category", "Encoding", "Number", "Text", "encoding_of"]

_MOST_VALUES = 100
"""Values of a category that get a feature each; the rest share none."""
_SENTENCE = 40
"""Mean characters from which a column of texts is prose, not a category."""

Measure = Literal["chars", "words", "lines", "digits", "symbols", "questions"]
"""What is counted in a text."""

_MEASURES: dict[Measure, Callable[[str], float]] = {
    "chars": lambda text: float(len(text)),
    "words": lambda text: float(len(text.split())),
    "lines": lambda text: float(text.count("\n") + 1),
    "digits": lambda text: float(len(re.findall(r"\d", text))),
    "symbols": lambda text: float(len(re.findall(r"[^\w\s]", text))),
    "questions": lambda text: float(text.count("?")),
}


class _Encoded(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str


class Number(_Encoded):
    """A column of numbers, as it is."""

    kind: Literal["number"] = "number"

    @property
    def names(self) -> tuple[str, ...]:
        """Of its feature."""
        return (self.column,)

    def features(self, table: Table) -> list[list[float]]:
        """One list of numbers for each feature.

        Raises:
            InputError: a cell is no number.
        """
        return [table.numbers(self.column)]


class Category(_Encoded):
    """A column of names: a feature for each value, 1 where the cell is it and else 0."""

    kind: Literal["category"] = "category"
    values: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """``column=value``, of each feature."""
        return tuple(f"{self.column}={value}" for value in self.values)

    def features(self, table: Table) -> list[list[float]]:
        """One list of numbers for each feature; all are 0 at a value that is none of them."""
        cells = table.texts(self.column)
        return [[float(cell == value) for cell in cells] for value in self.values]


class Text(_Encoded):
    """A column of prose: what is counted in it."""

    kind: Literal["text"] = "text"
    measures: tuple[Measure, ...] = tuple(_MEASURES)

    @property
    def names(self) -> tuple[str, ...]:
        """``column.measure``, of each feature."""
        return tuple(f"{self.column}.{measure}" for measure in self.measures)

    def features(self, table: Table) -> list[list[float]]:
        """One list of numbers for each feature."""
        cells = table.texts(self.column)
        return [[_MEASURES[measure](cell) for cell in cells] for measure in self.measures]


class Encoding(BaseModel):
    """How columns become features, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Annotated[Number | Category | Text, Field(discriminator="kind")], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features."""
        return tuple(name for column in self.columns for name in column.names)

    def features(self, table: Table) -> Floats:
        """The features of each row, shape (n, d).

        Raises:
            UnknownName: the table lacks a column.
            InputError: a cell of a number's column is none.
        """
        rows = [feature for column in self.columns for feature in column.features(table)]
        return np.array(rows, dtype=float).reshape(len(rows), len(table)).T


def encoding_of(table: Table, columns: Sequence[str]) -> Encoding:
    """The encoding that fits the cells: numbers as they are, short texts as categories, prose by what is counted in it.

    Args:
        table: the rows.
        columns: to encode.

    Raises:
        UnknownName: the table lacks a column.
        InputError: a column of short texts has too many values to be a category.
    """
    return Encoding(columns=tuple(_encoded(table, name) for name in columns))


def _encoded(table: Table, name: str) -> Number | Category | Text:
    if table.numeric(name):
        return Number(column=name)
    cells = table.texts(name)
    counts = Counter(cells)
    if len(counts) <= _MOST_VALUES:
        return Category(column=name, values=tuple(sorted(counts)))
    if sum(map(len, cells)) / len(cells) >= _SENTENCE:
        return Text(column=name)
    found = f"column {name!r} has {len(counts):,} values in {len(cells):,} rows: neither numbers, nor few names"
    raise InputError(table.name, found, "Leave it out of the context, or group its values; clusters may be many.")
