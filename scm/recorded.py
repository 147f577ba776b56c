"""Pinned response functions: the abducted noise of a recorded call.

A call's structural equation is value = response(request), the response function being its noise. A recording
settles that function at the requests seen, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from ifonly.scm.errors import NotApplicable
from ifonly.scm.laws import Point, same

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from pyro.distributions import TorchDistribution

__all__ = ["Pinned", "Unpinned"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Unpinned:
    """The value of a call at a request whose reply the record does not settle: a result, never a guess.

    Attributes:
        request: the parents' values, in their order.
    """

    request: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Pinned(Generic[V]):
    """A recorded call: value = noise[key(request)] if pinned, else `Unpinned(request)`.

    The request is the parents' values.

    Attributes:
        key: maps the parents' values to what tells requests apart, for instance their canonical JSON.
        pins: replies known beforehand by key, for instance a cassette.
    """

    key: Callable[..., Hashable]
    pins: Mapping[Hashable, V] = field(default_factory=dict)
    coupling: ClassVar[None] = None

    def prior(self, *request: Any) -> TorchDistribution:
        """Return the point at the response function as far as it is known beforehand."""
        return Point(self.pins)

    def __call__(self, noise: Mapping[Hashable, V], *request: Any) -> V | Unpinned:
        """Return the reply pinned at the request, else `Unpinned`."""
        key = self.key(*request)
        return noise[key] if key in noise else Unpinned(request)

    def posterior(self, value: Any, *request: Any) -> TorchDistribution:
        """Return the point at the response function with the reply pinned at the request.

        Raises:
            NotApplicable: if the value is `Unpinned`, which says that no reply is known.
        """
        if isinstance(value, Unpinned):
            raise NotApplicable(f"{value!r} is no reply to pin: a fact at a recorded call is what the call returned")
        return Point({**self.pins, self.key(*request): value})

    def log_prob(self, value: Any, *request: Any) -> Tensor:
        """Return -inf where a pin contradicts the value, else 0: a response function has no known law."""
        key = self.key(*request)
        held = key not in self.pins or same(self.pins[key], value)
        return torch.tensor(0.0 if held else -torch.inf)
