"""The three questions: what is, what if it were done, what if it had been done.

Each takes a world, which is any function without arguments that calls `endogenous`, and never touches a
global generator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.scm.answers import Answer, Twin
from ifonly.scm.errors import NotApplicable
from ifonly.scm.handlers import Abduct, Intervene
from ifonly.scm.kernel import Record
from ifonly.scm.runs import Run
from ifonly.scm.steps import Actions, Facts, Size, World, abduct, population, predict, unweighed, weigh

if TYPE_CHECKING:
    from ifonly.scm.estimate import Rung

__all__ = ["counterfactual", "intervene", "observe"]


def observe(
    world: World,
    facts: Facts | None = None,
    *,
    particles: int | None = None,
    rows: int | None = None,
    seed: int = 0,
) -> Answer:
    """Answer on the first rung: the world as it runs, given facts.

    Args:
        world: the world.
        facts: observed values by site.
        particles: number of draws; None for a single one.
        rows: number of independent units, the last axis of values; None for a single one.
        seed: seed of the noise.

    Raises:
        NeverReached: if a fact names a site the world did not reach.
        ImpossibleEvidence: if the world cannot take the facts.
    """
    return _forward(world, facts or {}, {}, Size(particles, rows, seed), "observed")


def intervene(
    world: World,
    actions: Actions,
    facts: Facts | None = None,
    *,
    particles: int | None = None,
    rows: int | None = None,
    seed: int = 0,
) -> Answer:
    """Answer on the second rung: the changed world with fresh noise, E[. | do(actions), facts].

    The facts are seen in the changed world, after the action: this is no counterfactual.

    Args:
        world: the world.
        actions: what is done, by site.
        facts: values observed in the changed world.
        particles: number of draws; None for a single one.
        rows: number of independent units, the last axis of values; None for a single one.
        seed: seed of the noise.

    Raises:
        NeverReached: if a fact or action names a site the changed world did not reach.
        NotApplicable: if a site is both acted on and observed.
        ImpossibleEvidence: if the changed world cannot take the facts.
    """
    if both := sorted(set(actions) & set(facts or {})):
        raise NotApplicable(
            f"sites {both} are both set and observed in one world: drop the fact, or ask `counterfactual`"
        )
    return _forward(world, facts or {}, actions, Size(particles, rows, seed), "interventional")


def counterfactual(
    world: World,
    facts: Facts,
    actions: Actions,
    *,
    particles: int | None = None,
    rows: int | None = None,
    seed: int = 0,
) -> Twin:
    """Answer on the third rung: what would have been, had the actions been done, given what was.

    Abduction, action, prediction (Pearl, Causality, theorem 7.1.7): the world runs under `Abduct`, then again under
    `Replay` of its noise and `Intervene`, in one particle plate. Particles are weighted by the likelihood of the facts;
    see `Twin.verdict`, and `handover` for when it is low. In finite worlds `enumerate_world` is exact.

    Args:
        world: the world.
        facts: observed values by site, in the factual world.
        actions: what is done, by site, in the counterfactual one.
        particles: number of draws; None for a single one, which is exact where the facts settle all noise.
        rows: number of independent units, the last axis of values; None for a single one.
        seed: seed of the noise.

    Raises:
        NeverReached: if a fact or action names a site that its world did not reach.
        ImpossibleEvidence: if the world cannot take the facts.
    """
    size = Size(particles, rows, seed)
    with population(size):
        factual = abduct(world, facts)
        weights = weigh(factual, size)
        run, fresh = predict(world, factual, actions)
    return Twin(
        run=run,
        weights=weights,
        chance=len(factual.drawn + run.drawn),
        unweighed=unweighed(factual, size),
        factual=factual,
        fresh=fresh,
    )


def _forward(world: World, facts: Facts, actions: Actions, size: Size, rung: Rung) -> Answer:
    with population(size):
        with Record() as record, Abduct(facts), Intervene(actions):
            returned = world()
        run = Run(record.trace, returned)
        weights = weigh(run, size)
        hidden = unweighed(run, size)
    return Answer(run=run, weights=weights, rung=rung, chance=len(run.drawn), unweighed=hidden)
