"""Estimates from dependent units: standard errors clustered one way or two, few clusters, and tests of equal effects.

An estimate is kept with what each unit adds to its error, so that differences and mixtures of estimates from the same
units are paired by themselves. Clusters are whatever made units alike: the task, and the injection, of a run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, fdtrc, stdtr, stdtrit

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from ifonly.scm.draw import Draw
    from ifonly.scm.estimate import Rung

__all__ = ["Clustered", "Equal", "clustered_mean", "cochran_q", "equal_effects", "robust_error", "wild_p_value"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_MOST_DIMENSIONS = 2
_ENUMERATED = 12
"""Clusters up to which all signs of the wild bootstrap are gone through: 4,096."""
_TIE = 1e-9


@dataclass(frozen=True, eq=False)
class Clustered:
    """A number with the part that each unit has in its error.

    Attributes:
        value: the estimate.
        parts: of each unit, shape (n,): the estimate errs by their sum, as far as influence functions see it. Of a mean
            of d they are (d - mean) / n.
        clusters: number of the cluster of each unit, shape (n,), in one dimension or in two that cross.
    """

    value: float
    parts: Floats
    clusters: tuple[Ints, ...]

    @property
    def naive_error(self) -> float:
        """The standard error if units were independent: sqrt(n / (n - 1) sum of parts^2)."""
        return robust_error(self.parts, np.arange(len(self.parts)))

    @property
    def one_way_error(self) -> float:
        """The standard error clustered by the first dimension alone."""
        return robust_error(self.parts, self.clusters[0])

    @property
    def standard_error(self) -> float:
        """The cluster-robust standard error, in all dimensions; infinite with fewer than two clusters in one."""
        return robust_error(self.parts, *self.clusters)

    @property
    def freedom(self) -> int:
        """Degrees of freedom: clusters of the dimension that has fewest, less one."""
        return min(len(np.unique(one)) for one in self.clusters) - 1

    @property
    def p_value(self) -> float:
        """Of no effect, two-sided, by Student's t with `freedom`; 1 where there is no standard error to go by."""
        error = self.standard_error
        if self.value == 0 or not np.isfinite(error):
            return 1.0
        return 0.0 if error == 0 else float(2 * stdtr(self.freedom, -abs(self.value) / error))

    def estimate(self, level: float = 0.95, rung: Rung = "interventional", span: float | None = None) -> Estimate:
        """The value with its t interval.

        Args:
            level: coverage, in (0, 1).
            rung: that the estimand stands on.
            span: half-width where there is no standard error: how far the value could be off at most.
        """
        return self._interval(self.standard_error, max(self.freedom, 1), level, rung, span)

    def naive_estimate(self, level: float = 0.95, rung: Rung = "observed") -> Estimate:
        """The value with the interval of independent units."""
        return self._interval(self.naive_error, max(len(self.parts) - 1, 1), level, rung, None)

    def plus(self, other: Clustered, factor: float = 1.0) -> Clustered:
        """This plus a multiple of an estimate of the same units, paired.

        Args:
            other: of the same units and clusters.
            factor: -1 for the difference.
        """
        if other.parts.shape != self.parts.shape:
            raise NotApplicable(f"estimates of {len(self.parts)} and of {len(other.parts)} units are not of the same")
        return replace(self, value=self.value + factor * other.value, parts=self.parts + factor * other.parts)

    def _interval(self, error: float, freedom: int, level: float, rung: Rung, span: float | None) -> Estimate:
        half = float(stdtrit(freedom, (1 + level) / 2)) * error
        if not np.isfinite(half):
            half = float(np.finfo(float).max) / 4 if span is None else span
        return Estimate(
            value=self.value,
            low=self.value - half,
            high=self.value + half,
            level=level,
            effective=float(len(self.parts)),
            rung=rung,
            identified="point",
        )


@dataclass(frozen=True)
class Equal:
    """Whether groups have one effect.

    Attributes:
        q: Cochran's Q, the weighted squares about the common effect.
        freedom: groups less one.
        chi_square: p-value of equal effects if standard errors were known.
        p_value: with the few clusters that they were estimated from (Welch 1951).
    """

    q: float
    freedom: int
    chi_square: float
    p_value: float


def robust_error(parts: Floats, *clusters: Ints) -> float:
    """Return the cluster-robust standard error of an estimate that errs by the sum of parts.

    One way: the root of V = G / (G - 1) sum over G clusters of (sum of parts in the cluster)^2 (Liang and Zeger 1986).
    Two ways that cross: V_1 + V_2 - V_12, with V_12 by their intersections (Cameron, Gelbach and Miller 2011, "Robust
    inference with multiway clustering", JBES 29:238, eq. 2.11), each with its own factor; where that falls below the
    larger of V_1 and V_2, as it can with few clusters, the larger: too wide rather than too narrow. Infinite with
    fewer than two clusters in a dimension.

    Args:
        parts: shape (n,).
        clusters: numbers, shape (n,), of one dimension or two.

    Raises:
        NotApplicable: if there are no dimensions, more than two, or other shapes.
    """
    if not 0 < len(clusters) <= _MOST_DIMENSIONS or any(one.shape != parts.shape for one in clusters):
        raise NotApplicable(f"need one or two clusterings of {len(parts)} units, got {[one.shape for one in clusters]}")
    variances = [_variance(parts, one) for one in clusters]
    if len(clusters) == 1:
        return float(np.sqrt(variances[0]))
    both = np.unique(np.stack(clusters), axis=1, return_inverse=True)[1].reshape(-1)
    crossed = sum(variances) - (_variance(parts, both) if np.isfinite(max(variances)) else 0.0)
    return float(np.sqrt(max(crossed, *variances)))


