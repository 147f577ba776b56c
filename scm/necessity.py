"""Probabilities of causation under a stated SCM: from unit counterfactuals, not from data alone.

The definitions are those of `causation` (Causality, defs. 9.2.1-9.2.3); the world gives the joint law of Y, Y_x and
Y_x', so each is a point, which rests on the world's noise models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ifonly.scm.actions import Put
from ifonly.scm.causation import Causation
from ifonly.scm.errors import ImpossibleEvidence
from ifonly.scm.nested import EXACT, Cause, Sampling, nested

if TYPE_CHECKING:
    from ifonly.scm.estimate import Estimate
    from ifonly.scm.nested import Outcome
    from ifonly.scm.steps import Facts, World

__all__ = ["causation_in"]


def causation_in(
    world: World,
    cause: Cause,
    outcome: Outcome,
    facts: Facts | None = None,
    by: Sampling = EXACT,
) -> Causation:
    """Return PN, PS, PNS and harm of one site's value for a binary outcome, among the units that the facts describe.

    Monte Carlo error is given where there are particles; PN and PS are means over those that show x, y or x', y'.

    Args:
        world: the world.
        cause: the site X, its value x and its value x'.
        outcome: a site or a function of a run, 1 for y and 0 for y'.
        facts: what else was observed, at any site but that of the cause.
        by: how to go through the noise.

    Raises:
        NeverReached: if a fact or action names a site that the world does not reach.
        ImpossibleEvidence: if the world cannot take the facts.
        NotEnumerable: without particles, if a noise site has no finite scalar support.
        ValueError: if fewer than two particles show what PN or PS is conditioned on.
    """
    seen, stages = dict(facts or {}), ({cause.site: Put(cause.off)}, {cause.site: Put(cause.on)})
    both = nested(world, seen, *stages, by=by)
    pns = both.estimate(lambda b: b.value(2, outcome) * (1 - b.value(1, outcome)))
    harm = both.estimate(lambda b: b.value(1, outcome) * (1 - b.value(2, outcome)))
    if pns is None or harm is None:
        raise ArithmeticError("a mean without a condition exists")

    return Causation(
        pn=_turned(world, cause.site, (cause.on, cause.off), outcome, seen, shown=1, by=by),
        ps=_turned(world, cause.site, (cause.off, cause.on), outcome, seen, shown=0, by=by),
        pns=pns,
        harm=harm,
    )


def _turned(
    world: World, site: str, values: tuple[Any, Any], outcome: Outcome, facts: Facts, *, shown: int, by: Sampling
) -> Estimate | None:
    """P(outcome is not as shown, had X been the second value | X = the first, outcome as shown); None if none is so."""
    was, other = values
    try:
        worlds = nested(world, {**facts, site: was}, {site: Put(other)}, by=by)
    except ImpossibleEvidence:
        return None
    return worlds.estimate(
        lambda b: (b.value(1, outcome) != shown).double(),
        lambda b: (b.value(0, outcome) == shown).double(),
    )
