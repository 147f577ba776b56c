"""Cutting a JSON list into the texts of its elements, as a stream, without parsing them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ifonly.agents.streams.strict_json import JsonError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

__all__ = ["split"]

_CHUNK = 2**18
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)
_QUOTE, _COMMA, _OPEN = ord('"'), ord(","), b"[{"


def split(reader: BufferedReader, limit: int) -> Iterator[bytes]:
    """The texts between the commas of the outermost list, each with a line feed at its end.

    The buffer doubles while an element does not end, so that a long one is scanned twice at most.

    Args:
        reader: stands at the opening bracket.
        limit: longest element, in bytes.

    Raises:
        JsonError: the list does not end, an element is too long, or something stands after the list.
    """
    buffer, at, start, depth = b"", 0, 0, 0
    while chunk := reader.read(max(_CHUNK, len(buffer))):
        buffer += chunk
        for token in _TOKEN.finditer(buffer, at):
            at, kind = token.start(), buffer[token.start()]
            if kind == _QUOTE and token.end() == at + 1:
                break
            if kind in _OPEN:
                depth += 1
                start = at + 1 if depth == 1 else start
            elif kind == _COMMA and depth == 1:
                yield buffer[start:at] + b"\n"
                start = at + 1
            elif kind not in (_QUOTE, _COMMA):
                depth -= 1
            if not depth:
                if last := buffer[start:at].strip():
                    yield last + b"\n"
                _refuse_more(buffer[at + 1 :] + reader.read(_CHUNK))
                return
            at = token.end()
        buffer, at, start = buffer[start:], at - start, 0
        _refuse_long(buffer, limit)
    raise JsonError(
        None, "the list is cut off", "Write the file again in full, or close the list after its last element."
    )


def _refuse_more(after: bytes) -> None:
    if more := after.strip():
        raise JsonError(None, f"more text after the list: {more[:20]!r}", "Remove it.")


def _refuse_long(element: bytes, limit: int) -> None:
    if len(element) > limit:
        found = f"larger than {limit:,} bytes; the rest of the list is left out"
        raise JsonError(None, found, "Split the file, or write JSONL.")
