"""The lines of a cassette: JSON objects, each sealed by a checksum over its own bytes."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ifonly.agents.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HEADER", "VERSION", "Damaged", "Numbered", "lines_of", "sealed", "whole_length"]

# Of the lines written; all from 1 up to this are read.
VERSION = 1

# The first line of a file.
HEADER = f'{{"ifonly_cassette":{VERSION}}}\n'.encode()

_CHECK = 16
_SEAL = re.compile(rb',"check":"([0-9a-f]{%d})"\}' % _CHECK)
_SEAL_LENGTH = len(',"check":""}') + _CHECK
_HEAD = re.compile(rb'\{\s*"ifonly_cassette"\s*:\s*([0-9]{1,9})\s*\}')


class Numbered(NamedTuple):
    """A line's number in the file, counted from 1, and its content."""

    number: int
    content: dict[str, Any]


class Damaged(ValueError):
    """A line that is not what was written."""


def sealed(content: dict[str, Any]) -> bytes:
    """One line with its checksum and its line feed."""
    # An impossible token has the log-probability -Infinity, which JSON in Python can say.
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # JSON may hold lone surrogates and UTF-8 may not: such a line is written in escapes.
    try:
        body = text.encode()[:-1]
    except UnicodeEncodeError:
        body = json.dumps(content, separators=(",", ":")).encode()[:-1]
    return body + b',"check":"' + _sum(body).encode() + b'"}\n'


def lines_of(file: str, raw: bytes) -> Iterator[Numbered]:
    """The lines after the header; a last line that a crash tore off is left out.

    Raises:
        InputError: the file is no cassette, is of a later format, or holds a damaged line.
    """
    if not raw:
        return
    first, *rest = raw.split(b"\n")
    if not rest and HEADER.startswith(first) and first != HEADER[:-1]:
        return
    _read_header(file, first)
    torn = rest.pop() if rest else b""
    for number, line in enumerate(rest, 2):
        try:
            yield Numbered(number, _opened(line))
        except Damaged as error:
            raise InputError(
                file,
                f"this line {error}",
                "Restore the file, or remove the line: the calls that need it are then asked again.",
                record=number,
            ) from None
    if torn:
        try:
            yield Numbered(len(rest) + 2, _opened(torn))
        except Damaged:
            return


def whole_length(raw: bytes) -> tuple[int, bool]:
    """Bytes up to where the next line may be written, and whether a line feed has to come first."""
    end = raw.rfind(b"\n") + 1
    tail = raw[end:]
    if not tail:
        return end, False
    try:
        _opened(tail)
    except Damaged:
        return (len(raw), True) if raw == HEADER[:-1] else (end, False)
    return len(raw), True


def _read_header(file: str, first: bytes) -> None:
    head = _HEAD.fullmatch(first.strip())
    if head is None:
        found = f"begins with {first[:40].decode('utf-8', 'replace')!r}: no cassette"
        raise InputError(file, found, 'The first line of a cassette is {"ifonly_cassette": 1}.', record=1)
    version = int(head[1])
    if not 1 <= version <= VERSION:
        raise InputError(
            file, f"is a cassette of format {version}; this ifonly reads up to {VERSION}", "Upgrade ifonly.", record=1
        )


def _opened(line: bytes) -> dict[str, Any]:
    cut = max(0, len(line) - _SEAL_LENGTH)
    seal = _SEAL.fullmatch(line, cut)
    if seal is None:
        raise Damaged("has no checksum at its end: it was cut or changed")
    body = line[:cut]
    if _sum(body) != seal[1].decode():
        raise Damaged("does not match its checksum: it was changed")
    try:
        content = json.loads(body + b"}")
    except ValueError as error:
        raise Damaged(f"is not JSON ({error})") from None
    if not isinstance(content, dict):
        raise Damaged("is no JSON object")
    return content


def _sum(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=_CHECK // 2).hexdigest()
