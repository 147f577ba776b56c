"""From small models to large: predictions recalibrated on the few large runs that can be afforded.

Assumed: at the large scale the expected loss is a straight line of the small one's, so that mixtures keep their order
(RegMix's rank invariance, Liu et al. 2025, arXiv 2407.01492, made testable). Where a mixture helps the large model and
hurts the small one, the line is wrong *there*: the error is no longer chance, the order is lost, and the intervals are
right on the average of mixtures alone, not at the one chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import stdtr, stdtrit
from scipy.stats import norm, spearmanr

from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.estimate import Estimate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ifonly.scm.mixtures.simplex import Floats

__all__ = ["Recalibration", "rank_agreement", "recalibrate"]

_FEWEST: Final = 5
_SAME: Final = 1e-12
_FEWEST_RANKED: Final = 4


@dataclass(frozen=True, eq=False)
class Recalibration:
    """A line from predictions made with small models to losses of large ones. Make it with `recalibrate`.

    Attributes:
        intercept: of the line.
        slope: of the line.
        deviation: residual standard deviation.
        gram: inverse of the normal equations, shape (2, 2).
        runs: large runs used.
        straight: p-value of no curvature, against a parabola; 1 with fewer than six runs.
    """

    intercept: float
    slope: float
    deviation: float
    gram: Floats
    runs: int
    straight: float

    def predict(self, predicted: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """The losses of new large runs: expected, and the ends of t intervals, each of shape (m,).

        Args:
            predicted: by small models, shape (m,).
            level: of the intervals.
        """
        columns = np.column_stack([np.ones(np.size(predicted)), np.ravel(predicted)])
        middle = columns @ np.array([self.intercept, self.slope])
        spread = self.deviation * np.sqrt(1 + np.einsum("ij,jk,ik->i", columns, self.gram, columns))
        half = float(stdtrit(self.runs - 2, (1 + level) / 2)) * spread
        return middle, middle - half, middle + half

    def carried(self, change: float, error: float, level: float = 0.95) -> Estimate:
        """What a change of the expected loss that small models tell comes to at the large scale: slope * change.

        By the delta method, variance slope^2 error^2 + change^2 Var(slope): small and large runs are independent.

        Args:
            change: predicted after less predicted before.
            error: its standard error.
            level: of the t interval.
        """
        value, of_slope = self.slope * change, self.deviation * float(np.sqrt(self.gram[1, 1]))
        spread = float(np.hypot(self.slope * error, change * of_slope))
        half = float(stdtrit(self.runs - 2, (1 + level) / 2)) * spread
        return Estimate.around(value, half, level, float(self.runs))


def recalibrate(predicted: ArrayLike, actual: ArrayLike, level: float = 0.95) -> Recalibration:
    """Fit the line by least squares.

    Args:
        predicted: losses of the large runs' mixtures as small models tell them, shape (k,).
        actual: losses of the large runs, shape (k,).
        level: at which the slope must be above 0.

    Raises:
        NotApplicable: shapes differ, or there are fewer than five large runs.
        NotIdentified: the slope may be 0 or negative: small models do not rank these mixtures.
    """
    x, y = np.asarray(predicted, dtype=float), np.asarray(actual, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or len(y) < _FEWEST:
        raise NotApplicable(f"{len(y)} large run(s) for {len(x)} prediction(s): at least {_FEWEST} pairs are needed")
    columns = np.column_stack([np.ones_like(x), x])
    if np.ptp(x) <= _SAME:
        raise NotIdentified("the large runs have one predicted loss: choose mixtures that small models tell apart")
    gram: Floats = np.linalg.inv(columns.T @ columns)
    intercept, slope = gram @ columns.T @ y
    left = y - intercept - slope * x
    deviation = float(np.sqrt(left @ left / (len(y) - 2)))
    if slope - float(stdtrit(len(y) - 2, (1 + level) / 2)) * deviation * np.sqrt(gram[1, 1]) <= 0:
        raise NotIdentified(
            f"losses of the {len(y)} large runs do not rise with what small models predict (slope {slope:.3g}, its "
            f"{level:.0%} interval holds 0): order is not preserved, so that small runs cannot choose for large ones. "
            "Add large runs, run small models that are larger, or compare at the large scale itself."
        )
    return Recalibration(float(intercept), float(slope), deviation, gram, len(y), _straight(x, y, left))


def rank_agreement(predicted: ArrayLike, actual: ArrayLike, level: float = 0.95) -> Estimate:
    """Spearman's rank correlation with its interval on Fisher's scale.

    Standard error sqrt((1 + r^2 / 2) / (n - 3)): Bonett and Wright 2000, Psychometrika 65:23.

    Args:
        predicted: shape (n,).
        actual: shape (n,).
        level: of the interval.

    Raises:
        NotApplicable: shapes differ, fewer than four pairs, or one side is constant.
    """
    x, y = np.asarray(predicted, dtype=float), np.asarray(actual, dtype=float)
    if x.shape != y.shape or len(x) < _FEWEST_RANKED or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise NotApplicable(f"ranks of {len(x)} and {len(y)} numbers: at least {_FEWEST_RANKED} pairs that differ")
    value = float(spearmanr(x, y)[0])
    centre = np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    half = norm.isf((1 - level) / 2) * np.sqrt((1 + value**2 / 2) / (len(x) - 3))
    return Estimate(
        value=value,
        low=min(float(np.tanh(centre - half)), value),
        high=max(float(np.tanh(centre + half)), value),
        level=level,
        effective=float(len(x)),
        rung="interventional",
        identified="point",
    )


def _straight(x: Floats, y: Floats, left: Floats) -> float:
    """The F test of a parabola against the line."""
    freedom = len(y) - 3
    if freedom <= _FEWEST - 3:
        return 1.0
    columns = np.column_stack([np.ones_like(x), x - x.mean(), np.square(x - x.mean())])
    bent = y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
    t = np.sqrt(max(float(left @ left - bent @ bent), 0.0) / max(float(bent @ bent) / freedom, 1e-300))
    return float(2 * stdtr(freedom, -t))
