"""Style of answers in real logs, as columns of a regression: differences in length, lists and emphasis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scm.preference.length import length_term

if TYPE_CHECKING:
    from ifonly.agents.tables import Table
    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["LISTS", "RATIO", "STYLE", "Style", "style_of"]

RATIO: Final = "length ratio"
"""Column: log of own over other length."""
LISTS: Final = "lists"
"""Column: log(1 + own) - log(1 + other), of lines that are list items."""
_EMPHASIS: Final = "emphasis"
STYLE: Final = ("longer", RATIO, LISTS, _EMPHASIS)
"""The columns; "longer" is the length term of arXiv 2404.04475."""


@dataclass(frozen=True, eq=False)
class Style:
    """What answers look like, one number for each.

    Attributes:
        length: characters.
        lists: lines that are list items, with bullets or numbers.
        emphasis: headers and bold passages.
    """

    length: Floats
    lists: Floats
    emphasis: Floats

    def at(self, rows: Ints) -> Style:
        """The style of some rows."""
        return Style(self.length[rows], self.lists[rows], self.emphasis[rows])

    def where(self, mask: Floats, other: Style) -> Style:
        """This style where the mask is not 0, and another elsewhere."""
        return Style(
            np.where(mask != 0, self.length, other.length),
            np.where(mask != 0, self.lists, other.lists),
            np.where(mask != 0, self.emphasis, other.emphasis),
        )

    def ratios(self, other: Style) -> dict[str, Floats]:
        """The columns that need no scale: length ratio, lists, emphasis."""
        return {
            RATIO: np.log1p(self.length) - np.log1p(other.length),
            LISTS: np.log1p(self.lists) - np.log1p(other.lists),
            _EMPHASIS: np.log1p(self.emphasis) - np.log1p(other.emphasis),
        }

    def columns(self, other: Style, scale: float | None = None) -> dict[str, Floats]:
        """All columns of `STYLE`.

        Args:
            other: the style beside which this one stands.
            scale: sd of length differences, in characters; that of these if None.

        Raises:
            NotIdentified: without a scale, if all differences of length are equal.
        """
        gap = self.length - other.length
        longer = length_term(self.length, other.length) if scale is None else np.tanh(gap / scale)
        return {"longer": longer, **self.ratios(other)}


def style_of(table: Table, prefix: str = "") -> Style:
    """The style in columns ``chars``, ``bullets``, ``numbered``, ``headers`` and ``bold`` of a table.

    Args:
        table: with one answer a row.
        prefix: of the columns' names.

    Raises:
        UnknownName: a column is missing.
        InputError: a cell is no number.
    """
    chars, bullets, numbered, headers, bold = (
        np.array(table.numbers(prefix + name)) for name in ("chars", "bullets", "numbered", "headers", "bold")
    )
    return Style(chars, bullets + numbered, headers + bold)
