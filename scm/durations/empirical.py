"""The law of a sample itself: interpolated order statistics, and a generalised-Pareto tail above a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator
from scipy import stats

from ifonly.scm.durations.laws import Floats, Law, Positive
from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Empirical", "fit_empirical"]

_KNOTS = 512
"""Points of the distribution function that are kept: it moves by at most 1 / 512 of probability between two."""

_TAIL, _LEAST = 0.1, 10
"""The share of the sample that makes the tail, and the fewest values that do."""

_SHAPED = 20
"""Exceedances from which the shape of the tail is fitted; fewer have an exponential tail."""

_HEAVIEST = 0.9
"""The largest shape: at 1 the mean would be infinite."""

Numbers: TypeAlias = Annotated[tuple[Annotated[float, Field(ge=0.0, allow_inf_nan=False)], ...], Field(min_length=2)]


class Empirical(Law):
    """A distribution function through points (values, at), straight between them, with a heavy tail above the last.

    Above the last value t, P(X > x) = (1 - at_last) (1 + shape (x - t) / scale)^(-1 / shape), exponential at shape 0
    (Pickands 1975, Annals of Statistics 3:119). `cdf` and `quantile` are inverse to each other.

    Attributes:
        values: strictly increasing.
        at: the distribution function there: strictly increasing, from 0 to below 1.
        shape: of the tail, in [0, 1).
        scale: of the tail.
    """

    law: Literal["empirical"] = "empirical"
    values: Numbers
    at: Numbers
    shape: Annotated[float, Field(ge=0.0, lt=1.0)]
    scale: Positive

    @model_validator(mode="after")
    def _increasing(self) -> Self:
        if len(self.values) != len(self.at) or self.at[0] != 0.0 or self.at[-1] >= 1.0:
            raise ValueError("values and at must have one length, and at must go from 0 to below 1")
        if min(np.diff(self.values)) <= 0.0 or min(np.diff(self.at)) <= 0.0:
            raise ValueError("values and at must each be strictly increasing")
        return self

    @property
    def mean(self) -> float:
        """The integral of the quantile function."""
        x, u = np.array(self.values), np.array(self.at)
        body = float(np.diff(u) @ (x[1:] + x[:-1])) / 2.0
        return body + (1.0 - self.at[-1]) * (self.values[-1] + self.scale / (1.0 - self.shape))

    def quantile(self, u: Floats) -> Floats:
        """The value at each u."""
        u = np.asarray(u, dtype=float)
        left = (1.0 - np.maximum(u, self.at[-1])) / (1.0 - self.at[-1])
        with np.errstate(divide="ignore"):
            log = -np.log(left)
        excess = self.scale * (np.expm1(self.shape * log) / self.shape if self.shape else log)
        return np.asarray(np.interp(u, self.at, self.values) + excess)

    def cdf(self, value: Floats) -> Floats:
        """The share of the law at or below each value."""
        value = np.asarray(value, dtype=float)
        excess = np.maximum(value - self.values[-1], 0.0) / self.scale
        log = np.log1p(self.shape * excess) / self.shape if self.shape else excess
        above = (1.0 - self.at[-1]) * -np.expm1(-log)
        return np.asarray(np.interp(value, self.values, self.at) + above)


def fit_empirical(samples: ArrayLike) -> Empirical:
    """Return the empirical law of a sample.

    The distribution function at a distinct value is its mid-rank, (values below + half of those equal) / n, so that
    ties keep it strictly increasing. Below the smallest it falls to 0 within half of the gap to the next, at most half
    of the value. The tail is fitted to what exceeds the threshold (a tenth of the sample, 10 values or more) by
    maximum likelihood, with a shape in [0, 0.9]; to fewer than 20 values an exponential one.

    Args:
        samples: shape (n,), positive.

    Raises:
        NotApplicable: there are fewer than two distinct values, or one is not positive.
    """
    x = np.sort(np.asarray(samples, dtype=float))
    values, counts = np.unique(x, return_counts=True)
    if len(values) < 2 or values[0] <= 0.0:  # noqa: PLR2004 -- a line takes two points
        raise NotApplicable(f"an empirical law takes two distinct positive values or more; got {values[:3]}")
    at = (np.cumsum(counts) - counts / 2.0) / len(x)
    last = _threshold(at, len(x))
    excess = x[x > values[last]] - values[last]
    shape, scale = _tail(excess)
    low = max(values[0] - (values[1] - values[0]) / 2.0, values[0] / 2.0)
    knots = np.unique(np.linspace(0, last, min(last + 1, _KNOTS)).round().astype(int))
    return Empirical(
        values=tuple(np.concatenate([[low], values[knots]]).tolist()),
        at=tuple(np.concatenate([[0.0], at[knots]]).tolist()),
        shape=shape,
        scale=scale,
    )


def _threshold(at: Floats, count: int) -> int:
    """The place of the last distinct value that has enough of the sample above it, at least one."""
    share = min(max(_TAIL, _LEAST / count), 0.5)
    return min(max(int(np.searchsorted(at, 1.0 - share, side="right")) - 1, 0), len(at) - 2)


def _tail(excess: Floats) -> tuple[float, float]:
    """Shape and scale of what exceeds the threshold."""
    mean = float(excess.mean())
    if len(excess) < _SHAPED:
        return 0.0, mean
    # Scaled to 1, since the optimiser's steps are absolute.
    shape, _, scale = stats.genpareto.fit(excess / mean, 0.1, floc=0.0)
    if shape > _HEAVIEST:
        shape, _, scale = stats.genpareto.fit(excess / mean, floc=0.0, f0=_HEAVIEST)
    return (0.0, mean) if shape <= 0.0 else (float(shape), float(scale) * mean)
