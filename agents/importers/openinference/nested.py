"""Spans in spans: ``{"trace_id", "spans": [{"span_id", "timestamp", "duration", "child_spans": [...]}]}``.

So TRAIL (arXiv 2505.08638) publishes its traces: times in ISO 8601, attributes under ``span_attributes``. Spans may
also be flat, with ``parent_span_id``. Where messages repeat, a record may hold each once: ``messages`` maps a name to a
message, and the attribute ``llm.input_messages.sha`` lists names.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from ifonly.agents.importers.base import checked
from ifonly.agents.importers.openinference.attributes import at, tree_of
from ifonly.agents.importers.openinference.spans import Span, failure_of, inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ifonly.agents.importers.base import Place

__all__ = ["nested_spans"]

_DURATION = re.compile(r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", re.ASCII)


class _Plain(TypedDict):
    span_id: str
    span_name: str
    timestamp: NotRequired[str | None]
    duration: NotRequired[str | None]
    parent_span_id: NotRequired[str | None]
    status_code: NotRequired[str | int | None]
    status_message: NotRequired[str | None]
    scope_name: NotRequired[str | None]
    scope: NotRequired[list[str]]
    service_name: NotRequired[str | None]
    attributes: NotRequired[dict[str, Any]]
    span_attributes: NotRequired[dict[str, Any]]
    child_spans: NotRequired[list[Any]]


class _Nest(TypedDict):
    trace_id: str
    spans: list[Any]
    messages: NotRequired[dict[str, dict[str, Any]]]


_PLAIN = cache(lambda: TypeAdapter(_Plain))
_NEST = cache(lambda: TypeAdapter(_Nest))


def nested_spans(record: Any, place: Place) -> Iterator[tuple[Span, str | None]]:
    """The spans of a record, each with the name of its service.

    Raises:
        InputError: a span is broken, or names a message that the record does not hold.
    """
    nest = checked(_NEST(), record, place)
    messages = nest.get("messages", {})
    waiting: list[tuple[Any, str | None, str]] = [
        (raw, None, f"spans.{index}") for index, raw in reversed(list(enumerate(nest["spans"])))
    ]
    while waiting:
        raw, above, where = waiting.pop()
        here = inside(place, where)
        plain = checked(_PLAIN(), raw, here)
        tree = tree_of(plain.get("span_attributes") or plain.get("attributes") or {})
        _recall(tree, messages, here)
        yield (
            Span(
                id=plain["span_id"],
                name=plain["span_name"],
                parent=plain.get("parent_span_id") or above,
                scope=plain.get("scope_name") or next(iter(plain.get("scope", [])), ""),
                tree=tree,
                place=here,
                started=_instant(plain.get("timestamp"), here),
                seconds=_duration(plain.get("duration"), here),
                error=failure_of(plain.get("status_code"), plain.get("status_message")),
            ),
            plain.get("service_name"),
        )
        below = list(enumerate(plain.get("child_spans", [])))
        waiting += [(child, plain["span_id"], f"{where}.child_spans.{index}") for index, child in reversed(below)]


def _recall(tree: dict[str, Any], messages: dict[str, dict[str, Any]], place: Place) -> None:
    """Put the messages that stand once in the record where the span names them."""
    names = at(tree, "llm.input_messages.sha")
    if not isinstance(names, list):
        return
    for name in names:
        if not isinstance(name, str) or name not in messages:
            raise place.error("llm.input_messages.sha", f"no message {name!r:.40}", "Keep `messages` in the record.")
    tree["llm"]["input_messages"] = [{"message": messages[name]} for name in names]


def _instant(text: str | None, place: Place) -> float | None:
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise place.error(
            "timestamp", f"{text[:40]!r}, no time in ISO 8601", "Write it as 2025-03-19T16:32:08Z."
        ) from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _duration(text: str | None, place: Place) -> float | None:
    if not text:
        return None
    parts = _DURATION.fullmatch(text)
    if parts is None or not any(parts.groups()):
        raise place.error("duration", f"{text[:40]!r}, no duration in ISO 8601", "Write it as PT1M48.75S.")
    days, hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
