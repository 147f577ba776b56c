"""The shape of answers: what `--json`, Python and the HTML page show alike. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ifonly.agents.actions import Action
from ifonly.agents.records import Message, Score
from ifonly.scm.estimate import Estimate
from ifonly.sim.walk import Provenance

__all__ = [
    "Borrowed",
    "Divergence",
    "Fitted",
    "FittedOutcome",
    "LiveReport",
    "OutcomeAnswer",
    "SharedLuck",
    "StepAnswer",
    "Verdict",
    "WhatIfAnswer",
]

Verdict = Literal["answered", "partly answered", "needs live or fitted", "undetermined"]
"""Every path ran to its end and was judged; some did; a model's reply is missing; something else is."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Divergence(_Answer):
    """The first place where the two worlds part."""

    site: str
    why: str


class StepAnswer(_Answer):
    """One site in both worlds; a side is None where the site was not reached, dropped or is undetermined."""

    site: str
    factual: Message | None
    counterfactual: Message | None
    provenance: Provenance | None
    source: str | None = None
    draws: int | None = None
    why: str | None = None
    near: str | None = None

    @property
    def changed(self) -> bool:
        """Whether the two worlds show different messages here."""
        return self.factual != self.counterfactual


class OutcomeAnswer(_Answer):
    """One score in both worlds; `control` is the unchanged re-run, which only live continuations have."""

    factual: Score
    counterfactual: Estimate
    change: Estimate
    control: Estimate | None = None


class LiveReport(_Answer):
    """What was asked of models for an answer.

    Attributes:
        noise: of the live steps: ``fresh``, ``choice`` (abducted among options) or ``token`` (abducted by token).
        seed: of all draws.
        site: the first live step.
        particles: re-runs of the changed run that the answer rests on.
        control: re-runs of the unchanged run beside them.
        failed: re-runs of either arm that could not go on, and count as unsettled.
        recorded: replies served from the cassette, not paid again.
        seconds: wall time.
        stopped: why fewer particles were run than asked for; None if all were.
    """

    noise: Literal["fresh", "choice", "token"]
    seed: int
    site: str
    particles: int
    control: int
    failed: int
    recorded: int
    seconds: float
    stopped: str | None = None


class Borrowed(_Answer):
    """What a fitted answer was borrowed from: numbers of recorded runs.

    Attributes:
        runs: in all.
        task_by: of the same task, by model, under any attack or none.
        item: of the same task under the same attack with the same injection, by whatever model.
        model: of the model that is swapped in, on whatever task.
        model_tasks: on how many tasks those were.
        model_task: of that model on the same task.
    """

    runs: int
    task_by: dict[str, int]
    item: int
    model: int
    model_tasks: int
    model_task: int


class SharedLuck(_Answer):
    """The share of noise that the recorded run has in common with one that parts from it at a step.

    Attributes:
        step: index among the model steps of a run; the last that is told apart stands for all after it.
        swaps: recorded swaps that it was learned from.
        tasks: of how many tasks those were.
        share: 0: the two runs share the task alone; 1: one luck.
    """

    step: int
    swaps: int
    tasks: int
    share: Estimate


class FittedOutcome(_Answer):
    """One score under another model, as an item-response world has it.

    Attributes:
        interventional: P(score) with the other model on this task from the start, the recorded outcome of this run not
            being known.
        counterfactual: P(score) had the model been swapped, that outcome being known; the noises of the two runs are
            shared as `shared` says, and independent where it is None.
        bounds: over every joint law of the two noises; of a swap in mid-run also over every chance of the mixed run
            that lies between those of the two models. With the posterior's own uncertainty.
        borrowed: from which runs.
        shared: what recorded swaps say of the noise; None where there are too few.
    """

    interventional: Estimate
    counterfactual: Estimate
    bounds: Estimate
    borrowed: Borrowed
    shared: SharedLuck | None = None


class Fitted(_Answer):
    """A fitted world's answer to a model swap that recordings do not settle, and what a live one would take.

    Attributes:
        model: swapped in.
        outcomes: by score.
        live_calls: calls that one live re-run is expected to make; None where that was not asked.
        live_usd: their price in US dollars; None where it is not known.
    """

    model: str
    outcomes: dict[str, FittedOutcome]
    live_calls: int | None = None
    live_usd: float | None = None


class WhatIfAnswer(_Answer):
    """The answer to one what-if about one run.

    Attributes:
        run: id of the recorded run.
        task: its task, the cluster for intervals over runs.
        actions: what was done.
        continuation: what happened after the divergence.
        first_divergence: where the worlds part; None where nothing changed.
        steps: both worlds by site, along the likeliest counterfactual path.
        path_share: probability of that path among all that were enumerated.
        paths: how many paths were enumerated.
        settled: probability of the paths that ran to their end.
        outcomes: by score.
        calls: live model calls made.
        cost: their price in US dollars; None where the price of one is not known.
        live: what was asked for the answer; None where nothing was.
        fitted: a fitted world's answer beside it; None where there is none, or no need.
        verdict: whether this is an answer.
        reasons: why not, where it is none, each with what is nearest.
        assumes: what the answer rests on.
    """

    version: Literal[1] = 1
    run: str
    task: str
    actions: tuple[Action, ...]
    continuation: str
    first_divergence: Divergence | None
    steps: tuple[StepAnswer, ...]
    path_share: float
    paths: int
    settled: float
    outcomes: dict[str, OutcomeAnswer]
    calls: int = 0
    cost: float | None = 0.0
    live: LiveReport | None = None
    fitted: Fitted | None = None
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    assumes: tuple[str, ...] = Field(min_length=1)
