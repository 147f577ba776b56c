"""Arithmetic on estimates of risk: what is averted, what a change adds, and how necessary it was."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc
from scipy.stats import fisher_exact

from ifonly.agents.environments.base import Undetermined
from ifonly.scm.estimate import Estimate
from ifonly.scm.multiplicity import adjust
from ifonly.sim.outcomes import Path, score_estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.estimate import Rung
    from ifonly.sim.blame.failure import Failure

__all__ = ["adjusted", "averted", "beats_luck", "difference", "necessity", "p_value", "risk", "sufficiency_bounds"]

_FAILED = "failed"


def risk(paths: Sequence[Path], failure: Failure, level: float, *, assumed: str | None, rung: Rung) -> Estimate:
    """The probability of the failure along these paths; bounds where some of them are not settled."""

    def judged(path: Path) -> Path:
        score = path.walk.scores.get(failure.score, Undetermined(why=f"no score {failure.score!r}"))
        holds = failure.holds(score)
        verdict = holds if holds is not None else Undetermined(why="not judged")
        return Path(path.weight, replace(path.walk, scores={_FAILED: verdict}))

    made = score_estimate(_FAILED, True, [judged(path) for path in paths], level, assumed=assumed)
    return made.model_copy(update={"rung": rung})


def averted(risk: Estimate) -> Estimate:
    """1 - risk: the probability that the failure is averted."""
    value = None if risk.value is None else 1 - risk.value
    return risk.model_copy(update={"value": value, "low": 1 - risk.high, "high": 1 - risk.low})


def difference(before: Estimate, after: Estimate, level: float) -> Estimate:
    """Risk before less risk after, of independent draws; each interval must hold at (1 + level) / 2 (Bonferroni)."""
    low, high = before.low - after.high, before.high - after.low
    noise = before.noise or after.noise
    if before.value is None or after.value is None:
        return Estimate.bounded(low, high, "interventional", min(before.level, after.level))
    value = before.value - after.value
    if before.identified == after.identified == "exact":
        return Estimate.settled(value, "interventional")
    sizes = [one.effective for one in (before, after) if one.effective is not None]
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        effective=min(sizes, default=None),
        rung="interventional",
        identified="assumed" if noise else "point",
        noise=noise,
    )


def necessity(effect: Estimate, on: Estimate | None, off: Estimate, level: float) -> Estimate:
    """PN of a step whose change averts the failure with probability `effect`.

    Exact where the counterfactual is. Where it was drawn, two noises that are independent settle it no further than
    Tian and Pearl's bounds from both interventional risks: max(0, 1 - P(y_x') / P(y_x)) and min(1, P(y'_x') / P(y_x)).

    Args:
        effect: P(averted) in this run.
        on: risk with the step as it was, later noise fresh; None where it is not known.
        off: risk under the change, later noise fresh.
        level: coverage of both intervals together; each holds at (1 + level) / 2.
    """
    if effect.identified == "exact":
        return effect
    if on is None or on.low <= 0:
        return Estimate.bounded(0.0, 1.0 if on is None or on.low <= 0 else min(1.0, (1 - off.low) / on.low), _CF, 1.0)
    low, high = max(0.0, 1 - off.high / on.low), min(1.0, (1 - off.low) / on.low)
    return Estimate.bounded(min(low, high), high, _CF, level, _least(on, off))


def sufficiency_bounds(on: Estimate, off: Estimate, level: float) -> Estimate | None:
    """PS by Tian and Pearl from both risks: max(0, 1 - P(y'_x) / P(y'_x')) and min(1, P(y_x) / P(y'_x')); else None."""
    if off.high >= 1:
        return None
    low, high = max(0.0, 1 - (1 - on.low) / (1 - off.high)), min(1.0, on.high / (1 - off.high))
    return Estimate.bounded(min(low, high), high, _CF, level, _least(on, off))


def p_value(effect: Estimate) -> float | None:
    """Of "it averts the failure at most as often as not", by the binomial tail over the draws; None where exact."""
    if effect.value is None or effect.effective is None:
        return None
    wins = effect.value * effect.effective
    return 1.0 if wins <= 0 else float(betainc(wins, effect.effective - wins + 1, 0.5))


def beats_luck(before: Estimate, after: Estimate) -> float:
    """Of "the failure is no rarer after than before", by Fisher's exact test over the draws of both (Fisher 1935).

    1 where either is not known: then luck cannot be told from repair. Shares of weighted draws count as their effective
    number of whole ones.
    """
    if before.value is None or after.value is None:
        return 1.0
    if before.identified == "exact" and before.value == 1:
        return 0.0 if after.value < 1 else 1.0
    if before.effective is None or after.effective is None:
        return float(after.value >= before.value)
    table = [
        [round(one.value * one.effective), round((1 - one.value) * one.effective)]
        for one in (before, after)
        if one.value is not None and one.effective is not None
    ]
    return float(fisher_exact(table, alternative="greater").pvalue)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Corrected for all of them: the false-discovery rate, however they hang together."""
    return [float(p) for p in adjust(np.array(p_values))] if p_values else []


def _least(*estimates: Estimate) -> float | None:
    return min((one.effective for one in estimates if one.effective is not None), default=None)


_CF: Rung = "counterfactual"
