"""Prediction-powered means: a few human labels, and a judge's scores of many more items.

The judge's mean over the unlabelled items, less what it gets wrong on the labelled ones, with the judge weighed by a
factor that is tuned so that the interval is never wider than that of the labels alone in large samples (Angelopoulos,
Bates, Fannjiang, Jordan and Zrnic 2023, Science 382:669, algorithm 1; Angelopoulos, Duchi and Zrnic 2023, "PPI++",
arXiv 2311.01453, section 6). It holds for any judge, however bad, where labels were given at random.

As a causal statement: the items that a human did not see are missing at random, so that the mean under do(label all) is
the adjusted one. `ifonly.scm.evaluation.selected` is for labels that were not given at random.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri, stdtrit

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.evaluation.labels import check_pair
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from ifonly.scm.evaluation.labels import Judged
    from ifonly.scm.intervals import Interval
    from ifonly.scm.policy.logged import Floats

__all__ = ["Powered", "powered", "powered_mean", "powered_value"]

_BLOCK: Final = 1 << 15
"""Numbers that are summed at once: they stay in the processor's cache."""


@dataclass(frozen=True)
class Powered:
    """A prediction-powered mean.

    Attributes:
        value: the estimate.
        variance: its squared standard error, with the degrees of freedom that the labels leave.
        plain: the same as the papers have it, variances divided by n: what `normal_interval` takes.
        freedom: degrees of freedom of `variance`.
        tuning: lambda, the weight of the judge; 0: labels alone, 1: the judge as it is.
        labelled: number of labelled items.
        unlabelled: number of others.
        spread: variance of the labels: what one label alone would be worth.
    """

    value: float
    variance: float
    plain: float
    freedom: float
    tuning: float
    labelled: int
    unlabelled: int
    spread: float

    @property
    def standard_error(self) -> float:
        """Square root of `variance`."""
        return sqrt(self.variance)

    @property
    def effective(self) -> float | None:
        """How many labels alone would give an interval as narrow; None where nothing is left to estimate."""
        return self.spread / self.variance if self.variance > 0 else None

    def estimate(self, level: float = 0.95) -> Estimate:
        """The value with its interval: Student's t on the degrees of freedom that labels leave.

        Args:
            level: coverage, in (0, 1).
        """
        half = float(stdtrit(self.freedom, (1 + level) / 2)) * self.standard_error
        return Estimate.around(self.value, half, level, self.effective)

    def normal_interval(self, level: float = 0.95) -> Interval:
        """The interval of the papers and of ppi-python: normal quantiles, variances divided by n.

        Args:
            level: coverage, in (0, 1).
        """
        half = float(ndtri((1 + level) / 2)) * sqrt(self.plain)
        return self.value - half, self.value + half

    def less(self, other: Powered) -> Powered:
        """This mean less that of other items, independent of these; of the same items, take differences first.

        Args:
            other: of other items. Degrees of freedom by Welch and Satterthwaite.
        """
        variance = self.variance + other.variance
        parts = self.variance**2 / self.freedom + other.variance**2 / other.freedom
        return replace(
            self,
            value=self.value - other.value,
            variance=variance,
            plain=self.plain + other.plain,
            freedom=variance**2 / parts if parts > 0 else self.freedom + other.freedom,
            labelled=self.labelled + other.labelled,
            unlabelled=self.unlabelled + other.unlabelled,
            spread=self.spread + other.spread,
        )


def powered_mean(
    human: Floats, judge: Floats, unlabelled: Floats, tuning: float | None = None, *, finite: bool = False
) -> Powered:
    """Return the prediction-powered mean of the human's scores, in one pass over the judge's.

    theta = lambda mean(f, unlabelled) + mean(Y - lambda f, labelled), with the tuned
    lambda = Cov(Y, f) / ((1 + n / N) Var(f)), within [0, 1]: the numbers of ppi-python 0.2.3.
    For the win rate of two systems on the same items give the differences of their scores.

    Args:
        human: Y, shape (n,), n >= 2 (tuned: 3).
        judge: f of the same items, shape (n,).
        unlabelled: f of the other items, shape (N,); N may be 0: then the labels' mean.
        tuning: lambda; None tunes it.
        finite: whether the mean over these n + N items themselves is wanted, not that of the population they come from:
            the interval is then narrower (Cochran 1977, Sampling techniques, section 7.3: the regression estimator).

    Raises:
        NotApplicable: if lengths differ, there are too few labels, or a score is not finite.
    """
    check_pair(human, judge)
    n, many = len(human), len(unlabelled)
    tuned = tuning is None and many > 0
    if tuned and n < 3:  # noqa: PLR2004
        raise NotApplicable(f"{n} labelled items are too few to tune the judge's weight: label 3, or set tuning")
    mean, ours = float(human.mean()), float(judge.mean())
    gap, theirs = _moments(unlabelled, ours)
    if not np.isfinite([mean, ours, gap, theirs]).all():
        raise NotApplicable("a score is missing or infinite: leave out items that have none, and say so")
    labels, centred = human - mean, judge - ours
    lam = _tuned(labels, centred, (gap, theirs), many) if tuning is None else tuning * (many > 0)
    freedom = n - 1 - tuned
    if finite:
        left = _unexplained(labels, centred, lam, many, gap if tuned else None)
        plain, variance = left / n, left / (n if tuned else freedom)
    else:
        imputed = lam**2 * theirs / max(many, 1)
        rest = float(np.square(labels - lam * centred).mean())
        plain, variance = imputed + rest / n, imputed + rest / freedom
    return Powered(mean + lam * gap, variance, plain, float(freedom), lam, n, many, float(labels @ labels) / (n - 1))


