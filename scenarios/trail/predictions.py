"""What another attributor said, from a file: a JSON object a trace, as TRAIL's judges write.

``{"trace_id": "...", "errors": [{"location": "span id", "category": "..."}]}``, the most suspect first. All locations
are named; a location that is no span of the trace counts as named, and is never right. A trace that the file does not
hold counts as one in which nothing was named.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from ifonly.agents.errors import InputError, nearest
from ifonly.agents.files import RecordFile, parsed
from ifonly.agents.importers.base import Place, checked
from ifonly.agents.streams.limits import Limits
from ifonly.scenarios.trail.metrics import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ifonly.scenarios.trail.labels import Labelled

__all__ = ["read_predictions"]


class _Error(TypedDict):
    location: str
    category: NotRequired[str]


class _Said(TypedDict):
    trace_id: str
    errors: list[_Error]


_SAID = cache(lambda: TypeAdapter(_Said))


def read_predictions(path: Path, traces: Sequence[Labelled]) -> list[Verdict]:
    """What a file says of each trace.

    Raises:
        InputError: the file cannot be read, a record is broken, names a trace that is not there, or one twice.
    """
    known, said, limits = {trace.run.id: trace for trace in traces}, dict[str, _Said](), Limits()
    for number, raw in RecordFile(path, limits):
        value = parsed(path, number, raw, limits)
        if isinstance(value, InputError):
            raise value
        place = Place(path, number)
        told = checked(_SAID(), value, place)
        key = told["trace_id"]
        if key not in known:
            near = nearest(key, known)
            raise place.error("trace_id", f"{key!r:.60}, which is not among the traces", "Correct the id.", near)
        if said.setdefault(key, told) is not told:
            raise place.error("trace_id", f"{key!r:.60}, which was there before", "Keep one of the two.")
    return [_verdict(trace, said[trace.run.id]["errors"] if trace.run.id in said else []) for trace in traces]


def _verdict(trace: Labelled, errors: Sequence[_Error]) -> Verdict:
    named = list(dict.fromkeys(error["location"] for error in errors))
    categories = {
        span: frozenset(
            error["category"].strip() for error in errors if error["location"] == span and "category" in error
        )
        for span in named
    }
    scores = dict.fromkeys(trace.spans, -1.0) | {span: float(len(named) - n) for n, span in enumerate(named)}
    return Verdict(scores=scores, take=len(named), categories=categories)