def clustered_mean(values: ArrayLike, *clusters: ArrayLike) -> Clustered:
    """Return the mean of dependent units.

    Args:
        values: shape (n,): for instance differences of paired runs.
        clusters: labels of any kind, shape (n,), in one dimension or two; none: every unit is its own.

    Raises:
        NotApplicable: if there is no unit.
    """
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not x.size:
        raise NotApplicable(f"a mean takes a vector of values, got shape {x.shape}")
    numbered = tuple(np.unique(np.asarray(one), return_inverse=True)[1].astype(np.intp) for one in clusters)
    mean = float(x.mean())
    return Clustered(mean, (x - mean) / len(x), numbered or (np.arange(len(x)),))


def wild_p_value(values: ArrayLike, clusters: ArrayLike, draw: Draw, null: float = 0.0, repeats: int = 9_999) -> float:
    """Return the p-value of a mean by the wild cluster bootstrap-t with the null imposed.

    Cameron, Gelbach and Miller 2008, "Bootstrap-based improvements for inference with clustered errors", REStat 90:414:
    the sums of d - null of each cluster get random signs, and the cluster-robust t of each draw is held against that of
    the data. Up to 12 clusters all signs are gone through. For few clusters (from about 5), of one dimension.

    Args:
        values: shape (n,).
        clusters: labels, shape (n,).
        draw: of the signs; the stream is keyed by the name "wild".
        null: the mean under the null.
        repeats: number of draws, where there are more than 12 clusters.

    Raises:
        NotApplicable: if there are fewer than two clusters.
    """
    x = np.asarray(values, dtype=float) - null
    numbers = np.unique(np.asarray(clusters), return_inverse=True)[1]
    sums, sizes = np.bincount(numbers, x), np.bincount(numbers).astype(float)
    count = len(sums)
    if count <= 1:
        raise NotApplicable(f"{count} cluster(s) give no test: at least two are needed")
    if count <= _ENUMERATED:
        signs = np.array(list(product((-1.0, 1.0), repeat=count)))
    else:
        signs = 2.0 * draw.generator("wild").integers(0, 2, (repeats, count)) - 1.0
        signs = np.concatenate([np.ones((1, count)), signs])
    found = _t_values(np.concatenate([np.ones((1, count)), signs]) * sums, sizes)
    own, found = found[0], found[1:]
    return float((found >= own * (1 - _TIE)).mean())


def cochran_q(values: Floats, errors: Floats) -> tuple[float, float]:
    """Return Cochran's Q of independent estimates of one number, and its chi-square p-value (Cochran 1954).

    Args:
        values: shape (k,), k >= 2.
        errors: standard errors, shape (k,), positive.
    """
    precision = np.square(1 / errors)
    common = float(precision @ values / precision.sum())
    q = float(precision @ np.square(values - common))
    return q, float(chdtrc(len(values) - 1, q))


def equal_effects(effects: Sequence[Clustered]) -> Equal:
    """Return the test of one effect in all groups: the Wald test, which for independent groups is Cochran's Q.

    Standard errors from few clusters make Q too large. Welch's F allows for it: Q / (k - 1) over
    1 + 2 (k - 2) / (k^2 - 1) L, with L = sum of (1 - w_j / w)^2 / f_j, has about an F law with k - 1 and (k^2 - 1) /
    (3 L) degrees of freedom (Welch 1951, "On the comparison of several mean values", Biometrika 38:330).

    Args:
        effects: of groups that share no cluster.

    Raises:
        NotApplicable: if fewer than two groups have a positive standard error.
    """
    kept = [one for one in effects if 0 < one.standard_error < np.inf]
    k = len(kept)
    if k <= 1:
        raise NotApplicable(f"{k} of {len(effects)} groups have a standard error: equal effects take two")
    values, errors = (np.array(column) for column in zip(*((o.value, o.standard_error) for o in kept), strict=True))
    q, chi_square = cochran_q(values, errors)
    weights = np.square(1 / errors)
    lack = float((np.square(1 - weights / weights.sum()) / [one.freedom for one in kept]).sum())
    statistic = q / (k - 1) / (1 + 2 * (k - 2) / (k * k - 1) * lack)
    return Equal(q, k - 1, chi_square, float(fdtrc(k - 1, (k * k - 1) / (3 * lack), statistic)))


def _variance(parts: Floats, clusters: Ints) -> float:
    numbers = np.unique(clusters, return_inverse=True)[1]
    sums = np.bincount(numbers, parts)
    return float(np.square(sums).sum() * len(sums) / (len(sums) - 1)) if len(sums) > 1 else float("inf")


def _t_values(sums: Floats, sizes: Floats) -> Floats:
    """|t| of each row of sums by cluster, up to a factor; infinite where residuals vanish."""
    means = sums.sum(1) / sizes.sum()
    residual = np.square(sums - means[:, None] * sizes).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.abs(means) / np.sqrt(residual)
    made: Floats = np.where(means == 0, 0.0, np.where(residual <= _TIE**2, np.inf, found))
    return made
