"""The answer to "which step was it" as screens show it: headline, steps with bars, and fixes as commands to type."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ifonly.views.actions import question
from ifonly.views.fixes import Places, fix_view
from ifonly.views.scores import estimate_text, meaning, number
from ifonly.views.spent import live_lines, live_notes, spent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ifonly.agents.records import Trajectory
    from ifonly.scm.estimate import Estimate
    from ifonly.sim.blame.answers import Baselines, BlameAnswer, JointBlame, Origin, StepBlame
    from ifonly.views.fixes import FixView

__all__ = ["FLIPS", "NOTHING", "BarView", "BlameView", "CreditView", "blame_view"]

FLIPS = {
    "certain": "changing it averts the failure: exact, or still so after correction for all steps that were asked",
    "jointly": "changing it averts the failure only together with other calls",
    "likely": "more draws avert the failure than not; too few to be certain",
    "no": "no more draws avert the failure than not, or than by asking again; the interval says how sure that is",
    "open": "nothing that was recorded or asked settles what changing it would have done",
}
"""What each word says of a step."""

# Stands where nothing is known.
NOTHING = "—"

_PARTS = {
    "call": "the call",
    "result": "its result",
    "reply": "the reply",
    "environment": "the first state",
    "prompt": "the prompt",
}
_KINDS = {
    "but-for": "without {all}, no failure",
    "overdetermination": "{all} each sufficed: only without all of them, no failure",
    "preemption": "{causes} did it; {backup} stood by and would have done it otherwise",
    "joint": "{all} together: only without all of them, no failure",
}


@dataclass(frozen=True, slots=True)
class BarView:
    """A number with its interval between two ends; places between 0 and 1.

    Args:
        zero: the place of zero.
        value: of the number.
        low: of the lower end.
        high: of the upper end.
    """

    zero: float
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CreditView:
    """One step, or part of it.

    Attributes:
        site: of the step.
        part: in words, what of it is changed.
        kind: tool, model, environment or input.
        flips: one of `FLIPS`.
        rank: its place among the blamed, from 1; None if it is not blamed.
        change: the what-if in words.
        effect: P(averted) in this run.
        fresh: the interventional effect.
        necessity: PN.
        sufficiency: PS, or a dash.
        shapley: its share, in words.
        bar: the share, to be drawn; None where there is none.
        notes: estimand, and what is missing.
    """

    site: str
    part: str
    kind: str
    flips: str
    rank: int | None
    change: str
    effect: str
    fresh: str
    necessity: str
    sufficiency: str
    shapley: str
    bar: BarView | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlameView:
    """All that a screen shows of one answer."""

    run: str
    task: str
    model: str
    labels: dict[str, str]
    verdict: str
    question: str
    headline: tuple[str, ...]
    credits: tuple[CreditView, ...]
    flip_set: tuple[str, ...]
    likely: tuple[str, ...]
    earliest: str | None
    latest: str | None
    together: tuple[str, ...]
    interactions: tuple[str, ...]
    origins: tuple[str, ...]
    rollup: dict[str, tuple[str, ...]]
    fixes: tuple[FixView, ...]
    baselines: tuple[str, ...]
    assumes: tuple[str, ...]
    legend: dict[str, str]
    spent: str
    live: tuple[str, ...] = ()
    shares: dict[str, CreditView] = field(default_factory=dict)


def blame_view(run: Trajectory, answer: BlameAnswer, places: Places | None = None) -> BlameView:
    """The answer as it is shown.

    Args:
        run: the recorded run that was asked about.
        answer: of `ifonly.sim.blame`.
        places: where the runs are, for the commands.
    """
    places = places or Places()
    rank = {site: index + 1 for index, site in enumerate(answer.ranked)}
    credits = tuple(_credit(row, run, rank.get(row.site) if _carries(row) else None) for row in answer.steps)
    return BlameView(
        run=answer.run,
        task=answer.task,
        model=answer.model,
        labels=dict(run.labels),
        verdict=answer.verdict,
        question=_question(run, answer),
        headline=tuple(_headline(answer)),
        credits=credits,
        flip_set=answer.flip_set,
        likely=answer.likely,
        earliest=answer.earliest,
        latest=answer.latest,
        together=tuple(_together(one) for one in answer.joint),
        interactions=tuple(_interaction(one.sites, one.value) for one in answer.interactions),
        origins=tuple(_origin(one) for one in answer.origins),
        rollup={by: _sums(sums) for by, sums in answer.rollup.items()},
        fixes=tuple(fix_view(run, answer, one, places) for one in answer.fixes),
        baselines=tuple(_baselines(answer.baselines)) if answer.baselines else (),
        assumes=answer.assumes,
        legend={name: text for name, text in FLIPS.items() if any(one.flips == name for one in credits)},
        spent=spent(answer),
        live=live_lines(answer.live) if answer.live else (),
        shares={one.site: one for one in credits if one.bar is not None},
    )


def _question(run: Trajectory, answer: BlameAnswer) -> str:
    if answer.failure is None:
        return "Which step was it?"
    score = run.outcome.scores.get(answer.failure.score)
    said = None if score is None else meaning(run, answer.failure.score, score)
    return f"Which step led to {answer.failure.text}" + (f" ({said})?" if said else "?")


def _headline(answer: BlameAnswer) -> Iterator[str]:
    if answer.verdict == "abstained":
        yield f"Nobody is blamed: {answer.reason}."
        return
    first = answer.ranked[0]
    row = next(row for row in answer.steps if row.site == first and _carries(row))
    share = f", share {estimate_text(row.shapley)}" if row.shapley else ""
    yield f"Most to blame: {first} ({_PARTS[row.part]}; {row.flips}{share})."
    if answer.earliest is None:
        yield "No single change averts the failure for certain."
    elif answer.earliest == answer.latest:
        yield f"Earliest and latest step whose change averts it: {answer.earliest}."
    else:
        yield f"Earliest step whose change averts it: {answer.earliest}; point of commitment: {answer.latest}."
    named = [one for one in answer.origins if one.named and "/" in one.site and not one.site.startswith("environment/")]
    if named:
        yield f"{named[0].leads_to} came from the result of {named[0].site}."
    if answer.fixes:
        actions = len(answer.fixes[0].actions)
        yield f"Least change that averts it: {actions} action{'' if actions == 1 else 's'}; see the fixes."


def _carries(row: StepBlame) -> bool:
    """Whether this part of a step is what the step's rank is about."""
    return row.flips in ("certain", "jointly", "likely") or (row.shapley is not None and (row.shapley.value or 0) > 0)


