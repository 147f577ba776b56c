"""Judges that change with time: where one did, and slices within which it may be taken as the same.

A judge changes when its model, prompt or settings do, and nobody says so. Labels from before the change then correct it
by the wrong amount. `judge_drift` looks for the change in what the judge says *given* what the human said: items that
get better over time are no drift. Once it is found, `ifonly.scm.evaluation.stratified.stratified_mean` over `slices`
corrects each stretch by its own labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.drift import ChangePoint, change_point

if TYPE_CHECKING:
    from ifonly.scm.draw import Draw
    from ifonly.scm.evaluation.labels import Judged
    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["JudgeDrift", "judge_drift", "slices"]


class JudgeDrift(BaseModel):
    """The likeliest changes of a judge.

    Attributes:
        leaning: of the mean of its scores given the human's: it became milder or harsher.
        error: of its distance from the human given the human's: it became better or worse.
        p_value: of no change of either kind: twice the smaller p-value, at most 1 (Bonferroni).
        at: time of the likeliest change, the one with the smaller p-value: of its first labelled item.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    leaning: ChangePoint
    error: ChangePoint
    p_value: float
    at: float


def judge_drift(judged: Judged, times: Floats, draw: Draw, repeats: int = 999) -> JudgeDrift:
    """Return where the judge is likeliest to have changed, and whether it did.

    Two series over the labelled items in order of time, each less its mean among items with the same human score: the
    judge's score, and its absolute distance from the human's. A judge that stays the same makes both exchangeable
    within a human's score, and the permutation p-value of `change_point` near enough exact.

    Args:
        judged: the items; the human's score takes at most ten values, on the judge's scale.
        times: of each item, shape (n,).
        draw: of the permutations.
        repeats: number of permutations.

    Raises:
        NotApplicable: if there are fewer than ten labelled items, times are missing, or human scores are too many.
    """
    if times.shape != (len(judged),) or not np.isfinite(times).all():
        raise NotApplicable(f"each of {len(judged)} items needs its time, a finite number; got shape {times.shape}")
    order = judged.seen[np.argsort(times[judged.seen], kind="stable")]
    human, judge = judged.human[order], judged.judge[order]
    values, level = np.unique(human, return_inverse=True)
    if len(values) > 10:  # noqa: PLR2004
        raise NotApplicable(f"the human's score has {len(values)} values: bin it into at most ten")
    leaning = change_point(_within(judge, level), draw, repeats)
    error = change_point(_within(np.abs(judge - human), level), draw, repeats)
    likelier = min(leaning, error, key=lambda one: one.p_value)
    return JudgeDrift(
        leaning=leaning, error=error, p_value=min(1.0, 2 * likelier.p_value), at=float(times[order[likelier.at]])
    )


def slices(times: Floats, cuts: tuple[float, ...]) -> Ints:
    """Return the stretch of time of each item, numbered from 0, shape (n,).

    Args:
        times: shape (n,).
        cuts: times at which a new stretch starts, ascending.

    Raises:
        NotApplicable: if cuts do not ascend.
    """
    if list(cuts) != sorted(set(cuts)):
        raise NotApplicable(f"cuts must ascend, got {cuts}")
    stretch: Ints = np.searchsorted(np.array(cuts, dtype=float), times, side="right")
    return stretch


def _within(series: Floats, level: Ints) -> Floats:
    """A series less the mean of its level."""
    means = np.bincount(level, series) / np.bincount(level)
    rest: Floats = series - means[level]
    return rest
