"""Laws of noise: the distributions that abduction needs and Pyro lacks, and uniforms carried to any law.

Each works in `pyro.sample` and in traces. Each is an image of independent uniforms, which is how name-keyed
noise reaches it: `transport(law, uniform)`.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import Distribution, Independent, constraints

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "UNIT",
    "Between",
    "Gumbels",
    "Index",
    "Point",
    "Real",
    "TopDown",
    "Transported",
    "gather",
    "inside_support",
    "log_density",
    "pick",
    "real",
    "same",
    "stack",
    "transport",
]

Real = Tensor | float
"""A number, or a tensor of numbers that broadcasts over plates."""


class Point(TorchDistribution):
    """All mass at one value, which may be any Python object: noise that abduction has settled.

    A tensor may stand for one value per particle or row; it is returned as it is, whatever the plate.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}

    def __init__(self, value: Any, batch_shape: tuple[int, ...] = ()) -> None:
        """Put all mass at `value`."""
        self.value = value
        super().__init__(torch.Size(batch_shape), validate_args=False)

    def __repr__(self) -> str:
        """Show the value."""
        return f"Point({self.value!r})"

    def expand(self, batch_shape: Any, _instance: Any = None) -> Point:
        """Return the same point in a larger plate."""
        return Point(self.value, batch_shape)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return the value."""
        return self.value

    def log_prob(self, value: Any) -> Tensor:
        """Return 0 at the value and -inf elsewhere, shape `batch_shape`."""
        return torch.full(self.batch_shape, 0.0 if same(value, self.value) else -torch.inf)


class Transported(TorchDistribution):
    """A law given as the image of independent uniforms under `push`."""

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}

    @abstractmethod
    def push(self, uniform: Tensor) -> Tensor:
        """Map uniforms on (0, 1), shape `batch_shape + event_shape`, to a draw of the same shape."""

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw by Pyro's global generator; under `Keyed` the kernel draws by name instead."""
        shape = torch.Size(sample_shape) + self.batch_shape + self.event_shape
        return self.push(torch.rand(shape, dtype=torch.float64))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """Return the same law in a larger plate; parameters broadcast as they are."""
        new = copy.copy(self)
        new._batch_shape = torch.Size(batch_shape)
        return new


class Between(Transported):
    """Uniform on [low, high). Where low == high it holds that point, for particles of weight 0."""

    def __init__(self, low: Real, high: Real) -> None:
        """Take ends that broadcast against each other."""
        self.low, self.high = low, high
        super().__init__(_common(real(low), real(high)), validate_args=False)

    def push(self, uniform: Tensor) -> Tensor:
        """Scale the uniform to the interval."""
        return self.low + (self.high - self.low) * uniform

    def log_prob(self, value: Tensor) -> Tensor:
        """Return -log(high - low) inside and -inf outside."""
        width = real(self.high - self.low)
        return torch.where((self.low <= value) & (value < self.high), -width.log(), -torch.inf)


class Index(Transported):
    """An index into the last axis of non-negative weights, which need not sum to one.

    A row of zeros, which only a particle of weight 0 can have, gives index 0.
    """

    has_enumerate_support = True

    def __init__(self, weights: Tensor) -> None:
        """Take weights of shape (..., K)."""
        self.weights = weights
        super().__init__(weights.shape[:-1], validate_args=False)

    def push(self, uniform: Tensor) -> Tensor:
        """Invert the distribution function; an index of weight 0 is never taken."""
        cumulative = self.weights.cumsum(-1)
        passed = cumulative <= uniform.unsqueeze(-1) * cumulative[..., -1:]
        # Rounding in the running sum must not carry the index past the last option that can occur.
        last = (cumulative < cumulative[..., -1:]).sum(-1)
        return torch.minimum(passed.sum(-1), last)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the normalised log weight."""
        return pick((self.weights / self.weights.sum(-1, keepdim=True)).log(), value)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return the indices 0 .. K-1 along a new first axis."""
        indices = torch.arange(self.weights.shape[-1]).reshape(-1, *(1 for _ in self.batch_shape))
        return indices.expand(-1, *self.batch_shape) if expand else indices


