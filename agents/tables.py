"""Tables with named columns: CSV, JSON lines and Parquet files, and data frames of pandas or polars.

A cell is a number, a text, true or false, or None where there is none. In CSV all is text, and empty is None.
"""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from ifonly.agents.errors import InputError, UnknownName
from ifonly.agents.files import RecordFile, expand, parsed
from ifonly.agents.streams.inflate import Inflating
from ifonly.agents.streams.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Cell", "Table", "is_table", "read_table", "table_of"]

Cell = str | float | bool | None
"""What one cell holds; whole numbers are floats, too, as far as they are exact there."""

_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_SHOWN = 3
_TRUE, _FALSE = frozenset({"true", "yes"}), frozenset({"false", "no"})
_GZIP = b"\x1f\x8b"
_MISSING = frozenset({"NAType", "NaTType"})
"""What pandas puts where there is nothing."""


@dataclass(frozen=True)
class Table:
    """Named columns of one length.

    Attributes:
        name: where it comes from, for errors.
        columns: the cells, by column.
    """

    name: str
    columns: Mapping[str, Sequence[Cell]]

    def __len__(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()), ()))

    def column(self, name: str) -> Sequence[Cell]:
        """The cells of a column.

        Raises:
            UnknownName: there is no such column.
        """
        if name not in self.columns:
            fix = f"{self.name} has the columns {', '.join(self.columns) or '(none)'}."
            raise UnknownName("column", name, self.columns, fix)
        return self.columns[name]

    def texts(self, name: str) -> list[str]:
        """A column as texts; where there is nothing, an empty one.

        Raises:
            UnknownName: there is no such column.
        """
        return ["" if cell is None else _text(cell) for cell in self.column(name)]

    def numbers(self, name: str) -> list[float]:
        """A column as finite numbers; true and yes are 1, false and no are 0.

        Raises:
            UnknownName: there is no such column.
            InputError: a cell is no number; the first few rows are named.
        """
        cells = self.column(name)
        made = [_number(cell) for cell in cells]
        bad = [(row, cells[row - 1]) for row, number in enumerate(made, 1) if number is None]
        if bad:
            shown = ", ".join(f"row {row}: {cell!r}" for row, cell in bad[:_SHOWN])
            found = f"{len(bad):,} of {len(cells):,} cells of column {name!r} are no finite numbers ({shown})"
            raise InputError(self.name, found, "Fill or drop these rows, or name another column.")
        return [number for number in made if number is not None]

    def numeric(self, name: str) -> bool:
        """Whether every cell of a column is a finite number."""
        return all(_number(cell) is not None for cell in self.column(name))


def read_table(paths: Iterable[str | Path]) -> Table:
    """The rows of all files, one below the other; a column that one of them lacks is None there.

    Args:
        paths: files, folders and globs of ``.csv``, ``.tsv``, ``.jsonl``, ``.json`` (each also with ``.gz``), and
            ``.parquet``, which needs the extra `tables`.

    Raises:
        InputError: a file cannot be read, or holds no row.
    """
    paths = list(paths)
    found = [one for path in paths for one in _files(path)]
    tables = [_of_file(path) for path in found]
    name = str(found[0]) if len(found) == 1 else ", ".join(map(str, paths))
    names = dict.fromkeys(column for table in tables for column in table.columns)
    if not names or not any(map(len, tables)):
        raise InputError(name, "holds no row", "Name a table with a header and rows.")
    joined = {n: [cell for table in tables for cell in table.columns.get(n, [None] * len(table))] for n in names}
    return Table(name, joined)


def is_table(path: Path) -> bool:
    """Whether a file is a table rather than a file of runs: by its name, else by its first record, which alone is read.

    A row of a table holds numbers, texts and the like; a run holds messages or steps, which are lists.
    """
    if path.name.endswith((*_CSV, ".parquet")):
        return True
    limits = Limits()
    number, raw = next(iter(RecordFile(path, limits)))
    row = parsed(path, number, raw, limits)
    return isinstance(row, dict) and not any(isinstance(cell, dict | list) for cell in row.values())


