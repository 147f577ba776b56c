"""From paths to raw records: which files to read, and the JSON text of each record in them, as a stream.

Accepted are files, folders (searched at any depth for ``.json``, ``.jsonl``, ``.ndjson``, each also with
``.gz``) and globs. A file's content decides how it is read: gzip by its first bytes; a JSON list gives one
record an element, unless it is a list of chat messages, which is one record; an object on a line of its own
gives one record a line; anything else is one record. Records count from 1: the line of a JSONL file, or the
place in a list.
"""

from __future__ import annotations

import glob
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ifonly.agents.errors import InputError, nearest
from ifonly.agents.streams.inflate import Inflating
from ifonly.agents.streams.json_list import split
from ifonly.agents.streams.limits import Limits
from ifonly.agents.streams.strict_json import JsonError, parse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pydantic import JsonValue

    Reader = io.BufferedReader[Any]

__all__ = ["Numbered", "RecordFile", "expand", "parsed"]

Numbered = tuple[int, bytes | InputError]
"""A record's number in its file, with its JSON text or the error in its place."""

_SUFFIXES = tuple(f"{kind}{packed}" for kind in (".json", ".jsonl", ".ndjson") for packed in ("", ".gz"))
_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_BUFFER = 2**18
_WIDE = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def expand(paths: Iterable[str | Path], ignore: Collection[str] = ()) -> Iterator[Path | InputError]:
    """The files that the paths stand for, each once, in the order of the paths and sorted within each.

    Args:
        paths: files, folders and globs. A file is taken whatever its name.
        ignore: patterns of files that folders and globs leave out, as for `Path.match`.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        empty = True
        for file in _files_of(Path(path)):
            if not isinstance(file, Path):
                yield file
                empty = False
                continue
            if file != Path(path) and any(map(file.match, ignore)):
                continue
            empty = False
            try:
                state = file.stat()
            except OSError as error:
                yield InputError(str(file), f"cannot be opened ({error.strerror})", "Check the path and its rights.")
                continue
            if (state.st_dev, state.st_ino) not in seen:
                seen.add((state.st_dev, state.st_ino))
                yield file
        if empty:
            yield InputError(
                str(path), "holds no file to read", f"Name a file or a folder with {', '.join(_SUFFIXES)}."
            )


def _files_of(path: Path) -> Iterator[Path | InputError]:
    if os.path.isdir(path):
        yield from _folder(path, set())
    elif os.path.lexists(path):
        yield path
    elif any(c in str(path) for c in "*?["):
        for match in sorted(glob.glob(str(path), recursive=True)):
            yield from _folder(Path(match), set()) if os.path.isdir(match) else [Path(match)]
    else:
        near = nearest(path.name, (other.name for other in _listed(path.parent)))
        yield InputError(str(path), "no such file or folder", "Check the path.", near=near)


def _folder(folder: Path, entered: set[tuple[int, int]]) -> Iterator[Path | InputError]:
    """Files at any depth; a folder that links lead back to is entered once, and one that may not be read is told."""
    state = folder.stat()
    if (state.st_dev, state.st_ino) in entered:
        return
    entered.add((state.st_dev, state.st_ino))
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        yield InputError(str(folder), f"cannot be opened ({error.strerror})", "Check the path and its rights.")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _folder(entry, entered)
        elif entry.name.endswith(_SUFFIXES) and (entry.is_file() or entry.is_symlink()):
            yield entry


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (OSError, ValueError):
        return []


class RecordFile:
    """The raw records of one file, and how far reading has come.

    Iterating gives each record's number with its JSON text, or with the error that stands in its place.

    Args:
        path: the file.
        limits: the limits to keep.
    """

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.path, self._limits = path, limits or Limits()
        self._raw: io.BufferedReader | None = None

    @property
    def position(self) -> int:
        """Bytes of the file on disk that were read so far."""
        try:
            return self._raw.tell() if self._raw else 0
        except (OSError, ValueError):
            return 0

    def __iter__(self) -> Iterator[Numbered]:
        """Open the file and give its records; every failure comes as a value."""
        number = 0
        try:
            with self.path.open("rb") as raw:
                self._raw = raw
                for number, found in self._records(raw):
                    yield number, found
        except OSError as error:
            yield (
                number + 1,
                self._problem(None, f"cannot be read ({error.strerror})", "Check the path and its rights."),
            )
        else:
            if not number:
                yield 1, self._problem(None, "holds no record", "Check that the file was written in full.")

    def _records(self, raw: io.BufferedReader) -> Iterator[Numbered]:
        if raw.peek(2)[:2] != b"\x1f\x8b":
            yield from self._unpacked(raw)
            return
        packed, whole = Inflating(raw, self._limits), 0
        for number, found in self._unpacked(io.BufferedReader(packed, _BUFFER)):
            # What a cut stream ends with is no record, whatever it looks like.
            if packed.problem and (isinstance(found, InputError) or not found.endswith(b"\n")):
                break
            yield number, found
            whole = number
        if packed.problem:
            why, fix = packed.problem
            yield whole + 1, self._problem(whole + 1, f"{why}; {whole} records stand before that", fix)

    def _unpacked(self, reader: Reader) -> Iterator[Numbered]:
        head = reader.peek(4)[:4]
        encoding = next((name for mark, name in _WIDE if head.startswith(mark)), None)
        if encoding or (len(head) > 1 and 0 in head[:2]):
            found = (
                f"the file is in {encoding}" if encoding else "NUL bytes at the start (UTF-16 without mark, or binary)"
            )
            yield (
                1,
                self._problem(None, found, "Convert it to UTF-8, for instance with iconv -f utf-16 -t utf-8."),
            )
            return
        if head.startswith(b"\xef\xbb\xbf"):
            reader.read(3)
        if self.path.name.endswith(_LINES):
            yield from self._lines(reader)
            return
        while (head := reader.peek(1)) and head.isspace():
            reader.read(len(head))
        if head.lstrip().startswith(b"["):
            yield from self._elements(reader)
            return
        first = reader.readline(self._limits.record + 1)
        if reader.peek(1) and first.rstrip().endswith(b"}") and self._complete(first):
            yield from self._lines(reader, first)
        elif first:
            yield 1, self._bounded(first + reader.read(self._limits.record + 1 - len(first)), 1)

    def _complete(self, line: bytes) -> bool:
        return not isinstance(parsed(self.path, 1, line, self._limits), InputError)

    def _lines(self, reader: Reader, first: bytes = b"") -> Iterator[Numbered]:
        number, room = 0, self._limits.record + 1
        while line := (first or reader.readline(room)):
            first, number = b"", number + 1
            if not line.isspace():
                yield number, self._bounded(line, number)
            while len(line) == room and not line.endswith(b"\n"):
                line = reader.readline(room)

    def _elements(self, reader: Reader) -> Iterator[Numbered]:
        """The elements of a top-level list, or the whole list if its first element is a chat message."""
        elements = self._split(reader)
        number, first = next(elements, (0, b""))
        message = parsed(self.path, 1, first, self._limits)
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            if number:
                yield number, first
            yield from elements
            return
        parts = [b"[" + (b"" if isinstance(first, InputError) else first)]
        for number, part in elements:
            if isinstance(part, InputError):
                field = str(number - 1)
                yield 1, InputError(part.file, part.found, part.fix, record=1, field=field)
                return
            parts.append(part)
        yield 1, self._bounded(b",".join(parts) + b"]\n", 1)

    def _split(self, reader: Reader) -> Iterator[Numbered]:
        number = 0
        try:
            for number, element in enumerate(split(reader, self._limits.record), 1):
                yield number, element
        except JsonError as problem:
            yield number + 1, self._problem(number + 1, problem.found, problem.fix)

    def _bounded(self, record: bytes, number: int) -> bytes | InputError:
        if len(record) <= self._limits.record:
            return record
        found = f"larger than {self._limits.record:,} bytes"
        return self._problem(number, found, "Split the record, or store large content in files of their own.")

    def _problem(self, number: int | None, found: str, fix: str) -> InputError:
        return InputError(str(self.path), found, fix, record=number)


def parsed(file: Path, number: int, raw: bytes | InputError, limits: Limits) -> JsonValue | InputError:
    """The record's value, or the error that names file, record and field."""
    if isinstance(raw, InputError):
        return raw
    try:
        return parse(raw, depth=limits.depth, text=limits.text, values=limits.values)
    except JsonError as problem:
        return InputError(str(file), problem.found, problem.fix, record=number, field=problem.field)
