"""A span as every carrier tells of it, and its place in the record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ifonly.agents.importers.base import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ifonly.agents.errors import InputError

__all__ = ["Inside", "Span", "failure_of", "inside"]

_ERRORS = frozenset({"ERROR", "STATUS_CODE_ERROR", "2"})


@dataclass(eq=False)
class Span:
    """One span.

    Attributes:
        id: of the span.
        name: of what ran.
        parent: id of the span that it ran in.
        scope: name of the instrumentation.
        tree: the attributes.
        place: where it stands, for errors.
        started: in seconds since the Unix epoch.
        seconds: how long it took.
        error: what the status says, where it says error.
        children: the spans that ran in it, in the order in which they started.
    """

    id: str
    name: str
    parent: str | None
    scope: str
    tree: dict[str, Any]
    place: Place
    started: float | None = None
    seconds: float | None = None
    error: str | None = None
    children: list[Span] = field(default_factory=list)

    @property
    def ended(self) -> float | None:
        """When it ended, in seconds since the Unix epoch."""
        return None if self.started is None or self.seconds is None else self.started + self.seconds


@dataclass(frozen=True)
class Inside(Place):
    """A place inside a record, whose path goes before that of every error."""

    prefix: str = ""

    def error(self, path: str | None, found: str, fix: str, near: Iterable[str] = ()) -> InputError:
        """As of the record, with the path in it."""
        inner = ".".join(part for part in (self.prefix, path) if part)
        return super().error(inner, found, fix, near)


def inside(place: Place, prefix: str) -> Inside:
    """The place of what stands at a path in the record at a place."""
    return Inside(place.file, place.number, place.companions, place.model, prefix)


def failure_of(code: str | int | None, message: str | None) -> str | None:
    """What a status says, where it says error; its code is a number or a name."""
    return (message or "error") if str(code).upper() in _ERRORS else None