def table_of(frame: Any) -> Table:
    """A table from a data frame of pandas or polars, or from a mapping of names to columns.

    Args:
        frame: has `columns`, and gives a column by its name; or maps names to sequences.

    Raises:
        InputError: columns have different lengths, or hold other things than numbers, texts and booleans.
    """
    names = list(frame) if isinstance(frame, Mapping) else [*frame.columns]
    columns = {str(name): _listed(frame[name]) for name in names}
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{name}: {len(column)}" for name, column in columns.items())
        raise InputError("the frame", f"columns have different lengths ({lengths})", "Give each row every column.")
    return Table("the frame", {name: _cells("the frame", name, column) for name, column in columns.items()})


def _files(path: str | Path) -> Iterable[Path]:
    """The files of a path; tables other than JSON are named one by one, or by a glob."""
    for found in expand([path]):
        if isinstance(found, InputError):
            raise found
        yield found


def _of_file(path: Path) -> Table:
    if path.name.endswith(".parquet"):
        return _parquet(path)
    return _csv(path) if path.name.endswith(_CSV) else _json(path)


def _csv(path: Path) -> Table:
    limits = Limits()
    try:
        with path.open("rb") as raw:
            packed = Inflating(raw, limits) if raw.peek(2)[:2] == _GZIP else None
            text = io.TextIOWrapper(io.BufferedReader(packed) if packed else raw, "utf-8-sig", newline="")
            reader = csv.reader(text, "excel-tab" if ".tsv" in path.name else "excel", strict=True)
            header = next(reader, [])
            rows = [row for row in reader if row]
            if packed and packed.problem:
                raise InputError(str(path), *packed.problem)
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})", "Check the path and its rights.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(str(path), f"is no CSV in UTF-8 ({error})", "Export it as CSV in UTF-8.") from error
    twice = sorted({name for name in header if header.count(name) > 1})
    if not header or twice:
        found = f"has the columns {twice} more than once" if twice else "is empty"
        raise InputError(str(path), found, "The first line names the columns, each once.")
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            found = f"has {len(row)} cells where the header names {len(header)} columns"
            raise InputError(str(path), found, "Quote cells that hold commas.", record=number)
    return Table(str(path), {name: [row[i] or None for row in rows] for i, name in enumerate(header)})


def _json(path: Path) -> Table:
    limits, rows = Limits(), list[dict[str, Any]]()
    for number, raw in RecordFile(path, limits):
        value = parsed(path, number, raw, limits)
        if isinstance(value, InputError):
            raise value
        if not isinstance(value, dict):
            raise InputError(str(path), "is no object of named cells", "Write one JSON object a line.", record=number)
        rows.append(value)
    names = dict.fromkeys(name for row in rows for name in row)
    return Table(str(path), {name: _cells(str(path), name, [row.get(name) for row in rows]) for name in names})


def _parquet(path: Path) -> Table:
    try:
        parquet, arrow = importlib.import_module("pyarrow.parquet"), importlib.import_module("pyarrow")
    except ModuleNotFoundError as error:
        raise InputError(str(path), "Parquet needs the package pyarrow", "Install ifonly[tables].") from error
    try:
        table = parquet.read_table(path)
    except (OSError, arrow.ArrowException) as error:
        raise InputError(str(path), f"cannot be read as Parquet ({error})", "Write it again, or as CSV.") from error
    return Table(str(path), {name: _cells(str(path), name, table[name].to_pylist()) for name in table.column_names})


def _listed(column: Any) -> list[Any]:
    return column.tolist() if hasattr(column, "tolist") else list(column)


def _cells(table: str, name: str, values: Sequence[Any]) -> list[Cell]:
    made: list[Cell] = []
    for row, value in enumerate(values, 1):
        if value is None or type(value).__name__ in _MISSING:
            made.append(None)
        elif isinstance(value, str | bool):
            made.append(value)
        elif isinstance(value, int | float):
            made.append(None if isnan(value) else float(value))
        else:
            found = f"column {name!r} holds {type(value).__name__}, which is no number or text"
            raise InputError(table, found, "Flatten it to columns of their own.", record=row)
    return made


def _number(cell: Cell) -> float | None:
    if cell is None:
        return None
    if isinstance(cell, str):
        word = cell.strip().lower()
        if word in _TRUE | _FALSE:
            return float(word in _TRUE)
        try:
            cell = float(word)
        except ValueError:
            return None
    return float(cell) if isfinite(cell) else None


def _text(cell: str | float | bool) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    return cell if isinstance(cell, str) else f"{cell:.15g}"
