"""Partially linear effects by double machine learning: what treatments do once covariates took all they explain.

Y = theta' phi(D) + g(X) + e with E[e | D, X] = 0. Outcome and each treatment column are predicted from the covariates
by models that never saw the run, and the residuals regressed on each other (Robinson 1988, Econometrica 56:931;
Chernozhukov et al. 2018, Econometrics Journal 21:C1, sec. 4.1). g may be any function that the learner finds at the
rate n^-1/4. Shares of a mixture sum to 1, so that only *changes* of a mixture have an effect: contrasts are estimated,
and refused where the runs do not settle them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import stdtrit
from sklearn.base import clone
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler

from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.estimate import Estimate
from ifonly.scm.policy.nuisance import FOLDS
from ifonly.scm.sensitivity import omitted_bias, robustness_value

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from ifonly.scm.mixtures.simplex import Floats

__all__ = ["PartiallyLinear", "partially_linear", "smooth"]

_PENALTIES: Final = (0.01, 0.1, 1.0, 10.0, 100.0)
_RANK: Final = 1e-8
"""Share of the largest eigenvalue below which a direction does not vary."""


def smooth(knots: int = 4) -> BaseEstimator:
    """Return a learner of smooth functions of few covariates: cubic splines and their products in pairs, by ridge.

    Args:
        knots: of each spline, at quantiles.
    """
    splines = SplineTransformer(n_knots=knots, knots="quantile", include_bias=False, extrapolation="constant")
    pairs = PolynomialFeatures(2, interaction_only=True, include_bias=False)
    return make_pipeline(splines, pairs, StandardScaler(), RidgeCV(_PENALTIES, alpha_per_target=True))


@dataclass(frozen=True, eq=False)
class PartiallyLinear:
    """Coefficients of treatment columns, and how sure they are. Make it with `partially_linear`.

    Attributes:
        coefficients: theta, of least norm where columns hang together, shape (p,).
        covariance: of theta, robust to heteroscedasticity (HC1) and to dependence inside groups, shape (p, p).
        classical: of theta, were all residuals of one variance: what sensitivity to confounding is told in.
        settled: projection on the changes of columns that the runs settle, shape (p, p).
        units: runs, or groups of runs.
        freedom: residual degrees of freedom.
    """

    coefficients: Floats
    covariance: Floats
    classical: Floats
    settled: Floats
    units: int
    freedom: int

    def effect(self, change: ArrayLike, level: float = 0.95) -> Estimate:
        """The effect of a change of the treatment columns: change' theta.

        Args:
            change: phi(after) - phi(before), shape (p,).
            level: of the t interval.

        Raises:
            NotIdentified: no two runs with like covariates differ in that way.
        """
        given = self._known(change)
        value = float(given @ self.coefficients)
        half = float(stdtrit(self.units - 1, (1 + level) / 2)) * self.standard_error(given)
        return Estimate.around(value, half, level, float(self.units))

    def standard_error(self, change: ArrayLike) -> float:
        """The standard error of an effect.

        Args:
            change: as in `effect`.
        """
        return self._error(self._known(change), self.covariance)

    def robustness(self, change: ArrayLike, share: float = 1.0) -> float:
        """The robustness value of an effect: how much a hidden cause must explain of treatment and outcome.

        Args:
            change: as in `effect`.
            share: of the effect that is to be explained away.
        """
        given = self._known(change)
        t = float(given @ self.coefficients) / self._error(given, self.classical)
        return robustness_value(t, self.freedom, share)

    def confounded(self, change: ArrayLike, cause: float, outcome: float, level: float = 0.95) -> Estimate:
        """Bounds on an effect, had a hidden cause explained so much of what is left of treatment and outcome.

        Cinelli and Hazlett 2020, eq. 8; for learned g, Chernozhukov et al. 2022, "Long story short", corollary 1.

        Args:
            change: as in `effect`.
            cause: partial R^2 of the hidden cause with the treatment, in [0, 1).
            outcome: partial R^2 of the hidden cause with the outcome, in [0, 1].
            level: of the confidence limits of the bounds.
        """
        bias = omitted_bias(self._error(self._known(change), self.classical), self.freedom, cause, outcome)
        plain = self.effect(change, level)
        return Estimate.bounded(plain.low - bias, plain.high + bias, "interventional", level, plain.effective)

    def _known(self, change: ArrayLike) -> Floats:
        given = np.asarray(change, dtype=float)
        if given.shape != self.coefficients.shape:
            raise NotApplicable(f"a change of {len(self.coefficients)} columns has that length, not {given.shape}")
        off = given - self.settled @ given
        if np.linalg.norm(off) > 1e-5 * max(float(np.linalg.norm(given)), 1e-300):
            raise NotIdentified(
                "no two runs with like covariates differ in this change, or only together with others. Add runs in "
                "which it was made alone, ask for a substitution that was, or use fewer treatment columns."
            )
        return given

    @staticmethod
    def _error(change: Floats, covariance: Floats) -> float:
        return float(np.sqrt(max(float(change @ covariance @ change), 0.0)))


def partially_linear(
    outcome: ArrayLike,
    treatments: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    estimator: BaseEstimator | None = None,
    clusters: ArrayLike | None = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> PartiallyLinear:
    """Estimate the coefficients of treatment columns, cross-fitted.

    Args:
        outcome: shape (n,).
        treatments: phi(D), shape (n, p).
        covariates: all that moved both, shape (n, q); None where the treatment was randomised.
        estimator: a scikit-learn regressor; `smooth` if None.
        clusters: group of each run, shape (n,): kept whole in folds, and allowed to hang together.
        folds: of cross-fitting.
        seed: of the folds.

    Raises:
        NotApplicable: lengths differ, a number is not finite, or there are fewer groups than folds.
        NotIdentified: no treatment column varies beyond what covariates tell.
    """
    y, d, x = _checked(outcome, treatments, covariates)
    n, groups = len(y), None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    units = n if groups is None else int(groups.max()) + 1
    if units <= max(folds, d.shape[1]):
        raise NotApplicable(
            f"{units} run(s) or groups of runs are too few for {folds} folds and {d.shape[1]} treatment columns: "
            "add runs, or ask with fewer columns"
        )
    left = _residuals(np.column_stack([y, d]), x, estimator, groups, folds, seed)
    return _regressed(left[:, 0], left[:, 1:], np.abs(d).max(0), groups, units)


def _regressed(
    left: Floats, moved: Floats, size: Floats, groups: np.ndarray[Any, Any] | None, units: int
) -> PartiallyLinear:
    gram = moved.T @ moved
    values, vectors = np.linalg.eigh(gram)
    varied = values > _RANK * max(float(values[-1]), 1e-300)
    if values[-1] <= len(left) * (1e-9 * float(size.max())) ** 2:
        raise NotIdentified(
            "the runs all have the same treatment, or one that the covariates tell exactly: nothing to compare. "
            "Add runs whose mixture differs while the covariates do not."
        )
    kept = vectors[:, varied]
    inverse: Floats = (kept / values[varied]) @ kept.T
    theta: Floats = inverse @ (moved.T @ left)
    noise = left - moved @ theta
    scores = moved * noise[:, None]
    if groups is not None:
        summed = np.zeros((units, scores.shape[1]))
        np.add.at(summed, groups, scores)
        scores = summed
    rank = int(varied.sum())
    freedom = len(left) - rank - 1
    return PartiallyLinear(
        coefficients=theta,
        covariance=inverse @ (scores.T @ scores) @ inverse * units / max(units - rank, 1),
        classical=inverse * float(noise @ noise) / freedom,
        settled=kept @ kept.T,
        units=units,
        freedom=freedom,
    )


def _residuals(
    targets: Floats,
    covariates: Floats,
    estimator: BaseEstimator | None,
    groups: np.ndarray[Any, Any] | None,
    folds: int,
    seed: int,
) -> Floats:
    """What covariates leave of each column, cross-fitted; of none at all, deviations from the mean."""
    if covariates.shape[1] == 0:
        centred: Floats = targets - targets.mean(0)
        return centred
    cut = KFold(folds, shuffle=True, random_state=seed) if groups is None else GroupKFold(folds)
    # Not every learner predicts several outputs; `smooth` does, at the cost of one.
    parts = [targets] if estimator is None else list(targets.T)
    learner = smooth() if estimator is None else estimator
    told = [cross_val_predict(clone(learner), covariates, one, groups=groups, cv=cut) for one in parts]
    made: Floats = targets - np.column_stack(told)
    return made


def _checked(outcome: ArrayLike, treatments: ArrayLike, covariates: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    y, d = np.asarray(outcome, dtype=float), np.asarray(treatments, dtype=float)
    d = d[:, None] if d.ndim == 1 else d
    x = np.empty((len(y), 0)) if covariates is None else np.asarray(covariates, dtype=float)
    x = x[:, None] if x.ndim == 1 else x
    if not len(y) == len(d) == len(x) or y.ndim != 1:
        raise NotApplicable(f"outcome, treatments and covariates have {len(y)}, {len(d)} and {len(x)} rows")
    for name, given in (("outcome", y), ("treatments", d), ("covariates", x)):
        if not np.isfinite(given).all():
            rows = np.unique(np.argwhere(~np.isfinite(given))[:, 0])[:5].tolist()
            raise NotApplicable(f"{name} are not finite in rows {rows}: fill or drop these rows")
    return y, d, x
