"""The answer to a what-if as screens show it: headline, outcomes, and both worlds side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.sim.walk import Provenance
from ifonly.views.actions import question
from ifonly.views.fitted import fitted_lines
from ifonly.views.scores import estimate_text, interval_text, meaning, score_text, status_text, value_text

if TYPE_CHECKING:
    from ifonly.agents.records import Message, Score, Trajectory
    from ifonly.scm.estimate import Estimate
    from ifonly.sim.answers import OutcomeAnswer, StepAnswer, WhatIfAnswer

__all__ = ["MEANINGS", "NOT_REACHED", "OutcomeView", "PairView", "WhatIfView", "whatif_view"]

# Stands for the provenance of a site that the counterfactual world does not come to.
NOT_REACHED = "not reached"

MEANINGS = {
    Provenance.RECORDED: "taken from the log as it is: of this run, or of the other run that is named",
    Provenance.EDITED: "as recorded, but for the calls that the action took out or replaced",
    Provenance.PUT: "what you put there: the action",
    Provenance.HELD: "kept as recorded although what it answers has changed",
    Provenance.REEXECUTED: "the tool was really run again, in a fresh state after the calls of this world",
    Provenance.SIMULATED: "given by a fitted model of the step",
    Provenance.LIVE: "the language model was asked now",
    Provenance.DROPPED: "the call is not made in this world",
    Provenance.UNDETERMINED: "the log does not settle what would stand here",
    NOT_REACHED: "this world ends, or turns elsewhere, before it comes here",
}
"""What each provenance means, in the words of every legend."""


@dataclass(frozen=True, slots=True)
class PairView:
    """One site in both worlds.

    Attributes:
        site: its structural name.
        provenance: where the counterfactual value comes from; one of `MEANINGS`.
        same: whether both worlds show the same.
        divergence: whether the worlds part here.
        factual: the recorded value; None where the site was not reached.
        counterfactual: the value in the changed world; None where there is none.
        notes: on what the value rests, or why there is none.
    """

    site: str
    provenance: str
    same: bool
    divergence: bool
    factual: Message | None
    counterfactual: Message | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """One score in both worlds, in words; `bar` places the interval on a scale of the score.

    Attributes:
        name: of the score.
        factual: recorded value.
        factual_meaning: what that says, if known.
        counterfactual: its value in the changed world.
        counterfactual_meaning: what that says, if known.
        interval: its interval or bounds; None where it is certain.
        change: counterfactual less factual.
        control: the unchanged live re-run, if there was one.
        status: identification, level, effective draws.
        bar: where low, value (if any), high and the factual value stand between 0 and 1; None on an unbounded scale.
        flips: whether the value is a verdict other than the recorded one.
    """

    name: str
    factual: str
    factual_meaning: str | None
    counterfactual: str
    counterfactual_meaning: str | None
    interval: str | None
    change: str
    control: str | None
    status: str
    bar: tuple[float, float | None, float, float] | None
    flips: bool


@dataclass(frozen=True, slots=True)
class WhatIfView:
    """All that a screen shows of one answer."""

    run: str
    task: str
    model: str
    labels: dict[str, str]
    question: str
    verdict: str
    headline: tuple[str, ...]
    divergence: str | None
    outcomes: tuple[OutcomeView, ...]
    pairs: tuple[PairView, ...]
    continuation: str
    path: str | None
    reasons: tuple[str, ...]
    assumes: tuple[str, ...]
    legend: dict[str, str]
    price: str
    fitted: tuple[str, ...] = ()


def whatif_view(run: Trajectory, answer: WhatIfAnswer) -> WhatIfView:
    """The answer as it is shown.

    Args:
        run: the recorded run that was asked about.
        answer: of `ifonly.sim.whatif`.
    """
    outcomes = tuple(_outcome(run, name, outcome, _drawn_from(answer)) for name, outcome in answer.outcomes.items())
    pairs = tuple(_pair(step, answer) for step in answer.steps)
    shown = {pair.provenance for pair in pairs}
    return WhatIfView(
        run=answer.run,
        task=answer.task,
        model=run.model,
        labels=dict(run.labels),
        question=question(answer.actions, run),
        verdict=answer.verdict,
        headline=tuple(_sentence(outcome) for outcome in outcomes),
        divergence=_divergence(answer),
        outcomes=outcomes,
        pairs=pairs,
        continuation=answer.continuation,
        path=_path(answer),
        reasons=answer.reasons,
        assumes=answer.assumes,
        legend={str(name): text for name, text in MEANINGS.items() if name in shown},
        price=_price(answer),
        fitted=() if answer.fitted is None else fitted_lines(answer.fitted),
    )


def _divergence(answer: WhatIfAnswer) -> str | None:
    parted = answer.first_divergence
    if parted is None:
        return None
    step = next(step for step in answer.steps if step.site == parted.site)
    if step.provenance is Provenance.UNDETERMINED:
        return f"The worlds part at {parted.site}: the log does not settle what would stand there."
    return f"The worlds part at {parted.site}: {parted.why}."


def _pair(step: StepAnswer, answer: WhatIfAnswer) -> PairView:
    notes = []
    if step.source:
        notes.append(f"from {step.source}" + (f", one of {step.draws} recorded draws" if (step.draws or 0) > 1 else ""))
    if step.why:
        notes.append(step.why)
    if step.near:
        notes.append(f"nearest: {step.near}")
    return PairView(
        site=step.site,
        provenance=NOT_REACHED if step.provenance is None else str(step.provenance),
        same=not step.changed,
        divergence=answer.first_divergence is not None and step.site == answer.first_divergence.site,
        factual=step.factual,
        counterfactual=step.counterfactual,
        notes=tuple(notes),
    )


def _drawn_from(answer: WhatIfAnswer) -> str:
    """What the draws behind the outcomes are."""
    if answer.live is not None:
        return "live re-runs"
    return "posterior draws" if answer.continuation == "model" and answer.fitted else "recorded draws"


def _outcome(run: Trajectory, name: str, outcome: OutcomeAnswer, drawn_from: str) -> OutcomeView:
    boolean, estimate = isinstance(outcome.factual, bool), outcome.counterfactual
    value: Score | None = estimate.value
    if boolean and value is not None:
        value = bool(value) if value in (0.0, 1.0) and estimate.rung != "interventional" else None
    return OutcomeView(
        name=name,
        factual=score_text(outcome.factual),
        factual_meaning=meaning(run, name, outcome.factual),
        counterfactual=value_text(estimate, boolean=boolean),
        counterfactual_meaning=None if value is None else meaning(run, name, value),
        interval=interval_text(estimate, boolean=boolean),
        change=estimate_text(outcome.change),
        control=estimate_text(outcome.control, boolean=boolean) if outcome.control else None,
        status=status_text(estimate, drawn_from),
        bar=_bar(estimate, float(outcome.factual)),
        flips=value is not None and value != outcome.factual,
    )


def _bar(estimate: Estimate, factual: float) -> tuple[float, float | None, float, float] | None:
    values = [estimate.low, estimate.high, factual]
    low, high = min(0.0, *values), max(1.0, *values)
    if high - low > 1e12:  # noqa: PLR2004 -- bounds of a score without a range
        return None
    place = [(value - low) / (high - low) for value in values]
    point = None if estimate.value is None else (estimate.value - low) / (high - low)
    return place[0], point, place[1], place[2]


def _sentence(outcome: OutcomeView) -> str:
    """One outcome as a sentence; what is not certain says so."""
    if outcome.control:
        asked = f"asked again it is {outcome.counterfactual} with the change, and without it {outcome.control}"
        return f"{outcome.name} was {outcome.factual}; {asked}: change {outcome.change}"
    verb = "stayed" if outcome.counterfactual == outcome.factual else "been"
    said = (
        "it is open what it would have been"
        if outcome.counterfactual == "open"
        else (f"it would have {verb} {outcome.counterfactual}")
    )
    unsure = f" ({outcome.interval}; {outcome.status})" if outcome.interval else ""
    return f"{outcome.name} was {outcome.factual}; {said}{unsure}"


def _price(answer: WhatIfAnswer) -> str:
    """What was asked and paid for the answer."""
    cost = "price not known" if answer.cost is None else f"{answer.cost:.2f} US dollars"
    told = f"{answer.calls} model calls, {cost}"
    if answer.live is None:
        return told
    kept = f", {answer.live.recorded} replies from the cassette" if answer.live.recorded else ""
    return f"{told}{kept}, {answer.live.seconds:.0f} seconds; {_NOISE[answer.live.noise]}, seed {answer.live.seed}"


_NOISE = {
    "fresh": "fresh noise",
    "choice": "the recorded choices' noise (Gumbel-max over options)",
    "token": "the recorded tokens' noise (Gumbel-max over tokens)",
}


def _path(answer: WhatIfAnswer) -> str | None:
    """Which of several paths is shown."""
    if answer.live is not None:
        live = answer.live
        beside = f", beside {live.control} of the unchanged run" if live.control else ""
        open_ = f"; {live.failed} could not go on" if live.failed else ""
        stopped = f" Stopped: {live.stopped}." if live.stopped else ""
        return f"The first of {live.particles} live re-runs from {live.site} on is shown{beside}{open_}.{stopped}"
    if answer.paths == 1:
        return None
    settled = "" if answer.settled == 1.0 else f"; paths that ran to their end carry {answer.settled:.0%}"
    return f"The likeliest of {answer.paths} paths is shown; it has probability {answer.path_share:.0%}{settled}."
