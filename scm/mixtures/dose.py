"""Effect curves of a continuous treatment: E[Y | do(dose = a)] over doses, doubly robust and smoothed by a kernel.

The pseudo-outcome (Y - mu(X, A)) / pi(A | X) * mean pi(A | X_j) + mean mu(X_j, A) has the curve as its regression on A
if mu or pi is right (Kennedy, Ma, McHugh and Small 2017, JRSS B 79:1229, eq. 3); both are learned on other folds
(Colangelo and Lee 2025, "Double debiased machine learning nonparametric inference with continuous treatments", JBES).
It is smoothed by a local quadratic at a bandwidth of the local-linear rate n^-1/5, so that the interval is centred
without undersmoothing (Calonico, Cattaneo and Farrell 2018, JASA 113:767).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.stats import gaussian_kde, norm
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.estimate import Estimate
from ifonly.scm.policy.nuisance import FOLDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from ifonly.scm.mixtures.simplex import Floats

__all__ = ["EffectCurve", "effect_curve"]

_GRID: Final = 20
"""Doses at which averages over covariates are taken; between them they are interpolated."""
_HEAVIEST: Final = 20.0
"""Largest weight mean pi / pi of a run's residual: beyond it a density is the model's error. What the cap takes away is
the error of mu alone."""
_LEAST: Final = 20
"""Effective runs inside the kernel below which a dose has no neighbours to speak of."""


def _trees() -> BaseEstimator:
    return HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=8, early_stopping=False)


@dataclass(frozen=True, eq=False)
class EffectCurve:
    """E[Y | do(dose)] at some doses. Make it with `effect_curve`.

    Attributes:
        doses: shape (g,).
        values: the curve, shape (g,).
        influence: of each run on each value, shape (n, g): the values' covariance is its second moment over n.
        bandwidth: of the kernel.
    """

    doses: Floats
    values: Floats
    influence: Floats
    bandwidth: float

    def at(self, index: int, level: float = 0.95) -> Estimate:
        """The value at a dose.

        Args:
            index: of the dose.
            level: of the interval.
        """
        weights = np.zeros(len(self.doses))
        weights[index] = 1.0
        return self._linear(weights, level)

    def change(self, before: int, after: int, level: float = 0.95) -> Estimate:
        """The effect of one dose in place of another; their errors are correlated, and that is counted.

        Args:
            before: index of the dose given up.
            after: index of the dose taken.
            level: of the interval.
        """
        weights = np.zeros(len(self.doses))
        weights[after] += 1.0
        weights[before] -= 1.0
        return self._linear(weights, level)

    def band(self, level: float = 0.95, repeats: int = 1_000, seed: int = 0) -> tuple[Floats, Floats]:
        """Ends of a band that holds the whole curve at these doses, by the multiplier bootstrap.

        Chernozhukov, Chetverikov and Kato 2014, Annals of Statistics 42:1564.

        Args:
            level: of the band.
            repeats: number of bootstrap draws.
            seed: of the draws.
        """
        n = len(self.influence)
        errors = np.sqrt(np.square(self.influence).mean(0) / n)
        draws = Draw(seed).generator("band").standard_normal((repeats, n)) @ self.influence / n
        reach = float(np.quantile(np.abs(draws / errors).max(1), level))
        return self.values - reach * errors, self.values + reach * errors

    def _linear(self, weights: Floats, level: float) -> Estimate:
        value, psi = float(weights @ self.values), self.influence @ weights
        half = float(norm.isf((1 - level) / 2) * np.sqrt(np.square(psi).mean() / len(psi)))
        return Estimate.around(value, half, level, float(len(psi)))


def effect_curve(
    outcome: ArrayLike,
    dose: ArrayLike,
    covariates: ArrayLike,
    at: ArrayLike,
    *,
    estimator: BaseEstimator | None = None,
    bandwidth: float | None = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> EffectCurve:
    """Estimate an effect curve, cross-fitted.

    The density of the dose given covariates is that of location and scale learned, and of the standardised residual by
    a kernel.

    Args:
        outcome: shape (n,).
        dose: shape (n,): for a substitution in proportion, the domain's share or its log-ratio to the rest.
        covariates: all that moved both dose and outcome, shape (n, q). For a substitution in proportion the mixture of
            the others among themselves belongs here, since it is kept.
        at: doses to ask for, shape (g,).
        estimator: a scikit-learn regressor for outcome, location and scale; small boosted trees if None,
            which do not run away where a dose is rare.
        bandwidth: of the Gaussian kernel; 1.5 standard deviations of the dose times n^-1/5 if None.
        folds: of cross-fitting.
        seed: of the folds.

    Raises:
        NotApplicable: shapes differ.
        NotIdentified: a dose has no runs around it.
    """
    y, a, x = (np.asarray(one, dtype=float) for one in (outcome, dose, covariates))
    doses = np.atleast_1d(np.asarray(at, dtype=float))
    if not (y.shape == a.shape and x.ndim == len(("runs", "columns")) and len(x) == len(y)):
        raise NotApplicable(f"outcome, dose and covariates have shapes {y.shape}, {a.shape} and {x.shape}")
    width = 1.5 * float(a.std()) * len(y) ** -0.2 if bandwidth is None else bandwidth
    grid = np.linspace(a.min(), a.max(), _GRID)
    fitted = _fitted(y, a, x, grid, estimator or _trees(), KFold(folds, shuffle=True, random_state=seed))
    return _smoothed(y, a, doses, width, grid, fitted)


def _smoothed(y: Floats, a: Floats, doses: Floats, width: float, grid: Floats, fitted: _Fitted) -> EffectCurve:
    """The curve from pseudo-outcomes."""
    surface = fitted.over.mean(0)
    marginal = np.interp(a, grid, fitted.densities.mean(0))
    weights = marginal / np.maximum(fitted.density, marginal / _HEAVIEST)
    pseudo = (y - fitted.predicted) * weights + np.interp(a, grid, surface)
    made = [_local(pseudo, a, place, width) for place in doses]
    # The average over covariates is over those of these runs: that sampling error is theirs too.
    spread = np.column_stack([_columns(fitted.over - surface, grid, place) for place in doses])
    return EffectCurve(
        doses, np.array([value for value, _ in made]), np.column_stack([psi for _, psi in made]) + spread, width
    )


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Nuisances of each run from other folds: mu and pi at its own dose, and over the grid."""

    predicted: Floats
    density: Floats
    over: Floats
    densities: Floats


