"""What blame says of each step: the headline among its what-ifs, and whether changing it averts the failure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import fsum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from ifonly.agents.actions import ENVIRONMENT
from ifonly.agents.records import InputStep, ModelStep, ToolStep
from ifonly.sim.blame.answers import Flips, Part, StepBlame
from ifonly.sim.blame.numbers import adjusted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.agents.records import Trajectory
    from ifonly.scm.estimate import Estimate
    from ifonly.sim.blame.alternatives import Alternative
    from ifonly.sim.blame.attempts import Asked, Asking
    from ifonly.sim.blame.credit import Credit
    from ifonly.sim.blame.sufficiency import GoodWorlds

__all__ = ["rank", "rows"]

_HALF = 0.5
_ROUNDING = 1e-9
_DIGITS = 12
"""Shares that differ by less are the same: sums of them differ by the order of their terms."""

_TIER: Mapping[Flips, int] = {"certain": 0, "jointly": 0, "likely": 1, "no": 2, "open": 2}


@dataclass(frozen=True, slots=True)
class _Row:
    """A step before its numbers are corrected for all the others."""

    site: str
    part: Part
    asked: tuple[Asked, ...]
    head: Asked | None


def rows(
    asking: Asking,
    alternatives: Sequence[Alternative],
    credit: Credit,
    good: GoodWorlds,
    live_shares: Mapping[str, Estimate] = MappingProxyType({}),
) -> tuple[StepBlame, ...]:
    """One row for each step, and part of it, that could have been otherwise; model steps without one say so.

    Args:
        asking: asks of the run.
        alternatives: what its steps might have been.
        credit: of its calls.
        good: runs that its calls may be put into.
        live_shares: credit of its model steps by live rollouts, by site.
    """
    by: defaultdict[tuple[str, Part], list[Asked]] = defaultdict(list)
    for alternative in alternatives:
        by[alternative.site, alternative.part] += asking.asked(alternative)
    for step in asking.run.steps:
        if isinstance(step, ModelStep) and (step.site, "reply") not in by:
            by[step.site, "reply"] = []
    place = {site: index for index, site in enumerate((ENVIRONMENT, *asking.run.sites))}
    raw = [_Row(site, part, tuple(asked), _headline(asked, part)) for (site, part), asked in by.items()]
    raw.sort(key=lambda row: (place[row.site], row.part != "call"))
    asked_of = {index: row.head for index, row in enumerate(raw) if row.head is not None}
    drawn = {index: p for index, head in asked_of.items() if (p := asking.p_value(head)) is not None}
    corrected = dict(zip(drawn, adjusted(list(drawn.values())), strict=True))
    together = {site for one in credit.joint if len(one.sites) > 1 for site in one.sites}
    together |= {site for site, share in credit.shapley.items() if (share.value or 0.0) > _ROUNDING}
    made = [
        _finished(asking, row, corrected.get(index), credit, good, jointly=row.site in together)
        for index, row in enumerate(raw)
    ]
    return tuple(
        row.model_copy(update={"live_share": live_shares.get(row.site)}) if row.part == "reply" else row for row in made
    )


def rank(steps: Sequence[StepBlame]) -> tuple[str, ...]:
    """The sites by blame: what averts it for certain or has a share, then what is likely to; acts before conditions.

    Acts are calls, and replies that make none; they are ordered by share. A reply that makes calls stands after them:
    they are what it did.
    """

    def key(pair: tuple[int, StepBlame]) -> tuple[int, int, float, int]:
        index, row = pair
        act = 0 if row.part == "call" or (row.part == "reply" and row.made is None) else 1 if row.part == "reply" else 2
        return _TIER[row.flips], act, -round(_size(row), _DIGITS), index

    blamed = [(index, row) for index, row in enumerate(steps) if _blamed(row)]
    return tuple(dict.fromkeys(row.site for _, row in sorted(blamed, key=key)))


def _blamed(row: StepBlame) -> bool:
    return row.flips in ("certain", "jointly", "likely")


def _size(row: StepBlame) -> float:
    """Its share of the failure; of a condition, the probability that changing it averts the failure."""
    if row.part in ("call", "reply"):
        return (row.shapley.value or 0.0) if row.shapley else row.made or 0.0
    return (row.counterfactual.value or 0.0) if row.counterfactual else 0.0


def _headline(asked: Sequence[Asked], part: Part) -> Asked | None:
    """The what-if that the row's numbers are of: the one that averts most; of all but calls, by its total effect.

    A call acts on the tools' state, whatever is said later. A reply or a result acts through what is said later, which
    says little where it is held.
    """

    def key(one: Asked) -> tuple[bool, bool, bool, float, bool]:
        effect = one.effect
        held = one.attempt.estimand == "direct" and part != "call"
        settled = effect.value is not None or part in ("result", "environment")
        return (
            one.attempt.averts,
            settled,
            not held,
            -1.0 if effect.value is None else effect.value,
            effect.identified == "exact",
        )

    return max(asked, key=key, default=None)


def _flips(row: _Row, p: float | None, level: float, *, jointly: bool) -> Flips:
    """The surest that any what-if at the step says."""
    if row.head is None:
        return "jointly" if jointly else "open"
    if any(one.effect.identified == "exact" and one.effect.value == 1 for one in row.asked):
        return "certain"
    effect = row.head.effect
    averts = row.head.attempt.averts
    if p is not None and p <= 1 - level and averts:
        return "certain"
    if jointly:
        return "jointly"
    if averts or (effect.value is None and effect.low > _HALF):
        return "likely"
    # A call acts on the state of the tools, whatever is said later; anything else acts by what is said later.
    return "open" if row.head.open or (row.part != "call" and all(one.open for one in _total(row))) else "no"


def _total(row: _Row) -> list[Asked]:
    """What was asked of total effects; of none, what there is."""
    return [one for one in row.asked if one.attempt.estimand == "total"] or list(row.asked)


def _finished(
    asking: Asking, row: _Row, p: float | None, credit: Credit, good: GoodWorlds, *, jointly: bool
) -> StepBlame:
    kind, name = _named(asking.run, row.site)
    head, player = row.head, row.part in ("call", "reply")
    shapley = credit.shapley.get(row.site) if player else None
    flips = _flips(row, p, asking.level, jointly=jointly and player)
    enough, why_not = _sufficient(asking, row, flips, good)
    return StepBlame(
        site=row.site,
        part=row.part,
        kind=kind,
        name=name,
        flips=flips,
        action=head.attempt.action if head else None,
        source=head.attempt.source if head else None,
        estimand=head.attempt.estimand if head else None,
        counterfactual=head.effect if head else None,
        interventional=asking.interventional(head) if head else None,
        necessity=asking.necessity(head) if head else None,
        sensitivity=head.attempt.sensitivity if head else None,
        sufficiency=enough,
        why_not_sufficiency=why_not,
        shapley=shapley,
        made=_made(asking.run, row.site, credit) if row.part == "reply" else None,
        p_value=p,
        why=_why(asking, row),
        attempts=tuple(one.attempt for one in row.asked),
    )


def _sufficient(asking: Asking, row: _Row, flips: Flips, good: GoodWorlds) -> tuple[Estimate | None, str | None]:
    if row.head is None or flips == "no":
        return None, "not asked of a step whose change averts nothing"
    if row.part == "prompt":
        return None, "a prompt is not put into other runs"
    step = next((step for step in asking.run.steps if step.site == row.site), None)
    if row.part == "call" and isinstance(step, ToolStep):
        if not asking.rerun.environment.executes:
            return None, "its tools do not execute here"
        return good.sufficiency(step, asking.level)
    return asking.sufficiency(row.head)


def _made(run: Trajectory, site: str, credit: Credit) -> float | None:
    """The shares of the calls that a reply made, summed; None where it made none, or they have none."""
    calls = [step.site for step in run.steps if isinstance(step, ToolStep) and site in step.reads]
    shares = [credit.shapley[call].value or 0.0 for call in calls if call in credit.shapley]
    return fsum(shares) if shares else None


def _why(asking: Asking, row: _Row) -> str | None:
    if row.head is None:
        corpus = "no corpus was named" if asking.corpus is None else "no recorded run shows another reply here"
        return f"no alternative is known: {corpus}"
    return row.head.attempt.reason


def _named(run: Trajectory, site: str) -> tuple[Literal["tool", "model", "environment", "input"], str]:
    step = next((step for step in run.steps if step.site == site), None)
    if isinstance(step, ToolStep):
        return "tool", step.call.name
    if isinstance(step, InputStep):
        return "input", step.message.role
    return ("model", step.request.model) if isinstance(step, ModelStep) else ("environment", "first state")
