"""Gumbel-max counterfactuals in closed form: no sampling where the state is discrete.

A categorical choice as an exponential race: E_k ~ Exp(1), Y = argmin E_k / p_k; in the changed world
Y' = argmin E_k / q_k with the same E. Given Y = i the race ended at T = E_i / p_i ~ Exp(1), and the other E_k restart
there by lack of memory. With r_k = p_k / q_k, H(s) = sum over r_k < s of (q_k s - p_k) and Q = H' = sum over r_k < s
of q_k:

    P(Y' = i | Y = i) = 1 / (1 + H(r_i))
    P(Y' = j | Y = i) = q_j (F(r_i) - F(r_j)) if r_j < r_i, else 0
    F(s) = integral from 0 to s of dt / (1 + H(t))^2

where on a segment [a, b] between sorted r's the integral is (1 / (1 + H(a)) - 1 / (1 + H(b))) / Q. Neither H nor F
depends on i, so a matrix takes one sort. It is counterfactually stable (Oberst and Sontag 2019, def. 2) on the face of
it: j replaces i only if its odds rose against i's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Floats", "noise_means", "transition"]

Floats = NDArray[np.float64]
"""Arrays in double precision."""


def transition(p: ArrayLike, q: ArrayLike) -> Floats:
    """Return M[..., i, j] = P(Y' = j | Y = i) under the Gumbel-max coupling.

    Args:
        p: factual probabilities, shape (..., K), each row summing to 1; zeros are allowed.
        q: changed probabilities, of a shape that broadcasts against it.

    Returns:
        Shape (..., K, K), rows summing to 1. Row i is NaN where p_i = 0, since Y = i is then impossible.
    """
    p, q = np.broadcast_arrays(np.asarray(p, dtype=float), np.asarray(q, dtype=float))
    # An option that cannot be taken in the changed world never starts to run: r is infinite.
    with np.errstate(over="ignore"):
        r = np.divide(p, q, out=np.full(p.shape, np.inf), where=q > 0)
    order = np.argsort(r, axis=-1)
    start = np.take_along_axis(r, order, -1)
    rate = np.cumsum(np.take_along_axis(q, order, -1), -1)[..., :-1]
    gap = np.subtract(start[..., 1:], start[..., :-1], out=np.zeros(rate.shape), where=np.isfinite(start[..., :-1]))
    zero = np.zeros((*r.shape[:-1], 1))
    stay = 1 / (1 + np.concatenate([zero, np.cumsum(rate * gap, -1)], -1))
    area = np.divide(stay[..., :-1] - stay[..., 1:], rate, out=np.zeros(rate.shape), where=rate > 0)
    back = np.argsort(order, axis=-1)
    stay = np.take_along_axis(stay, back, -1)
    total = np.take_along_axis(np.concatenate([zero, np.cumsum(area, -1)], -1), back, -1)
    earlier = r[..., None, :] < r[..., :, None]
    matrix = np.where(earlier, q[..., None, :] * (total[..., :, None] - total[..., None, :]), 0.0)
    options = np.arange(p.shape[-1])
    matrix[..., options, options] = stay
    return np.where(p[..., :, None] > 0, matrix, np.nan)


def noise_means(p: ArrayLike) -> Floats:
    """Return E[g_j | argmax(log p + g) = i], shape (K, K).

    E[g_i | i] = gamma - log p_i and E[g_j | i] = gamma + p_j log p_j / (1 - p_j), from the top-down
    construction (Maddison, Tarlow and Minka 2014): g_j = -log(Exp(1) + p_j T).

    Args:
        p: probabilities, shape (K,), positive and below 1.
    """
    p = np.asarray(p, dtype=float)
    means = np.tile(np.euler_gamma + p * np.log(p) / (1 - p), (len(p), 1))
    np.fill_diagonal(means, np.euler_gamma - np.log(p))
    return means
