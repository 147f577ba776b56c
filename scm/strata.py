"""Standardisation over strata: means under do(arm) from a log whose confounders are few and finite, with intervals.

    E[Y | do(a)] = sum over z of P(z) E[Y | a, z]        (Pearl, Causality, theorem 3.3.2; Robins 1986)

in a target population, which may be a part of the log or have another mix of strata. With saturated strata this is the
doubly robust estimator too, and its influence function is exact up to terms of second order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.clustered import Clustered
from ifonly.scm.errors import NotApplicable, NotIdentified

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["standardised", "strata_of", "wald"]


def strata_of(*columns: ArrayLike) -> NDArray[np.intp]:
    """Return the number of the stratum of each unit, shape (n,): units with equal values in all columns share it.

    Args:
        columns: values of any kind, each of shape (n,); at least one.
    """
    numbered = [np.unique(np.asarray(column), return_inverse=True)[1].reshape(-1) for column in columns]
    made: NDArray[np.intp] = np.unique(np.stack(numbered), axis=1, return_inverse=True)[1].reshape(-1).astype(np.intp)
    return made


def standardised(
    taken: ArrayLike,
    outcome: ArrayLike,
    strata: ArrayLike,
    *,
    target: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> Clustered:
    """Return E[Y | do(arm)] = sum over z of P(z) E[Y | arm, z].

    Args:
        taken: whether the arm was taken, shape (n,).
        outcome: Y, shape (n,); where the arm was not taken it is not looked at.
        strata: number of the stratum of each unit, shape (n,); they form a back-door set.
        target: how much each unit counts in the population that is asked about, shape (n,), at least 0: for instance
            1 for the units of today. All alike if None.
        clusters: labels of dependent units, shape (n,); each is its own if None.

    Raises:
        NotIdentified: the arm was never taken in a stratum that the target population has.
        NotApplicable: shapes differ, or the target is empty.
    """
    arm, y = np.asarray(taken, dtype=bool), np.asarray(outcome, dtype=float)
    z = np.unique(np.asarray(strata), return_inverse=True)[1].reshape(-1)
    v = np.ones(len(y)) if target is None else np.asarray(target, dtype=float)
    if not arm.shape == y.shape == z.shape == v.shape or not v.sum() > 0 or v.min() < 0:
        raise NotApplicable(
            f"need arm, outcome, stratum and target of each unit, got {arm.shape}, {y.shape}, {z.shape}"
        )
    wanted, tried = np.bincount(z, v) / v.sum(), np.bincount(z, arm).astype(float)
    if (short := np.flatnonzero((wanted > 0) & (tried == 0))).size:
        raise NotIdentified(
            f"no overlap: the arm was never taken in {len(short)} of {len(tried)} strata that are asked about. "
            "Coarsen the strata, ask about another population, or bound the answer."
        )
    mean = np.bincount(z, np.where(arm, y, 0.0)) / np.maximum(tried, 1)
    value = float(wanted @ mean)
    parts = v / v.sum() * (mean[z] - value) + np.where(arm, wanted[z] / np.maximum(tried[z], 1) * (y - mean[z]), 0.0)
    groups = np.arange(len(y)) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    return Clustered(value, parts, (groups.reshape(-1),))


def wald(instrument: ArrayLike, treated: ArrayLike, outcome: ArrayLike) -> Clustered:
    """Return the effect on those whom a randomised instrument moves: E[Y_1 - Y_0 | X_1 > X_0].

    (E[Y | Z = 1] - E[Y | Z = 0]) / (E[X | Z = 1] - E[X | Z = 0]), if Z is randomised, touches Y through X alone, and
    moves no unit the other way (Imbens and Angrist 1994, Econometrica 62:467, theorem 1). Error by the delta method.

    Args:
        instrument: Z, 0 or 1, shape (n,).
        treated: X, shape (n,).
        outcome: Y, shape (n,).

    Raises:
        NotIdentified: both values of Z are needed, and must differ in X.
    """
    z, x, y = (np.asarray(one, dtype=float) for one in (instrument, treated, outcome))
    one = np.zeros(len(z), dtype=np.intp)
    if len(np.unique(z)) <= 1:
        raise NotIdentified("the instrument never changed: it moves nobody. Vary it at random, or bound the effect.")
    moved, gained = (
        standardised(z == 1, column, one).plus(standardised(z == 0, column, one), -1.0) for column in (x, y)
    )
    if moved.value == 0:
        raise NotIdentified("the instrument moved nobody: treatment is the same under both of its values.")
    effect = gained.value / moved.value
    return Clustered(effect, (gained.parts - effect * moved.parts) / moved.value, gained.clusters)
