"""OTLP/JSON: ``{"resourceSpans": [{"resource", "scopeSpans": [{"scope", "spans": [...]}]}]}``.

Times in nanoseconds since the Unix epoch, as numbers or text; attributes as lists of keys and typed values.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from ifonly.agents.importers.base import checked
from ifonly.agents.importers.openinference.attributes import decoded, tree_of
from ifonly.agents.importers.openinference.spans import Span, failure_of, inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ifonly.agents.importers.base import Place

__all__ = ["otlp_spans", "raw_spans"]

_NANO = 10**9


class _Status(TypedDict):
    code: NotRequired[int | str]
    message: NotRequired[str]


class _Otlp(TypedDict):
    traceId: str
    spanId: str
    name: str
    parentSpanId: NotRequired[str | None]
    startTimeUnixNano: NotRequired[int | str]
    endTimeUnixNano: NotRequired[int | str]
    attributes: NotRequired[list[Any]]
    status: NotRequired[_Status]


class _Scope(TypedDict):
    name: NotRequired[str]


class _ScopeSpans(TypedDict):
    scope: NotRequired[_Scope]
    spans: NotRequired[list[Any]]


class _Resource(TypedDict):
    attributes: NotRequired[list[Any]]


class _ResourceSpans(TypedDict):
    resource: NotRequired[_Resource]
    scopeSpans: NotRequired[list[_ScopeSpans]]


class _Document(TypedDict):
    resourceSpans: list[_ResourceSpans]


_OTLP = cache(lambda: TypeAdapter(_Otlp))
_DOCUMENT = cache(lambda: TypeAdapter(_Document))


def raw_spans(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The span objects of a document of any shape, good or broken."""
    waiting: list[Any] = [(record, "resourceSpans", "scopeSpans", "spans")]
    while waiting:
        holder, *keys = waiting.pop()
        if not keys and isinstance(holder, dict):
            yield holder
        elif keys and isinstance(holder, dict) and isinstance(below := holder.get(keys[0]), list):
            waiting += [(item, *keys[1:]) for item in reversed(below)]


def otlp_spans(record: Any, place: Place) -> Iterator[tuple[Span, str | None]]:
    """The spans of a document, each with the name of its service.

    Raises:
        InputError: a span is broken; the document holds several traces.
    """
    document, trace = checked(_DOCUMENT(), record, place), None
    for first, group in enumerate(document["resourceSpans"]):
        where = f"resourceSpans.{first}"
        resource = decoded(group.get("resource", {}).get("attributes", []), inside(place, f"{where}.resource"))
        service = resource.get("service.name")
        for second, scoped in enumerate(group.get("scopeSpans", [])):
            for third, raw in enumerate(scoped.get("spans", [])):
                here = inside(place, f"{where}.scopeSpans.{second}.spans.{third}")
                span = checked(_OTLP(), raw, here)
                if (trace := trace or span["traceId"]) != span["traceId"]:
                    found = f"a span of trace {span['traceId']}, after one of {trace}"
                    raise here.error("traceId", found, "Write each trace to a record of its own (a line of JSONL).")
                made = _otlp_span(span, scoped.get("scope", {}).get("name", ""), here)
                yield made, service if isinstance(service, str) else None


def _otlp_span(raw: _Otlp, scope: str, place: Place) -> Span:
    started = _nano(raw.get("startTimeUnixNano"), "startTimeUnixNano", place)
    ended = _nano(raw.get("endTimeUnixNano"), "endTimeUnixNano", place)
    status = raw.get("status", {})
    if not raw["traceId"] or not raw["spanId"]:
        raise place.error("spanId" if raw["traceId"] else "traceId", "empty", "Export the trace again.")
    return Span(
        id=raw["spanId"],
        name=raw["name"],
        parent=raw.get("parentSpanId") or None,
        scope=scope,
        tree=tree_of(decoded(raw.get("attributes", []), place)),
        place=place,
        started=None if started is None else started / _NANO,
        seconds=None if started is None or ended is None else max(0, ended - started) / _NANO,
        error=failure_of(status.get("code"), status.get("message")),
    )


def _nano(value: int | str | None, name: str, place: Place) -> int | None:
    if value is None or value in ("", "0", 0):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 22:  # noqa: PLR2004
        value = int(value)
    if isinstance(value, str) or not 0 < value < 2**64:
        raise place.error(name, f"{value!r:.40}, no time in nanoseconds", "Write nanoseconds since the Unix epoch.")
    return value
