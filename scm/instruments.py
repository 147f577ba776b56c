"""Bounds on the effect of a binary cause: with an instrument, and with no assumption at all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.estimate import Estimate
from ifonly.scm.response import Limits, extremes
from ifonly.scm.tables import NoTable, Refuted, cell_limits, counts, probabilities

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["EffectBounds", "instrument_bounds", "instrumental_inequality", "natural_bounds"]

_ROUNDING = 1e-9
"""Largest violation of the instrumental inequality that counts as rounding."""
_MOST_LEVELS = 10
"""Levels of an instrument beyond which the response types (4 times 2 to this power) are too many."""


@dataclass(frozen=True)
class EffectBounds:
    """Bounds on what a binary cause does.

    Attributes:
        effect: the average causal effect, P(Y_1 = 1) - P(Y_0 = 1).
        off: P(Y_0 = 1).
        on: P(Y_1 = 1).
    """

    effect: Estimate
    off: Estimate
    on: Estimate


def instrumental_inequality(joint: ArrayLike) -> float:
    """Return max over x of sum over y of max over z of P(x, y | z), which is at most 1 if Z is an instrument for X.

    Pearl 1995; Causality, sec. 8.4. Above 1, Z touches Y other than through X, or shares a cause with it.

    Args:
        joint: P(x, y | z), shape (Z, 2, 2): axes z, x and y.

    Raises:
        NoTable: if it is no such table.
    """
    p = probabilities("the table P(x, y | z)", joint, (-1, 2, 2), 2)
    return float(p.max(0).sum(-1).max())


def instrument_bounds(joint: ArrayLike, *, level: float | None = None) -> EffectBounds:
    """Return sharp bounds given an instrument Z: randomised, and touching Y through X alone.

    The extremes over all laws on response types (X under each z; Y_0, Y_1) that give the table (Balke and Pearl 1997,
    JASA 92:1171; Causality, sec. 8.2). From counts they are conservative confidence limits: Clopper-Pearson on every
    cell, all at once by Bonferroni, and the extremes over all laws within them.

    Args:
        joint: P(x, y | z), shape (Z, 2, 2), axes z, x and y, each z summing to 1; or counts.
        level: None if the table holds probabilities; the coverage in (0, 1) if it holds counts.

    Raises:
        NoTable: if the table is none, or has more than ten levels of Z.
        Refuted: if no such Z can have made it.
    """
    read = probabilities if level is None else counts
    table = read("the table P(x, y | z)", joint, (-1, 2, 2), 2)
    if len(table) > _MOST_LEVELS:
        raise NoTable("the table P(x, y | z)", f"of at most {_MOST_LEVELS} levels of z", f"{len(table)} levels")
    types = np.array(list(product((0, 1), repeat=len(table) + 2)))
    takes, off, on = types[:, :-2], types[:, -2] == 1, types[:, -1] == 1
    cells = [
        (takes[:, z] == x) & (np.where(takes[:, z], on, off) == y)
        for z, x, y in product(range(len(table)), (0, 1), (0, 1))
    ]
    if level is None and (worst := instrumental_inequality(table)) > 1 + _ROUNDING:
        raise Refuted("the instrument", f"max_x sum_y max_z P(x, y | z) = {worst:.6g}, above 1")
    return _bounded(Limits(cells, *_region(table, level)), off, on, level, table, "the instrument")


def natural_bounds(joint: ArrayLike, *, level: float | None = None) -> EffectBounds:
    """Return the bounds that hold without any assumption (Robins 1989; Manski 1990; Causality, sec. 8.2.2).

    P(x, y) <= P(y_x) <= P(x, y) + P(x'), hence an effect between bounds of width 1. From counts they are conservative
    confidence limits, as for `instrument_bounds`.

    Args:
        joint: P(x, y), shape (2, 2), axes x and y, summing to 1; or counts.
        level: None if the table holds probabilities; the coverage in (0, 1) if it holds counts.

    Raises:
        NoTable: if the table is none.
    """
    read = probabilities if level is None else counts
    table = read("the table P(x, y)", joint, (2, 2), 2)
    if level is None:
        ends = [(float(table[x, 1]), float(1 - table[x, 0])) for x in (0, 1)]
        effect = (ends[1][0] - ends[0][1], ends[1][1] - ends[0][0])
        bounds = [Estimate.bounded(*end, "interventional") for end in (effect, *ends)]
        return EffectBounds(*bounds)
    x, off, on = np.array(list(product((0, 1), repeat=3))).T
    cells = [(x == a) & (np.where(x, on, off) == y) for a, y in product((0, 1), repeat=2)]
    return _bounded(Limits(cells, *_region(table, level)), off == 1, on == 1, level, table, "that they are one sample")


def _region(table: NDArray[np.float64], level: float | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if level is None:
        return table.ravel(), table.ravel()
    low, high = cell_limits(table, 2, 1 - (1 - level) / table.size)
    return low.ravel(), high.ravel()


def _bounded(
    limits: Limits,
    off: NDArray[np.bool_],
    on: NDArray[np.bool_],
    level: float | None,
    table: NDArray[np.float64],
    assumption: str,
) -> EffectBounds:
    made = []
    for target in (on.astype(float) - off, off, on):
        ends = extremes(limits, target)
        if ends is None:
            raise Refuted(assumption, "no law over response types gives these numbers")
        size = None if level is None else float(table.sum())
        made.append(Estimate.bounded(*ends, "interventional", level or 1.0, size))
    return EffectBounds(*made)
