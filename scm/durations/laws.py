"""Laws of positive quantities, times and counts: each is a monotone mechanism, value = quantile(u) with u uniform.

A recorded value x gives its noise back, u = cdf(x): abduction is exact, and the same u put through another law is
the counterfactual value under the rank-preserving (comonotone) coupling. That coupling is an assumption: any other
joint law of the two values has the same margins.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy import special

__all__ = ["Constant", "Exponential", "Floats", "Gamma", "Law", "LogNormal", "Monotone", "Positive"]

Floats: TypeAlias = NDArray[np.float64]
"""Numbers of any shape."""

Positive: TypeAlias = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
"""A finite number above 0."""


class Monotone(Protocol):
    """A law on the positive numbers, by its quantile function."""

    @property
    def mean(self) -> float:
        """The mean."""

    def quantile(self, u: Floats) -> Floats:
        """The value at each u in (0, 1), increasing in u."""

    def cdf(self, value: Floats) -> Floats:
        """P(X <= value): the u of each value."""


class Law(BaseModel):
    """Base of laws: frozen, closed to unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Constant(Law):
    """Always the same value: x = value."""

    law: Literal["constant"] = "constant"
    value: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

    @property
    def mean(self) -> float:
        """The value."""
        return self.value

    def quantile(self, u: Floats) -> Floats:
        """The value, whatever u."""
        return np.full(np.shape(u), self.value)

    def cdf(self, value: Floats) -> Floats:
        """One half at the value: a point says nothing of its noise."""
        value = np.asarray(value)
        return np.where(value < self.value, 0.0, np.where(value > self.value, 1.0, 0.5))


class Exponential(Law):
    """x = -mean log(1 - u)."""

    law: Literal["exponential"] = "exponential"
    mean: Positive

    def quantile(self, u: Floats) -> Floats:
        """The value at each u."""
        return -self.mean * np.log1p(-np.asarray(u))

    def cdf(self, value: Floats) -> Floats:
        """1 - exp(-value / mean)."""
        return -np.expm1(-np.asarray(value) / self.mean)


class LogNormal(Law):
    """x = median exp(sigma z), z the standard normal quantile of u."""

    law: Literal["lognormal"] = "lognormal"
    median: Positive
    sigma: Positive

    @property
    def mean(self) -> float:
        """Median times exp(sigma^2 / 2)."""
        return self.median * float(np.exp(self.sigma**2 / 2.0))

    def quantile(self, u: Floats) -> Floats:
        """The value at each u."""
        return np.asarray(self.median * np.exp(self.sigma * special.ndtri(u)))

    def cdf(self, value: Floats) -> Floats:
        """The standard normal distribution function at log(value / median) / sigma."""
        with np.errstate(divide="ignore"):
            return np.asarray(special.ndtr(np.log(np.asarray(value) / self.median) / self.sigma))


class Gamma(Law):
    """Gamma with shape k and scale s: mean k s, variance k s^2."""

    law: Literal["gamma"] = "gamma"
    shape: Positive
    scale: Positive

    @property
    def mean(self) -> float:
        """Shape times scale."""
        return self.shape * self.scale

    def quantile(self, u: Floats) -> Floats:
        """The inverse of the regularised incomplete gamma function, times the scale."""
        return self.scale * np.asarray(special.gammaincinv(self.shape, u))

    def cdf(self, value: Floats) -> Floats:
        """The regularised incomplete gamma function at value / scale."""
        return np.asarray(special.gammainc(self.shape, np.asarray(value) / self.scale))
