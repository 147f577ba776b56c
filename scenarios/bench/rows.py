"""What the rounds of a contest come to: bias, error, coverage, width and cost of each entry."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from ifonly.agents.records import Record
from ifonly.scenarios.bench.contest import LEVEL
from ifonly.scenarios.study import Stage
from ifonly.scm.intervals import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ifonly.scenarios.bench.contest import Answer, Contest, Entry

__all__ = ["BenchRow", "Verdict", "rows_of"]

Verdict = Literal["holds", "falls short", "fails as it must", "not seen to fail", "abstains"]
"""A right estimator whose interval covers as it says, or not; a wrong one that is seen to be wrong, or is not here; one
that never answers."""

_SURE = 1 - 1e-4
"""Level of the interval of the coverage by which an estimator is judged: one in ten thousand is judged wrongly."""

_EXACT = 1e-6
"""Largest error of an answer without sampling error, relative to 1 + |truth|."""


class BenchRow(Record):
    """One estimator on one question, over rounds.

    Attributes:
        estimator: name of the analysis.
        world: name of the contest.
        stage: of the pipeline.
        query: what is asked.
        right: whether its assumptions hold here.
        why: what it assumes, or what breaks.
        rounds: how many.
        answered: in how many of them it gave a value or bounds.
        truth: mean of the truths.
        bias: mean of value less truth; None without values.
        bias_error: standard error of that.
        rmse: root of the mean squared error.
        coverage: share of answered rounds whose interval holds the truth; None where it has no interval.
        coverage_low: lower end of the 95 % interval of that.
        coverage_high: upper end.
        width: mean width of the intervals.
        seconds: mean, an answer.
        calls: mean, of a model, an answer.
        verdict: see `Verdict`.
    """

    estimator: str
    world: str
    stage: Stage
    query: str
    right: bool
    why: str
    rounds: int
    answered: int
    truth: float
    bias: float | None = None
    bias_error: float | None = None
    rmse: float | None = None
    coverage: float | None = None
    coverage_low: float | None = None
    coverage_high: float | None = None
    width: float | None = None
    seconds: float
    calls: float
    verdict: Verdict


def rows_of(contest: Contest, rounds: Sequence[Sequence[Answer]]) -> Iterator[BenchRow]:
    """Yield a row for each entry.

    Args:
        contest: which.
        rounds: the answers of each round, one an entry.

    Raises:
        ValueError: there are no rounds.
    """
    if not rounds:
        raise ValueError(f"{contest.name}: no rounds")
    for entry, answers in zip(contest.entries, zip(*rounds, strict=True), strict=True):
        given = [one for one in answers if one.refused is None]
        errors = np.array([one.value - one.truth for one in given if one.value is not None])
        ends = [(one.low, one.high, one.truth) for one in given if one.low is not None and one.high is not None]
        held = [low - _slack(truth) <= truth <= high + _slack(truth) for low, high, truth in ends]
        share = float(np.mean(held)) if held else None
        low, high = clopper_pearson(sum(held), len(held), LEVEL) if held else (None, None)
        yield BenchRow(
            estimator=entry.estimator,
            world=contest.name,
            stage=contest.stage,
            query=entry.query,
            right=entry.right,
            why=entry.why,
            rounds=len(answers),
            answered=len(given),
            truth=float(np.mean([one.truth for one in answers])),
            bias=float(errors.mean()) if len(errors) else None,
            bias_error=float(errors.std(ddof=1) / sqrt(len(errors))) if len(errors) > 1 else None,
            rmse=float(np.sqrt(np.mean(errors**2))) if len(errors) else None,
            coverage=share,
            coverage_low=low,
            coverage_high=high,
            width=float(np.mean([high - low for low, high, _ in ends])) if ends else None,
            seconds=float(np.mean([one.seconds for one in answers])),
            calls=float(np.mean([one.calls for one in answers])),
            verdict=_verdict(entry, held, errors) if given else "abstains",
        )


def _verdict(entry: Entry, held: Sequence[bool], errors: NDArray[np.float64]) -> Verdict:
    """Whether the rounds are what the claim says: coverage of at least the level, or a miss that is no accident."""
    if held and entry.exact:
        short = not all(held)
    elif held:
        short = clopper_pearson(sum(held), len(held), _SURE)[1] < LEVEL
    else:
        short = bool(len(errors)) and bool(np.any(np.abs(errors) > _EXACT))
    if entry.right:
        return "falls short" if short else "holds"
    return "fails as it must" if short else "not seen to fail"


def _slack(truth: float) -> float:
    return _EXACT * (1.0 + abs(truth))
