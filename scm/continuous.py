"""Mechanisms for real values: additive noise, and monotone (quantile) noise for cost and latency."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pyro.distributions import Normal
from torch import Tensor
from torch.distributions import constraints

from ifonly.scm.laws import UNIT, Point, Real, inside_support, log_density, real

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyro.distributions import TorchDistribution

__all__ = ["Additive", "Bijective", "Monotone", "gaussian"]


class Bijective(ABC):
    """A mechanism whose noise is settled by value and parents."""

    @property
    @abstractmethod
    def onto(self) -> bool:
        """Whether every finite number is a possible value, whatever the parents."""

    @abstractmethod
    def noise(self, value: Real, *parents: Any) -> Tensor:
        """Return the noise that gives the value."""

    def posterior(self, value: Real, *parents: Any) -> TorchDistribution:
        """Return the point at the noise that gives the value."""
        return Point(self.noise(value, *parents))


@dataclass(frozen=True, slots=True)
class Additive(Bijective):
    """Additive noise: value = function(*parents) + noise (Hoyer et al. 2008), linear models among them.

    Attributes:
        function: the parents' values to a number.
        law: law of the noise, the same whatever the parents.
    """

    function: Callable[..., Real]
    law: TorchDistribution
    coupling: ClassVar[str] = "additive"

    @property
    def onto(self) -> bool:
        """Whether the noise ranges over all reals."""
        return self.law.support is constraints.real

    def prior(self, *parents: Any) -> TorchDistribution:
        """Return the law of the noise."""
        return self.law

    def __call__(self, noise: Tensor, *parents: Any) -> Tensor:
        """Return function(*parents) + noise."""
        return self.function(*parents) + noise

    def noise(self, value: Real, *parents: Any) -> Tensor:
        """Return value - function(*parents)."""
        return real(value - self.function(*parents))

    def log_prob(self, value: Real, *parents: Any) -> Tensor:
        """Return the log density of the noise that gives the value."""
        return log_density(self.law, self.noise(value, *parents))


@dataclass(frozen=True, slots=True)
class Monotone(Bijective):
    """Monotone noise: value = F^-1(u | parents), u uniform; a slow call stays as slow among its like.

    Counterfactual: y' = F'^-1(F(y)) (Pearl, Causality, sec. 9.2; Lu et al. 2020, bijective models). Noise is
    held as the quantile itself, so values beyond the quantile 1 - 1e-16 (8 standard deviations of a Gaussian)
    lose precision.

    Attributes:
        law: the parents' values to a one-dimensional continuous law with `cdf` and `icdf`; units are the
            value's.
    """

    law: Callable[..., TorchDistribution]
    coupling: ClassVar[str] = "monotone"

    @property
    def onto(self) -> bool:
        """Return False: the law's support may depend on the parents."""
        return False

    def prior(self, *parents: Any) -> TorchDistribution:
        """Return the uniform law on (0, 1)."""
        return UNIT

    def __call__(self, noise: Tensor, *parents: Any) -> Tensor:
        """Return the quantile."""
        value: Tensor = self.law(*parents).icdf(noise)
        return value

    def noise(self, value: Real, *parents: Any) -> Tensor:
        """Return F(value | parents), and the median where the value cannot occur."""
        law, value = self.law(*parents), real(value)
        inside = inside_support(law, value)
        quantile: Tensor = law.cdf(torch.where(inside, value, law.icdf(torch.tensor(0.5))))
        return torch.where(inside, quantile, 0.5)

    def log_prob(self, value: Real, *parents: Any) -> Tensor:
        """Return the log density of the value."""
        return log_density(self.law(*parents), real(value))


def gaussian(function: Callable[..., Real], deviation: float) -> Additive:
    """Return the mechanism value = function(*parents) + Normal(0, deviation).

    Args:
        function: the parents' values to a number.
        deviation: standard deviation of the noise, in units of the value.
    """
    return Additive(function, Normal(0.0, deviation))
