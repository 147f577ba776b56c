"""Other readings of a text in which a secret may hide: unescaped, percent-decoded, and base64.

A `View` keeps the way back, so that a secret found in a decoded text is cut out of the text as it stands.
"""

from __future__ import annotations

import base64
import re
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RUN", "View", "decoded", "views"]

_DEPTH = 6
"""How often a text is decoded again: JSON text inside JSON text inside ..."""

_ESCAPE = re.compile(
    r"%[0-9A-Fa-f]{2}|\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[\"'\\/bfnrt])|&(?:quot|apos|amp|lt|gt|#[0-9]{2,4}|#x[0-9A-Fa-f]{1,4});"
)
_MEANING = {
    "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f",
    "quot": '"', "apos": "'", "amp": "&", "lt": "<", "gt": ">",
}  # fmt: skip

RUN = re.compile(r"(?:[A-Za-z0-9+/_-]{60,}+\r?\n)++[A-Za-z0-9+/_-]*+={0,2}|[A-Za-z0-9+/_-]{16,}+={0,2}")
"""What may be base64, standard or for URLs, perhaps broken into lines."""

_STANDARD = str.maketrans("-_", "+/", "=\r\n")
_READABLE = re.compile(rb"[\x20-\x7e\t\r\n]{10,}")


class View:
    """A reading of a text, and the place in the text of each of its characters.

    Args:
        text: the reading.
        starts: where in the reading its pieces begin.
        origins: where in the text they come from.
        length: of the text.
    """

    def __init__(self, text: str, starts: list[int], origins: list[int], length: int) -> None:
        self.text, self._starts, self._origins, self._length = text, starts, origins, length

    def origin(self, index: int) -> int:
        """Where in the text the character at this index of the reading begins."""
        if index >= len(self.text):
            return self._length
        piece = bisect_right(self._starts, index) - 1
        return self._origins[piece] + index - self._starts[piece]


def views(text: str) -> Iterator[tuple[View, ...]]:
    """The text as it stands, then decoded once, twice, ...: each as the chain of views that leads back to the text."""
    chain: tuple[View, ...] = ()
    yield chain
    for _ in range(_DEPTH):
        view = _unescaped(chain[-1].text if chain else text)
        if view is None:
            return
        chain = (*chain, view)
        yield chain


def _unescaped(text: str) -> View | None:
    if "\\" not in text and "%" not in text and "&" not in text:
        return None
    pieces, starts, origins = list[str](), list[int](), list[int]()
    at = last = 0
    for match in _ESCAPE.finditer(text):
        begin = match.start()
        if begin > last:
            pieces.append(text[last:begin])
            starts.append(at)
            origins.append(last)
            at += begin - last
        pieces.append(_meaning(match[0]))
        starts.append(at)
        origins.append(begin)
        at, last = at + 1, match.end()
    if not last:
        return None
    pieces.append(text[last:])
    starts.append(at)
    origins.append(last)
    return View("".join(pieces), starts, origins, len(text))


def _meaning(escape: str) -> str:
    if escape[0] == "%":
        return chr(int(escape[1:], 16))
    if escape[0] == "&":
        number = escape[2:-1]
        return _MEANING.get(escape[1:-1]) or chr(int(number[1:], 16) if number[0] == "x" else int(number))
    if escape[1] in "ux":
        return chr(int(escape[2:], 16))
    return _MEANING.get(escape[1], escape[1])


def decoded(run: str) -> Iterator[str]:
    """What a run of base64 may say; it may begin up to three characters late, after the end of a path for instance."""
    clean = run.translate(_STANDARD)
    for late in range(4):
        part = clean[late:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        content = base64.b64decode(part + "=" * (-len(part) % 4))
        for said in (content, content.replace(b"\0", b"")) if b"\0" in content else (content,):
            if readable := _READABLE.findall(said):
                yield b"\0".join(readable).decode()
