"""From counterfactual paths to honest numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, isclose
from sys import float_info
from typing import TYPE_CHECKING

from ifonly.agents.environments.base import Undetermined
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import clopper_pearson
from ifonly.sim.answers import OutcomeAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import Score
    from ifonly.sim.walk import Walk

__all__ = ["Path", "effective_draws", "outcome_of", "score_estimate"]


@dataclass(frozen=True, slots=True)
class Path:
    """One path that a changed world can take, with its probability."""

    weight: float
    walk: Walk


def outcome_of(name: str, factual: Score, paths: Sequence[Path], level: float, *, assumed: str | None) -> OutcomeAnswer:
    """A score in both worlds, and the change from the recorded one.

    Args:
        name: of the score.
        factual: its recorded value.
        paths: all paths, their weights summing to 1.
        level: coverage.
        assumed: name of an assumption that the paths rest on and that cannot be tested on this run.
    """
    counterfactual = score_estimate(name, factual, paths, level, assumed=assumed)
    shift = -float(factual)
    value = None if counterfactual.value is None else counterfactual.value + shift
    change = counterfactual.model_copy(
        update={"value": value, "low": counterfactual.low + shift, "high": counterfactual.high + shift}
    )
    return OutcomeAnswer(factual=factual, counterfactual=counterfactual, change=change)


def score_estimate(name: str, factual: Score, paths: Sequence[Path], level: float, *, assumed: str | None) -> Estimate:
    """The counterfactual mean of a score: sum over paths of weight times score.

    Exact where no path drew anything. Where replies were drawn from recorded runs, the interval is Clopper and
    Pearson's (1934) with `effective_draws` trials: one recorded reply is one draw, however sure the model was. It is
    conservative for scores between 0 and 1 that are no verdicts. Where a path could not go on, or no judge can say,
    its weight is spread over the score's whole range: bounds.
    """
    known = [path for path in paths if not isinstance(path.walk.scores[name], Undetermined)]
    scores = [_number(path.walk.scores[name]) for path in known]
    low, high = _range(factual, scores)
    weight = min(1.0, fsum(path.weight for path in known))
    total = fsum(path.weight * score for path, score in zip(known, scores, strict=True))
    if not isclose(weight, 1.0):
        return Estimate.bounded(total + (1 - weight) * low, total + (1 - weight) * high, "counterfactual")
    effective = effective_draws(known)
    if effective is None:
        return Estimate.settled(total, "counterfactual", assumed)
    ends = (low, high)
    if (low, high) == (0.0, 1.0):
        total = min(max(total, 0.0), 1.0)
        ends = clopper_pearson(total * effective, effective, level)
    return Estimate(
        value=total,
        low=min(ends[0], total),
        high=max(ends[1], total),
        level=level,
        effective=effective,
        rung="counterfactual",
        identified="assumed" if assumed else "point",
        noise=assumed,
    )


def effective_draws(paths: Sequence[Path]) -> float | None:
    """How many independent recorded draws paths rest on; None if nothing was drawn.

    At the n-th draw, the recorded replies of all its places are counted and divided by the probability of coming to an
    n-th draw; the least over n is returned. Where the same runs are followed from draw to draw, this is their number,
    and the mean over paths is the plain mean over them.
    """
    drawn = [path.walk.draws for path in paths]
    effective = None
    for stage in range(max(map(len, drawn), default=0)):
        coming = [(path.weight, draws) for path, draws in zip(paths, drawn, strict=True) if len(draws) > stage]
        places = {tuple(source for source, _ in draws[:stage]): draws[stage][1] for _, draws in coming}
        count = sum(places.values()) / fsum(weight for weight, _ in coming)
        effective = count if effective is None else min(effective, count)
    return effective


def _number(score: Score | Undetermined) -> float:
    if isinstance(score, Undetermined):
        raise AssertionError("undetermined scores were set aside")
    return float(score)


def _range(factual: Score, seen: Sequence[float]) -> tuple[float, float]:
    """The range a score can have: [0, 1] if no value seen denies it, else all numbers."""
    unit = all(0 <= score <= 1 for score in (float(factual), *seen))
    return (0.0, 1.0) if unit else (-float_info.max, float_info.max)
