"""The trace of a record: its spans, each with those that ran in it.

A span that stands twice, to the letter, counts once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ifonly.agents.importers.openinference.nested import nested_spans
from ifonly.agents.importers.openinference.otlp import otlp_spans, raw_spans
from ifonly.agents.importers.openinference.spans import Span

if TYPE_CHECKING:
    from ifonly.agents.importers.base import Place

__all__ = ["MAX_NESTING", "MAX_SPANS", "Trace", "trace_id_of", "trace_of"]

MAX_SPANS = 10_000
"""Most spans of a trace."""

MAX_NESTING = 200
"""Most spans that run in one another."""


@dataclass(frozen=True)
class Trace:
    """A trace: its spans by id, those that ran in no other, and the name of the service that ran."""

    id: str
    spans: dict[str, Span]
    roots: tuple[Span, ...]
    service: str | None


def trace_id_of(record: Any) -> str | None:
    """The id of a record's trace; None where it is broken."""
    if not isinstance(record, dict):
        return None
    if "resourceSpans" in record:
        found = [raw.get("traceId") for raw in raw_spans(record)]
        named = found[0] if found and all(other == found[0] for other in found) else None
    else:
        named = record.get("trace_id")
    return named if isinstance(named, str) and named else None


def trace_of(record: Any, place: Place) -> Trace:
    """The trace of a record.

    Raises:
        InputError: a span is broken, stands twice, or runs in itself; there is no span, or there are too many; the
            record holds several traces.
    """
    spans, service = dict[str, Span](), None
    made = otlp_spans(record, place) if "resourceSpans" in record else nested_spans(record, place)
    for span, serving in made:
        service = service or serving
        known = spans.setdefault(span.id, span)
        if known is not span and _value(known) != _value(span):
            raise span.place.error("span_id", f"{span.id!r}, which another span has too", "Give each span its own id.")
        if len(spans) > MAX_SPANS:
            raise place.error("spans", f"more than {MAX_SPANS:,} spans", "Split the trace at its agents.")
    if not spans:
        raise place.error("spans", "no span", "Export the trace again.")
    name = trace_id_of(record)
    if name is None:
        raise place.error("trace_id", "empty", "Give the trace its id.")
    return Trace(name, spans, _linked(spans, place), service)


def _value(span: Span) -> tuple[object, ...]:
    return span.name, span.parent, span.started, span.seconds, span.error, span.tree


def _linked(spans: dict[str, Span], place: Place) -> tuple[Span, ...]:
    """Give each span its children; those without parent in the trace are its roots."""
    roots = list[Span]()
    for span in spans.values():
        above = spans.get(span.parent or "")
        (roots if above is None else above.children).append(span)
    reached, waiting = 0, [(root, 1) for root in roots]
    while waiting:
        span, depth = waiting.pop()
        if depth > MAX_NESTING:
            raise span.place.error("parent_span_id", f"more than {MAX_NESTING} spans in one another", "Cut the trace.")
        reached += 1
        waiting += [(child, depth + 1) for child in span.children]
    if reached < len(spans):
        raise place.error("spans", "a span that runs in itself", "Export the trace again: its parents form a circle.")
    for span in spans.values():
        span.children.sort(key=_start)
    return tuple(sorted(roots, key=_start))


def _start(span: Span) -> float:
    return math.inf if span.started is None else span.started
