"""The likelihood of a fact as a Pyro site, computed only when somebody asks for it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints

from ifonly.scm.continuous import Bijective
from ifonly.scm.laws import real

if TYPE_CHECKING:
    from ifonly.scm.kernel import Mechanism

__all__ = ["Evidence", "finite"]


class Evidence(TorchDistribution):
    """A Pyro factor for one fact: the log likelihood of the value of a site given its parents' values.

    Like `pyro.factor`, but lazy: stock Pyro inference calls `log_prob` and gets the likelihood, while a query
    on one fully observed world never pays for a density that would cancel out of its weights. The event is
    empty: the fact itself may be any object, None included.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}
    support = constraints.real_vector
    token: ClassVar[Tensor] = torch.empty(0)

    def __init__(self, mechanism: Mechanism[Any], value: Any, parents: tuple[Any, ...]) -> None:
        """Take the site's mechanism, its observed value and its parents' values."""
        self.mechanism, self.value, self.parents = mechanism, value, parents
        super().__init__(event_shape=torch.Size([0]), validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Evidence:
        """Return the same factor, once for each element of a plate."""
        new = copy.copy(self)
        new._batch_shape = torch.Size(batch_shape)
        return new

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return the empty event."""
        return self.token

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log likelihood of the fact, broadcast to `batch_shape`."""
        log_prob = self.mechanism.log_prob(self.value, *self.parents)
        return log_prob.expand(np.broadcast_shapes(log_prob.shape, self.batch_shape))

    def possible(self) -> Tensor:
        """Return elementwise whether the likelihood is positive: cheap where every number is possible."""
        if isinstance(self.mechanism, Bijective) and self.mechanism.onto:
            return finite(real(self.value))
        return self.log_prob(self.token) > -torch.inf


def finite(value: Tensor) -> Tensor:
    """Return whether values are finite numbers, elementwise where they are not all."""
    total = value.sum()
    # A finite sum has finite terms; one pass of adding is 10 times cheaper than a test of each term.
    return torch.isfinite(total) if bool(torch.isfinite(total)) else torch.isfinite(value)
