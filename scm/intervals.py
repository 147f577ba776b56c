"""Intervals for means, proportions and clustered statistics. Numpy and scipy only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv, ndtr, stdtrit

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ifonly.scm.draw import Draw

__all__ = [
    "Interval",
    "clopper_pearson",
    "cluster_bootstrap",
    "effective_size",
    "guarded_interval",
    "guarded_mean",
    "student_mean",
    "weighted_mean",
]

Interval = tuple[float, float]
"""Lower and upper end."""


def effective_size(weights: ArrayLike) -> float:
    """Return the effective sample size (sum w)^2 / sum w^2 of non-negative weights (Kish 1965)."""
    w = np.asarray(weights, dtype=float)
    square = float(np.square(w).sum())
    return float(w.sum()) ** 2 / square if square > 0 else 0.0


def clopper_pearson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Return the exact interval of a proportion (Clopper and Pearson 1934, Biometrika 26:404).

    Covers with probability at least `level`. Non-integer counts are allowed, so that weighted data can enter
    with their effective size (Korn and Graubard 1998).

    Args:
        successes: number of successes, in [0, trials].
        trials: number of trials, positive.
        level: coverage in (0, 1).

    Raises:
        ValueError: if the counts or the level lie outside their ranges.
    """
    if not (0 <= successes <= trials and trials > 0 and 0 < level < 1):
        raise ValueError(f"need 0 <= successes <= trials > 0 and 0 < level < 1, got {successes}, {trials}, {level}")
    tail = (1 - level) / 2
    low = betaincinv(successes, trials - successes + 1, tail) if successes > 0 else 0.0
    high = betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return float(low), float(high)


def weighted_mean(values: ArrayLike, weights: ArrayLike, level: float = 0.95) -> tuple[float, Interval]:
    """Return the self-normalised weighted mean m = sum w x / sum w and its interval.

    Half-width: t quantile with (effective size - 1) degrees of freedom times sqrt(sum w^2 (x - m)^2) / sum w
    (Owen, Monte Carlo theory, methods and examples, eq. 9.9). Values that are all 0 or 1 get a
    Clopper-Pearson interval on the effective size, which stays honest when none or all succeeded.

    Args:
        values: shape (n,).
        weights: shape (n,), non-negative, not all zero.
        level: coverage in (0, 1).

    Raises:
        ValueError: if shapes differ, or fewer than two draws are effective, which gives no interval.
    """
    x, w = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    if x.shape != w.shape or x.ndim != 1:
        raise ValueError(f"values and weights must be vectors of one length, got {x.shape} and {w.shape}")
    size = effective_size(w)
    if size < 2 - 1e-9:
        raise ValueError(f"{size:.3g} effective draws give no interval: ask for more particles")
    w = w / w.sum()
    mean = float(w @ x)
    if np.isin(x, (0.0, 1.0)).all():
        mean = min(max(mean, 0.0), 1.0)
        return mean, clopper_pearson(mean * size, size, level)
    half = float(stdtrit(size - 1, (1 + level) / 2)) * float(np.sqrt(np.square(w * (x - mean)).sum()))
    return mean, (mean - half, mean + half)


def student_mean(values: ArrayLike, level: float = 0.95) -> tuple[float, Interval]:
    """Return the mean of replications and its t interval, m -+ t s / sqrt(n) (Student 1908, Biometrika 6:1).

    Args:
        values: shape (n,), n >= 2.
        level: coverage in (0, 1).

    Raises:
        ValueError: if there are fewer than two values, which give no interval.
    """
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or len(x) < 2:  # noqa: PLR2004
        raise ValueError(f"need a vector of two values or more, got shape {x.shape}")
    mean = float(x.mean())
    half = float(stdtrit(len(x) - 1, (1 + level) / 2) * x.std(ddof=1) / np.sqrt(len(x)))
    return mean, (mean - half, mean + half)


def guarded_mean(values: ArrayLike, reach: float, level: float = 0.95) -> tuple[float, Interval]:
    """Return the mean of draws that are seldom anything but one number, and its interval.

    A t interval of such draws is a point where the rare ones were not met, and misses the mean more often than it
    says: of the change in a count by an action, in 11 of 100 worlds with 40 pairs (`benchmarks/coverage.py`). So two
    draws are added before the spread is taken, half the reach below and above the mean, as Agresti and Coull (1998, The
    American Statistician 52:119) add successes and failures to a proportion. It is too wide rather than too narrow, and
    all but the t interval where draws are many and spread as wide as the reach.

    Args:
        values: shape (n,), n >= 1.
        reach: how far apart two values can be, as far as is known; 0 or more.
        level: coverage in (0, 1).

    Raises:
        ValueError: if there is no draw.
    """
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not x.size:
        raise ValueError(f"need a vector of values, got shape {x.shape}")
    mean = float(x.mean())
    return mean, guarded_interval(len(x), mean, float(np.square(x - mean).sum()), reach, level)


def guarded_interval(size: int, mean: float, deviation: float, reach: float, level: float = 0.95) -> Interval:
    """Return the interval of `guarded_mean` from sums, where draws are too many to be kept.

    Args:
        size: number of draws, at least 1.
        mean: of the draws.
        deviation: sum of their squared distances from it.
        reach: how far apart two values can be.
        level: coverage in (0, 1).
    """
    n = size + 2
    half = float(stdtrit(n - 1, (1 + level) / 2) * np.sqrt((deviation + reach**2 / 2) / (n - 1) / n))
    return mean - half, mean + half


def cluster_bootstrap(
    clusters: Sequence[Hashable],
    statistic: Callable[[NDArray[np.intp]], float],
    draw: Draw,
    level: float = 0.95,
    repeats: int = 1_000,
) -> tuple[float, Interval]:
    """Return a statistic and its expanded percentile interval under resampling of whole clusters.

    Davison and Hinkley 1997, Bootstrap methods and their application, sec. 3.8. Plain percentiles of n clusters are too
    narrow, as a normal interval is beside a t interval: they are taken at the level Phi(-t sqrt(n / (n - 1))), t the
    quantile with n - 1 degrees of freedom (Hesterberg 2015, The American Statistician 69:371).

    Args:
        clusters: the cluster of each of n records, for instance the task of each run.
        statistic: maps record indices, shape (m,) with repetitions, to a number.
        draw: source of the resampling; the stream is keyed by the name "cluster_bootstrap".
        level: coverage in (0, 1).
        repeats: number of resamples.

    Raises:
        ValueError: if there are fewer than two clusters, which give no interval.
    """
    members: dict[Hashable, list[int]] = {}
    for record, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(record)
    if len(members) <= 1:
        raise ValueError(f"{len(members)} cluster(s) give no interval: at least two are needed")
    groups = [np.asarray(group, dtype=np.intp) for group in members.values()]
    picks = draw.generator("cluster_bootstrap").integers(len(groups), size=(repeats, len(groups)))
    resampled = [statistic(np.concatenate([groups[i] for i in pick])) for pick in picks]
    count = len(groups)
    tail = float(ndtr(-stdtrit(count - 1, (1 + level) / 2) * np.sqrt(count / (count - 1))))
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return statistic(np.arange(len(clusters), dtype=np.intp)), (float(low), float(high))
