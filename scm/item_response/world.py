"""The item-response world, as a Pyro program.

For cell c with facet levels l_1, ..., l_F and discrimination group g, with uniform noise u_c of its own:

    Y_c   = 1{u_c < p_c}
    logit p_c = exp(log_discrimination[g]) (mean + sum over f of scale[f] effect[f, l_f])
    effect ~ Normal(0, 1),  scale ~ HalfNormal(1),  mean ~ Normal(0, 2),  log_discrimination ~ Normal(0, .4)

Item effects enter with either sign: easiness is less difficulty. With a facet for units, one for items, and
discrimination by item it is the two-parameter logistic model a_i (theta_u - b_i) of Birnbaum (1968), hierarchical in
the scales; facets of pairs (unit within suite, family with item) add the structure that it leaves out. An
effect that no outcome bears on keeps its prior. The noise u is integrated out: `unit` takes it up again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyro
import pyro.distributions as dist
import torch

from ifonly.scm.item_response.priors import DISCRIMINATION_SCALE, MEAN_SCALE

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from ifonly.scm.item_response.facets import Facets, Floats

__all__ = ["World"]


class World:
    """The program for given cells; calling it runs it once.

    Args:
        facets: of the cells.
        outcomes: 0 or 1 for each cell, shape (cells,): what was observed.
    """

    def __init__(self, facets: Facets, outcomes: Floats) -> None:
        self.effects, self.groups, self.scales = facets.matrix.shape[1], len(facets.groups), len(facets.names)
        self._facet = torch.as_tensor(facets.facet)
        self._matrix = facets.matrix
        self._transposed = facets.matrix.T.tocsr()
        # One more place, always 1, for cells without a group.
        self._group = torch.as_tensor(facets.group % (self.groups + 1))
        self._outcomes = torch.as_tensor(outcomes, dtype=torch.float64)

    def __call__(self) -> torch.Tensor:
        """Run it: the logits of the cells, shape (cells,)."""
        mean = pyro.sample("mean", dist.Normal(_zeros(), MEAN_SCALE))
        scale = pyro.sample("scale", dist.Independent(dist.HalfNormal(_zeros(self.scales) + 1), 1))
        effect = pyro.sample("effect", dist.Independent(dist.Normal(_zeros(self.effects), 1.0), 1))
        effects = scale.index_select(0, self._facet) * effect
        logits: torch.Tensor = mean + _PRODUCT.apply(effects, self._matrix, self._transposed)
        if self.groups:
            law = dist.Independent(dist.Normal(_zeros(self.groups), DISCRIMINATION_SCALE), 1)
            discrimination = pyro.sample("log_discrimination", law).exp()
            logits = logits * torch.cat([discrimination, _zeros(1) + 1]).index_select(0, self._group)
        pyro.sample("outcome", dist.Independent(dist.Bernoulli(logits=logits), 1), obs=self._outcomes)
        return logits


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.float64)


class _Product(torch.autograd.Function):
    """A constant sparse matrix times a vector. Torch's own sparse tensors are slower here, and warn of their state."""

    @staticmethod
    def forward(context: Any, vector: torch.Tensor, matrix: csr_array, transposed: csr_array) -> torch.Tensor:
        context.transposed = transposed
        return torch.from_numpy(matrix @ vector.detach().numpy())

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return torch.from_numpy(context.transposed @ gradient.numpy()), None, None


# Torch's own types leave `apply` open.
_PRODUCT: Any = _Product
