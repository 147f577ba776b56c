"""What the two interventional laws of a choice say about its counterfactual, and what they leave open.

With marginals p and q alone, P(Y' = j | Y = i) is a coupling divided by p_i: bounds over all couplings hold
in every SCM; a noise model picks one coupling (`gumbel.transition`, `inverse_cdf`), which lies inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog

from ifonly.scm.errors import ImpossibleEvidence
from ifonly.scm.estimate import Estimate
from ifonly.scm.gumbel import Floats, transition

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Bounds", "bounds", "choice_estimates", "inverse_cdf", "stable_bounds"]

Bounds = tuple[Floats, Floats]
"""Lower and upper bounds, each of shape (..., K, K)."""


def bounds(p: ArrayLike, q: ArrayLike) -> Bounds:
    """Return sharp bounds (low, high) on P(Y' = j | Y = i) over all SCMs with these marginals (Frechet 1951).

    low = max(0, p_i + q_j - 1) / p_i, high = min(p_i, q_j) / p_i.

    Args:
        p: factual probabilities, shape (..., K); rows i with p_i = 0 come out NaN.
        q: changed probabilities, of a shape that broadcasts against it.
    """
    p, q = np.broadcast_arrays(np.asarray(p, dtype=float), np.asarray(q, dtype=float))
    # The sum of the other options keeps the digits that 1 - q_j would lose.
    others = (q @ (1 - np.eye(q.shape[-1])))[..., None, :]
    p, q = p[..., :, None], q[..., None, :]
    unknown = np.full(others.shape[:-2] + 2 * others.shape[-1:], np.nan)
    low = np.divide(np.maximum(p - others, 0), p, out=unknown.copy(), where=p > 0)
    high = np.divide(np.minimum(p, q), p, out=unknown, where=p > 0)
    return low, high


def choice_estimates(p: ArrayLike, q: ArrayLike, observed: int) -> tuple[Estimate, ...]:
    """Return P(Y' = j | Y = observed) for each option j: the Gumbel-max point between the bounds over all SCMs.

    The interval of each is no sampling error but all that other noise models could say (level 1).

    Args:
        p: factual probabilities, shape (K,).
        q: changed probabilities, shape (K,).
        observed: index of the option that was taken.

    Raises:
        ImpossibleEvidence: if that option had probability 0.
    """
    points, (lows, highs) = transition(p, q)[observed], bounds(p, q)
    if np.isnan(points).any():
        raise ImpossibleEvidence(f"option {observed}", "it had probability 0")
    # Rounding may put a point that is a bound a digit beside it.
    return tuple(
        Estimate(
            value=float(point),
            low=float(min(low, point)),
            high=float(max(high, point)),
            rung="counterfactual",
            identified="assumed",
            noise="gumbel-max",
        )
        for point, low, high in zip(points, lows[observed], highs[observed], strict=True)
    )


def stable_bounds(p: ArrayLike, q: ArrayLike) -> Bounds:
    """Return sharp bounds on P(Y' = j | Y = i) over all counterfactually stable SCMs with these marginals.

    Stability (Oberst and Sontag 2019, def. 2): no mass at (i, j), i != j, if q_i / p_i >= q_j / p_j. A linear
    program for each entry and side.

    Args:
        p: factual probabilities, shape (K,); rows i with p_i = 0 come out NaN.
        q: changed probabilities, shape (K,).
    """
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    size = len(p)
    stable = (np.outer(q, p) >= np.outer(p, q)) & ~np.eye(size, dtype=bool)
    limits = [(0.0, 0.0 if forbidden else 1.0) for forbidden in stable.ravel()]
    cells = np.arange(size * size).reshape(size, size)
    marginals = np.stack([np.isin(cells, line).ravel() for line in (*cells, *cells.T)]).astype(float)
    low, high = np.full((size, size), np.nan), np.full((size, size), np.nan)
    for i, j in np.argwhere(np.broadcast_to(p[:, None] > 0, (size, size))):
        for side, sign in ((low, 1.0), (high, -1.0)):
            target = np.zeros(size * size)
            target[cells[i, j]] = sign
            solved = linprog(target, A_eq=marginals, b_eq=np.concatenate([p, q]), bounds=limits)
            side[i, j] = sign * solved.fun / p[i]
    return low, high


def inverse_cdf(p: ArrayLike, q: ArrayLike) -> Floats:
    """Return P(Y' = j | Y = i) if one uniform drives both choices through their distribution functions.

    The mass at (i, j) is the overlap of the two options' intervals; it depends on the order of the options.

    Args:
        p: factual probabilities, shape (..., K); rows i with p_i = 0 come out NaN.
        q: changed probabilities, of a shape that broadcasts against it.
    """
    p, q = np.broadcast_arrays(np.asarray(p, dtype=float), np.asarray(q, dtype=float))
    p_end, q_end = np.cumsum(p, -1)[..., :, None], np.cumsum(q, -1)[..., None, :]
    p_start, q_start = p_end - p[..., :, None], q_end - q[..., None, :]
    overlap = np.maximum(np.minimum(p_end, q_end) - np.maximum(p_start, q_start), 0)
    width = np.broadcast_to(p[..., :, None], overlap.shape)
    matrix: Floats = np.divide(overlap, width, out=np.full(overlap.shape, np.nan), where=width > 0)
    return matrix
