"""A choice that a fault may force: it follows its law, unless something from outside makes it take its worst option.

    value = worst                           if fault = place
            argmax(log p(context) + g)      else, g standard Gumbel

Without the first line a bad choice is taken for bad luck, and its abducted noise argues against the good option in
every other world: plain Gumbel-max is then wrong by far on model swaps (see `contamination`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from ifonly.scm.laws import Gumbels, TopDown, pick

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from pyro.distributions import TorchDistribution
    from torch import Tensor

__all__ = ["FaultyChoice", "faulty_choice"]


@dataclass(frozen=True, slots=True)
class FaultyChoice:
    """The mechanism. Its parents are the fault (the place that it forces, or any other number) and the context.

    Attributes:
        log_laws: log-probabilities of the options in each context, shape (contexts, K).
        worst: the option that a fault forces.
        place: of this choice.
    """

    log_laws: Tensor
    worst: int
    place: int
    coupling: ClassVar[str] = "gumbel-max"

    def prior(self, fault: Any, context: Any) -> TorchDistribution:
        """Return standard Gumbel noise for each option."""
        return Gumbels(self.log_laws.shape[-1])

    def __call__(self, noise: Tensor, fault: Any, context: Any) -> Tensor:
        """Return the option taken, shape (...)."""
        return torch.where(self._forced(fault), self.worst, (self._law(context) + noise).argmax(-1))

    def posterior(self, value: Any, fault: Any, context: Any) -> TorchDistribution:
        """Return the law of the noise given the option: top-down, and unmoved where the fault forced it."""
        law, forced = self._law(context), self._forced(fault)
        shape = torch.Size(np.broadcast_shapes(forced.shape, law.shape[:-1]))
        winner = torch.as_tensor(value).clamp(0, law.shape[-1] - 1).expand(shape)
        return _Unless(law.expand(*shape, -1), winner, forced.expand(shape))

    def log_prob(self, value: Any, fault: Any, context: Any) -> Tensor:
        """Return the log-probability of the option, given whether the fault forced it."""
        taken = torch.as_tensor(value)
        forced = torch.where(taken == self.worst, 0.0, -torch.inf).double()
        return torch.where(self._forced(fault), forced, pick(self._law(context), taken))

    def _forced(self, fault: Any) -> Tensor:
        return torch.as_tensor(fault) == self.place

    def _law(self, context: Any) -> Tensor:
        return self.log_laws[torch.as_tensor(context).long()]


class _Unless(TopDown):
    """Gumbel noise given the winner, except where nothing is known of it."""

    def __init__(self, logits: Tensor, winner: Tensor, unknown: Tensor) -> None:
        self.unknown = unknown
        super().__init__(logits, winner)

    def push(self, uniform: Tensor) -> Tensor:
        free = -(-uniform.log()).log()
        return torch.where(self.unknown.unsqueeze(-1), free, super().push(uniform))

    def log_prob(self, value: Tensor) -> Tensor:
        free = Gumbels(value.shape[-1]).log_prob(value)
        return torch.where(self.unknown, free, super().log_prob(value))


def faulty_choice(log_laws: ArrayLike, worst: int, place: int) -> FaultyChoice:
    """Return the mechanism of a table of log-probabilities, shape (contexts, K)."""
    return FaultyChoice(torch.as_tensor(log_laws, dtype=torch.float64), worst, place)
