"""How often a site that cannot have an effect is flagged, after the correction for all sites of its run.

A null site's what-if takes a neutral option for the good one or back, where no clash and no undo reads which: no result
becomes corrupted or clean. All steps of a run are tested at once, those that have an effect among them, as blame does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.records import Record
from ifonly.scenarios.coverage.intervals import WhatIf, drawn_what_if
from ifonly.scenarios.credit.workflow import GOOD
from ifonly.scm.multiplicity import adjust, paired_p_values
from ifonly.sim.blame.numbers import adjusted, beats_luck, p_value
from ifonly.sim.live_answer import arm_estimate
from ifonly.sim.rollout import Effort

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scm.estimate import Estimate

__all__ = ["Flagged", "null_flags"]

_RATE = 0.05
_HALF = 0.5
_UNIT = (0.0, 1.0)


class Flagged(Record):
    """How one rule treats sites of one kind.

    Attributes:
        rule: what is tested, on which noise.
        sites: how many.
        flagged: share of them that is flagged.
        null: whether none of them has the effect that the rule tests for.
    """

    rule: str
    sites: int
    flagged: float
    null: bool


def null_flags(
    worlds: int, seed: int, particles: int = 40, told: Callable[[int, int], None] = lambda done, of: None
) -> list[Flagged]:
    """Return how often each rule flags null sites, and sites that decide.

    - ``abducted``: blame's rule, P(averted) above 1/2 by the binomial tail, in the run's own noise
    - ``edge``: the same where P(averted) is 1/2 at every site: the worst null that the rule allows for
    - ``paired``: more failures turned than made, by the sign test, later noise anew and independent in both arms
    - ``unpaired``: P(averted) above 1/2 on later noise anew, and nothing else: it knows no null of "no effect"
    - ``drawn``: blame's rule on later noise anew: ``unpaired``, and fewer failures than when asking again (Fisher)

    Args:
        worlds: how many, each with one failed run.
        seed: of the worlds and of all draws.
        particles: draws at each site.
        told: is told the number done, and of how many.
    """
    flags: dict[tuple[str, bool], list[bool]] = {}
    for n in range(worlds):
        generator = np.random.default_rng((seed, n))
        asked = drawn_what_if(generator)
        sites = [_at(asked, k) for k in range(asked.workflow.steps)]
        nulls = [_null(site) for site in sites]
        for rule, found in _rules(sites, generator, particles).items():
            for null, flag in zip([True] * len(nulls) if rule == "edge" else nulls, found, strict=True):
                flags.setdefault((rule, null), []).append(flag)
        told(n + 1, worlds)
    return [
        Flagged(rule=rule, sites=len(found), flagged=float(np.mean(found)), null=null)
        for (rule, null), found in sorted(flags.items())
    ]


def _rules(sites: list[WhatIf], generator: np.random.Generator, particles: int) -> dict[str, list[bool]]:
    own = int(generator.integers(2**31))
    effort = Effort(particles)
    steps = sites[0].workflow.steps
    abducted, fresh, controls = [], [], []
    for site in sites:
        abducted.append(arm_estimate(site.abducted(own, particles), _UNIT, effort, "choice"))
        fresh.append(site.fresh(site.put, generator.random((particles, steps))))
        controls.append(site.fresh(site.again, generator.random((particles, steps))))
    edge = [arm_estimate(row.tolist(), _UNIT, effort, "fresh") for row in generator.random((steps, particles)).round()]
    p = paired_p_values(np.array(controls, dtype=float), np.array(fresh, dtype=float), "gain")
    averted, risks, risk_again = (
        [arm_estimate(arm, _UNIT, effort, "fresh") for arm in arms]
        for arms in (fresh, 1.0 - np.array(fresh), 1.0 - np.array(controls))
    )
    luck = [beats_luck(before, after) for before, after in zip(risk_again, risks, strict=True)]
    return {
        "abducted": _flags(abducted),
        "edge": _flags(edge),
        "paired": (adjust(p) <= _RATE).tolist(),
        "unpaired": _flags(averted),
        "drawn": _flags(averted, luck),
    }


def _flags(effects: list[Estimate], luck: Sequence[float] | None = None) -> list[bool]:
    """Blame's rule: certain where the corrected p-value is small and the effect above 1/2."""
    own = [1.0 if (p := p_value(effect)) is None else p for effect in effects]
    p_values = adjusted([max(pair) for pair in zip(own, luck or own, strict=True)])
    return [p <= _RATE and (effect.value or 0.0) > _HALF for p, effect in zip(p_values, effects, strict=True)]


def _at(asked: WhatIf, k: int) -> WhatIf:
    """The what-if of a step: the good option, or a neutral one where the good was taken."""
    return replace(asked, k=k, option=1 if asked.factual[k][1] == GOOD else GOOD)


def _null(asked: WhatIf) -> bool:
    """Whether the options before and after are alike to everything that follows."""
    world, bad = asked.workflow, asked.workflow.options - 1
    read = {j for _, pair in world.clash for j in pair}
    return asked.factual[asked.k][1] != bad and asked.k != world.undo and asked.k not in read
