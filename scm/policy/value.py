"""An estimated value with its influence function, from which every interval follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import effective_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["Value", "covariance"]


@dataclass(frozen=True, eq=False)
class Value:
    """A policy's value as an estimator sees it.

    Attributes:
        estimator: its name, as in Open Bandit Pipeline where it has one there: ``ipw``, ``snipw``, ``dr``, ...
        value: the estimate of V(pi).
        influence: of each round, psi_i: the estimate is asymptotically V + mean of psi. Sums to 0 (up to rounding)
            for sample averages and ratios of such.
        weights: importance weights behind it, shape (n,); None where it weighs nothing.
        clusters: group of each round, or None: each is its own.
        normalised: the part of `influence` whose denominator is the mean weight, shape (n,), for estimators that divide
            by it; None for plain means. The bootstrap resamples the denominator with it.
    """

    estimator: str
    value: float
    influence: Floats
    weights: Floats | None = None
    clusters: Ints | None = None
    normalised: Floats | None = None

    def less(self, other: Value) -> Value:
        """This value less another of the same log, paired round by round.

        Args:
            other: of the same rounds and groups.
        """
        influence = self.influence - other.influence
        return Value(self.estimator, self.value - other.value, influence, self.weights, self.clusters)

    @property
    def standard_error(self) -> float:
        """sqrt(sum over groups of (sum of psi in the group)^2 G / (G - 1)) / n, with G groups: cluster-robust."""
        sums = self.influence if self.clusters is None else np.bincount(self.clusters, self.influence)
        groups = self.groups
        if groups < 2:  # noqa: PLR2004 -- a variance takes two
            return float("inf")
        return float(np.sqrt(np.square(sums).sum() * groups / (groups - 1))) / len(self.influence)

    @property
    def groups(self) -> int:
        """How many independent groups of rounds there are."""
        return len(self.influence) if self.clusters is None else len(np.unique(self.clusters))

    def estimate(self, level: float = 0.95) -> Estimate:
        """The value with its interval: Student's t with G - 1 degrees of freedom times the standard error.

        Args:
            level: coverage, in (0, 1).
        """
        half = float(stdtrit(max(self.groups - 1, 1), (1 + level) / 2)) * self.standard_error
        half = half if np.isfinite(half) else float(np.finfo(float).max) / 4
        return Estimate.around(
            self.value,
            half,
            level,
            effective_size(np.ones(len(self.influence)) if self.weights is None else self.weights),
        )


def covariance(values: Sequence[Value]) -> Floats:
    """The covariance of values of the same log, shape (k, k): of influence functions, summed by group.

    Args:
        values: of the same rounds and groups; the groups of the first are taken.

    Raises:
        NotApplicable: all rounds are of one group.
    """
    first, n, groups = values[0].clusters, len(values[0].influence), values[0].groups
    if groups < 2:  # noqa: PLR2004 -- a variance takes two
        raise NotApplicable("one group of items gives no interval: at least two are needed")
    rows = [one.influence if first is None else np.bincount(first, one.influence).astype(float) for one in values]
    sums: Floats = np.array(rows, dtype=float)
    found: Floats = sums @ sums.T * (groups / (groups - 1) / n**2)
    return found
