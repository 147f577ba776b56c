"""Attributes of a span as a tree: OTLP's typed values, and dotted names such as ``llm.input_messages.0.message.role``.

A name may end where others go on (``a`` beside ``a.b``): the value then stands at the key ``""`` of the object.
Numbered names make a list, in the order of their numbers; a gap (OpenTelemetry drops attributes beyond
``OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT``, 128) closes.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from ifonly.agents.streams.strict_json import JsonError, parse_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import JsonValue

    from ifonly.agents.importers.base import Place

__all__ = ["MAX_PARTS", "at", "decoded", "json_at", "number_at", "text_at", "tree_of", "typed"]

MAX_PARTS = 24
"""Parts of a dotted name; the longest of OpenInference has eight. A longer name stays one part."""


def tree_of(attributes: Any) -> dict[str, Any]:
    """The attributes as objects in objects, with lists where names are numbers.

    Args:
        attributes: names with values; the values may be objects themselves.
    """
    root: dict[str, Any] = {}
    for name, value in attributes.items():
        parts = name.split(".")
        if len(parts) > MAX_PARTS:
            parts = [name]
        node = root
        for part in parts[:-1]:
            below = node.get(part)
            if not isinstance(below, dict):
                below = node[part] = {} if below is None else {"": below}
            node = below
        last = parts[-1]
        if isinstance(node.get(last), dict) and isinstance(value, dict):
            node[last].update(_copied(value))
        elif isinstance(node.get(last), dict):
            node[last][""] = value
        else:
            node[last] = _copied(value)
    return {name: _listed(value) for name, value in root.items()}


def _copied(value: Any) -> Any:
    return {name: _copied(inner) for name, inner in value.items()} if isinstance(value, dict) else value


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    below = {name: _listed(inner) for name, inner in value.items()}
    if below and all(name.isascii() and name.isdigit() and len(name) < 10 for name in below):  # noqa: PLR2004
        return [below[name] for name in sorted(below, key=int)]
    return below


def at(tree: Any, path: str) -> Any:
    """What stands at a dotted path of a tree; None where nothing does."""
    for part in path.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree.get("", tree) if isinstance(tree, dict) else tree


def text_at(tree: Any, *paths: str) -> str | None:
    """The first text, not empty, at one of the paths."""
    return next((value for path in paths if isinstance(value := at(tree, path), str) and value), None)


def number_at(tree: Any, place: Place, *paths: str) -> int | None:
    """The first count at one of the paths, which some exporters write as text.

    Raises:
        InputError: it is no whole number, or below zero.
    """
    for path in paths:
        value = at(tree, path)
        if value is None:
            continue
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:  # noqa: PLR2004
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or value < 0:
            raise place.error(path, f"{value!r:.40} where a count is needed", "Put a whole number there.")
        return int(value)
    return None


def json_at(tree: Any, place: Place, *paths: str) -> JsonValue:
    """The first value at one of the paths, parsed where it is JSON text; None where there is none, or empty text.

    Raises:
        InputError: the text is no JSON.
    """
    for path in paths:
        value: JsonValue = at(tree, path)
        if isinstance(value, str):
            if not value.strip():
                continue
            try:
                return parse_text(value)
            except JsonError as problem:
                where = f"{path}.{problem.field}" if problem.field else path
                raise place.error(where, problem.found, problem.fix) from None
        if value is not None:
            return value
    return None


def decoded(pairs: Iterable[Any], place: Place) -> dict[str, Any]:
    """The attributes of OTLP's list of keys and typed values.

    Raises:
        InputError: a pair has no key, or a value of no known type.
    """
    found: dict[str, Any] = {}
    for number, pair in enumerate(pairs):
        key = pair.get("key") if isinstance(pair, dict) else None
        if not isinstance(key, str):
            raise place.error(f"attributes.{number}.key", "missing", "Write attributes as OTLP/JSON does.")
        found[key] = typed(pair.get("value"), place, f"attributes.{number}.value")
    return found


def typed(value: Any, place: Place, where: str) -> Any:
    """The value of one OTLP ``AnyValue``; None where it is empty.

    Raises:
        InputError: it is of no known type.
    """
    if value is None or value == {}:
        return None
    kind, inner = next(iter(value.items())) if isinstance(value, dict) else ("", None)
    match kind, inner:
        case ("stringValue", str()) | ("boolValue", bool()) | ("doubleValue", float()):
            return inner
        case ("intValue" | "doubleValue", int()) if not isinstance(inner, bool):
            return inner
        case ("intValue", str()) if inner.lstrip("-").isascii() and inner.lstrip("-").isdigit() and len(inner) < 20:  # noqa: PLR2004
            return int(inner)
        case ("arrayValue", dict()):
            items = inner.get("values", [])
            if isinstance(items, list):
                return [typed(item, place, f"{where}.arrayValue.values.{index}") for index, item in enumerate(items)]
        case ("kvlistValue", dict()):
            pairs = inner.get("values", [])
            if isinstance(pairs, list):
                return decoded(pairs, place)
        case ("bytesValue", str()):
            try:
                return base64.b64decode(inner, validate=True).decode("utf-8", "backslashreplace")
            except binascii.Error:
                pass
    raise place.error(where, f"{value!r:.60}, no value of OTLP/JSON", 'Write values such as {"stringValue": "text"}.')