def _credit(row: StepBlame, run: Trajectory, rank: int | None) -> CreditView:
    notes = [f"{row.estimand} effect"] if row.estimand else []
    if row.made is not None and row.made > 0:
        notes.append(f"its calls have the share {number(row.made)}")
    notes += live_notes(row)
    if row.p_value is not None:
        notes.append(f"p = {row.p_value:.2g}, corrected")
    if row.why:
        notes.append(row.why)
    return CreditView(
        site=row.site,
        part=_PARTS[row.part],
        kind=row.kind,
        flips=row.flips,
        rank=rank,
        change=_change(row, run),
        effect=_effect(row.counterfactual),
        fresh=_text(row.interventional),
        necessity=_text(row.necessity),
        sufficiency=_text(row.sufficiency),
        shapley=_text(row.shapley),
        bar=_bar(row.shapley),
        notes=tuple(notes),
    )


def _change(row: StepBlame, run: Trajectory) -> str:
    if row.action is None:
        return NOTHING
    return question([row.action], run).removeprefix("If only ")


def _effect(estimate: Estimate | None) -> str:
    """P(averted), with a word where its noise is not the recorded run's."""
    fresh = estimate is not None and estimate.rung == "interventional"
    return f"{_text(estimate)} (fresh noise)" if fresh else _text(estimate)


def _text(estimate: Estimate | None) -> str:
    return NOTHING if estimate is None else estimate_text(estimate)


def _bar(share: Estimate | None) -> BarView | None:
    if share is None or share.value is None:
        return None
    low, high = min(0.0, share.low), max(1.0, share.high)
    zero, value, left, right = ((x - low) / (high - low) for x in (0.0, share.value, share.low, share.high))
    return BarView(zero, value, left, right)


def _together(one: JointBlame) -> str:
    backup = [site for site in one.sites if site not in one.causes]
    words = {"all": _and(one.sites), "causes": _and(one.causes), "backup": _and(backup)}
    return f"{one.kind}: {_KINDS[one.kind].format(**words)}"


def _and(sites: Sequence[str]) -> str:
    return " and ".join(sites) if len(sites) < 3 else ", ".join(sites[:-1]) + f" and {sites[-1]}"  # noqa: PLR2004


def _interaction(sites: tuple[str, str], value: Estimate) -> str:
    told = "one of them suffices" if (value.value or 0.0) < 0 else "both are needed"
    return f"{sites[0]} and {sites[1]}: {estimate_text(value)} ({told}, on balance)"


def _origin(one: Origin) -> str:
    words = {
        "effect": "without it the failure is averted more probably than not",
        "only way": "without the injection the failure is averted, and it came by this result alone",
        "injection": "it carried the injection",
        "arguments": f"what the injection put there is what {one.leads_to} was made with",
    }
    effect = f"; averted with {estimate_text(one.effect)}" if one.effect else ""
    return f"{one.site}: {'; '.join(words[kind] for kind in one.evidence)}{effect}"


def _sums(sums: dict[str, float]) -> tuple[str, ...]:
    shown = sorted(sums.items(), key=lambda pair: -pair[1])
    return tuple(f"{name} {number(value)}" for name, value in shown)


def _baselines(beside: Baselines) -> Iterator[str]:
    yield f"last step: {beside.last_step or 'none'}"
    yield f"least probable step: {beside.lowest_logprob or 'no log-probabilities were recorded'}"
    luck = f"not failed in {estimate_text(beside.rerun)}" if beside.rerun else f"unknown: {beside.why_not_rerun}"
    yield f"asked again, unchanged: {luck}"
    if beside.rerun_live is not None:
        yield f"asked again now, unchanged: not failed in {estimate_text(beside.rerun_live)}"