def _fitted(y: Floats, a: Floats, x: Floats, grid: Floats, estimator: BaseEstimator, cut: KFold) -> _Fitted:
    n, g = len(y), len(grid)
    made = _Fitted(np.empty(n), np.empty(n), np.empty((n, g)), np.empty((n, g)))
    for outside, inside in cut.split(x):
        mu = clone(estimator).fit(np.column_stack([x[outside], a[outside]]), y[outside])
        made.predicted[inside] = mu.predict(np.column_stack([x[inside], a[inside]]))
        for column, place in enumerate(grid):
            made.over[inside, column] = mu.predict(np.column_stack([x[inside], np.full(len(inside), place)]))
        density = _density(a[outside], x[outside], estimator, x[inside])
        made.density[inside] = density(a[inside][:, None])[:, 0]
        made.densities[inside] = density(np.broadcast_to(grid, (len(inside), g)))
    return made


def _density(a: Floats, x: Floats, estimator: BaseEstimator, asked: Floats) -> Callable[[Floats], Floats]:
    """Density of doses, shape (m, k), given asked covariates, shape (m, q)."""
    location: Any = clone(estimator).fit(x, a)
    left = a - location.predict(x)
    logs = np.log(np.square(left) + 1e-12 * max(float(a.var()), 1e-300))
    scale: Any = clone(estimator).fit(x, logs)
    ends_of_scale = np.quantile(logs, (0.05, 0.95))
    spreads = np.exp(np.clip(scale.predict(x), *ends_of_scale) / 2)
    middle = location.predict(asked)[:, None]
    spread = np.exp(np.clip(scale.predict(asked), *ends_of_scale) / 2)[:, None]
    standard = left / spreads
    ends = np.linspace(standard.min() - 1, standard.max() + 1, 400)
    kernel = gaussian_kde(standard)(ends)

    def density(doses: Floats) -> Floats:
        told: Floats = np.interp((doses - middle) / spread, ends, kernel, left=0.0, right=0.0) / spread
        return told

    return density


def _local(pseudo: Floats, a: Floats, place: float, width: float) -> tuple[float, Floats]:
    """The local quadratic at a place, and each run's influence on it."""
    off = (a - place) / width
    weights = np.exp(-np.square(off) / 2)
    effective = float(weights.sum()) ** 2 / max(float(np.square(weights).sum()), 1e-300)
    if effective < _LEAST or not a.min() <= place <= a.max():
        raise NotIdentified(
            f"about {effective:.0f} of {len(a)} run(s) have a dose like {place:.4g}; all lie from {a.min():.4g} to "
            f"{a.max():.4g}: at least {_LEAST} inside that range are needed. Ask for doses that were run, or add runs."
        )
    basis = np.column_stack([np.ones_like(off), off, np.square(off)])
    inverse = np.linalg.inv(basis.T @ (basis * weights[:, None]))
    row = (basis * weights[:, None]) @ inverse[0]
    residual = pseudo - basis @ (inverse @ (basis.T @ (weights * pseudo)))
    return float(row @ pseudo), len(a) * row * residual


def _columns(table: Floats, grid: Floats, place: float) -> Floats:
    """The table's column at a place, between columns of the grid."""
    right = int(np.clip(np.searchsorted(grid, place), 1, len(grid) - 1))
    part = (place - grid[right - 1]) / (grid[right] - grid[right - 1])
    between: Floats = (1 - part) * table[:, right - 1] + part * table[:, right]
    return between
