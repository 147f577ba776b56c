"""What data leave open about a counterfactual: linear programmes over response types.

A population with binary X and Y is a law q over response types: what each unit does under every value of its causes.
Data fix, or limit, sums of q; a counterfactual probability is a ratio of two sums. Its sharp bounds are the extremes
of that ratio over all q that agree with the data (Balke and Pearl 1994; 1997, JASA 92:1171), a linear programme after
the transformation of Charnes and Cooper (1962). Where the data are limits from samples, the same extremes are
confidence limits: they hold whenever the limits do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Limits", "extremes"]

_INFEASIBLE = 2
"""scipy's status of a programme without a solution."""


class Limits:
    """All laws q over response types with low <= cells @ q <= high."""

    def __init__(self, cells: ArrayLike, low: ArrayLike, high: ArrayLike) -> None:
        """Take which types make up each observable cell, and between which limits its probability lies.

        Args:
            cells: 0 or 1, shape (cells, types).
            low: shape (cells,).
            high: shape (cells,); equal to `low` where the probability is known.
        """
        self.cells = np.asarray(cells, dtype=float)
        self.low = np.asarray(low, dtype=float)
        self.high = np.asarray(high, dtype=float)

    def without(self, types: ArrayLike) -> Limits:
        """Return the laws among them in which the given types, a mask of shape (types,), do not occur."""
        never = np.asarray(types, dtype=float)[None]
        return Limits(np.concatenate([self.cells, never]), np.append(self.low, 0.0), np.append(self.high, 0.0))

    @property
    def possible(self) -> bool:
        """Whether there is such a law at all."""
        anyone = np.ones(self.cells.shape[1])
        return extremes(self, anyone, anyone) is not None


def extremes(limits: Limits, target: ArrayLike, given: ArrayLike | None = None) -> tuple[float, float] | None:
    """Return the smallest and largest (target @ q) / (given @ q) over all laws q within limits.

    Args:
        limits: the laws.
        target: coefficients, shape (types,); at most `given` in absolute value.
        given: 0 or 1, shape (types,); all types if None.

    Returns:
        The two ends, or None if no law is within the limits, or none with given @ q > 0.
    """
    aim = np.asarray(target, dtype=float)
    on = np.ones(len(aim)) if given is None else np.asarray(given, dtype=float)
    # z = t q with t = 1 / (given @ q); the last column is t.
    above = np.column_stack([limits.cells, -limits.high])
    below = np.column_stack([-limits.cells, limits.low])
    equal = np.stack([np.append(on, 0.0), np.append(np.ones(len(aim)), -1.0)])
    ends: list[float] = []
    for sign in (1.0, -1.0):
        solved = linprog(
            np.append(sign * aim, 0.0),
            A_ub=np.concatenate([above, below]),
            b_ub=np.zeros(2 * len(limits.cells)),
            A_eq=equal,
            b_eq=np.array([1.0, 0.0]),
        )
        if solved.status == _INFEASIBLE:
            return None
        if solved.status:
            raise ArithmeticError(f"the linear programme was not solved: {solved.message}")
        ends.append(sign * float(solved.fun))
    low, high = ends
    return min(low, high), max(low, high)
