"""Whether a log still speaks of today: where its mean changed, values by time, and re-weighting to another period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ifonly.scm.clustered import cochran_q
from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from sklearn.base import BaseEstimator

    from ifonly.scm.draw import Draw
    from ifonly.scm.policy.logged import Floats, Ints

__all__ = [
    "ChangePoint",
    "Slice",
    "Slices",
    "change_point",
    "change_points",
    "period_weights",
    "reweighted",
    "time_slices",
]

_EDGE = 0.05
"""Share of the series at each end in which no change is looked for."""
_FLOOR = 1e-3
"""Smallest chance of the log that is believed: below it a weight is the classifier's error."""
_LEAST = 5
"""Numbers that are left on each side of a change, at least."""


class ChangePoint(BaseModel):
    """Where the mean of a series is likeliest to have changed.

    Attributes:
        at: index of the first number after the change.
        before: mean of the stretch before it.
        after: mean of the stretch after it.
        p_value: of no change: permutation, hence exact for exchangeable numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: int
    before: float
    after: float
    p_value: float


class Slice(BaseModel):
    """A policy's value in one stretch of time.

    Attributes:
        first: time of its first round; its index, where the log has no times.
        last: of its last round.
        rounds: in it.
        value: of the policy; None where no logged action in it has a chance under the policy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: float
    last: float
    rounds: int
    value: Estimate | None


