"""The one primitive: a world is a function that calls `endogenous`, and handlers say what that means.

Example:
    >>> def world() -> None:
    ...     effort = latent("effort", dist.Normal(0.0, 1.0))
    ...     endogenous("score", Additive(lambda e: 2 * e, dist.Normal(0.0, 1.0)), effort)

A world may use `if` and loops. A branch that depends on a node's value names that node as a parent of what it
decides: then the lineage of nodes is the whole truth about who depends on whom, the graph read off a trace is
exact, and a node with unchanged parents keeps its value in every twin (composition: Pearl, Causality, sec.
7.3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import pyro
from pyro.poutine.runtime import Message, effectful
from pyro.poutine.trace_messenger import TraceMessenger

from ifonly.scm.errors import ReachedTwice
from ifonly.scm.laws import Point

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyro.distributions import TorchDistribution
    from torch import Tensor

__all__ = ["Equation", "Mechanism", "Node", "Record", "draw", "endogenous", "equation_of", "node_of", "solve"]

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class Node(Generic[V]):
    """A site and its value in one run: what `endogenous` returns and takes as parents.

    Attributes:
        site: structural name, equal in every world.
        value: a tensor over particles and rows, or any Python object.
        changed: whether the value differs from the factual one; always False outside a twin.
    """

    site: str
    value: V
    changed: bool = False


class Mechanism(Protocol[V_co]):
    """A structural equation, `value = mechanism(noise, *parents)`, and the chance that drives it.

    Parents are the values of the parent nodes. Tensors have the plates of the run as leading axes.
    """

    @property
    def coupling(self) -> str | None:
        """The name of the noise model where the interventional law does not settle it, else None."""

    def prior(self, *parents: Any) -> TorchDistribution:
        """Return the law of the noise."""

    def __call__(self, noise: Any, *parents: Any) -> V_co:
        """Return the value."""

    def posterior(self, value: Any, *parents: Any) -> TorchDistribution:
        """Return the law of the noise given the value: abduction.

        Raises:
            ImpossibleEvidence: if the value has probability 0 in every element.
        """

    def log_prob(self, value: Any, *parents: Any) -> Tensor:
        """Return the log probability (density) of the value given the parents, -inf where it cannot occur."""


@dataclass(frozen=True, slots=True, eq=False)
class Equation(Generic[V]):
    """One structural equation as handlers meet it: `site = mechanism(noise, *parents)`.

    Attributes:
        site: structural name.
        mechanism: what computes the value.
        parents: nodes it is computed from.
        noise: name of the noise site; equations that share it share their noise.
        intervened: whether an action rewrote the equation.
    """

    site: str
    mechanism: Mechanism[V]
    parents: tuple[Node[Any], ...]
    noise: str
    intervened: bool = False

    @property
    def inputs(self) -> tuple[Any, ...]:
        """The values of the parents."""
        return tuple(parent.value for parent in self.parents)

    def draw(self) -> Any:
        """Draw the noise from its prior."""
        return draw(self.noise, self.mechanism.prior(*self.inputs))


def endogenous(site: str, mechanism: Mechanism[V], *parents: Node[Any]) -> Node[V]:
    """Run one node of a world: draw the site's noise and return the mechanism's value.

    Args:
        site: structural name, once a run.
        mechanism: the structural equation.
        *parents: nodes it reads; wrap a constant with `given`.

    Raises:
        TypeError: if a parent is not a node, since its lineage would be lost.
    """
    for parent in parents:
        if not isinstance(parent, Node):
            raise TypeError(
                f"parent {parent!r} of site {site!r} is no Node: pass the node it came from, "
                "or make the constant a node with `given(site, value)`."
            )
    node: Node[V] = solve(Equation(site, mechanism, parents, noise=f"{site}.noise"), name=site)
    return node


def _solve(equation: Equation[V]) -> Node[V]:
    return Node(equation.site, equation.mechanism(equation.draw(), *equation.inputs))


solve: Callable[..., Any] = effectful(_solve, type="endogenous")
"""The effect behind `endogenous`: a message of type "endogenous" whose one argument is the equation."""


def draw(site: str, law: TorchDistribution) -> Any:
    """Draw noise at a Pyro sample site, or read it off a point law, which no inference algorithm need see."""
    return law.value if isinstance(law, Point) else pyro.sample(site, law)


def equation_of(message: Message[..., Any]) -> Equation[Any]:
    """Return the equation that a message of type "endogenous" carries."""
    equation: Equation[Any] = message["args"][0]
    return equation


def node_of(message: Message[..., Any]) -> Node[Any]:
    """Return the node that a recorded message of type "endogenous" ended with."""
    value: Any = message["value"]
    node: Node[Any] = value
    return node


class Record(TraceMessenger):
    """Pyro's trace, with the endogenous sites in it beside the sample sites."""

    def _pyro_endogenous(self, message: Message[..., Any]) -> None:
        if (site := equation_of(message).site) in self.trace:
            raise ReachedTwice(site)

    def _pyro_post_endogenous(self, message: Message[..., Any]) -> None:
        self.trace.add_node(equation_of(message).site, **message)
