"""Effects through and around steps of a world: natural and controlled, by nested counterfactuals.

The definitions are those of `mediation`; a mediator is any set of sites, held together at the values that they had in
another world of the same noise: M_x' in Y_{x, M_x'}. No table and no assumption about confounding is needed, since the
world states both; with facts they are the effects for the units that the facts describe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ifonly.scm.actions import Put
from ifonly.scm.errors import NotApplicable
from ifonly.scm.mediation import Mediation
from ifonly.scm.nested import EXACT, Bundle, Cause, Sampling, nested

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ifonly.scm.estimate import Estimate, Rung
    from ifonly.scm.nested import Nested, Outcome
    from ifonly.scm.runs import Run
    from ifonly.scm.steps import Actions, Facts, World

__all__ = ["mediation_in"]

# The worlds of a bundle, in the order of their stages.
_OFF, _ON, _DIRECT, _INDIRECT, _FIRST_HELD = 1, 2, 3, 4, 5


def mediation_in(
    world: World,
    cause: Cause,
    mediators: Collection[str],
    outcome: Outcome,
    facts: Facts | None = None,
    *,
    held: Sequence[Mapping[str, Any]] = (),
    by: Sampling = EXACT,
) -> Mediation:
    """Return the effects of changing a cause from off to on, through the mediators and around them.

    Long because seven counterfactuals are named one by one.

    Args:
        world: the world.
        cause: the site X, its value x after and its value x' before.
        mediators: sites that the effect may go through; together they are M.
        outcome: a site, or a function of a run.
        facts: what was observed of the units in question.
        held: values of the mediators, by site, at each of which to give the controlled direct effect.
        by: how to go through the noise.

    Raises:
        NotApplicable: if the changed site is a mediator itself, or there is no mediator.
        NeverReached: if a site is named that the world does not reach.
        ImpossibleEvidence: if the world cannot take the facts.
        NotEnumerable: without particles, if a noise site has no finite scalar support.
    """
    site, on, off = cause.site, cause.on, cause.off
    if site in mediators or not mediators:
        raise NotApplicable(f"the mediators of {site!r} are other sites, at least one: got {sorted(mediators)}")
    stages: list[Actions | Callable[[tuple[Run, ...]], Actions]] = [
        {site: Put(off)},
        {site: Put(on)},
        _through(site, on, mediators, _OFF),
        _through(site, off, mediators, _ON),
    ]
    for values in held:
        puts = {name: Put(value) for name, value in values.items()}
        stages += [{**puts, site: Put(off)}, {**puts, site: Put(on)}]
    worlds = nested(world, facts, *stages, by=by)
    # Without facts these are differences of interventional means.
    rung: Rung = "counterfactual" if facts else "interventional"

    def change(after: int, before: int, on_rung: Rung = "counterfactual") -> Estimate:
        return _change(worlds, outcome, after, before, on_rung)

    return Mediation(
        total=change(_ON, _OFF, rung),
        direct=change(_DIRECT, _OFF),
        indirect=change(_INDIRECT, _OFF),
        back_direct=change(_INDIRECT, _ON),
        back_indirect=change(_DIRECT, _ON),
        controlled=tuple(change(_FIRST_HELD + 2 * i + 1, _FIRST_HELD + 2 * i, rung) for i in range(len(held))),
    )


def _through(
    site: str, value: Any, mediators: Collection[str], source: int
) -> Callable[[tuple[Run, ...]], dict[str, Put]]:
    """Return the stage that puts the site to a value and each mediator to what it was in an earlier world."""

    def stage(runs: tuple[Run, ...]) -> dict[str, Put]:
        return {site: Put(value)} | {name: Put(runs[source][name]) for name in mediators}

    return stage


def _change(worlds: Nested, outcome: Outcome, after: int, before: int, rung: Rung) -> Estimate:
    def difference(bundle: Bundle) -> Any:
        return bundle.value(after, outcome) - bundle.value(before, outcome)

    estimate = worlds.estimate(difference, rung=rung)
    if estimate is None:
        raise ArithmeticError("a mean without a condition exists")
    return estimate
