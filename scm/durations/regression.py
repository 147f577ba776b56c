"""Means that are sums of non-negative parts: seconds of a call from its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import least_squares, nnls

from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from ifonly.scm.durations.laws import Floats

__all__ = ["nonnegative_gamma", "robust_parts"]

_ROUNDS, _SMALL = 500, 1e-12

_BEND = 1.345
"""Standard deviations at which the loss turns from square to linear: 95 % efficient under a normal law (Huber)."""


def nonnegative_gamma(values: Floats, parts: Floats) -> Floats:
    """Return b >= 0 of the model E[y] = parts b, sd[y] proportional to E[y]: a Gamma GLM with identity link.

    Iteratively reweighted non-negative least squares (McCullagh and Nelder 1989, Generalized linear models, sec. 2.5
    and 8). At the solution the ratios y / (parts b) have mean 1, so b times what was asked adds up to what was seen, in
    ratio: the multiplicative noise has mean 1.

    Args:
        values: y, shape (n,), non-negative.
        parts: shape (n, d), non-negative.

    Raises:
        NotApplicable: there are no values, or all are 0.
    """
    y, x = np.asarray(values, dtype=float), np.asarray(parts, dtype=float)
    if not len(y) or not y.max(initial=0.0) > 0.0:
        raise NotApplicable(f"{len(y)} values, none above 0: nothing to fit")
    # Columns of one size, so that the solver's tolerance means the same for all.
    sizes = np.where(x.max(0) > 0.0, x.max(0), 1.0)
    x = x / sizes
    found = nnls(x, y)[0]
    for _ in range(_ROUNDS):
        mean = np.maximum(x @ found, _SMALL * y.max())
        before, found = found, nnls(x / mean[:, None], y / mean)[0]
        if np.abs(found - before).max() <= _SMALL * np.abs(found).max():
            break
    return np.asarray(found / sizes)


def robust_parts(values: Floats, parts: Floats) -> Floats:
    """Return b >= 0 of the model log y = log(parts b) + e, e of any law about 0: few wild values do not move it.

    Minimises a smooth form of Huber's loss of the log ratios (scipy's `soft_l1`), quadratic within 1.345 robust
    deviations of 0 and linear beyond (Huber 1964, Annals of Mathematical Statistics 35:73). A Gamma GLM, its start,
    takes one call in a hundred that hung for an hour for a property of tokens. The ratios y / (parts b) are about 1 in
    the middle; their mean is that of the noise.

    Args:
        values: y, shape (n,), positive.
        parts: shape (n, d), non-negative.

    Raises:
        NotApplicable: there are no values, or all are 0.
    """
    y, x = np.asarray(values, dtype=float), np.asarray(parts, dtype=float)
    start = nonnegative_gamma(y, x)
    sizes = np.maximum(x @ start, _SMALL * y.max()).mean() / np.where(x.max(0) > 0.0, x.max(0), 1.0)

    def ratios(scaled: Floats) -> Floats:
        return np.asarray(np.log(np.maximum(x @ (scaled * sizes), _SMALL * y.max())) - np.log(y))

    # Off the border, which the solver could not leave; and down from the mean, which heavy tails hold high.
    first = start / sizes + _SMALL**0.25
    first *= np.exp(-np.median(ratios(first)))
    off = ratios(first)
    spread = 1.4826 * float(np.median(np.abs(off - np.median(off))))
    found = least_squares(ratios, first, bounds=(0.0, np.inf), loss="soft_l1", f_scale=max(_BEND * spread, _SMALL))
    return np.asarray(found.x * sizes)
