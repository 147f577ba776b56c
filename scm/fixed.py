"""Mechanisms without chance of their own, and the exogenous variable itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from ifonly.scm.kernel import Node, endogenous
from ifonly.scm.laws import Point, log_density, real, same

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyro.distributions import TorchDistribution

__all__ = ["Constant", "Exogenous", "Function", "agree", "given", "latent"]

V = TypeVar("V")
_NO_NOISE = Point(())


@dataclass(frozen=True, slots=True)
class Function(Generic[V]):
    """A deterministic mechanism, value = function(*parents): parsers, rules, tools re-executed.

    Evidence on it says which parents are possible: its log likelihood is 0 where the function agrees with the
    fact, and -inf elsewhere.

    Attributes:
        function: the parents' values to the value.
        tolerance: largest absolute difference at which numbers still agree.
    """

    function: Callable[..., V]
    tolerance: float = 0.0
    coupling: ClassVar[None] = None

    def prior(self, *parents: Any) -> TorchDistribution:
        """Return a point: there is no noise."""
        return _NO_NOISE

    def __call__(self, noise: object, *parents: Any) -> V:
        """Return function(*parents)."""
        return self.function(*parents)

    def posterior(self, value: Any, *parents: Any) -> TorchDistribution:
        """Return a point: there is no noise. Whether the value is possible is the likelihood's affair."""
        return _NO_NOISE

    def log_prob(self, value: Any, *parents: Any) -> Tensor:
        """Return 0 where function(*parents) agrees with the value, -inf elsewhere."""
        expected = self.function(*parents)
        return torch.where(agree(expected, value, self.tolerance), 0.0, -torch.inf)


@dataclass(frozen=True, slots=True)
class Constant(Generic[V]):
    """A mechanism without parents or noise: what do(value) puts in place of a structural equation.

    Attributes:
        value: the value.
    """

    value: V
    coupling: ClassVar[None] = None

    def prior(self) -> TorchDistribution:
        """Return a point: there is no noise."""
        return _NO_NOISE

    def __call__(self, noise: object) -> V:
        """Return the value."""
        return self.value

    def posterior(self, value: Any) -> TorchDistribution:
        """Return a point: there is no noise."""
        return _NO_NOISE

    def log_prob(self, value: Any) -> Tensor:
        """Return 0 at the value, -inf elsewhere."""
        return torch.where(agree(self.value, value), 0.0, -torch.inf)


@dataclass(frozen=True, slots=True)
class Exogenous:
    """The value is the noise: an exogenous variable that sites may share, such as a task's difficulty.

    Attributes:
        law: its law, of any batch and event shape.
    """

    law: TorchDistribution
    coupling: ClassVar[None] = None

    def prior(self) -> TorchDistribution:
        """Return the law."""
        return self.law

    def __call__(self, noise: Tensor) -> Tensor:
        """Return the noise."""
        return noise

    def posterior(self, value: Any) -> TorchDistribution:
        """Return the point at the value."""
        return Point(value)

    def log_prob(self, value: Any) -> Tensor:
        """Return the log density."""
        return log_density(self.law, real(value))


def latent(site: str, law: TorchDistribution) -> Node[Tensor]:
    """Return an exogenous variable as a node, which facts and actions may name like any other.

    Args:
        site: structural name.
        law: its law.
    """
    return endogenous(site, Exogenous(law))


def given(site: str, value: V) -> Node[V]:
    """Return a constant of the world as a node.

    Args:
        site: structural name.
        value: the constant.
    """
    return endogenous(site, Constant(value))


def agree(left: Any, right: Any, tolerance: float = 0.0) -> Tensor:
    """Return whether numbers agree within a tolerance, elementwise, or whether objects are the same."""
    if isinstance(left, Tensor | float | int) and isinstance(right, Tensor | float | int):
        return torch.as_tensor(left == right) if tolerance == 0 else (real(left) - real(right)).abs() <= tolerance
    return torch.tensor(same(left, right))
