"""Mechanisms for success and choice with continuous noise: threshold, Gumbel-max, inverse CDF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from ifonly.scm.errors import ImpossibleEvidence
from ifonly.scm.laws import UNIT, Between, Gumbels, Real, TopDown, gather, pick, real

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike
    from pyro.distributions import TorchDistribution

__all__ = ["GumbelMax", "InverseCdf", "Threshold", "look_up"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """Success: value = 1{u < p(parents)}, u uniform; success at low odds is success at higher ones.

    The direction is shared: swapping tool A (p = .3) for tool B (p = .5) at a site where A failed gives
    P(B works | A failed) = (.5 - .3) / (1 - .3) = 2/7 (monotonicity: Pearl, Causality, sec. 9.2.3).

    Attributes:
        probability: the parents' values to p in [0, 1].
    """

    probability: Callable[..., Real]
    coupling: ClassVar[str] = "threshold"

    def _p(self, parents: tuple[Any, ...]) -> Tensor:
        return real(self.probability(*parents))

    def prior(self, *parents: Any) -> TorchDistribution:
        """Return the uniform law on (0, 1)."""
        return UNIT

    def __call__(self, noise: Tensor, *parents: Any) -> Tensor:
        """Return 1. for success and 0. for failure."""
        p = self._p(parents)
        return (noise < p).to(p.dtype)

    def posterior(self, value: Real, *parents: Any) -> TorchDistribution:
        """Return the uniform law on [0, p) given success, on [p, 1) given failure.

        Raises:
            ImpossibleEvidence: if the value has probability 0 in every element.
        """
        _demand(self.log_prob(value, *parents), value)
        p, success = self._p(parents), torch.as_tensor(value) == 1
        return Between(torch.where(success, 0.0, p), torch.where(success, p, 1.0))

    def log_prob(self, value: Real, *parents: Any) -> Tensor:
        """Return log p given success, log(1 - p) given failure."""
        p, success = self._p(parents), torch.as_tensor(value)
        known = torch.where(success == 1, p.log(), (-p).log1p())
        return torch.where((success == 0) | (success == 1), known, -torch.inf)


@dataclass(frozen=True, slots=True)
class GumbelMax:
    """Choice: value = argmax(logits(parents) + g), g standard Gumbel (Oberst and Sontag 2019).

    The interventional law is softmax(logits); the counterfactual one is stable: a choice changes only to an
    option whose odds rose against it. One of many couplings with that interventional law, hence `assumed`:
    bounds over all of them are in `couplings`, closed forms in `gumbel`.

    Attributes:
        logits: the parents' values to unnormalised log-probabilities, shape (..., K); -inf marks an
            impossible option.
    """

    logits: Callable[..., Tensor]
    coupling: ClassVar[str] = "gumbel-max"

    def prior(self, *parents: Any) -> TorchDistribution:
        """Return standard Gumbel noise for each option."""
        return Gumbels(self.logits(*parents).shape[-1])

    def __call__(self, noise: Tensor, *parents: Any) -> Tensor:
        """Return the index of the winner, shape (...)."""
        return (self.logits(*parents) + noise).argmax(-1)

    def posterior(self, value: Tensor | int, *parents: Any) -> TorchDistribution:
        """Return the law of the Gumbel noise given the winner, drawn top-down.

        Raises:
            ImpossibleEvidence: if the value has probability 0 in every element.
        """
        _demand(self.log_prob(value, *parents), value)
        logits = self.logits(*parents)
        return TopDown(logits, torch.as_tensor(value).clamp(0, logits.shape[-1] - 1))

    def log_prob(self, value: Tensor | int, *parents: Any) -> Tensor:
        """Return the log-softmax at the value."""
        return pick(self.logits(*parents).log_softmax(-1), torch.as_tensor(value))


@dataclass(frozen=True, slots=True)
class InverseCdf:
    """Choice by one uniform, value = F^-1(u) over options in their order: another coupling, for sensitivity.

    Attributes:
        probabilities: the parents' values to probabilities, shape (..., K), summing to 1 over the last axis.
    """

    probabilities: Callable[..., Tensor]
    coupling: ClassVar[str] = "inverse-cdf"

    def _ends(self, parents: tuple[Any, ...]) -> Tensor:
        cumulative = self.probabilities(*parents).cumsum(-1)
        # Dividing makes the last possible option end at exactly 1, so that no rounding leads past it.
        return cumulative / cumulative[..., -1:]

    def prior(self, *parents: Any) -> TorchDistribution:
        """Return the uniform law on (0, 1)."""
        return UNIT

    def __call__(self, noise: Tensor, *parents: Any) -> Tensor:
        """Return the index of the interval that the noise falls into, shape (...)."""
        return (noise.unsqueeze(-1) >= self._ends(parents)).sum(-1)

    def posterior(self, value: Tensor | int, *parents: Any) -> TorchDistribution:
        """Return the uniform law on the option's interval.

        Raises:
            ImpossibleEvidence: if the value has probability 0 in every element.
        """
        _demand(self.log_prob(value, *parents), value)
        ends = self._ends(parents)
        value = torch.as_tensor(value).clamp(0, ends.shape[-1] - 1)
        return Between(gather(torch.nn.functional.pad(ends, (1, 0)), value), gather(ends, value))

    def log_prob(self, value: Tensor | int, *parents: Any) -> Tensor:
        """Return the log probability of the option."""
        return pick(self.probabilities(*parents).log(), torch.as_tensor(value))


def look_up(table: ArrayLike) -> Callable[..., Tensor]:
    """Return the function from integers to rows of a table, elementwise under plates: logits or probabilities.

    Args:
        table: shape (n_1, ..., n_m, K), in double precision.

    Returns:
        A function of m integers or booleans, or tensors of them that broadcast, to rows of shape (..., K).
    """
    rows = torch.as_tensor(table, dtype=torch.float64)

    def row(*indices: Tensor | int) -> Tensor:
        return rows[tuple(torch.as_tensor(index).long() for index in indices)]

    return row


def _demand(log_prob: Tensor, value: object) -> None:
    if not bool((log_prob > -torch.inf).any()):
        raise ImpossibleEvidence(f"value {value!r}", "it has probability 0 given its parents")
