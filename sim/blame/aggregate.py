"""Blame over many runs: what share of the failures each tool, model, kind of step and cause accounts for.

Each failed run is one failure. Its credit (the positive Shapley shares, scaled to 1; where no call has any, the step
that is ranked first) is given to tools, models and kinds; what nobody is blamed for counts as not attributed. Runs of
one task share its difficulty, so intervals resample tasks.
"""

from __future__ import annotations

from collections import defaultdict
from math import fsum
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ifonly.agents.canonical import digest
from ifonly.scm.draw import Draw
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import clopper_pearson, cluster_bootstrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.sim.blame.answers import BlameAnswer, StepBlame

__all__ = ["NOBODY", "BlameSummary", "By", "cause_of", "clustered_share", "summarise_blame"]

By = Literal["tool", "model", "prompt", "kind", "cause"]
"""What failures are shared among."""

_BEGINS = 48
"""Characters of a prompt by which it is named."""

NOBODY = "(not attributed)"
"""Stands for the failures that nobody is blamed for."""


class BlameSummary(BaseModel):
    """Many answers.

    Attributes:
        runs: how many runs were looked at.
        failed: how many of them failed.
        asked: of how many of these somebody was blamed, or nobody could be: the answers.
        tasks: of how many tasks the answers are.
        blamed: share of the answers in which somebody is blamed.
        shares: share of the failures, by tool, model, system prompt, kind of step and cause; those of each sum to 1.
        flips: mean size of the flip set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    runs: int
    failed: int
    asked: int
    tasks: int
    blamed: Estimate
    shares: dict[By, dict[str, Estimate]]
    flips: float


def summarise_blame(
    answers: Sequence[BlameAnswer],
    *,
    runs: int | None = None,
    failed: int | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> BlameSummary:
    """Sum up blame over many failed runs.

    Args:
        answers: of the runs that failed, at least one.
        runs: how many runs were looked at; as many as failed if None.
        failed: how many of them failed; as many as answers if None.
        level: coverage of the intervals.
        seed: of the bootstrap over tasks.

    Raises:
        ValueError: if there is no answer to sum up.
    """
    if not answers:
        raise ValueError("no answers to sum up: no run failed")
    tasks = [answer.task for answer in answers]
    credits: dict[By, list[Mapping[str, float]]] = {
        "tool": [_shared(answer, "tool") for answer in answers],
        "model": [_shared(answer, "model") for answer in answers],
        "prompt": [_shared(answer, "prompt") for answer in answers],
        "kind": [_shared(answer, "kind") for answer in answers],
        "cause": [{cause_of(answer): 1.0} for answer in answers],
    }
    return BlameSummary(
        runs=runs if runs is not None else failed if failed is not None else len(answers),
        failed=len(answers) if failed is None else failed,
        asked=len(answers),
        tasks=len(set(tasks)),
        blamed=clustered_share([float(one.verdict == "blamed") for one in answers], tasks, level, seed),
        shares={by: _shares(given, tasks, level, seed) for by, given in credits.items()},
        flips=float(np.mean([len(one.flip_set) for one in answers])),
    )


def cause_of(answer: BlameAnswer) -> str:
    """The group of causes that a failure belongs to; for abstentions, the reason up to its particulars."""
    if answer.verdict == "abstained":
        return f"abstained: {(answer.reason or '').partition(':')[0]}"
    came = "an injected result led to " if any(one.named for one in answer.origins) else ""
    row = next((one for one in answer.steps if one.site == answer.ranked[0]), None)
    flips = [one for one in answer.joint if len(one.sites) == 1]
    if row is not None and row.kind == "model" and not answer.joint:
        return f"{came}a reply"
    if not answer.joint:
        return f"{came}no call alone: {row.part if row else 'unknown'}"
    if not flips:
        return f"{came}calls together: {answer.joint[0].kind}"
    return f"{came}one call" if len(flips) == 1 else f"{came}several calls, each needed"


def clustered_share(values: Sequence[float], clusters: Sequence[str], level: float, seed: int) -> Estimate:
    """A mean of numbers in [0, 1] with its bootstrap interval over clusters.

    Where all are equal, resampling shows nothing: then as many clusters may differ as Clopper and Pearson's (1934)
    upper limit for 0 of n allows, by the whole range.
    """
    array = np.asarray(values, float)
    value, number = min(max(float(array.mean()), 0.0), 1.0), len(set(clusters))
    if np.ptp(array) > 0 and number > 1:
        _, (low, high) = cluster_bootstrap(clusters, lambda rows: float(array[rows].mean()), Draw(seed), level)
    else:
        _, others = clopper_pearson(0, number, level)
        low, high = value - others * value, value + others * (1 - value)
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        effective=float(number),
        rung="counterfactual",
        identified="point",
    )


def _shared(answer: BlameAnswer, by: Literal["tool", "model", "prompt", "kind"]) -> Mapping[str, float]:
    """One failure, given to the tools, models or kinds of step by their positive credit."""
    if answer.verdict == "abstained":
        return {NOBODY: 1.0}
    given: defaultdict[str, float] = defaultdict(float)
    rows = [row for row in answer.steps if row.shapley is not None and (row.shapley.value or 0.0) > 0]
    total = fsum(row.shapley.value or 0.0 for row in rows if row.shapley)
    if total <= 0:
        first = next(row for row in answer.steps if row.site == answer.ranked[0])
        return {_of(answer, first, by): 1.0}
    for row in rows:
        if row.shapley:
            given[_of(answer, row, by)] += (row.shapley.value or 0.0) / total
    return given


def _of(answer: BlameAnswer, row: StepBlame, by: Literal["tool", "model", "prompt", "kind"]) -> str:
    if by == "prompt":
        return _prompt(answer.prompt)
    if by == "kind":
        return f"{row.kind} {row.part}" if row.kind == "tool" else row.kind
    if by == "model":
        return row.name if row.kind == "model" else answer.model
    return row.name if row.kind == "tool" else f"({row.part})"


def _prompt(text: str | None) -> str:
    """A name for a prompt: how it begins, and, as others may begin alike, a digest."""
    if text is None:
        return "(no system prompt)"
    line = " ".join(text.split())
    return f"{line[:_BEGINS]}{'...' if len(line) > _BEGINS else ''} #{digest(text)[:6]}"


def _shares(given: Sequence[Mapping[str, float]], tasks: Sequence[str], level: float, seed: int) -> dict[str, Estimate]:
    names = dict.fromkeys(name for one in given for name in one)
    made = {n: clustered_share([one.get(n, 0.0) for one in given], tasks, level, seed) for n in names}
    return dict(sorted(made.items(), key=lambda pair: -(pair[1].value or 0.0)))
