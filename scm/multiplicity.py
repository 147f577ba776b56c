"""Many questions at once: p-values of paired binary outcomes, and false-discovery rates over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import bdtr

from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Dependence", "adjust", "discoveries", "paired_p_values", "sign_p_values"]

Dependence = Literal["any", "positive"]
"""How p-values may hang together: in any way (Benjamini and Yekutieli), or independently or positively."""


def sign_p_values(
    gained: ArrayLike, lost: ArrayLike, alternative: Literal["two-sided", "gain"] = "two-sided"
) -> NDArray[np.float64]:
    """Return exact p-values of the sign test: McNemar 1947 by the binomial law instead of the normal one.

    Under the null, of n = gained + lost pairs that differ each is a gain with probability 1/2: two-sided
    min(1, 2 P(B <= min(gained, lost))), one-sided P(B >= gained), B ~ Binomial(n, 1/2). No differing pair gives 1.

    Args:
        gained: numbers of pairs that turned from 0 to 1, any shape.
        lost: numbers of pairs that turned from 1 to 0, same shape.
        alternative: whether only gains speak against the null.

    Raises:
        NotApplicable: if these are no counts of one shape.
    """
    up, down = np.asarray(gained), np.asarray(lost)
    if up.shape != down.shape or not all(((n >= 0) & (n == np.round(n))).all() for n in (up, down)):
        raise NotApplicable(f"need counts of one shape, got {up.tolist()} and {down.tolist()}")
    up, down = up.astype(np.int64), down.astype(np.int64)
    if alternative == "gain":
        # P(B >= gained) = P(B <= lost), by symmetry of the fair coin.
        return np.asarray(bdtr(down, up + down, 0.5))
    tail = np.asarray(bdtr(np.minimum(up, down), up + down, 0.5), dtype=float)
    return np.asarray(np.minimum(1.0, 2 * tail))


def paired_p_values(
    before: ArrayLike, after: ArrayLike, alternative: Literal["two-sided", "gain"] = "two-sided"
) -> NDArray[np.float64]:
    """Return the sign test's p-value for each row of paired binary outcomes, shape (...).

    Args:
        before: 0 or 1, shape (..., pairs): for instance the control of each rollout.
        after: 0 or 1, of a shape that broadcasts against it: for instance the rollout with the step changed.
        alternative: whether only gains speak against the null.

    Raises:
        NotApplicable: if a value is neither 0 nor 1.
    """
    old, new = np.broadcast_arrays(np.asarray(before, dtype=float), np.asarray(after, dtype=float))
    if not (np.isin(old, (0.0, 1.0)).all() and np.isin(new, (0.0, 1.0)).all()):
        raise NotApplicable("paired outcomes are 0 or 1: a score between has no sign test")
    return sign_p_values((new > old).sum(-1), (new < old).sum(-1), alternative)


def adjust(p_values: ArrayLike, dependence: Dependence = "any") -> NDArray[np.float64]:
    """Return adjusted p-values: rejecting those at most r keeps the false-discovery rate at most r.

    For sorted p_(1) <= ... <= p_(m): min(1, min over k >= i of c m p_(k) / k), with c = 1 for p-values that are
    independent or positively dependent (Benjamini and Hochberg 1995, JRSS B 57:289), and c = 1 + 1/2 + ... + 1/m for
    any (Benjamini and Yekutieli 2001, Annals of Statistics 29:1165, theorem 1.3).

    Args:
        p_values: shape (m,), each in [0, 1].
        dependence: how they may hang together. Flips of steps of one run share their noise: "any".

    Raises:
        NotApplicable: if a p-value is none.
    """
    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise NotApplicable(f"need a vector of p-values in [0, 1], got {p.tolist()}")
    order, rank = np.argsort(p, kind="stable"), np.arange(1, len(p) + 1)
    factor = float((1 / rank).sum()) if dependence == "any" else 1.0
    stepped = np.minimum.accumulate((factor * len(p) * p[order] / rank)[::-1])[::-1]
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def discoveries(p_values: ArrayLike, rate: float = 0.05, dependence: Dependence = "any") -> NDArray[np.bool_]:
    """Return which hypotheses are rejected at a false-discovery rate of at most `rate`, shape (m,).

    Args:
        p_values: shape (m,).
        rate: expected share of false ones among the rejected, in (0, 1).
        dependence: how the p-values may hang together.
    """
    return adjust(p_values, dependence) <= rate
