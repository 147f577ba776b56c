"""Mechanisms whose noise has finitely many values: any equation, tables, and choice among given objects.

These worlds can be enumerated exactly (`enumerate_world`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor

from ifonly.scm.errors import ImpossibleEvidence, NotApplicable
from ifonly.scm.fixed import agree
from ifonly.scm.laws import Index, gather, stack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyro.distributions import TorchDistribution

__all__ = ["Finite", "choice", "table"]

V = TypeVar("V")
_ROUNDING = 1e-12
"""Largest error of a sum of probabilities."""


@dataclass(frozen=True)
class Finite(Generic[V]):
    """Any structural equation over a finite noise: value = function(support[noise], *parents).

    The noise is the integer index into the support, so support and values may be any objects. Under a plate
    the values must be numbers or tensors.

    Attributes:
        function: an element of the support and the parents' values to the value.
        support: what the noise stands for.
        weights: its probabilities, non-negative, summing to 1.
        coupling: the noise model's name, if the interventional law does not settle it.
    """

    function: Callable[..., V]
    support: Sequence[Any]
    weights: Sequence[float]
    coupling: str | None = None

    def __post_init__(self) -> None:
        """Check that the weights are a law on the support.

        Raises:
            ValueError: if they are not.
        """
        total = fsum(self.weights)
        if len(self.weights) != len(self.support) or min(self.weights, default=-1) < 0 or abs(total - 1) > _ROUNDING:
            raise ValueError(
                f"need {len(self.support) or 1} weights, non-negative and summing to 1, got {len(self.weights)} "
                f"with sum {total}"
            )

    def _law(self) -> Tensor:
        return torch.tensor(self.weights, dtype=torch.float64)

    def prior(self, *parents: Any) -> TorchDistribution:
        """Return the law of the index."""
        return Index(self._law())

    def __call__(self, noise: Tensor, *parents: Any) -> V | Tensor:
        """Return function(support[noise], *parents), elementwise under a plate.

        Raises:
            NotApplicable: if objects that are not numbers were to be spread over a plate.
        """
        if noise.dim() == 0:
            return self.function(self.support[int(noise)], *parents)
        values = [self.function(element, *parents) for element in self.support]
        if not all(isinstance(value, Tensor | float | int) for value in values):
            raise NotApplicable(
                f"objects such as {values[0]!r} cannot be spread over a plate of {tuple(noise.shape)}: "
                "use `enumerate_world`, or single draws (particles=None) under several seeds"
            )
        return gather(stack([torch.as_tensor(value) for value in values]), noise)

    def _match(self, value: Any, parents: tuple[Any, ...]) -> Tensor:
        """Return prior weights where the index gives the value, else 0, shape (..., K)."""
        hits = [agree(self.function(element, *parents), value) for element in self.support]
        return stack(hits) * self._law()

    def posterior(self, value: Any, *parents: Any) -> TorchDistribution:
        """Return the law of the index among those that give the value.

        Raises:
            ImpossibleEvidence: if the value has probability 0 in every element.
        """
        weights = self._match(value, parents)
        if not bool(weights.any()):
            raise ImpossibleEvidence(f"value {value!r}", "no value of the noise gives it")
        return Index(weights)

    def log_prob(self, value: Any, *parents: Any) -> Tensor:
        """Return the log of the total weight of indices that give the value."""
        return self._match(value, parents).sum(-1).log()


def choice(options: Sequence[V], weights: Sequence[float] | None = None) -> Finite[V]:
    """Return a draw among given objects, for instance several recorded replies to one request.

    Args:
        options: the objects.
        weights: their probabilities; equal if None.
    """
    return Finite(_itself, tuple(options), weights or [1 / len(options) for _ in options])


def table(rows: Tensor) -> Finite[Tensor]:
    """Return a finite conditional probability table under the inverse-CDF coupling.

    The noise is the cell of the common refinement of all rows' distribution functions: finite, and exactly
    the law and the coupling of one shared uniform.

    Args:
        rows: probabilities, shape (n_1, ..., n_m, K), indexed by the m parents' integer values; each row sums
            to 1.
    """
    ends = rows.double().cumsum(-1)
    ends = ends / ends[..., -1:]
    cuts = torch.cat([torch.zeros(1, dtype=torch.float64), ends.flatten().sort().values])
    # Cells narrower than the rounding of a running sum are no cells.
    cuts = cuts[torch.cat([torch.tensor([True]), cuts.diff() > _ROUNDING])]
    middles = (cuts[1:] + cuts[:-1]) / 2
    values = (middles.unsqueeze(-1) > ends.unsqueeze(-2)).sum(-1)

    def look_up(cell: int, *parents: Tensor | int) -> Tensor:
        row = [torch.as_tensor(parent).long() for parent in parents]
        return values[(*row, torch.tensor(cell))]

    widths = cuts.diff() / (cuts[-1] - cuts[0])
    return Finite(look_up, range(len(widths)), widths.tolist(), coupling="inverse-cdf")


def _itself(option: V, *parents: Any) -> V:
    return option