class Slices(BaseModel):
    """A policy's value over time.

    Attributes:
        slices: in order.
        p_value: of one value for all (Cochran 1954: weighted squares about the common mean, chi-square); None where
            fewer than two slices have a standard error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slices: tuple[Slice, ...]
    p_value: float | None


def change_point(series: Floats, draw: Draw, repeats: int = 999) -> ChangePoint:
    """Return the likeliest change of the mean, with its permutation p-value.

    The largest |S_k - (k / n) S_n| / sqrt(k (n - k) / n) over k, with S_k the sum of the first k: the likelihood ratio
    for normal numbers (Sen and Srivastava 1975). The first and last 5 % are not looked at. Feed it what each round says
    of the policy, value + influence of a `Value`, or rewards less what a model expected; one number a group where
    rounds of a group are dependent, since dependent numbers are not exchangeable.

    Args:
        series: shape (n,), in order of time.
        draw: of the permutations; the stream is keyed by the name "change_point".
        repeats: number of permutations.

    Raises:
        NotApplicable: if the series is too short: fewer than ten numbers.
    """
    return _change(_checked(series), draw.generator("change_point"), repeats)


def change_points(series: Floats, draw: Draw, level: float = 0.05, repeats: int = 999) -> tuple[ChangePoint, ...]:
    """Return changes of the mean by binary segmentation: a stretch with a change is cut there and both parts searched.

    Vostrikova 1981. A series without any change gets one with probability at most `level`; so does each stretch that
    is searched.

    Args:
        series: shape (n,), in order of time.
        draw: of the permutations; the stream is keyed by the name "change_point".
        level: largest p-value of a change that is kept.
        repeats: number of permutations of each stretch.

    Raises:
        NotApplicable: if the series is too short: fewer than ten numbers.
    """
    numbers, generator = _checked(series), draw.generator("change_point")
    found: list[ChangePoint] = []
    waiting = [(0, len(numbers))]
    while waiting:
        start, stop = waiting.pop()
        if stop - start < 2 * _LEAST:
            continue
        change = _change(numbers[start:stop], generator, repeats)
        if change.p_value <= level:
            at = start + change.at
            found.append(change.model_copy(update={"at": at}))
            waiting += [(start, at), (at, stop)]
    return tuple(sorted(found, key=lambda change: change.at))


def time_slices(evaluation: Evaluation, estimator: Callable[[Evaluation], Value], slices: int = 4) -> Slices:
    """Value a policy in stretches of time with equally many rounds.

    Args:
        evaluation: the log under the policy; in order of `times`, or of its rounds where it has none.
        estimator: for instance `ifonly.scm.policy.weighting.snipw`.
        slices: how many, at least 2.

    Raises:
        NotApplicable: if there are fewer rounds than slices, or only one slice is asked for.
    """
    log = evaluation.log
    if not 1 < slices <= len(log):
        raise NotApplicable(f"{len(log)} rounds can be cut into 2 to {len(log)} slices, not {slices}")
    times = np.arange(len(log), dtype=float) if log.times is None else log.times
    found, known = [], []
    for rows in np.array_split(np.argsort(times, kind="stable"), slices):
        part = _part(evaluation, rows)
        value = estimator(part) if part.weights.any() else None
        if value is not None and 0 < value.standard_error < np.inf:
            known.append((value.value, value.standard_error))
        told = None if value is None else value.estimate()
        found.append(Slice(first=float(times[rows[0]]), last=float(times[rows[-1]]), rounds=len(rows), value=told))
    return Slices(slices=tuple(found), p_value=_same(np.array(known)) if len(known) > 1 else None)


def period_weights(
    contexts: Floats, target: Floats, draw: Draw, folds: int = 5, estimator: BaseEstimator | None = None
) -> Floats:
    """Return how much likelier each context is in the target period, up to a factor: mean 1, shape (n,).

    By a classifier that tells the two periods apart and never saw the round: odds of the target over odds of the log
    (Bickel, Bruckner and Scheffer 2009, "Discriminative learning under covariate shift"). Look at their effective size
    (`ifonly.scm.intervals.effective_size`): where it is small, the periods have little in common.

    Args:
        contexts: of the log, shape (n, d).
        target: of the target period, shape (m, d).
        draw: of the folds; the stream is keyed by the name "period".
        folds: at least 2.
        estimator: a classifier with ``predict_proba``; logistic regression if None.

    Raises:
        NotApplicable: if the shapes do not fit, a period has fewer rounds than folds, or they have nothing in common.
    """
    if contexts.ndim != 2 or target.shape[1:] != contexts.shape[1:] or contexts.shape[1] == 0:  # noqa: PLR2004
        raise NotApplicable(f"need the same features of both periods, got shapes {contexts.shape} and {target.shape}")
    n, m = len(contexts), len(target)
    if not 1 < folds <= min(n, m):
        raise NotApplicable(f"{n} and {m} rounds cannot be cut into {folds} folds each")
    generator = draw.generator("period")
    places = np.concatenate([generator.permutation(n) % folds, generator.permutation(m) % folds])
    both, label = np.concatenate([contexts, target]), np.repeat([0, 1], [n, m])
    odds = np.empty(n)
    for fold in range(folds):
        seen, inside = places != fold, places[:n] == fold
        model: Any = clone(estimator or make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)))
        chance = model.fit(both[seen], label[seen]).predict_proba(contexts[inside])
        odds[inside] = chance[:, 1] / np.maximum(chance[:, 0], _FLOOR)
    if not odds.any():
        raise NotApplicable("the two periods have nothing in common: no round of the log looks like the target period")
    weights: Floats = odds / odds.mean()
    return weights


def reweighted(evaluation: Evaluation, weights: Floats) -> Value:
    """Return the policy's value in another period, from a log whose contexts are re-weighted to it.

    Sum of v_i w_i r_i over sum of v_i w_i, with v_i of `period_weights`; with a reward model, sum of v_i (expected_i +
    w_i (r_i - q_i)) over sum of v_i. Assumes that only how often contexts come has changed, not the mean reward of an
    action in a context. The interval takes v as known.

    Args:
        evaluation: the log under the policy, perhaps with a cross-fitted reward model.
        weights: v_i, shape (n,), at least 0, not all 0.

    Raises:
        NotApplicable: if the weights are none, or nothing carries weight.
    """
    log = evaluation.log
    if weights.shape != (len(log),) or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise NotApplicable(f"need a weight of at least 0 for each of {len(log)} rounds, got shape {weights.shape}")
    carried = weights * evaluation.weights
    if evaluation.model is None:
        below, above = carried, carried * log.rewards
    else:
        below, above = weights, weights * evaluation.expected + carried * evaluation.residual
    mean = float(below.mean())
    if not mean > 0:
        raise NotApplicable("no round that the policy might have taken carries weight in the target period")
    value = float(above.mean()) / mean
    return Value("reweighted", value, (above - value * below) / mean, carried, log.clusters)


def _checked(series: Floats) -> Floats:
    if series.ndim != 1 or len(series) < 2 * _LEAST or not np.isfinite(series).all():
        raise NotApplicable(f"a change takes a finite series of at least {2 * _LEAST} numbers, got {series.shape}")
    return series


def _change(series: Floats, generator: np.random.Generator, repeats: int) -> ChangePoint:
    centred = series - series.mean()
    at, largest = _largest(centred)
    beyond = sum(_largest(generator.permutation(centred))[1] >= largest * (1 - 1e-12) for _ in range(repeats))
    return ChangePoint(
        at=at,
        before=float(series[:at].mean()),
        after=float(series[at:].mean()),
        p_value=(1 + int(beyond)) / (1 + repeats),
    )


def _largest(centred: Floats) -> tuple[int, float]:
    """Where the standardised sum of a series of mean 0 is largest, and how large."""
    n = len(centred)
    edge = max(_LEAST, int(_EDGE * n))
    k = np.arange(edge, n - edge + 1)
    found = np.abs(np.cumsum(centred)[k - 1]) / np.sqrt(k * (n - k) / n)
    best = int(found.argmax())
    return int(k[best]), float(found[best])


def _part(evaluation: Evaluation, rows: Ints) -> Evaluation:
    model = None if evaluation.model is None else evaluation.model[rows]
    return Evaluation(evaluation.log.take(rows), evaluation.policy[rows], model)


def _same(known: Floats) -> float:
    """P-value of one value for all, from rows of value and standard error."""
    return cochran_q(known[:, 0], known[:, 1])[1]
