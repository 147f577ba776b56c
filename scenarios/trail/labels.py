"""TRAIL's traces with the labels of its annotators.

A label names a span (``location``), a category, and an impact. What its ``evidence`` and ``description`` quote is not
read: attributors see the run alone. The spans that may be blamed are those that became steps: model calls, tool calls,
code executed, agents called. In the traces at hand every label stands at one of the first two.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from ifonly.agents.errors import InputError
from ifonly.agents.files import RecordFile, expand, parsed
from ifonly.agents.importers.base import Place, checked
from ifonly.agents.importers.openinference import OpenInference
from ifonly.agents.records import InputStep, Record, Trajectory
from ifonly.agents.streams.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Impact", "Label", "Labelled", "read_labelled"]

Impact = Literal["LOW", "MEDIUM", "HIGH"]
"""How much an error mattered."""


class Label(Record):
    """One error that annotators found: the span it stands at, its category and impact."""

    span: str
    category: str
    impact: Impact


class Labelled(Record):
    """A run with its labels; `subset` names the benchmark that the task is from."""

    run: Trajectory
    labels: tuple[Label, ...]
    subset: str

    @property
    def spans(self) -> tuple[str, ...]:
        """The spans that may be blamed, in the order of the steps."""
        told = [step.span for step in self.run.steps if not isinstance(step, InputStep)]
        return tuple(dict.fromkeys(span for span in told if span is not None))

    @property
    def wanted(self) -> frozenset[str]:
        """The spans that carry a label."""
        return frozenset(label.span for label in self.labels)

    @property
    def grave(self) -> frozenset[str]:
        """The spans that carry a label of high impact."""
        return frozenset(label.span for label in self.labels if label.impact == "HIGH")


class _Error(TypedDict):
    category: str
    location: str
    impact: Impact


class _Labels(TypedDict):
    errors: list[_Error]
    subset: NotRequired[str]


_LABELS = cache(lambda: TypeAdapter(_Labels))


def read_labelled(path: Path, progress: Callable[[int, int], None] | None = None) -> tuple[Labelled, ...]:
    """Read labelled traces.

    Args:
        path: a file with a trace a record, each with its ``errors``; or a folder, of which ``traces.jsonl.gz`` is
            read if it is there, else all.
        progress: called with how many traces were read, twice, for how many there are is not known.

    Raises:
        InputError: a record is no trace, or has no labels; nothing is there, or an id twice.
    """
    known, limits = dict[str, Labelled](), Limits()
    usual = path / "traces.jsonl.gz"
    for file in expand([usual if usual.is_file() else path]):
        if isinstance(file, InputError):
            raise file
        for number, raw in RecordFile(file, limits):
            value = parsed(file, number, raw, limits)
            if isinstance(value, InputError):
                raise value
            place = Place(file, number)
            found = _labelled(value, place)
            if known.setdefault(found.run.id, found) is not found:
                raise place.error("trace_id", f"{found.run.id!r}, which was there before", "Keep one of the two.")
            if progress:
                progress(len(known), len(known))
    return tuple(known.values())


def _labelled(record: Any, place: Place) -> Labelled:
    told = checked(_LABELS(), record, place)
    labels = [Label(span=e["location"], category=e["category"].strip(), impact=e["impact"]) for e in told["errors"]]
    run = OpenInference().parse(record, place)
    return Labelled(run=run, labels=tuple(labels), subset=told.get("subset", "all"))
