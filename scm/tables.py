"""Tables of probabilities and of counts as they are given, checked before anything is computed from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import Refusal
from ifonly.scm.intervals import clopper_pearson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["NoTable", "Refuted", "cell_limits", "counts", "probabilities"]

_ROUNDING = 1e-9
"""Largest error of a sum of probabilities."""


class NoTable(Refusal):
    """Numbers that are no table of probabilities, or of counts, of the shape asked for."""

    def __init__(self, name: str, asked: str, found: str) -> None:
        """Say which table, what it should be, and what was found.

        Args:
            name: the table.
            asked: what it should be.
            found: what it is.
        """
        super().__init__(f"{name} must be {asked}; found {found}. Check the order of its axes and what it is out of.")


class Refuted(Refusal):
    """Data that no model with the stated assumption can have made: two tables at odds, or an assumption that fails."""

    def __init__(self, assumption: str, why: str) -> None:
        """Say what is refuted and by what.

        Args:
            assumption: what was assumed, as a noun.
            why: the numbers that contradict it.
        """
        self.assumption = assumption
        super().__init__(f"the data refute {assumption}: {why}. No number is given: drop the assumption, or the data.")


def probabilities(name: str, table: ArrayLike, shape: tuple[int, ...], axes: int) -> NDArray[np.float64]:
    """Return a table of laws after checking it: its last `axes` axes sum to 1.

    Args:
        name: what to call it.
        table: the numbers.
        shape: the shape they must have; -1 stands for any positive length.
        axes: how many trailing axes one law runs over.

    Raises:
        NoTable: if the shape differs, a number is negative, or a law does not sum to 1 within 1e-9.
    """
    p = _shaped(name, table, shape)
    totals = p.sum(tuple(range(-axes, 0)))
    if not (p >= 0).all() or not np.allclose(totals, 1, rtol=0, atol=_ROUNDING):
        raise NoTable(name, "probabilities, each law summing to 1", f"sums {totals.tolist()} in {p.tolist()}")
    return p


def counts(name: str, table: ArrayLike, shape: tuple[int, ...], axes: int) -> NDArray[np.float64]:
    """Return a table of counts after checking it: whole numbers, each sample (last `axes` axes) with a unit in it.

    Args:
        name: what to call it.
        table: the numbers.
        shape: the shape they must have; -1 stands for any positive length.
        axes: how many trailing axes one sample runs over.

    Raises:
        NoTable: if the shape differs, a number is no count, or a sample is empty.
    """
    n = _shaped(name, table, shape)
    if not (n >= 0).all() or not (n == np.round(n)).all() or not (n.sum(tuple(range(-axes, 0))) > 0).all():
        raise NoTable(name, "counts, with at least one unit in every sample", str(n.tolist()))
    return n


def cell_limits(table: NDArray[np.float64], axes: int, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return limits (low, high) that hold each cell's probability, each with probability at least `level`.

    Clopper and Pearson 1934 on each cell against the rest of its sample. For m cells at once ask for the level
    1 - (1 - level) / m (Bonferroni).

    Args:
        table: counts, as `counts` returns them.
        axes: how many trailing axes one sample runs over.
        level: coverage of a single cell, in (0, 1).
    """
    totals = np.broadcast_to(table.sum(tuple(range(-axes, 0)), keepdims=True), table.shape)
    ends = [clopper_pearson(n, total, level) for n, total in zip(table.ravel(), totals.ravel(), strict=True)]
    low, high = np.array(ends).T.reshape(2, *table.shape)
    return low, high


def _shaped(name: str, table: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.asarray(table, dtype=float)
    fits = array.ndim == len(shape) and all(
        asked in (-1, found) for asked, found in zip(shape, array.shape, strict=True)
    )
    if not fits or not array.size or not np.isfinite(array).all():
        raise NoTable(name, f"finite numbers of shape {shape}", f"shape {array.shape}: {array.tolist()}")
    return array
