"""Adjustment formulas on finite joint distributions: what do(x) does, computed from what was only seen.

Arrays have axes (x, ..., y): the cause first, the effect last, the adjustment variables between; counts or
probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotIdentified

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["backdoor", "frontdoor"]


def backdoor(joint: ArrayLike) -> NDArray[np.float64]:
    """Return P(y | do(x)) = sum_z P(y | x, z) P(z), shape (X, Y).

    Pearl, Causality, theorem 3.3.2.

    Args:
        joint: shape (X, ..., Y); the axes between form a back-door set.

    Raises:
        NotIdentified: if some stratum z that occurs never occurs with some x (no overlap).
    """
    p = _flat(joint)
    p_xz, p_z = p.sum(2, keepdims=True), p.sum((0, 2))
    if (short := np.argwhere((p_xz[..., 0] == 0) & (p_z > 0))).size:
        raise NotIdentified(
            f"no overlap: x = {short[0][0]} never occurs in stratum {short[0][1]} of the back-door set, "
            "which does occur. Coarsen the strata, or bound the effect."
        )
    conditional = np.divide(p, p_xz, out=np.zeros_like(p), where=p_xz > 0)
    effect: NDArray[np.float64] = np.einsum("xzy,z->xy", conditional, p_z)
    return effect


def frontdoor(joint: ArrayLike) -> NDArray[np.float64]:
    """Return P(y | do(x)) = sum_z P(z | x) sum_x' P(y | x', z) P(x'), shape (X, Y).

    Pearl, Causality, theorem 3.3.4.

    Args:
        joint: shape (X, ..., Y); the axes between form a front-door set.

    Raises:
        NotIdentified: if some pair (x, z) never occurs.
    """
    p = _flat(joint)
    p_xz, p_x = p.sum(2), p.sum((1, 2))
    if (short := np.argwhere(p_xz == 0)).size:
        raise NotIdentified(
            f"no overlap: x = {short[0][0]} never occurs with mediator value {short[0][1]}, "
            "and the front-door formula needs every pair. Coarsen the mediator, or bound the effect."
        )
    given_xz = p / p_xz[..., None]
    effect: NDArray[np.float64] = np.einsum("xz,azy,a->xy", p_xz / p_x[:, None], given_xz, p_x)
    return effect


def _flat(joint: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(joint, dtype=float)
    if array.ndim < len(("x", "y")) or array.min() < 0 or array.sum() <= 0:
        raise ValueError(f"need non-negative numbers with axes (x, ..., y), got shape {array.shape}")
    flat: NDArray[np.float64] = (array / array.sum()).reshape(array.shape[0], -1, array.shape[-1])
    return flat
