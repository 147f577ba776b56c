"""Strict scores of what attributors say, with intervals.

A step is right if its index equals the labelled one as a whole number. (The authors' script looks for the label in the
text of the answer, so that 1 is found in 12.) An agent is right if its name equals the labelled one. Where steps are
tied, a score is its expectation over a fair draw among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import binomtest

from ifonly.scm.draw import Draw
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import clopper_pearson, cluster_bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scenarios.whowhen.blame import Blame
    from ifonly.scenarios.whowhen.logs import Labelled

__all__ = ["LEVEL", "TOLERANCE", "Score", "difference", "score", "share", "sign_test"]

LEVEL = 0.95
"""Coverage of the intervals."""

TOLERANCE = 1
"""Steps that the column `near` forgives."""

_SHORT = 3
_FEWEST = 10
_REPEATS = 4_000


class Score(NamedTuple):
    """How well one log was answered; each between 0 and 1.

    Attributes:
        step: probability that the step blamed is the labelled one.
        agent: probability that the agent blamed is the labelled one.
        top3: probability that the labelled step is among the first three.
        reciprocal: expected reciprocal rank of the labelled step; 0 where it was not named.
        near: probability that the step blamed is at most `TOLERANCE` away.
    """

    step: float
    agent: float
    top3: float
    reciprocal: float
    near: float


def score(blame: Blame, truth: Labelled) -> Score:
    """Hold what was said against the label.

    Raises:
        ValueError: a step is named twice, or the log does not have it.
    """
    named = [step for group in blame.steps for step in group]
    if len(set(named)) < len(named) or not set(named) <= set(range(len(truth.log))):
        raise ValueError(f"{truth.log.id}: steps {named} of a log of {len(truth.log)}")
    step, agent = truth.label.step, truth.label.agent
    top = blame.steps[0] if blame.steps else ()
    before = 0
    ranks = range(0)
    for group in blame.steps:
        if step in group:
            ranks = range(before + 1, before + 1 + len(group))
            break
        before += len(group)
    if blame.agents is None:
        agents = [truth.log.turns[one].agent for one in top]
    else:
        agents = list(blame.agents[0]) if blame.agents else []
    return Score(
        step=_mean([one == step for one in top]),
        agent=_mean([one == agent for one in agents]),
        top3=_mean([rank <= _SHORT for rank in ranks]),
        reciprocal=_mean([1 / rank for rank in ranks]),
        near=_mean([abs(one - step) <= TOLERANCE for one in top]),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def share(values: Sequence[float], questions: Sequence[str]) -> Estimate:
    """The mean of scores, with a Clopper-Pearson interval.

    Its trials are the questions, not the logs: two logs of one question count as one, which can only widen it.

    Args:
        values: one a log, in [0, 1].
        questions: of the logs.
    """
    trials = len(set(questions))
    mean = float(np.mean(values))
    low, high = clopper_pearson(mean * trials, trials, LEVEL)
    return Estimate(value=mean, low=low, high=high, level=LEVEL, effective=trials, rung="observed", identified="point")


def difference(
    ours: Sequence[float], theirs: Sequence[float], questions: Sequence[str], seed: int = 0
) -> Estimate | None:
    """The mean of paired differences, with a percentile interval from a bootstrap over questions.

    None where there are fewer than ten questions, of which a bootstrap tells too little.
    """
    if len(set(questions)) < _FEWEST:
        return None
    gaps = np.subtract(ours, theirs)
    mean, (low, high) = cluster_bootstrap(questions, lambda rows: float(gaps[rows].mean()), Draw(seed), LEVEL, _REPEATS)
    return Estimate(
        value=mean,
        low=min(low, mean),
        high=max(high, mean),
        level=LEVEL,
        effective=len(set(questions)),
        rung="observed",
        identified="point",
    )


def sign_test(ours: Sequence[float], theirs: Sequence[float], questions: Sequence[str]) -> float | None:
    """The exact two-sided p of the sign test (McNemar's, exact): which of the two is right about more of a question.

    It assumes nothing of the size of the sample. None where they never differ.
    """
    gaps = dict.fromkeys(questions, 0.0)
    for question, mine, other in zip(questions, ours, theirs, strict=True):
        gaps[question] += mine - other
    better, worse = (sum(sign * gap > 0 for gap in gaps.values()) for sign in (1, -1))
    return float(binomtest(better, better + worse).pvalue) if better + worse else None
