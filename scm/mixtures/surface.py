"""The loss under do(mixture), from runs whose mixture was randomised: a Gaussian process on the logarithms of shares.

Domains help each by its own scale (one length a domain), with returns that fall: both are what the process learns. Its
posterior holds contrasts of mixtures with their covariance, so that a substitution effect has an interval.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import KFold

from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from ifonly.scm.mixtures.simplex import Floats

__all__ = ["LossSurface", "cross_conformal"]

_OFFSET: Final = 0.005
"""Added to shares before the logarithm: below half a per cent a domain is all but absent."""
_STEPS: Final = 20
"""Of L-BFGS: on RegMix's runs 40 predict no better."""
_FEWEST: Final = 20
_SAME: Final = 1e-9


@dataclass(frozen=True, eq=False)
class LossSurface:
    """A fitted surface. Make it with `of`.

    Attributes:
        process: in standardised coordinates and outcome.
        centre: mean of the log shares, shape (K,).
        scale: their deviation, shape (K,); 1 where a share never varies.
        mean: of the outcome.
        deviation: of the outcome.
        noise: standard deviation of a run around the surface, in the outcome's unit.
        runs: how many it was fitted to.
    """

    process: Any
    centre: Floats
    scale: Floats
    mean: float
    deviation: float
    noise: float
    runs: int

    @classmethod
    def of(cls, shares: ArrayLike, losses: ArrayLike) -> LossSurface:
        """Fit it: Matern 5/2 with one length a domain, by marginal likelihood.

        Rasmussen and Williams 2006, Gaussian processes for machine learning, sec. 2.2 and 5.1.

        Args:
            shares: mixtures, shape (n, K).
            losses: of each run, shape (n,).

        Raises:
            NotApplicable: shapes differ, or there are fewer than 20 runs.
            NotIdentified: all runs have one mixture.
        """
        w, y = np.asarray(shares, dtype=float), np.asarray(losses, dtype=float)
        if w.shape[:1] != y.shape or y.ndim != 1 or len(y) < _FEWEST:
            raise NotApplicable(f"{len(y)} losses of {len(w)} mixtures: one each, and at least {_FEWEST} are needed")
        if float(np.ptp(w, axis=0).max()) <= _SAME:
            raise NotIdentified(
                "all runs have the same mixture, so that nothing tells what another would have done. Add runs with "
                "other mixtures, best drawn at random (say, from a Dirichlet law around the one in use)."
            )
        logs = np.log(w + _OFFSET)
        scale = np.where(np.ptp(w, axis=0) > _SAME, logs.std(0), 1.0)
        kernel = ConstantKernel(4.0, (1e-2, 1e3)) * Matern([4.0] * w.shape[1], (0.05, 1e3), nu=2.5)
        process = GaussianProcessRegressor(kernel + WhiteKernel(1e-2, (1e-7, 1.0)), optimizer=_climb)
        deviation = max(float(y.std()), 1e-300)
        with warnings.catch_warnings():
            # A length at its bound is an answer: the domain does nothing.
            warnings.simplefilter("ignore", ConvergenceWarning)
            process.fit((logs - logs.mean(0)) / scale, (y - y.mean()) / deviation)
        noise = deviation * float(np.sqrt(process.kernel_.k2.noise_level))
        return cls(process, logs.mean(0), scale, float(y.mean()), deviation, noise, len(y))

    def mean_loss(self, shares: Floats) -> Floats:
        """The expected loss under do(mixture), shape (m,).

        Args:
            shares: mixtures, shape (m, K).
        """
        told: Floats = self.mean + self.deviation * self.process.predict(self._standard(shares))
        return told

    def run(self, shares: Floats, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """The loss of one new run of each mixture: expected, and the interval's ends, each of shape (m,).

        Args:
            shares: mixtures, shape (m, K).
            level: of the intervals.
        """
        middle, spread = self.process.predict(self._standard(shares), return_std=True)
        half = norm.isf((1 - level) / 2) * self.deviation * spread
        told = self.mean + self.deviation * middle
        return told, told - half, told + half

    def contrast(self, shares: Floats, weights: ArrayLike, level: float = 0.95) -> Estimate:
        """A weighted sum of expected losses, with the interval of its posterior.

        Args:
            shares: mixtures, shape (m, K).
            weights: of each; +1 and -1 for what one does in place of the other.
            level: of the interval.
        """
        given = np.asarray(weights, dtype=float)
        middle, covariance = self.process.predict(self._standard(shares), return_cov=True)
        # scikit-learn counts the noise of a new run on the diagonal; the surface itself has none.
        covariance = covariance - np.eye(len(given)) * self.process.kernel_.k2.noise_level
        value = self.mean * float(given.sum()) + self.deviation * float(given @ middle)
        half = norm.isf((1 - level) / 2) * self.deviation * float(np.sqrt(max(given @ covariance @ given, 0.0)))
        return Estimate.around(value, half, level, float(self.runs))

    def errors(self, shares: Floats) -> tuple[Floats, Floats]:
        """Standard deviations and correlations of the errors for one new run of each mixture: (m,) and (m, m).

        Args:
            shares: mixtures, shape (m, K).
        """
        _, covariance = self.process.predict(self._standard(shares), return_cov=True)
        spread = np.sqrt(np.diag(covariance))
        return self.deviation * spread, covariance / np.outer(spread, spread)

    def _standard(self, shares: Floats) -> Floats:
        made: Floats = (np.log(np.asarray(shares) + _OFFSET) - self.centre) / self.scale
        return made


def cross_conformal(
    estimator: BaseEstimator, shares: Floats, losses: Floats, asked: Floats, level: float = 0.95, seed: int = 0
) -> tuple[Floats, Floats, Floats]:
    """Predict new runs by any scikit-learn regressor, with CV+ intervals: middle and ends, each of shape (m,).

    They cover with at least 2 level - 1, and about the level, whatever the regressor, where new runs are drawn like the
    old (Barber, Candes, Ramdas and Tibshirani 2021, "Predictive inference with the jackknife+", Annals of Statistics
    49:486, theorem 4).

    Args:
        estimator: a regressor.
        shares: mixtures of the runs, shape (n, K).
        losses: of the runs, shape (n,).
        asked: mixtures of new runs, shape (m, K).
        level: of the intervals.
        seed: of the ten folds.
    """
    lows, highs = [], []
    for outside, inside in KFold(10, shuffle=True, random_state=seed).split(shares):
        model = clone(estimator).fit(shares[outside], losses[outside])
        left = np.abs(losses[inside] - model.predict(shares[inside]))
        told = model.predict(asked)
        lows.append(told[:, None] - left)
        highs.append(told[:, None] + left)
    low = np.quantile(np.hstack(lows), 1 - level, axis=1, method="lower")
    high = np.quantile(np.hstack(highs), level, axis=1, method="higher")
    middle: Floats = clone(estimator).fit(shares, losses).predict(asked)
    return middle, low, high


def _climb(objective: Callable[..., Any], start: Floats, bounds: Floats) -> tuple[Floats, float]:
    """A few steps of L-BFGS: the likelihood is flat in the lengths of domains that do nothing."""
    found = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": _STEPS})
    return found.x, float(found.fun)
