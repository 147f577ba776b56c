"""Facets: which latents the chance of a cell is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

__all__ = ["Facets", "Floats", "Ints"]

Floats = NDArray[np.float64]
"""Array of real numbers."""

Ints = NDArray[np.intp]
"""Array of indices."""


@dataclass(frozen=True, eq=False)
class Facets:
    """Cells (unit, item), and the level of each facet that each of them has.

    A facet is a way to group cells: by unit, by item, by family of units, by unit within a suite of items. Its levels
    share one scale and have an effect each.

    Attributes:
        names: of the facets.
        levels: of each facet, what its levels stand for.
        codes: level of each cell in each facet, shape (cells, facets); -1 where the cell has none.
        groups: what stands behind each discrimination; empty where there is none.
        group: discrimination group of each cell, shape (cells,); -1 where it has none.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[Hashable, ...], ...]
    codes: Ints
    groups: tuple[Hashable, ...]
    group: Ints

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Hashable]], discrimination: Sequence[Hashable] | None = None) -> Facets:
        """Facets from columns of labels; a label of None says that the cell has no level of this facet.

        Args:
            columns: by name of the facet, the label of each cell.
            discrimination: label of the group of each cell that share one discrimination; None for none at all.

        Raises:
            NotApplicable: there is no column, or columns differ in length.
        """
        lengths = {len(column) for column in (*columns.values(), *([] if discrimination is None else [discrimination]))}
        if not columns or len(lengths) != 1:
            raise NotApplicable(
                f"facets need columns of one length, found lengths {sorted(lengths)}. Give each cell a label in every "
                "column, None where it has none."
            )
        coded = [_coded(column) for column in columns.values()]
        groups, group = _coded(discrimination or [None] * lengths.pop())
        codes = np.stack([code for _, code in coded], axis=1)
        return cls(tuple(columns), tuple(levels for levels, _ in coded), codes, groups, group)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def facet(self) -> Ints:
        """Facet of each effect, shape (effects,): all levels of the first facet, then of the second, ..."""
        return np.repeat(np.arange(len(self.names)), [len(levels) for levels in self.levels])

    @property
    def matrix(self) -> csr_array:
        """Which effects each cell adds up: zeros and ones, shape (cells, effects)."""
        start = np.cumsum([0, *(len(levels) for levels in self.levels)])
        rows, facets = np.nonzero(self.codes >= 0)
        columns = start[facets] + self.codes[rows, facets]
        return csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(self), int(start[-1])))

    def rows(self, chosen: Sequence[int] | Ints) -> Facets:
        """These cells alone, with the levels of all."""
        index = np.asarray(chosen, dtype=np.intp)
        return Facets(self.names, self.levels, self.codes[index], self.groups, self.group[index])

    def only(self, effects: Ints, groups: Ints) -> Facets:
        """These cells with these effects and discrimination groups alone, which all that the cells have are among.

        Args:
            effects: indices of effects, ascending.
            groups: indices of groups, ascending.
        """
        start, facet = np.cumsum([0, *(len(levels) for levels in self.levels)]), self.facet
        codes, levels = np.full_like(self.codes, -1), []
        for n, known in enumerate(self.levels):
            kept = effects[facet[effects] == n] - start[n]
            place = np.full(len(known) + 1, -1, dtype=np.intp)
            place[kept] = np.arange(len(kept))
            codes[:, n] = place[self.codes[:, n]]
            levels.append(tuple(known[k] for k in kept))
        place = np.full(len(self.groups) + 1, -1, dtype=np.intp)
        place[groups] = np.arange(len(groups))
        return Facets(self.names, tuple(levels), codes, tuple(self.groups[g] for g in groups), place[self.group])


def _coded(column: Sequence[Hashable]) -> tuple[tuple[Hashable, ...], Ints]:
    """The labels of a column in the order they come, and the index of each cell's."""
    known: dict[Hashable, int] = {}
    codes = [-1 if label is None else known.setdefault(label, len(known)) for label in column]
    return tuple(known), np.array(codes, dtype=np.intp)
