"""A table of texts, for the terminal and the page alike."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Grid"]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts.

    Args:
        titles: of the columns.
        rows: the cells.
    """

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
