"""The cassette itself: look-ups, and additions that are on the disk when they return."""

from __future__ import annotations

import os
import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from ifonly.agents.cassette.appending import Appender, content_of
from ifonly.agents.cassette.index import Index, completion_of, key_of
from ifonly.agents.cassette.lines import HEADER, lines_of, sealed, whole_length
from ifonly.agents.cassette.nearest import miss_of
from ifonly.agents.errors import InputError
from ifonly.agents.redaction import Redactor, redact_completion, redact_request, remembering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from ifonly.agents.completion import Completion
    from ifonly.agents.errors import CassetteMiss
    from ifonly.agents.records import Request

__all__ = ["Cassette", "Entry", "Mode"]


class Mode(StrEnum):
    """Whether the model is asked.

    `NONE` never asks: what is not recorded is a `CassetteMiss`. `NEW` serves what is recorded, and asks and records
    the rest. `ALL` always asks and records: of each request that is asked in it, it replaces all earlier recordings.
    """

    NONE = "none"
    NEW = "new"
    ALL = "all"

    @classmethod
    def default(cls) -> Mode:
        """`NONE` in continuous integration (the environment variable ``CI`` is set and not false), else `NEW`."""
        return cls.NEW if os.environ.get("CI", "").lower() in {"", "0", "false", "no"} else cls.NONE


class Entry(NamedTuple):
    """One recorded call, redacted: the request, its occurrence (from 0) and the completion."""

    request: Request
    occurrence: int
    completion: Completion


class Cassette:
    """Recorded requests and their completions in one file; a context manager.

    Args:
        path: the file; with `NEW` and `ALL` it is made if it is not there, and locked until the cassette is closed.
        mode: see `Mode`.
        fsync: whether an addition waits for the disk. Without, it survives a crash of the program, not of the machine.

    Raises:
        InputError: the file cannot be read, is no cassette, is damaged, of a later format, or being written by another.
    """

    def __init__(self, path: str | Path, mode: Mode = Mode.NONE, *, fsync: bool = True) -> None:
        self.path, self.mode = Path(path), mode
        self._index, self._find, self._lock = Index(), remembering(), threading.Lock()
        self._file: Appender | None = None
        if mode is Mode.NONE:
            self._take_up(content_of(self.path))
        else:
            self._file = Appender(self.path, fsync)
            try:
                self._prepare(self._file)
            except BaseException:
                self.close()
                raise
        self._session = self._index.session + 1 if mode is Mode.ALL and self._index.calls else self._index.session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """How many recorded calls can be served."""
        return sum(map(len, self._index.calls.values()))

    def close(self) -> None:
        """Give the file free. Every addition is in it already; look-ups go on to work."""
        if self._file is not None:
            self._file.close()

    def key(self, request: Request) -> str:
        """What the request is found by: a digest of its model and of all of it, redacted, ids of tool calls aside."""
        return key_of(redact_request(request, Redactor(self._find)))

    def find(self, request: Request, occurrence: int = 0) -> Completion | None:
        """The completion that was recorded when this request was made for the n-th time, counted from 0."""
        return self.at(self.key(request), occurrence)

    def at(self, key: str, occurrence: int = 0) -> Completion | None:
        """As `find`, by the request's `key`."""
        call = self._index.calls.get(key, {}).get(occurrence)
        return None if call is None else completion_of(call)

    def add(self, request: Request, completion: Completion, occurrence: int | None = None) -> None:
        """Record a call. When this returns, it is in the file; if it raises, nothing of it is.

        Args:
            request: as it was asked; secrets are taken out.
            completion: as it was answered; secrets are taken out.
            occurrence: which asking of this request it was, from 0; None for the one after the recorded ones.

        Raises:
            IfonlyError: the cassette is open for reading only, or the file cannot be written.
        """
        if self._file is None:
            raise InputError(str(self.path), "is open for reading only", "Open the cassette with mode new or all.")
        redactor = Redactor(self._find)
        asked, answered = redact_request(request, redactor), redact_completion(completion, redactor)
        key = key_of(asked)
        with self._lock:
            calls = self._index.calls.get(key, {})
            latest = next(iter(calls.values())).session if calls else self._session
            session = max(latest, self._session) if self.mode is Mode.ALL else latest
            if occurrence is None:
                occurrence = max(calls, default=-1) + 1 if session == latest else 0
            lines = self._index.lines(asked, answered, session, occurrence)
            self._file.append(b"".join(map(sealed, lines)))
            for line in lines:
                self._index.place(line)

    def entries(self) -> Iterator[Entry]:
        """The recorded calls that can be served, requests in the order of their first recording."""
        for call in self._index.current():
            yield Entry(self._index.request(call), call.occurrence, completion_of(call))

    def miss(self, request: Request, occurrence: int = 0) -> CassetteMiss:
        """The error that says how the request differs from the nearest recorded one."""
        asked = redact_request(request, Redactor(self._find))
        return miss_of(str(self.path), self._index, asked, occurrence)

    def _prepare(self, file: Appender) -> None:
        raw = file.read()
        self._take_up(raw)
        length, unended = whole_length(raw)
        file.cut(length)
        if not length:
            file.append(HEADER)
        elif unended:
            file.append(b"\n")

    def _take_up(self, raw: bytes) -> None:
        for number, line in lines_of(str(self.path), raw):
            try:
                self._index.place(line)
            except (KeyError, TypeError, AttributeError) as error:
                raise InputError(
                    str(self.path),
                    f"this line lacks or names what is not there: {error}",
                    "Restore the file.",
                    record=number,
                ) from None
