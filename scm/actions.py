"""Actions: what do() may do to a structural equation. Each rewrites one equation; `Intervene` says when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ifonly.scm.fixed import Constant
from ifonly.scm.kernel import Equation, Mechanism

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyro.distributions import TorchDistribution
    from torch import Tensor

__all__ = ["Action", "Map", "Mapped", "Put", "Redraw", "Swap"]


class Action(Protocol):
    """Anything that rewrites a structural equation."""

    def rewrite(self, equation: Equation[Any]) -> Equation[Any]:
        """Return the equation that stands in the changed world."""


@dataclass(frozen=True, slots=True)
class Put:
    """do(site = value): the equation is cut from its parents and its noise.

    Attributes:
        value: a tensor that broadcasts over the plates, or any object.
    """

    value: Any

    def rewrite(self, equation: Equation[Any]) -> Equation[Any]:
        """Return site = value."""
        return Equation(equation.site, Constant(self.value), (), noise=f"{equation.site}.put", intervened=True)


@dataclass(frozen=True, slots=True)
class Map:
    """A soft action: site = function(what the site would have been), same parents, same noise.

    Attributes:
        function: value to value.
    """

    function: Callable[[Any], Any]

    def rewrite(self, equation: Equation[Any]) -> Equation[Any]:
        """Return site = function(mechanism(noise, *parents))."""
        return replace(equation, mechanism=Mapped(equation.mechanism, self.function), intervened=True)


@dataclass(frozen=True, slots=True)
class Swap:
    """Another mechanism on the same parents and the same noise: another tool, another model, another policy.

    Attributes:
        mechanism: one that understands the noise of the mechanism it replaces (same law of noise).
    """

    mechanism: Mechanism[Any]

    def rewrite(self, equation: Equation[Any]) -> Equation[Any]:
        """Return site = other mechanism(noise, *parents)."""
        return replace(equation, mechanism=self.mechanism, intervened=True)


@dataclass(frozen=True, slots=True)
class Redraw:
    """Fresh noise for one site, all others keeping theirs: what if only these dice had fallen anew?

    Attributes:
        tag: names the redraw; another tag is another draw.
    """

    tag: str = "redraw"

    def rewrite(self, equation: Equation[Any]) -> Equation[Any]:
        """Return the same equation under a new noise site."""
        return replace(equation, noise=f"{equation.site}.{self.tag}", intervened=True)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mechanism followed by a function. It cannot take evidence: the function need not have an inverse.

    Attributes:
        mechanism: what runs first.
        function: what its value goes through.
    """

    mechanism: Mechanism[Any]
    function: Callable[[Any], Any]

    @property
    def coupling(self) -> str | None:
        """The inner mechanism's."""
        return self.mechanism.coupling

    def prior(self, *parents: Any) -> TorchDistribution:
        """Return the inner mechanism's law of noise."""
        return self.mechanism.prior(*parents)

    def __call__(self, noise: Any, *parents: Any) -> Any:
        """Return function(mechanism(noise, *parents))."""
        return self.function(self.mechanism(noise, *parents))

    def posterior(self, value: Any, *parents: Any) -> TorchDistribution:
        """Refuse.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a mapped site takes no evidence: give the fact at a site that no action maps")

    def log_prob(self, value: Any, *parents: Any) -> Tensor:
        """Refuse.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a mapped site takes no evidence: give the fact at a site that no action maps")
