"""Hand-over to stock Pyro inference, for when the facts leave too few effective particles.

A world under `Abduct(facts)` is a stock Pyro model: its latent sites are the noise of unobserved sites, its
factors the likelihoods of the facts. Posterior draws of those sites from any algorithm of `pyro.infer` (MCMC,
the guide of an SVI, resampled importance traces) go into `counterfactual_from`. `nuts` is the ready-made
case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pyro import poutine
from pyro.infer import MCMC, NUTS

from ifonly.scm.answers import Twin
from ifonly.scm.draw import Draw
from ifonly.scm.errors import NeverReached
from ifonly.scm.handlers import Abduct
from ifonly.scm.steps import Size, abduct, population, predict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from ifonly.scm.steps import Actions, Facts, World

__all__ = ["counterfactual_from", "nuts"]

# Pyro gives these classes no types.
_MCMC: Any = MCMC
_NUTS: Any = NUTS


def nuts(world: World, facts: Facts, *, samples: int, warmup: int, seed: int = 0) -> dict[str, Tensor]:
    """Draw the unobserved noise from its posterior by NUTS (Hoffman and Gelman 2014), one chain.

    Runs in a forked generator: no global random state moves.

    Args:
        world: a world whose unobserved noise is continuous.
        facts: observed values by site, of one unit.
        samples: number of draws returned, autocorrelated as MCMC draws are.
        warmup: number of steps of adaptation before them.
        seed: seed of the chain.

    Returns:
        Draws by noise site, shape (samples, ...), for `counterfactual_from`.

    Raises:
        NeverReached: if a fact names a site the world did not reach.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Draw(seed).key("nuts") % 2**63)
        chain = _MCMC(_NUTS(Abduct(facts)(world)), num_samples=samples, warmup_steps=warmup, disable_progbar=True)
        chain.run()
    draws: dict[str, Tensor] = chain.get_samples()
    return draws


def counterfactual_from(
    noise: Mapping[str, Tensor], world: World, facts: Facts, actions: Actions, *, seed: int = 0
) -> Twin:
    """Answer on the third rung from posterior draws of the noise, each of the same weight.

    Args:
        noise: draws by noise site, each of shape (particles, ...): all that the facts leave open and bear
            upon.
        world: the world.
        facts: observed values by site, the ones that the noise was drawn under.
        actions: what is done, by site.
        seed: seed of the noise that is not among the draws.

    Raises:
        NeverReached: if a fact, action or noise names a site that its world did not reach.
    """
    particles = len(next(iter(noise.values())))
    with population(Size(particles, None, seed)), poutine.condition(data=dict(noise)):
        factual = abduct(world, facts)
        if unknown := sorted(set(noise) - set(factual.trace.nodes)):
            raise NeverReached("noise", unknown, factual.trace.nodes)
        run, fresh = predict(world, factual, actions)
    weights = torch.full((particles,), 1 / particles, dtype=torch.float64)
    return Twin(run=run, weights=weights, chance=len(noise), factual=factual, fresh=fresh)
