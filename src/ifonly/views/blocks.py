"""A message cut into the blocks that a page shows: text, calls, errors, with injected words told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ifonly.views.injected import segments
from ifonly.views.text import content_text, pretty, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ifonly.agents.records import Message

__all__ = ["Block", "Piece", "blocks"]

_PLAIN, _BESIDE, _INJECTED, _SLACK = 700, 220, 900, 300


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text.

    Args:
        head: what is shown at once.
        rest: what "show all" adds; empty where the head is all.
        injected: whether an attack put it there.
    """

    head: str
    rest: str
    injected: bool


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a message.

    Args:
        kind: what it is.
        label: its heading, if any.
        pieces: the text, in order.
    """

    kind: Literal["text", "call", "error"]
    label: str | None
    pieces: tuple[Piece, ...]


def blocks(message: Message, injections: Iterable[str]) -> tuple[Block, ...]:
    """The blocks of a message: an error first, then its text, then its calls."""
    found, texts = [], tuple(injections)
    if message.role == "tool" and message.error:
        found.append(Block("error", "error", _pieces(message.error, texts)))
    text = content_text(message.content)
    if text.strip():
        found.append(Block("text", None, _pieces(text, texts)))
    for call in message.tool_calls if message.role == "assistant" else ():
        arguments = pretty(call.arguments) if call.arguments else "no arguments"
        found.append(Block("call", f"calls {visible(call.name)}", _pieces(arguments, texts)))
    return tuple(found) or (Block("text", None, (Piece("(empty)", "", injected=False),)),)


def _pieces(text: str, injections: tuple[str, ...]) -> tuple[Piece, ...]:
    """Pieces that show little of what surrounds an injection, and most of the injection."""
    parts = segments(text, injections)
    marked = any(part.injected for part in parts)
    pieces = []
    for part in parts:
        limit = _INJECTED if part.injected else _BESIDE if marked else _PLAIN
        # An injection is set apart by itself: the empty lines around it would only push it away.
        shown = visible(part.text).strip("\n") if marked else visible(part.text)
        if shown.strip():
            pieces.append(_piece(shown, limit, injected=part.injected))
    return tuple(pieces)


def _piece(text: str, limit: int, *, injected: bool) -> Piece:
    if len(text) <= limit + _SLACK:
        return Piece(text, "", injected)
    line = text.rfind("\n", limit // 2, limit)
    end = limit if line < 0 else line + 1
    return Piece(text[:end], text[end:], injected)
