"""JSON as strict as records need it: what is read can be written again, digested and shown.

Refused, with the dotted path of the culprit: a key twice in one object, NaN and infinities, integers longer
than Python converts (4,300 digits), lone surrogates, nesting deeper than a limit, text longer than a limit.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import JsonValue

__all__ = ["MAX_DEPTH", "MAX_TEXT", "MAX_VALUES", "JsonError", "parse", "parse_text"]

MAX_DEPTH = 100
"""Deepest nesting of objects and lists; real runs stay below 20."""

MAX_TEXT = 16 * 2**20
"""Longest single text, in bytes as it stands in the file."""

MAX_VALUES = 3_000_000
"""Most values in one record: three bytes of JSON can become two hundred of memory."""

_MAX_DIGITS = 4300
_COUNTED_FROM = 2**20
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_OVERLONG = "\x01ifonly: overlong text\x01"


class JsonError(ValueError):
    """Text that is no JSON, or JSON that cannot be kept; `field` is the dotted path of the culprit."""

    def __init__(self, field: str | None, found: str, fix: str) -> None:
        super().__init__(f"{field}: {found}. {fix}")
        self.field, self.found, self.fix = field, found, fix


class _SuspectError(ValueError):
    """Raised by the quick pass; the second pass finds out what and where."""


class _Culprit:
    """Stands in a parsed value for what must not be there."""

    def __init__(self, found: str, fix: str) -> None:
        self.found, self.fix = found, fix


def parse(raw: bytes, *, depth: int = MAX_DEPTH, text: int = MAX_TEXT, values: int = MAX_VALUES) -> JsonValue:
    """The value of one JSON text in UTF-8.

    Args:
        raw: the text.
        depth: deepest nesting allowed.
        text: longest single text allowed, in bytes.
        values: most values allowed.

    Raises:
        JsonError: the text is no JSON, or cannot be kept (see the module).
    """
    if len(raw) > text:
        _refuse_overlong(raw, depth, text)
    if len(raw) > _COUNTED_FROM:
        _refuse_crowd(raw, values)
    try:
        decoded = raw.decode()
    except UnicodeDecodeError as error:
        raise JsonError(
            None,
            f"byte 0x{raw[error.start]:02x} at offset {error.start} is not UTF-8",
            "Convert the file to UTF-8, for instance with iconv -f latin1 -t utf-8.",
        ) from None
    return parse_text(decoded, depth=depth)


def parse_text(text: str, *, depth: int = MAX_DEPTH) -> JsonValue:
    """As `parse`, for text that is decoded already and of moderate length."""
    try:
        value: JsonValue = _QUICK.decode(text)
    except json.JSONDecodeError as error:
        raise _syntax(text, error) from None
    except RecursionError:
        raise JsonError(None, f"nested deeper than {depth}", _FLATTEN) from None
    except ValueError:
        raise _culprit_of(text) from None
    # Only text with that many brackets can be that deep, and only an escape can make a lone surrogate.
    if text.count("{") + text.count("[") > depth and isinstance(value, dict | list):
        _refuse_deep(value, depth)
    if "\\ud" in text or "\\uD" in text:
        _refuse_surrogates(value)
    return value


_FLATTEN = "Flatten the value, or store it as text."


def _syntax(text: str, error: json.JSONDecodeError) -> JsonError:
    start = max(0, error.pos - 20)
    near = text[start : error.pos + 20]
    if not text[error.pos :].strip() or error.msg.startswith("Unterminated string"):
        cut = f"the JSON is cut off after {len(text)} characters, at {text[-30:].rstrip()!r}"
        return JsonError(None, cut, "Write it again in full, or delete the incomplete record.")
    if "\x00" in near:
        return JsonError(
            None,
            f"a NUL character at {text.index(chr(0), start)}",
            "Remove the NUL bytes: the file is damaged.",
        )
    if error.msg.startswith("Extra data"):
        return JsonError(
            None,
            f"more text after the JSON value, at character {error.pos}: {near!r}",
            "Put one JSON value on a line.",
        )
    return JsonError(None, f"no JSON: {error.msg} at character {error.pos}, {near!r}", "Correct the text there.")


def _strict_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise _SuspectError
    return result


def _strict_float(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise _SuspectError
    return value


def _strict_constant(text: str) -> float:
    raise _SuspectError(text)


_QUICK = json.JSONDecoder(object_pairs_hook=_strict_pairs, parse_float=_strict_float, parse_constant=_strict_constant)


def _marked_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        result[key] = (
            value if key not in result else _Culprit(f"the key {key!r} twice in one object", "Keep one of the two.")
        )
    return result


def _marked_float(text: str) -> float | _Culprit:
    value = float(text)
    return value if value - value == 0 else _Culprit("a number too large for a float", "Write null or a finite number.")


def _marked_int(text: str) -> int | _Culprit:
    if len(text.lstrip("-")) > _MAX_DIGITS:
        return _Culprit(f"an integer of {len(text)} digits; the limit is {_MAX_DIGITS}", "Store it as text.")
    return int(text)


def _marked_constant(text: str) -> _Culprit:
    return _Culprit(f"{text}, which JSON does not have", "Write null or a finite number.")


_MARKING = json.JSONDecoder(
    object_pairs_hook=_marked_pairs,
    parse_float=_marked_float,
    parse_int=_marked_int,
    parse_constant=_marked_constant,
)


def _culprit_of(text: str) -> JsonError:
    try:
        value = _MARKING.decode(text)
    except json.JSONDecodeError as error:
        return _syntax(text, error)
    except RecursionError:
        return JsonError(None, "nested too deep", _FLATTEN)
    for path, item in _walk(value):
        if isinstance(item, _Culprit):
            return JsonError(dotted(path), item.found, item.fix)
    return JsonError(None, "a number that cannot be read", "Write it as text.")


def _refuse_overlong(raw: bytes, depth: int, limit: int) -> None:
    """Raise if a single text is too long; looks at bytes only, so that it costs no memory."""
    pieces, end, longest = [], 0, 0
    for match in _STRING.finditer(raw):
        size = match.end() - match.start() - 2
        if size > limit:
            longest = max(longest, size)
            pieces += [raw[end : match.start()], json.dumps(_OVERLONG).encode()]
            end = match.end()
    if not longest:
        return
    found = f"text of {longest:,} bytes; the limit is {limit:,}"
    shortened = parse(b"".join([*pieces, raw[end:]]), depth=depth, text=len(raw))
    where = _find(shortened, lambda item: item == _OVERLONG)
    raise JsonError(where, found, "Store large content in a file of its own and keep a reference here.")


def _refuse_crowd(raw: bytes, limit: int) -> None:
    bare = _STRING.sub(b"", raw)
    count = sum(map(bare.count, (b",", b"[", b"{")))
    if count > limit:
        found = f"about {count:,} values; the limit is {limit:,}"
        raise JsonError(None, found, "Split the record into several.")


def _refuse_deep(value: JsonValue, limit: int) -> None:
    level: list[Any] = [value]
    for _ in range(limit):
        inner = [item.values() if isinstance(item, dict) else item for item in level]
        level = [item for item in chain.from_iterable(inner) if isinstance(item, dict | list)]
        if not level:
            return
    path = next(path for path, item in _walk(value) if len(path) == limit and isinstance(item, dict | list))
    raise JsonError(dotted(path[:6]) + "...", f"nested deeper than {limit}", _FLATTEN)


def _refuse_surrogates(value: JsonValue) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise JsonError(
            _find(value, _has_surrogate),
            f"the lone surrogate {half}, half a character",
            "Replace it by \\ufffd, or cut the text before it.",
        ) from None


def _has_surrogate(item: object) -> bool:
    texts = item if isinstance(item, dict) else [item]
    return any(isinstance(text, str) and any("\ud800" <= c <= "\udfff" for c in text) for text in texts)


def _find(value: JsonValue, test: Callable[[object], bool]) -> str | None:
    return next((dotted(path) or None for path, item in _walk(value) if test(item)), None)


def _walk(value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value with its path, outer before inner, in document order."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while stack:
        path, item = stack.pop()
        yield path, item
        if isinstance(item, dict):
            stack.extend(((*path, key), item[key]) for key in reversed(item))
        elif isinstance(item, list):
            stack.extend(((*path, index), item[index]) for index in range(len(item) - 1, -1, -1))


def dotted(path: tuple[str | int, ...]) -> str:
    """A path as text: ``messages.3.content``. Keys are shortened and kept printable."""
    return ".".join(part if part.isidentifier() else ascii(part)[1:-1][:40] for part in map(str, path))