def powered(judged: Judged, tuning: float | None = None, *, finite: bool = False) -> Powered:
    """Return the prediction-powered mean of what humans would say of all items; see `powered_mean`.

    Args:
        judged: labels given at random; clusters are not looked at (`powered_value` does).
        tuning: lambda; None tunes it.
        finite: whether the mean over these very items is wanted.

    Raises:
        NotApplicable: as `powered_mean`.
    """
    seen = judged.labelled
    return powered_mean(judged.human[seen], judged.judge[seen], judged.judge[~seen], tuning, finite=finite)


def powered_value(judged: Judged, name: str = "powered") -> Value:
    """Return the tuned mean with its influence function over all items, for groups and for several systems at once.

    psi_i = b (f_i - mean f) + (n + N) / n 1{labelled} (r_i - mean r), r = Y - b f, b = lambda (n + N) / N: the same
    estimate as `powered`, written as the regression estimator over all items.

    Args:
        judged: labels given at random.
        name: of the value.

    Raises:
        NotApplicable: as `powered_mean`.
    """
    found, seen = powered(judged), judged.seen
    n, size = len(seen), len(judged)
    slope = found.tuning * size / found.unlabelled if found.unlabelled else 0.0
    influence = slope * (judged.judge - judged.judge.mean())
    rest = judged.human[seen] - slope * judged.judge[seen]
    influence[seen] += size / n * (rest - rest.mean())
    return Value(name, found.value, influence, clusters=judged.clusters)


def _moments(values: Floats, centre: float) -> tuple[float, float]:
    """Mean less the centre, and variance (divided by n), of a long vector; 0 and 0 of none."""
    total = square = 0.0
    scratch = np.empty(min(_BLOCK, len(values)))
    for start in range(0, len(values), _BLOCK):
        part = values[start : start + _BLOCK]
        rest = np.subtract(part, centre, out=scratch[: len(part)])
        total += float(rest.sum())
        square += float(rest @ rest)
    n = max(len(values), 1)
    return total / n, square / n - (total / n) ** 2


def _unexplained(labels: Floats, centred: Floats, lam: float, many: int, gap: float | None) -> float:
    """Variance of what the judge leaves open, times the share of items without a label.

    Tuned, residuals are weighted as the regression estimator weighs labels (Sarndal, Swensson and Wretman 1989,
    Biometrika 76:527), and enlarged for their leverage (HC2), since the slope was fitted to them.

    Args:
        labels: less their mean.
        centred: the judge of the same items, less its mean.
        lam: lambda.
        many: number of unlabelled items.
        gap: mean of the judge over unlabelled items less that over labelled ones; None where lambda was given.
    """
    n = len(labels)
    if not many:
        return 0.0
    share, own = many / (n + many), float(centred @ centred)
    residual = np.square(labels - lam / share * centred)
    if gap is not None and own > 0:
        residual *= np.square(1 + gap * share * n * centred / own)
        residual /= 1 - 1 / n - np.minimum(np.square(centred) / own, 1 - 2 / n)
    return float(residual.mean()) * share


def _tuned(labels: Floats, centred: Floats, others: tuple[float, float], many: int) -> float:
    """PPI++, example 6.1, within [0, 1].

    Args:
        labels: less their mean.
        centred: the judge of the same items, less its mean.
        others: mean of the judge over unlabelled items less that over labelled ones, and their variance.
        many: number of unlabelled items.
    """
    n, (gap, theirs) = len(labels), others
    # All n + N scores about their common mean, from sums about the labelled one.
    around = float(centred @ centred) + theirs * many + many * gap**2 * n / (n + many)
    if many == 0 or around <= 0:
        return 0.0
    return min(max(float(labels @ centred) / n / ((1 + n / many) * around / (n + many - 1)), 0.0), 1.0)
