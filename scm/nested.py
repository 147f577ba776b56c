"""Several changed worlds in the noise of one factual world, one after the other.

A stage says what is done in the next changed world; it may look at the runs before it. So nested counterfactuals are
asked as they are written: in Y_{x, M_{x'}} (Pearl 2001) the first stage does x' and the second does x and puts M to the
value that it had in the first. Noise that one changed world settles is settled for those after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import exp, fsum, inf
from typing import TYPE_CHECKING, Any, cast

import torch
from pyro.poutine.replay_messenger import ReplayMessenger
from pyro.poutine.trace_struct import Trace
from torch import Tensor

from ifonly.scm.answers import Answer, Twin
from ifonly.scm.enumeration import Follow
from ifonly.scm.errors import ImpossibleEvidence, NeverReached
from ifonly.scm.estimate import Estimate, Rung
from ifonly.scm.evidence import Evidence
from ifonly.scm.handlers import Abduct, Intervene
from ifonly.scm.runs import Run
from ifonly.scm.steps import Actions, Facts, Size, World, abduct, evidence, population, predict, weigh

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EXACT", "Bundle", "Cause", "Nested", "Outcome", "Sampling", "Stage", "nested", "read", "under"]

Stage = Actions | Callable[[tuple[Run, ...]], Actions]
"""What is done in a changed world: actions by site, or a function to them from the runs so far, the factual one
first."""

Outcome = str | Callable[[Run], Tensor | float | bool]
"""A site, or a function of a run, whose mean is wanted."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the noise is gone through.

    Attributes:
        particles: number of draws; None enumerates all noise of a finite world, which is exact.
        seed: seed of the noise of the particles.
        level: coverage of the intervals for the error of the particles.
    """

    particles: int | None = None
    seed: int = 0
    level: float = 0.95


EXACT = Sampling()
"""Enumeration."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A site and two values of it.

    Attributes:
        site: the site X.
        on: its value x, whose effect is asked for.
        off: its value x', beside which it is asked for.
    """

    site: str
    on: Any
    off: Any


@dataclass(frozen=True)
class Bundle:
    """One factual world and the changed ones in its noise: one value of all noise, or all particles at once.

    Attributes:
        weight: probability of this value of the noise; 1 for particles.
        factual: the factual run, with its weights over particles.
        twins: one for each stage.
    """

    weight: float
    factual: Answer
    twins: tuple[Twin, ...]

    def value(self, world: int, outcome: Outcome) -> Tensor:
        """Return an outcome in a world of the bundle: 0 is the factual one, then one for each stage."""
        return read(self.factual.run if world == 0 else self.twins[world - 1].run, outcome)


@dataclass(frozen=True)
class Nested:
    """The posterior over the noise, each element with its worlds.

    Attributes:
        bundles: one for each value of the noise that the facts allow, weights summing to 1; or a single one.
        by: how the noise was gone through.
    """

    bundles: tuple[Bundle, ...]
    by: Sampling = EXACT

    @property
    def assumed(self) -> str | None:
        """The noise models that carried facts over to a changed world, joined by "+"; None without any."""
        names = {name for bundle in self.bundles for twin in bundle.twins for name in (twin.assumed or "").split("+")}
        return "+".join(sorted(names - {""})) or None

    def estimate(
        self,
        target: Callable[[Bundle], Tensor | float],
        given: Callable[[Bundle], Tensor | float] | None = None,
        *,
        rung: Rung = "counterfactual",
    ) -> Estimate | None:
        """Return E[target], or E[target | given]; None if the condition has probability 0.

        Exact by enumeration, else with an interval for the error of the particles. On the lower rungs no noise model
        is named, since they do not hang on one.

        Args:
            target: a function of a bundle; over particles, elementwise.
            given: likewise, 0 or 1.
            rung: the rung that the estimand stands on.

        Raises:
            ValueError: if fewer than two particles are effective.
        """
        noise = self.assumed if rung == "counterfactual" else None
        answer = self.bundles[0].factual
        if answer.weights is None:
            held = [bundle.weight * (1.0 if given is None else float(given(bundle))) for bundle in self.bundles]
            if (mass := fsum(held)) <= 0:
                return None
            values = [w * float(target(bundle)) for w, bundle in zip(held, self.bundles, strict=True) if w > 0]
            return Estimate.settled(fsum(values) / mass, rung, noise)
        (bundle,), weights = self.bundles, answer.weights
        if given is not None:
            weights = weights * torch.as_tensor(given(bundle))
            if not bool(weights.any()):
                return None
            weights = weights / weights.sum()
        settled = replace(answer, weights=weights, rung=rung)
        estimate = settled.estimate(lambda _: target(bundle), self.by.level)
        if noise is None:
            return estimate
        return estimate.model_copy(update={"identified": "assumed", "noise": noise})


def nested(world: World, facts: Facts | None, *stages: Stage, by: Sampling = EXACT) -> Nested:
    """Return one factual world and the changed worlds of the stages, all in one noise.

    Args:
        world: the world.
        facts: observed values by site, in the factual world.
        *stages: what is done in each changed world.
        by: how to go through the noise.

    Raises:
        NotEnumerable: without particles, if a noise site has no finite scalar support.
        NeverReached: if a fact or action names a site that its world reaches in no branch.
        ImpossibleEvidence: if the facts have probability 0.
    """
    if by.particles is None:
        return _enumerated(world, facts or {}, stages)
    size = Size(by.particles, None, by.seed)
    with population(size):
        factual = abduct(world, facts or {})
        made = list(_predictions(world, factual, stages, strict=True))
    weights, noise = weigh(factual, size), set(factual.drawn).union(*(run.drawn for _, run, _ in made))
    twins = tuple(
        Twin(run=run, weights=weights, chance=len(noise), factual=factual, fresh=fresh) for _, run, fresh in made
    )
    return Nested((Bundle(1.0, Answer(run=factual, weights=weights, rung="observed", chance=len(noise)), twins),), by)


def read(run: Run, outcome: Outcome) -> Tensor:
    """Return the value of an outcome in a run, as a floating-point number for each particle.

    Raises:
        NeverReached: if the run did not reach its site.
    """
    value = torch.as_tensor(run[outcome] if isinstance(outcome, str) else outcome(run))
    return value if value.is_floating_point() else value.double()


def under(world: World, actions: Actions) -> World:
    """Return the world in which the actions are part of what is: do() before any facts are seen.

    Args:
        world: the world.
        actions: what is done, by site; a site that a run does not reach is left alone.
    """

    def changed() -> object:
        with Intervene(actions, strict=False):
            return world()

    return changed


def _predictions(
    world: World, factual: Run, stages: Sequence[Stage], strict: bool
) -> Iterator[tuple[Actions, Run, tuple[str, ...]]]:
    """Yield what was done in each stage, its run, and its fresh sites."""
    settled, runs = Trace(), [factual]
    for stage in stages:
        actions = stage if isinstance(stage, Mapping) else stage(tuple(runs))
        with ReplayMessenger(trace=settled):
            run, fresh = predict(world, factual, actions, strict)
        for name in run.drawn:
            if name not in settled:
                settled.add_node(name, **run.trace.nodes[name])
        runs.append(run)
        yield actions, run, fresh


def _enumerated(world: World, facts: Facts, stages: Sequence[Stage]) -> Nested:
    leaves: list[tuple[float, Bundle]] = []
    before: dict[str, None] = {}
    after: list[dict[str, None]] = [{} for _ in stages]
    asked: list[set[str]] = [set() for _ in stages]
    paths: list[tuple[int, ...]] = [()]
    while paths:
        with Follow(paths.pop()) as follow:
            factual = abduct(world, facts, strict=False)
            log_weight = _log_likelihood(factual, facts)
            made = list(_predictions(world, factual, stages, strict=False)) if log_weight > -inf else None
        paths.extend(follow.siblings())
        before.update(dict.fromkeys(factual.sites))
        if made is None:
            continue
        for stage, (actions, run, _) in enumerate(made):
            asked[stage].update(actions)
            after[stage].update(dict.fromkeys(run.sites))
        twins = tuple(Twin(run=run, weights=None, chance=0, factual=factual, fresh=fresh) for _, run, fresh in made)
        answer = Answer(run=factual, weights=None, rung="observed", chance=0)
        leaves.append((follow.log_prob + log_weight, Bundle(0.0, answer, twins)))
    if missing := facts.keys() - before:
        raise NeverReached(Abduct.role, sorted(missing), before)
    if not leaves:
        raise ImpossibleEvidence(f"the facts at {sorted(facts)}", "no value of the noise gives them all")
    for wanted, reached in zip(asked, after, strict=True):
        if missing := wanted - reached.keys():
            raise NeverReached(Intervene.role, sorted(missing), reached)
    top = max(log_weight for log_weight, _ in leaves)
    masses = [exp(log_weight - top) for log_weight, _ in leaves]
    total = fsum(masses)
    return Nested(tuple(replace(leaf, weight=mass / total) for mass, (_, leaf) in zip(masses, leaves, strict=True)))


def _log_likelihood(factual: Run, facts: Facts) -> float:
    if facts.keys() - set(factual.sites):
        return -inf
    return sum(float(cast("Any", factor).log_prob(Evidence.token)) for _, factor in evidence(factual))
