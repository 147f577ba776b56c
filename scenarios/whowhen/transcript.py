"""A log as text for a model, cut to fit, between marks that the log cannot know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.canonical import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scenarios.whowhen.logs import Log

__all__ = ["Shown", "shortened", "shown"]

_MARK = 12
_LEAST = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """What a model is shown.

    Attributes:
        text: the question and the turns, between two lines that name the mark.
        mark: a digest of the text, so that nobody who wrote the text can have written the mark into it.
        cut: characters of the turns that were left out.
        total: characters of the turns.
    """

    text: str
    mark: str
    cut: int
    total: int


def shown(log: Log, room: int, until: int | None = None) -> Shown:
    """The log, its turns numbered from 0.

    Args:
        log: without its labels.
        room: characters of all turns together; the longest are cut in their middle, so that the short stay whole.
        until: the last turn that is shown; None for all.
    """
    turns = log.turns if until is None else log.turns[: until + 1]
    texts, cut = shortened([turn.text.strip() for turn in turns], room)
    total = sum(len(turn.text.strip()) for turn in turns)
    lines = [f"The agents were asked: {log.question.strip()}"]
    if log.answer is not None:
        lines.append(f"The right answer is: {log.answer}")
    for turn, text in zip(turns, texts, strict=True):
        speaker = f"{turn.agent} ({turn.manner})" if turn.manner else turn.agent
        lines.append(f"Step {turn.step}, {speaker}: {text}")
    body = "\n".join(lines)
    mark = digest(body)[:_MARK]
    return Shown(f"BEGIN {mark}\n{body}\nEND {mark}", mark, cut, total)


def shortened(texts: Sequence[str], room: int) -> tuple[list[str], int]:
    """The texts, the longest cut to one length so that all together fit, and how many characters were left out.

    A cut says how much it left out; these notes, and the few characters that are kept of each text, come on top.
    """
    left, waiting = room, sorted(map(len, texts))
    most = waiting[-1] if waiting else 0
    for number, length in enumerate(waiting):
        fair = left // (len(waiting) - number)
        if length > fair:
            most = max(fair, _LEAST)
            break
        left -= length
    kept = [text if len(text) <= most else _middle_out(text, most) for text in texts]
    return kept, sum(max(0, len(text) - most) for text in texts)


def _middle_out(text: str, most: int) -> str:
    head = (most + 1) // 2
    tail = most - head
    return f"{text[:head]} [{len(text) - most:,} characters cut] {text[len(text) - tail :]}"
