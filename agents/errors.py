"""The errors a user can act on.

Every error says what was asked, what was found, what is near, and what to do:

    IfonlyError
    |-- InputError          a file, record or field that cannot be read
    |-- UnknownName         a run, site, tool, format or dataset that does not exist
    |-- ToolEnvironmentError   a tool environment that is missing, or cannot take a call
    |-- ActionError         an action that makes no sense for this run
    |-- ProviderError       a model that cannot be asked, or did not answer
    |   `-- UnfinishedReply     one whose reply did not come whole (`ifonly.agents.wire`)
    |-- CassetteMiss        a request that a cassette does not hold
    `-- BudgetSpent         a call that the budget does not cover, or whose price is not known
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ActionError",
    "BudgetSpent",
    "CassetteMiss",
    "IfonlyError",
    "InputError",
    "ProviderError",
    "ToolEnvironmentError",
    "UnknownName",
    "nearest",
]

_SHOWN = 8
"""How many known names an error lists."""


def nearest(asked: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """The names closest to ``asked`` by difflib's ratio, best first."""
    return tuple(difflib.get_close_matches(asked, list(known), n=limit, cutoff=0.4))


class IfonlyError(Exception):
    """An error with its place and its remedy.

    Args:
        asked: what the user or caller wanted.
        found: what was there instead.
        near: names or places close to what was asked, best first.
        fix: what to do about it.
    """

    def __init__(self, asked: str, found: str, fix: str, near: Iterable[str] = ()) -> None:
        self.asked, self.found, self.fix, self.near = asked, found, fix, tuple(near)
        super().__init__(asked, found, fix, self.near)

    def __str__(self) -> str:
        near = f"; near: {', '.join(self.near)}" if self.near else ""
        return f"{self.asked}: {self.found}{near}. {self.fix}"


class InputError(IfonlyError):
    """A file, record or field that cannot be read.

    Args:
        file: the file as the user named it.
        found: what was there instead.
        fix: what to do about it.
        record: line of a JSONL file or index in a JSON list, counted from 1; None for the whole file.
        field: dotted path inside the record, for instance ``messages.3.tool_call_id``.
        near: field names or formats close to what was found.
    """

    def __init__(
        self,
        file: str,
        found: str,
        fix: str,
        *,
        record: int | None = None,
        field: str | None = None,
        near: Iterable[str] = (),
    ) -> None:
        self.file, self.record, self.field = file, record, field
        place = file if record is None else f"{file}, record {record}"
        super().__init__(place if field is None else f"{place}, field {field}", found, fix, near)


class UnknownName(IfonlyError):
    """A run, site, tool, format or dataset that does not exist."""

    def __init__(self, kind: str, asked: str, known: Iterable[str], fix: str | None = None) -> None:
        known = list(known)
        near = nearest(asked, known)
        shown = ", ".join(known[:_SHOWN]) + (", ..." if known[_SHOWN:] else "")
        self.kind, self.name, self.known = kind, asked, known
        super().__init__(f"{kind} {asked!r}", "no such name", fix or f"Known: {shown or 'none'}.", near)


class ToolEnvironmentError(IfonlyError):
    """A tool environment that is not installed, or cannot take what it was given."""


class ActionError(IfonlyError):
    """An action that makes no sense for this run, for instance a tool call put at a model step."""


class ProviderError(IfonlyError):
    """A model that cannot be asked, or did not answer: unknown, unreachable, refused, timed out."""


class CassetteMiss(IfonlyError):
    """A request that a cassette does not hold.

    Args:
        asked: the request, named.
        found: how the nearest recorded request differs, field by field.
        fix: what to do about it.
        near: the nearest recorded requests, best first.
        difference: field, what was asked and what is recorded, for each field that differs from the nearest.
    """

    def __init__(
        self,
        asked: str,
        found: str,
        fix: str,
        near: Iterable[str] = (),
        difference: Iterable[tuple[str, str, str]] = (),
    ) -> None:
        super().__init__(asked, found, fix, near)
        self.difference = tuple(difference)


class BudgetSpent(IfonlyError):
    """A call that the budget does not cover, or whose price is not known."""
