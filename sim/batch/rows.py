"""The rows of a batch: one for each unit, question and score, of one Arrow schema.

| column | meaning |
|---|---|
| ``number`` | place of the unit in the job, from 0 |
| ``unit`` | its name: id of the recorded run, or as the world names it |
| ``task`` | cluster of the unit for intervals; null where units are independent |
| ``question`` | name of the what-if |
| ``score`` | name of the score; null where the unit has none |
| ``factual`` | its value as it was |
| ``counterfactual`` | its value had the actions been done; null where only bounded or undetermined |
| ``low``, ``high`` | interval or bounds of it |
| ``identified``, ``noise`` | as in `ifonly.scm.estimate.Estimate` |
| ``verdict`` | as in `ifonly.sim.answers.WhatIfAnswer` |
| ``diverges`` | site where the two worlds part; null where they do not |
| ``error``, ``message`` | kind and text of the error, where the unit raised one |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SCHEMA", "Row", "failed", "table_of"]

_TEXT, _NUMBER = pa.string(), pa.float64()
_TYPES = {
    "number": pa.int64(),
    "unit": _TEXT,
    "task": _TEXT,
    "question": _TEXT,
    "score": _TEXT,
    "factual": _NUMBER,
    "counterfactual": _NUMBER,
    "low": _NUMBER,
    "high": _NUMBER,
    "identified": _TEXT,
    "noise": _TEXT,
    "verdict": _TEXT,
    "diverges": _TEXT,
    "error": _TEXT,
    "message": _TEXT,
}

SCHEMA = pa.schema([pa.field(name, kind, nullable=name not in ("number", "unit")) for name, kind in _TYPES.items()])
"""Names and types of the columns."""


class Row(NamedTuple):
    """One row; the module says what its fields mean."""

    number: int
    unit: str
    task: str | None = None
    question: str | None = None
    score: str | None = None
    factual: float | None = None
    counterfactual: float | None = None
    low: float | None = None
    high: float | None = None
    identified: str | None = None
    noise: str | None = None
    verdict: str | None = None
    diverges: str | None = None
    error: str | None = None
    message: str | None = None


def failed(number: int, unit: str, error: Exception, task: str | None = None, question: str | None = None) -> Row:
    """The row of a unit that raised; surrogates, which JSON allows and Arrow does not, are escaped."""
    text = str(error).encode("utf-8", "backslashreplace").decode()
    return Row(number, unit, task, question, error=type(error).__name__, message=text)


def table_of(rows: Iterable[Row]) -> pa.Table:
    """A table of rows."""
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], SCHEMA)
