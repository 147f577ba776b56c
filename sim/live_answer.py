"""From particles to an answer: both arms, their difference, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.environments.base import Undetermined
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import clopper_pearson, guarded_mean, weighted_mean
from ifonly.scm.sequential import betting_interval
from ifonly.sim.answers import OutcomeAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from ifonly.agents.records import Score
    from ifonly.scm.intervals import Interval
    from ifonly.sim.live import Noise
    from ifonly.sim.rollout import Effort, Particle

__all__ = ["arm_estimate", "change_estimate", "live_outcome"]

_GUMBEL = "Gumbel-max"

Values = list[float | None]
"""A score by particle; None where it is not settled."""


def live_outcome(
    name: str, factual: Score, changed: Sequence[Particle], control: Sequence[Particle], effort: Effort, noise: Noise
) -> OutcomeAnswer:
    """One score in both arms and its change.

    Args:
        name: of the score.
        factual: its recorded value.
        changed: particles of the changed run.
        control: particles of the unchanged run, in the same order; empty where its noise is abducted, so that it comes
            out as recorded.
        effort: that was planned; a planned early stop needs intervals that stay valid when one looks.
        noise: of the live steps.
    """
    treated, untreated = _values(name, changed), _values(name, control)
    span = _span([float(factual), *(v for v in (*treated, *untreated) if v is not None)])
    value = arm_estimate(treated, span, effort, noise)
    if not control:
        shift = -float(factual)
        moved = None if value.value is None else value.value + shift
        change = value.model_copy(update={"value": moved, "low": value.low + shift, "high": value.high + shift})
        return OutcomeAnswer(factual=factual, counterfactual=value, change=change)
    return OutcomeAnswer(
        factual=factual,
        counterfactual=value,
        change=change_estimate(treated, untreated, span, effort),
        control=arm_estimate(untreated, span, effort, noise),
    )


def arm_estimate(
    values: Values, span: Interval | None, effort: Effort, noise: Noise, reach: float | None = None
) -> Estimate:
    """The mean score of an arm.

    Clopper and Pearson's interval where all particles were planned and give verdicts; where one may stop early, a
    betting interval, valid at any stop; t intervals for scores without a range (`guarded_mean` for changes in them).
    Particles whose score is not settled may have any: bounds, each with its sampling error.

    Args:
        values: by particle.
        span: the range of the score; None if it has none.
        effort: that was planned.
        noise: of the live steps.
        reach: of changes in a score without a range: how far apart its values lie.
    """
    known = [value for value in values if value is not None]
    if len(known) == len(values):
        low, high = _interval(known, span, effort, reach)
        return _estimate(sum(known) / len(known), low, high, len(known), effort.level, noise)
    if span is None:
        return Estimate.bounded(-_UNBOUNDED, _UNBOUNDED, _rung(noise))
    worst, best = ([end if value is None else value for value in values] for end in span)
    low, high = _interval(worst, span, effort)[0], _interval(best, span, effort)[1]
    return Estimate.bounded(low, high, _rung(noise), effort.level, float(len(values)))


def change_estimate(changed: Values, control: Values, span: Interval | None, effort: Effort) -> Estimate:
    """The mean of the paired differences between arms whose particles share their seeds, under fresh noise.

    Args:
        changed: scores by particle.
        control: scores of the particles that share their seeds.
        span: the range of the score; None if it has none.
        effort: that was planned.
    """
    wide = None if span is None else (span[0] - span[1], span[1] - span[0])
    pairs = list(zip(changed, control, strict=True))
    seen = [value for value in (*changed, *control) if value is not None]
    reach = max(seen) - min(seen) if seen else None
    return arm_estimate([None if a is None or b is None else a - b for a, b in pairs], wide, effort, "fresh", reach)


_UNBOUNDED = 1.7e308


def _values(name: str, particles: Sequence[Particle]) -> Values:
    scores = [particle.walk.scores[name] for particle in particles]
    return [None if isinstance(score, Undetermined) else float(score) for score in scores]


def _span(values: Sequence[float]) -> Interval | None:
    """Zero to one where no value seen denies it."""
    return (0.0, 1.0) if all(0 <= value <= 1 for value in values) else None


def _interval(values: Sequence[float], span: Interval | None, effort: Effort, reach: float | None = None) -> Interval:
    if span is None and reach is not None and values[1:]:
        return guarded_mean(values, reach, effort.level)[1]
    if span is None:
        return weighted_mean(values, [1.0] * len(values), effort.level)[1] if values[1:] else (-_UNBOUNDED, _UNBOUNDED)
    if effort.width is None and span == (0.0, 1.0) and set(values) <= {0.0, 1.0}:
        return clopper_pearson(sum(values), len(values), effort.level)
    return betting_interval(values, *span, effort.level, planned=effort.particles)


def _rung(noise: Noise) -> Literal["interventional", "counterfactual"]:
    return "interventional" if noise == "fresh" else "counterfactual"


def _estimate(value: float, low: float, high: float, effective: int, level: float, noise: Noise) -> Estimate:
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        effective=float(effective),
        rung=_rung(noise),
        identified="point" if noise == "fresh" else "assumed",
        noise=None if noise == "fresh" else _GUMBEL,
    )
