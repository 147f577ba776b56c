"""Where a text carries the words of an injection, so that screens can mark them as data.

What an attack put into the environment reaches a tool result re-wrapped and re-quoted (YAML, Python or JSON), so the
words are looked for with any white space, line-break escapes and doubled quotes between and within them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ifonly.agents.records import EnvironmentRef, Trajectory

__all__ = ["Segment", "carries", "injections_of", "segments"]

_MINIMUM = 12
_QUOTE = re.compile("['\"]")
_GAP = r"(?:\s|\\[nrt]|\\(?=\s))*"


class Segment(NamedTuple):
    """A stretch of text, and whether an attack put it there."""

    text: str
    injected: bool


def injections_of(run: Trajectory) -> tuple[str, ...]:
    """The texts that an attack put into the environment of this run, longest first."""
    return _injections(run.environment)


def segments(text: str, injections: Iterable[str]) -> tuple[Segment, ...]:
    """The text cut where injected words begin and end."""
    patterns = filter(None, map(_pattern, injections))
    spans = sorted(match.span() for pattern in patterns for match in pattern.finditer(text))
    found, end = list[Segment](), 0
    for start, stop in spans:
        if start < end:
            continue
        if start > end:
            found.append(Segment(text[end:start], injected=False))
        found.append(Segment(text[start:stop], injected=True))
        end = stop
    if end < len(text) or not found:
        found.append(Segment(text[end:], injected=False))
    return tuple(found)


def carries(text: str, injections: Iterable[str]) -> bool:
    """Whether the text carries injected words."""
    return any(part.injected for part in segments(text, injections))


def _injections(environment: EnvironmentRef | None) -> tuple[str, ...]:
    texts = environment.settings.get("injections") if environment else None
    if not isinstance(texts, dict):
        return ()
    return tuple(sorted({text for text in texts.values() if isinstance(text, str)}, key=lambda one: (-len(one), one)))


@lru_cache(maxsize=256)
def _pattern(injection: str) -> re.Pattern[str] | None:
    words = injection.replace("\\n", " ").split()
    if sum(map(len, words)) < _MINIMUM:
        return None
    return re.compile(_GAP.join(_QUOTE.sub(_any_quoting, re.escape(word)) for word in words))


def _any_quoting(quote: re.Match[str]) -> str:
    """The quote, doubled (YAML) or escaped (Python, JSON) as it may be."""
    return rf"\\?{quote.group()}{{1,2}}"