class Gumbels(Transported):
    """Independent standard Gumbel noise for each of K options, an event of shape (K,)."""

    support = constraints.real_vector

    def __init__(self, options: int) -> None:
        """Take the number of options K."""
        super().__init__(event_shape=torch.Size([options]), validate_args=False)

    def push(self, uniform: Tensor) -> Tensor:
        """Return -log(-log u)."""
        return -(-uniform.log()).log()

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the sum over options of -(g + exp(-g))."""
        return -(value + (-value).exp()).sum(-1)


class TopDown(Transported):
    """Gumbel noise given that option i won: argmax(logits + g) = i.

    Drawn top-down (Maddison, Tarlow and Minka 2014, "A* sampling", alg. 1; Oberst and Sontag 2019, sec. 3.1),
    written as an exponential race with E = exp(-g) and p = softmax(logits): the race ends at T ~ Exp(1), so
    E_i = p_i T, and by lack of memory the others have E_j = p_j T + Exp(1). Options with p_j = 0 keep their
    prior.
    """

    support = constraints.real_vector

    def __init__(self, logits: Tensor, winner: Tensor) -> None:
        """Take logits of shape (..., K) and the winner's index, shape (...)."""
        self.log_p = logits.log_softmax(-1)
        self.winner = winner.long()
        super().__init__(_common(logits[..., 0], winner), logits.shape[-1:], validate_args=False)

    def push(self, uniform: Tensor) -> Tensor:
        """Use the winner's uniform for the end of the race and each loser's own for its delay."""
        delay = -uniform.log()
        end = gather(delay, self.winner)
        # -log(p_i T) is taken in logarithms: p_i may be too small for floating point.
        top = -end.log() - gather(self.log_p, self.winner)
        losers = -(end.unsqueeze(-1) * self.log_p.exp() + delay).log()
        won = self.winner.unsqueeze(-1) == torch.arange(delay.shape[-1])
        return torch.where(won, top.unsqueeze(-1), losers)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the Gumbel log density less log p_i where i wins, -inf elsewhere."""
        density = Gumbels(value.shape[-1]).log_prob(value) - gather(self.log_p, self.winner)
        return torch.where((value + self.log_p).argmax(-1) == self.winner, density, -torch.inf)


def transport(law: Distribution, uniform: Tensor) -> Tensor:
    """Return the image of uniforms under a law.

    By `push`, by inversion over a finite support, or by the quantile function.

    Args:
        law: a law whose coordinates are independent unless it is a `Transported`.
        uniform: numbers in (0, 1), shape `law.batch_shape + law.event_shape`.

    Raises:
        NotImplementedError: if the law has no quantile function in torch (for instance Gamma or Beta).
    """
    if isinstance(law, Transported):
        return law.push(uniform)
    if isinstance(law, Independent):
        return transport(law.base_dist, uniform)
    if law.has_enumerate_support:
        support = law.enumerate_support(expand=False)
        weights = law.log_prob(support).exp().movedim(0, -1)
        return support.flatten()[Index(weights).push(uniform)]
    quantile: Tensor = law.icdf(uniform)
    return quantile


def log_density(law: Distribution, value: Tensor) -> Tensor:
    """Return the law's log density, -inf (never an error, never garbage) at values outside its support."""
    if isinstance(law, Transported):
        return law.log_prob(value)
    inside = inside_support(law, value)
    if law.has_enumerate_support:
        value = torch.where(inside, value, law.enumerate_support(expand=False)[0])
    return torch.where(inside, _unchecked(law).log_prob(value), -torch.inf)


def inside_support(law: Distribution, value: Tensor) -> Tensor:
    """Return elementwise whether values lie in the support of a law; NaN never does."""
    check: Callable[[Tensor], Tensor] = (law.support or constraints.real).check
    return check(value)


def real(value: Real) -> Tensor:
    """Return a number as a tensor in double precision, and a tensor as it is."""
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)


def same(left: Any, right: Any) -> bool:
    """Return whether two values are equal: tensors and numbers by value, other objects by type and `==`."""
    if left is right:
        return True
    if not isinstance(left, Tensor) and not isinstance(right, Tensor):
        return type(left) is type(right) and bool(left == right)
    if not isinstance(left, Tensor | float | int) or not isinstance(right, Tensor | float | int):
        return False
    a, b = torch.as_tensor(left), torch.as_tensor(right)
    if a.shape == b.shape and a.dtype == b.dtype:
        return torch.equal(a, b)
    return (a.shape == b.shape or 1 in (a.numel(), b.numel())) and bool(torch.as_tensor(left == right).all())


def gather(options: Tensor, index: Tensor) -> Tensor:
    """Return options[..., index], batch shapes broadcast.

    Args:
        options: shape (..., K).
        index: integers in 0 .. K-1, shape (...).
    """
    shape = _common(options[..., 0], index)
    return options.expand(*shape, -1).gather(-1, index.long().expand(shape).unsqueeze(-1)).squeeze(-1)


def pick(log_p: Tensor, index: Tensor) -> Tensor:
    """Return log_p[..., index], and -inf where the index is none of the options."""
    options = log_p.shape[-1]
    legal = (index >= 0) & (index < options) & (index == index.floor())
    return torch.where(legal, gather(log_p, index.clamp(0, options - 1)), -torch.inf)


def stack(tensors: Sequence[Tensor]) -> Tensor:
    """Return the tensors, broadcast, along a new last axis."""
    shape = _common(*tensors)
    return torch.stack([tensor.expand(shape) for tensor in tensors], -1)


def _common(*tensors: Tensor) -> torch.Size:
    return torch.Size(np.broadcast_shapes(*(tensor.shape for tensor in tensors)))


def _unchecked(law: Distribution) -> Distribution:
    # A particle outside the support has weight 0; torch's own check would stop all the others with it.
    new = copy.copy(law)
    new._validate_args = False
    for name, part in vars(law).items():
        if isinstance(part, Distribution):
            setattr(new, name, _unchecked(part))
    return new


UNIT = Between(0.0, 1.0)
"""The uniform law on (0, 1)."""
