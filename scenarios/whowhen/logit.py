"""Conditional logit: which of the steps of one log is the one.

P(step t of a log | its signs) = exp(b . x_t) / sum over its steps s of exp(b . x_s)   (McFadden 1974)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Logit"]

_STILL = 1e-12


class Logit:
    """The law of the step, fitted by penalised maximum likelihood, which has one optimum.

    Signs are scaled to unit deviation over all training steps; a scaled coefficient has the prior Normal(0, 1 /
    penalty), so the fit exists where steps are separable and where signs never vary (their coefficient is 0).

    Args:
        signs: of each training log, shape (steps, signs).
        steps: the labelled step of each.
        penalty: inverse variance of the prior.

    Attributes:
        coefficients: on the signs as they are, shape (signs,).
        scaled: on the scaled signs: log odds by one standard deviation.
    """

    def __init__(self, signs: Sequence[NDArray[np.float64]], steps: Sequence[int], penalty: float = 1.0) -> None:
        rows, starts = np.concatenate(signs), np.cumsum([0, *map(len, signs)])
        deviation = rows.std(axis=0)
        varies = deviation > _STILL
        scale = np.where(varies, deviation, 1.0)
        z = np.where(varies, (rows - rows.mean(axis=0)) / scale, 0.0)
        chosen = starts[:-1] + np.asarray(steps)

        def shares_of(b: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            scores = z @ b
            highest = np.maximum.reduceat(scores, starts[:-1])
            weights = np.exp(scores - np.repeat(highest, np.diff(starts)))
            totals = np.add.reduceat(weights, starts[:-1])
            return weights / np.repeat(totals, np.diff(starts)), highest + np.log(totals)

        def loss(b: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            shares, normers = shares_of(b)
            value = normers.sum() - (z[chosen] @ b).sum() + penalty * (b @ b) / 2
            return float(value), z.T @ shares - z[chosen].sum(axis=0) + penalty * b

        def curvature(b: NDArray[np.float64]) -> NDArray[np.float64]:
            shares, _ = shares_of(b)
            means = np.add.reduceat(z * shares[:, None], starts[:-1], axis=0)
            matrix: NDArray[np.float64] = (z * shares[:, None]).T @ z - means.T @ means + penalty * np.eye(len(b))
            return matrix

        found = minimize(loss, np.zeros(z.shape[1]), jac=True, hess=curvature, method="trust-exact")
        self.scaled: NDArray[np.float64] = found.x
        self.coefficients: NDArray[np.float64] = self.scaled / scale

    def probabilities(self, signs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the law of the step of one log, shape (steps,)."""
        law: NDArray[np.float64] = softmax(signs @ self.coefficients)
        return law
