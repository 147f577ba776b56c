"""Where in a text the secrets are.

What was redacted before is a wall: secrets are looked for between the tokens, and again beside each secret found, until
nothing is found. So redacting a redacted text changes nothing, whatever the shapes are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ifonly.agents.redaction.fields import assigned
from ifonly.agents.redaction.shapes import found
from ifonly.agents.redaction.views import RUN, decoded, views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["TOKEN", "Span", "repetitions", "spans"]

TOKEN = re.compile(r"\[redacted:([a-z0-9_]+):([0-9]{1,9})\]")
"""What stands in the place of a secret: its kind, and which of its kind it is."""

_SOLID, _BESIDE, _FIELD, _ENCODED, _REPEATED = range(5)
_SHORTEST = 6
_NESTED = 2


class Span(NamedTuple):
    """A secret's place in a text; of overlapping spans the lowest rank names the kind."""

    start: int
    end: int
    kind: str
    rank: int


def spans(text: str) -> list[Span]:
    """The secrets of a text in order, none overlapping another or a token."""
    walls = [token.span() for token in TOKEN.finditer(text)]
    return _searched(text, walls, lambda gap: list(_raw(gap)))


def repetitions(text: str, known: Sequence[Span], secrets: Mapping[str, str]) -> list[Span]:
    """As `spans`, with what was found there, and with secrets that are known and stand here without their context.

    Args:
        text: what to search.
        known: its `spans`.
        secrets: secrets seen elsewhere, with their kinds.
    """
    if not any(secret in text for secret in secrets):
        return list(known)
    walls = [*(token.span() for token in TOKEN.finditer(text)), *((span.start, span.end) for span in known)]
    return sorted([*known, *_searched(text, sorted(walls), lambda gap: [*_again(gap, secrets), *_raw(gap)])])


def _searched(text: str, walls: Sequence[tuple[int, int]], search: Callable[[str], list[Span]]) -> list[Span]:
    """What the search finds between the walls, and again beside each thing found."""
    found_here, gaps, last = list[Span](), list[tuple[int, int]](), 0
    for start, end in walls:
        gaps.append((last, start))
        last = end
    gaps.append((last, len(text)))
    while gaps:
        begin, high = gaps.pop()
        if high - begin < _SHORTEST:
            continue
        low, inner = begin, _merged(search(text[begin:high]))
        for span in inner:
            found_here.append(span._replace(start=low + span.start, end=low + span.end))
            gaps.append((begin, low + span.start))
            begin = low + span.end
        if inner:
            gaps.append((begin, high))
    return sorted(found_here)


def _merged(candidates: Iterable[Span]) -> list[Span]:
    """Overlapping spans as one, named by the best of them."""
    merged: list[Span] = []
    for span in sorted(span for span in candidates if span.end > span.start):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            best = min(last, span, key=lambda one: (one.rank, one.start - one.end))
            merged[-1] = Span(last.start, max(last.end, span.end), best.kind, best.rank)
        else:
            merged.append(span)
    return merged


def _raw(text: str, depth: int = 0) -> Iterator[Span]:
    """All that any reading of the text shows, as places in the text."""
    for chain in views(text):
        reading = chain[-1].text if chain else text
        for span in _read(reading, depth):
            start, end = span.start, span.end
            for view in reversed(chain):
                start, end = view.origin(start), view.origin(end)
            yield span._replace(start=start, end=end)


def _read(text: str, depth: int) -> Iterator[Span]:
    low = _lower(text)
    for start, end, kind, solid in found(text, low):
        yield Span(start, end, kind, _SOLID if solid else _BESIDE)
    for start, end, kind in assigned(low):
        yield Span(start, end, kind, _FIELD)
    if depth < _NESTED:
        for run in RUN.finditer(text):
            if any(True for said in decoded(run[0]) for _ in _raw(said, depth + 1)):
                yield Span(run.start(), run.end(), "base64", _ENCODED)


def _lower(text: str) -> str:
    """In lower case, character for character: a few letters become two, and stay as they are."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c if len(c.lower()) != 1 else c.lower() for c in text)


def _again(text: str, repeated: Mapping[str, str]) -> Iterator[Span]:
    for secret, kind in repeated.items():
        at = text.find(secret)
        while at >= 0:
            end = at + len(secret)
            if not (text[at - 1 : at].isalnum() and secret[0].isalnum()) and not (
                text[end : end + 1].isalnum() and secret[-1].isalnum()
            ):
                yield Span(at, end, kind, _REPEATED)
            at = text.find(secret, end)
