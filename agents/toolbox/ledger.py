"""The journal of irreversible effects: what was begun and what is done, on disk before and after each.

An effect has a key: the digest of the run, the site, the tool and the arguments. ``begin`` is on disk before the
effect starts, and ``done`` with the result before anyone sees it. After a crash, the same run started again finds

- nothing: nothing happened; the effect is made for the first time;
- begin and done: it happened; the result is taken from the journal, and nothing is called;
- begin alone: it happened or not. A tool that takes an idempotency key is called again with the same key; of any other
  the session says that it may have happened, and it is never called again.

One process writes for a run at a time; the file is only ever appended to.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue, ValidationError

from ifonly.agents.canonical import canonical_json, digest
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import InputError
from ifonly.agents.records import Record, ToolResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ["Ledger", "effect_key"]

_TORN = b"~torn\n"
"""Ends a line that a crash cut short; no line of JSON ends so."""


class _Line(Record):
    """One line: an effect that begins, or one that is done."""

    do: str
    key: str
    result: ToolResult | None = None


def effect_key(run: str, site: str, tool: str, arguments: Mapping[str, JsonValue]) -> str:
    """The idempotency key of an effect."""
    return digest(canonical_json([run, site, tool, dict(arguments)]))


class Ledger:
    """The effects of the runs of one journal.

    Args:
        path: the journal; made when the first effect begins, readable by its owner alone.
        redact: takes secrets out of what is written. A result that is taken from the journal comes without them.

    Raises:
        InputError: the journal holds a line that is none, so what was done cannot be known.
    """

    def __init__(self, path: str | Path, redact: Callable[[JsonValue], JsonValue] | None = None) -> None:
        self.path, self._redact = Path(path), redact
        self._begun: set[str] = set()
        self._done: dict[str, ToolResult] = {}
        self._read()

    async def once(
        self, key: str, effect: Callable[[], Awaitable[ToolResult]], *, again: bool
    ) -> ToolResult | Undetermined:
        """The result of an effect that is to happen once.

        Args:
            key: of the effect.
            effect: makes it happen.
            again: whether it may be asked for again under the same key, because the other side honours keys.
        """
        if key in self._done:
            return self._done[key]
        if key in self._begun and not again:
            return Undetermined(
                why=f"a crash came between its begin and its end: it may have happened (key {key})",
                near=str(self.path),
            )
        if key not in self._begun:
            self._write(_Line(do="begin", key=key))
            self._begun.add(key)
        result = await effect()
        self._write(_Line(do="done", key=key, result=result))
        self._done[key] = result
        return result

    def _write(self, line: _Line) -> None:
        value: JsonValue = line.model_dump(mode="json", exclude_none=True)
        if self._redact is not None and isinstance(value, dict) and "result" in value:
            value = {**value, "result": self._redact(value["result"])}
        self._append(canonical_json(value).encode("utf-8", "backslashreplace") + b"\n")

    def _append(self, data: bytes) -> None:
        new = not self.path.exists()
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        if new:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _read(self) -> None:
        if not self.path.exists():
            return
        lines = self.path.read_bytes().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            self._append(_TORN)
            lines.pop()
        for number, raw in enumerate(lines, 1):
            if raw.endswith(_TORN):
                continue
            try:
                line = _Line.model_validate_json(raw)
            except ValidationError as error:
                found = f"a line that is no entry: {error.errors(include_url=False)[0]['msg']}"
                fix = "Say which effects are done by mending the line; the journal decides what is not done again."
                raise InputError(str(self.path), found, fix, record=number) from None
            if line.do == "begin":
                self._begun.add(line.key)
            elif line.result is not None:
                self._done[line.key] = line.result
