"""Abduction of the latents: stochastic variational inference, and NUTS to check it on small worlds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyro
import torch
from pyro.infer import MCMC, NUTS, SVI, TraceMeanField_ELBO
from pyro.infer.autoguide import AutoNormal
from pyro.optim import ClippedAdam

from ifonly.scm.draw import Draw
from ifonly.scm.errors import ImpossibleEvidence
from ifonly.scm.item_response.posterior import Posterior
from ifonly.scm.item_response.priors import DISCRIMINATION_SCALE
from ifonly.scm.item_response.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ifonly.scm.item_response.facets import Facets, Floats, Ints

__all__ = ["fit", "sample"]

# Pyro's own types leave these open.
_GUIDE: Any = AutoNormal
_SVI: Any = SVI
_ELBO: Any = TraceMeanField_ELBO
_MCMC: Any = MCMC
_NUTS: Any = NUTS

_SMALLEST_RATE = 0.05
"""The last learning rate, as a share of the first."""


def fit(
    facets: Facets,
    seen: Ints,
    outcomes: Floats,
    *,
    seed: int = 0,
    steps: int = 200,
    rate: float = 0.1,
    draws: int = 200,
) -> Posterior:
    """The latents given the outcomes of the cells that were seen, by SVI with a normal mean-field guide.

    Deterministic given the seed. The mean field misses correlations: intervals of single latents come out too narrow
    where facets compete for the same outcomes; `sample` shows by how much on a small set.

    Args:
        facets: of all cells, also of those to be predicted.
        seen: index of the cells with an outcome, shape (seen,).
        outcomes: their outcomes, 0 or 1, shape (seen,).
        seed: of the gradient's noise and of the draws.
        steps: of the optimiser.
        rate: first learning rate; it falls to a twentieth of this.
        draws: how many the posterior has.

    Raises:
        ImpossibleEvidence: an outcome is neither 0 nor 1, or none is given.
    """
    world, kept = _observed(facets, seen, outcomes)
    with _apart(seed):
        guide = _GUIDE(world, init_scale=0.3)
        optimiser = ClippedAdam({"lr": rate, "lrd": _SMALLEST_RATE ** (1 / steps)})
        search = _SVI(world, guide, optimiser, _ELBO())
        for _ in range(steps):
            search.step()
        with torch.no_grad():
            found = [guide() for _ in range(draws)]
    stacked = {name: np.stack([one[name].numpy() for one in found]) for name in found[0]}
    return _posterior(facets, kept, stacked, Draw(seed))


def sample(
    facets: Facets, seen: Ints, outcomes: Floats, *, seed: int = 0, warmup: int = 300, draws: int = 500
) -> Posterior:
    """The same posterior by the No-U-Turn sampler (Hoffman and Gelman 2014): exact in the limit, slow.

    Args:
        facets: of all cells.
        seen: index of the cells with an outcome.
        outcomes: their outcomes, 0 or 1.
        seed: of the chain.
        warmup: draws thrown away, in which the chain adapts.
        draws: draws kept.

    Raises:
        ImpossibleEvidence: an outcome is neither 0 nor 1, or none is given.
    """
    world, kept = _observed(facets, seen, outcomes)
    with _apart(seed):
        chain = _MCMC(_NUTS(world), num_samples=draws, warmup_steps=warmup, disable_progbar=True)
        chain.run()
    stacked = {name: value.numpy() for name, value in chain.get_samples().items()}
    return _posterior(facets, kept, stacked, Draw(seed))


@contextmanager
def _apart(seed: int) -> Iterator[None]:
    """Torch with a generator of this seed, one thread and a parameter store of its own; as it was, after.

    One thread, because sums over several differ in the last digits, and take longer on a busy machine.
    """
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    try:
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        with pyro.get_param_store().scope(), pyro.validation_enabled(False):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)


def _observed(facets: Facets, seen: Ints, outcomes: Floats) -> tuple[World, tuple[Ints, Ints]]:
    """The world of the cells that were seen, of their levels alone; and which effects and groups those are."""
    if not len(outcomes) or not np.isin(outcomes, (0.0, 1.0)).all():
        raise ImpossibleEvidence("outcomes", "an item-response world gives each cell 0 or 1, and needs one at least")
    cells = facets.rows(seen)
    effects = np.flatnonzero(cells.matrix.sum(axis=0))
    groups = np.unique(cells.group[cells.group >= 0])
    return World(cells.only(effects, groups), outcomes), (effects, groups)


def _posterior(facets: Facets, kept: tuple[Ints, Ints], found: Mapping[str, Floats], draw: Draw) -> Posterior:
    """Draws of all latents: those that outcomes bear on as found, the others from their prior."""
    draws, (effects, groups) = len(found["mean"]), kept
    effect = draw.generator("effect").standard_normal((draws, len(facets.facet)))
    effect[:, effects] = found["effect"]
    shape = (draws, len(facets.groups))
    discrimination = DISCRIMINATION_SCALE * draw.generator("log_discrimination").standard_normal(shape)
    if len(groups):
        discrimination[:, groups] = found["log_discrimination"]
    known_effects, known_groups = np.zeros(len(facets.facet), dtype=bool), np.zeros(len(facets.groups), dtype=bool)
    known_effects[effects] = known_groups[groups] = True
    mean = found["mean"].reshape(draws)
    return Posterior(facets, mean, found["scale"], effect, discrimination, known_effects, known_groups)
