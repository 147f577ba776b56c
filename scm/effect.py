"""What an action does to an outcome, on both rungs side by side, in a world of structural equations.

Of a recorded unit with facts e, an action a' at sites that were logged as a, and an outcome Y:

    counterfactual   E[Y_{a'} - Y | e]                                same noise: what would have been
    interventional   E[Y | do(a'), e_0] - E[Y | do(a), e_0]           fresh noise: what "do it again" shows

where e_0 are those of the facts that the sites cannot touch (no descendants). Only the first speaks of this unit; "the
logged action done again" gives E[Y | do(a), e_0] and not the Y that was seen (Pearl, Causality, secs. 1.4.4 and 7.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ifonly.scm.actions import Put
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.estimate import Estimate
from ifonly.scm.graphs import descendants
from ifonly.scm.nested import EXACT, Cause, Nested, Outcome, Sampling, nested, read, under
from ifonly.scm.queries import intervene

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ifonly.scm.steps import Actions, Facts, World

__all__ = ["Contrast", "Effect", "but_for", "effect", "question", "treated"]


@dataclass(frozen=True)
class Contrast:
    """An outcome with and without an action.

    Attributes:
        done: mean of the outcome with the action.
        undone: mean of the outcome without it.
        change: mean of the difference, of paired draws where there are draws.
    """

    done: Estimate
    undone: Estimate
    change: Estimate


@dataclass(frozen=True)
class Effect:
    """One effect on two rungs, which are different questions and need not agree even in sign.

    Attributes:
        counterfactual: with the noise of what happened: `undone` is the outcome as it was.
        interventional: with fresh noise: `undone` is the outcome when the logged action is done again.
    """

    counterfactual: Contrast
    interventional: Contrast


def effect(
    world: World,
    facts: Facts,
    actions: Actions,
    outcome: Outcome,
    by: Sampling = EXACT,
) -> Effect:
    """Return the effect of actions on an outcome for a recorded unit, on both rungs.

    Sites that are acted on and have no fact run by themselves in the interventional contrast's `undone`.

    Args:
        world: the world.
        facts: observed values by site.
        actions: what is done, by site.
        outcome: a site, or a function of a run.
        by: how to go through the noise.

    Raises:
        NeverReached: if a fact or action names a site that the world does not reach.
        ImpossibleEvidence: if the world cannot take the facts.
        NotEnumerable: without particles, if a noise site has no finite scalar support.
    """
    worlds = nested(world, facts, actions, by=by)
    unit = Contrast(
        done=_sure(worlds.estimate(lambda b: b.value(1, outcome))),
        undone=_sure(worlds.estimate(lambda b: b.value(0, outcome), rung="observed")),
        change=_sure(worlds.estimate(lambda b: b.value(1, outcome) - b.value(0, outcome))),
    )
    held = _untouched(worlds, facts, actions)
    again = {site: Put(facts[site]) for site in actions if site in facts}
    contrast = _enumerated if by.particles is None else _sampled
    fresh = contrast(world, held, (actions, again), outcome, by)
    return Effect(counterfactual=unit, interventional=fresh)


def but_for(
    world: World,
    facts: Facts,
    alternatives: Mapping[str, Any],
    outcome: Outcome,
    by: Sampling = EXACT,
) -> dict[str, Effect]:
    """Return the effect of each site alone, had it taken its alternative value: but for this step, what?

    Args:
        world: the world.
        facts: observed values by site.
        alternatives: the value to put, by site.
        outcome: a site, or a function of a run.
        by: how to go through the noise.
    """
    return {site: effect(world, facts, {site: Put(value)}, outcome, by) for site, value in alternatives.items()}


def treated(
    world: World,
    cause: Cause,
    outcome: Outcome,
    facts: Facts | None = None,
    by: Sampling = EXACT,
) -> Estimate:
    """Return the effect of treatment on the treated, E[Y_on - Y_off | X = on, facts] (Causality, sec. 8.2.5).

    A counterfactual: of those who were treated, what the treatment changed. It differs from the average effect where
    what moves X also moves Y.

    Args:
        world: the world.
        cause: the treatment: its site X, its value in the treated, and the value had they not been.
        outcome: a site, or a function of a run.
        facts: what else was observed.
        by: how to go through the noise.
    """
    worlds = nested(world, {**(facts or {}), cause.site: cause.on}, {cause.site: Put(cause.off)}, by=by)
    return _sure(worlds.estimate(lambda b: b.value(0, outcome) - b.value(1, outcome)))


def question(
    world: World,
    facts: Facts,
    event: Outcome,
    by: Sampling = EXACT,
    threshold: float = 0.5,
) -> Callable[[Mapping[str, Any]], bool]:
    """Return the question that `joint_causes` asks: had these values been put, would the event still have been?

    Args:
        world: the world.
        facts: observed values by site.
        event: a site or a function of a run, 0 or 1.
        by: how to go through the noise.
        threshold: the posterior probability from which on the answer is yes.
    """

    def happens(values: Mapping[str, Any]) -> bool:
        actions = {site: Put(value) for site, value in values.items()}
        worlds = nested(world, facts, actions, by=by)
        bundle = worlds.bundles[0]
        if bundle.factual.weights is not None:
            return float((bundle.factual.weights * bundle.value(1, event)).sum()) >= threshold
        return sum(bundle.weight * float(bundle.value(1, event)) for bundle in worlds.bundles) >= threshold

    return happens


def _untouched(worlds: Nested, facts: Facts, actions: Actions) -> dict[str, Any]:
    """The facts that no action can change, in any branch."""
    touched = set(actions)
    for bundle in worlds.bundles:
        for run in (bundle.factual.run, *(twin.run for twin in bundle.twins)):
            touched.update(*(descendants(run.graph, site) for site in actions if site in run))
    return {site: value for site, value in facts.items() if site not in touched}


def _enumerated(world: World, held: Facts, arms: tuple[Actions, Actions], outcome: Outcome, by: Sampling) -> Contrast:
    with_it, without = (
        enumerate_world(under(world, does), held).mean(lambda twin: read(twin.run, outcome)) for does in arms
    )
    done, undone, change = (
        Estimate.settled(value, "interventional") for value in (with_it, without, with_it - without)
    )
    return Contrast(done, undone, change)


def _sampled(world: World, held: Facts, arms: tuple[Actions, Actions], outcome: Outcome, by: Sampling) -> Contrast:
    """Both arms in the same noise, which is fresh in both: the difference is of pairs."""
    done, undone = (intervene(world, does, held, particles=by.particles, seed=by.seed) for does in arms)
    # What one arm left to chance counts for both.
    paired = replace(done, chance=done.chance + undone.chance)
    return Contrast(
        done=done.estimate(lambda answer: read(answer.run, outcome), by.level),
        undone=undone.estimate(lambda answer: read(answer.run, outcome), by.level),
        change=paired.estimate(lambda _: read(done.run, outcome) - read(undone.run, outcome), by.level),
    )


def _sure(estimate: Estimate | None) -> Estimate:
    if estimate is None:
        raise ArithmeticError("a mean without a condition exists")
    return estimate
