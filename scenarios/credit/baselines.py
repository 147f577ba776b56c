"""Rules beside the attributor: what a log's surface says, and drawing the tail anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ifonly.scenarios.credit.attributor import LEAST, NO_FAULT, Attributor, Credit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scenarios.credit.logs import Bench, LoggedRun

__all__ = ["blamed", "last_step", "least_probable", "resampled"]


def blamed(run: LoggedRun, step: int) -> Credit:
    """A credit that names a step and knows no probabilities."""
    return Credit(run=run.run_id, flip_set=(step,), decisive=step, latest=step)


def least_probable(run: LoggedRun) -> Credit:
    """Blame the step whose option had the lowest log-probability; the earliest of equals."""
    return blamed(run, min(run.steps, key=lambda step: step.logprobs[step.action]).k)


def last_step(run: LoggedRun) -> Credit:
    """Blame the last step."""
    return blamed(run, run.steps[-1].k)


def resampled(
    runs: Sequence[LoggedRun], bench_of: Callable[[str], Bench]
) -> Callable[[LoggedRun, Bench, str | None], Credit]:
    """Return the rule that puts an option at a step and draws all that follows anew, in the limit of many draws.

    What it tells is an interventional probability. Blamed is the step at which the best option gains most over
    putting the logged one again.

    Args:
        runs: of one workflow.
        bench_of: a task's bench.
    """
    attributor = Attributor.fitted(runs, bench_of, coupling="independent", contamination=NO_FAULT)

    def explain(run: LoggedRun, bench: Bench, model: str | None) -> Credit:
        credit = attributor.explain(run, bench, model)
        gains = [
            max(abs(p - row[step.action]) for p in row.values())
            for step, row in zip(run.steps, credit.options, strict=True)
        ]
        members = tuple(k for k, gain in enumerate(gains) if gain >= LEAST)
        return replace(credit, decisive=gains.index(max(gains)), flip_set=members)

    return explain
