"""One what-if asked of many runs: shares, means and changes, with intervals clustered by task.

Runs of one task share its difficulty, so tasks are resampled, not runs (Cameron and Miller 2015, "A practitioner's
guide to cluster-robust inference"). The runs that a log settles are not a random part of all runs: the mean over them
is reported as such, and beside it the bounds over all runs, in which what is not settled may be anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ifonly.scm.draw import Draw
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import clopper_pearson, cluster_bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.estimate import Rung
    from ifonly.sim.answers import OutcomeAnswer, WhatIfAnswer

__all__ = ["OutcomeSummary", "WhatIfSummary", "summarise"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OutcomeSummary(_Answer):
    """One score over many runs.

    Attributes:
        runs: how many runs have this score.
        settled: how many of them have a counterfactual value.
        factual: mean recorded score of the settled runs.
        counterfactual: their mean counterfactual score; None where nothing is settled.
        control: mean of the unchanged live re-runs; None where there were none.
        change: the mean difference to the control, or else to the recorded score; None where nothing is settled.
        bounds: mean counterfactual score of all runs, where an unsettled one may be anything in its range.
    """

    runs: int
    settled: int
    factual: Estimate | None
    counterfactual: Estimate | None
    control: Estimate | None = None
    change: Estimate | None
    bounds: Estimate


class WhatIfSummary(_Answer):
    """Many answers to one question; `settled_share` is the share of runs that are answered."""

    version: Literal[1] = 1
    runs: int
    tasks: int
    continuation: str
    verdicts: dict[str, int]
    settled_share: Estimate
    outcomes: dict[str, OutcomeSummary]
    assumes: tuple[str, ...]


def summarise(answers: Sequence[WhatIfAnswer], level: float = 0.95, seed: int = 0) -> WhatIfSummary:
    """Sum up one what-if over many runs.

    Args:
        answers: at least one, all under the same continuation.
        level: coverage of the intervals.
        seed: of the bootstrap.

    Raises:
        ValueError: if there is no answer to sum up.
    """
    if not answers:
        raise ValueError("no answers to sum up: no run was asked")
    verdicts = [answer.verdict for answer in answers]
    tasks = [answer.task for answer in answers]
    answered = np.array([verdict == "answered" for verdict in verdicts], float)
    names = dict.fromkeys(name for answer in answers for name in answer.outcomes)
    return WhatIfSummary(
        runs=len(answers),
        tasks=len(set(tasks)),
        continuation=answers[0].continuation,
        verdicts={verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)},
        settled_share=_Mean(tasks, level, seed).of(answered.tolist(), "observed"),
        outcomes={name: _outcome(name, answers, level, seed) for name in names},
        assumes=(
            *answers[0].assumes[: 2 if answers[0].live else 1],
            "Tasks are independent; the settled runs are no random part of all runs.",
        ),
    )


def _outcome(name: str, answers: Sequence[WhatIfAnswer], level: float, seed: int) -> OutcomeSummary:
    asked = [answer for answer in answers if name in answer.outcomes]
    settled = [answer for answer in asked if answer.outcomes[name].change.value is not None]
    outcomes = [answer.outcomes[name] for answer in settled]
    mean = _Mean([answer.task for answer in settled], level, seed)
    assumed = next((o.counterfactual.noise for o in outcomes if o.counterfactual.noise), None)
    factual = [float(outcome.factual) for outcome in outcomes]
    control = [_value(outcome.control) for outcome in outcomes if outcome.control is not None]
    rung = outcomes[0].counterfactual.rung if settled else "counterfactual"
    ends = [_ends(answer.outcomes[name]) for answer in asked]
    return OutcomeSummary(
        runs=len(asked),
        settled=len(settled),
        factual=mean.of(factual, "observed") if settled else None,
        counterfactual=mean.of([_value(o.counterfactual) for o in outcomes], rung, assumed) if settled else None,
        control=mean.of(control, rung) if settled and len(control) == len(settled) else None,
        change=mean.of([_value(o.change) for o in outcomes], rung, assumed, least=-1.0) if settled else None,
        bounds=Estimate.bounded(
            float(np.mean([low for low, _ in ends])), float(np.mean([high for _, high in ends])), rung
        ),
    )


def _value(estimate: Estimate) -> float:
    if estimate.value is None:
        raise AssertionError("only settled outcomes have a value")
    return estimate.value


def _ends(outcome: OutcomeAnswer) -> tuple[float, float]:
    """What the log says of one run: its mean over recorded draws, or the bounds where there is none."""
    estimate = outcome.counterfactual
    return (estimate.low, estimate.high) if estimate.value is None else (estimate.value, estimate.value)


@dataclass(frozen=True, slots=True)
class _Mean:
    """Means over runs, with intervals over tasks."""

    tasks: Sequence[str]
    level: float
    seed: int

    def of(self, values: Sequence[float], rung: Rung, assumed: str | None = None, least: float = 0.0) -> Estimate:
        """The mean of one value a run.

        The interval is the bootstrap's over tasks. Where all values are equal, resampling them shows nothing; then as
        many tasks may differ as Clopper and Pearson's (1934) upper limit for 0 of n tasks allows, by the whole range.

        Args:
            values: one a run.
            rung: of the estimand.
            assumed: the noise model it rests on.
            least: the least value that one can have; the greatest is 1.
        """
        array = np.asarray(values)
        value, clusters = float(array.mean()), len(set(self.tasks))
        if np.ptp(array) > 0 and clusters > 1:
            draw = Draw(self.seed)
            _, (low, high) = cluster_bootstrap(self.tasks, lambda rows: float(array[rows].mean()), draw, self.level)
        else:
            _, others = clopper_pearson(0, clusters, self.level)
            low, high = value - others * (value - least), value + others * (1.0 - value)
        return Estimate(
            value=value,
            low=min(low, value),
            high=max(high, value),
            level=self.level,
            effective=float(clusters),
            rung=rung,
            identified="assumed" if assumed else "point",
            noise=assumed,
        )
