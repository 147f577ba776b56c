"""The cluster bootstrap of estimated values, exact and fast: counts of groups times sums of groups.

Every estimator here is a mean of scores, plus perhaps a mean divided by the mean weight. Under resampling it needs no
more than weighted sums of what each group of rounds adds, so that a resample is one row of a matrix product. Counts
are drawn from the multinomial law itself, by the route that is told at `multinomial_counts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import pdtr

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import effective_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ifonly.scm.draw import Draw
    from ifonly.scm.policy.logged import Floats, Ints
    from ifonly.scm.policy.value import Value

__all__ = ["Resampled", "bootstrap", "multinomial_counts"]

_AT_ONCE = 100_000
"""How many counts are held at once: what a processor's cache takes."""
_MOST = 40
"""P(Poisson(1) > 40) is below 1e-49: no double tells it from 0."""
_BYTES = 256
_STAGES = 2


@dataclass(frozen=True, eq=False)
class Resampled:
    """A value with what it came to in each resample.

    Attributes:
        value: the estimate from the log itself.
        replicates: the estimate in each resample, shape (repeats,). Values resampled together share their resamples:
            the difference of their replicates is a paired one.
    """

    value: Value
    replicates: Floats

    @property
    def standard_error(self) -> float:
        """Standard deviation of the replicates."""
        return float(self.replicates.std(ddof=1))

    def less(self, other: Resampled) -> Resampled:
        """This value less another, paired resample by resample.

        Args:
            other: resampled together with this one.
        """
        return Resampled(self.value.less(other.value), self.replicates - other.replicates)

    def estimate(self, level: float = 0.95) -> Estimate:
        """The value with its percentile interval (Davison and Hinkley 1997, sec. 5.3.1).

        Args:
            level: coverage, in (0, 1).
        """
        low, high = np.quantile(self.replicates, [(1 - level) / 2, (1 + level) / 2])
        at = self.value.value
        return Estimate(
            value=at,
            low=min(float(low), at),
            high=max(float(high), at),
            level=level,
            effective=effective_size(
                np.ones(len(self.value.influence)) if self.value.weights is None else self.value.weights
            ),
            rung="interventional",
            identified="point",
        )


def bootstrap(values: Sequence[Value], draw: Draw, repeats: int = 1_000) -> list[Resampled]:
    """Resample whole groups of rounds with replacement, as many as there are; all values in the same resamples.

    The mean of psi over a resample, and where an estimator divides by the mean weight that mean too, give its value
    in the resample exactly: no linearisation. Nuisances are held as fitted (`dr` and `sndr` with cross-fitted nuisances
    may do so), and so are hyper-parameters.

    Args:
        values: estimates from one log, at least one.
        draw: source of the resampling; the stream is keyed by the name "bootstrap".
        repeats: number of resamples.

    Raises:
        NotApplicable: if values come from different logs, or there are fewer than two groups, which give no interval.
    """
    if not values:
        raise NotApplicable("nothing to resample: give at least one value")
    first = values[0]
    if any(len(v.influence) != len(first.influence) or not _same(v.clusters, first.clusters) for v in values):
        raise NotApplicable("values to be resampled together must come from one log, with the same rounds and groups")
    columns = np.stack([_summed(column, first.clusters) for value in values for column in _columns(value)])
    size = _summed(np.ones(len(first.influence)), first.clusters)
    filled = np.flatnonzero(size)
    groups = len(filled)
    if groups <= 1:
        raise NotApplicable(f"{groups} group(s) of rounds give no interval: at least two are needed")
    table = np.concatenate([columns, size[None]]) if first.clusters is not None else columns
    sums = _resampled(np.ascontiguousarray(table[:, filled].T) if groups < len(size) else table.T, repeats, draw)
    rounds = sums[:, -1] if first.clusters is not None else float(groups)
    found, at = [], 0
    for value in values:
        width = len(_columns(value))
        found.append(Resampled(value, _replicates(value, sums[:, at : at + width], rounds)))
        at += width
    return found


def _columns(value: Value) -> list[Floats]:
    """What a value needs summed: the part of its influence that is a mean, or that and the parts of the ratio."""
    if value.normalised is None:
        return [value.influence]
    if value.weights is None:
        raise NotApplicable(f"{value.estimator} divides by the mean weight, but has no weights")
    ratio = [value.normalised, value.weights]
    return ratio if value.normalised is value.influence else [value.influence - value.normalised, *ratio]


def _replicates(value: Value, sums: Floats, rounds: Floats | float) -> Floats:
    """The value in each resample, from its sums there."""
    if value.normalised is None or value.weights is None:
        return value.value + sums[:, 0] / rounds
    weight = sums[:, -1]
    if not (weight > 0).all():
        raise NotApplicable(
            f"{value.estimator} divides by the mean weight, which is 0 in some resamples: too few rounds carry weight "
            "for a bootstrap. Look at the support of the policy (ifonly.scm.policy.support)"
        )
    replicates: Floats = value.value + sums[:, -2] * value.weights.mean() / weight
    return replicates if value.normalised is value.influence else replicates + sums[:, 0] / rounds


def _summed(column: Floats, clusters: Ints | None) -> Floats:
    """Sums over the groups."""
    return column if clusters is None else np.asarray(np.bincount(clusters, column), dtype=float)


def _same(a: Ints | None, b: Ints | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))


def _resampled(table: Floats, repeats: int, draw: Draw) -> Floats:
    """Sums of the rows of a table over each resample, shape (repeats, columns)."""
    # SFC64 gives random bits twice as fast as Philox; one buffer for all spares the memory's pages.
    generator = np.random.Generator(np.random.SFC64(draw.key("bootstrap")))
    groups = len(table)
    step = min(max(_AT_ONCE // groups, 1), repeats)
    sums, buffer = np.empty((repeats, table.shape[1])), np.empty((step, groups))
    for start in range(0, repeats, step):
        stop = min(start + step, repeats)
        counts = multinomial_counts(groups, stop - start, generator, buffer[: stop - start])
        np.matmul(counts, table, out=sums[start:stop])
    return sums


def multinomial_counts(groups: int, repeats: int, generator: np.random.Generator, out: Floats | None = None) -> Floats:
    """Draw how often each of G groups comes up in G draws with replacement: multinomial counts, shape (repeats, G).

    Independent Poisson counts given their sum N are multinomial with N draws, whatever the rate. So draw counts at
    the rate 1 - 3 / sqrt(G), whose sum hardly ever exceeds G, and add G - N draws one by one; where N exceeds G, draw
    all G anew one by one. Given either event the counts are multinomial with G draws, and hence they are: exactly, and
    several times as fast as drawing G indices, since a Poisson count takes little more than one random byte.

    Args:
        groups: G, at least 1.
        repeats: number of resamples.
        generator: of the random bits, 64 a word (all of numpy but MT19937).
        out: where to put the counts, C-contiguous; a new array if None.
    """
    rate = max(1 - 3 / np.sqrt(groups), 0.0)
    counts = np.empty((repeats, groups)) if out is None else out
    counts[:] = _poisson(rate, counts.size, generator).reshape(counts.shape)
    totals = counts.sum(1).astype(np.intp)
    counts[totals > groups] = 0.0
    missing = np.where(totals > groups, groups, groups - totals)
    added = np.repeat(np.arange(repeats) * groups, missing) + generator.integers(groups, size=int(missing.sum()))
    np.add.at(counts.reshape(-1), added, 1.0)
    return counts


def _poisson(rate: float, size: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Poisson counts from one random byte each, and more where that does not do; exact, as a mixture of laws."""
    stages, rest = _stages(rate)
    return _counts(stages, rest, size, generator)


def _counts(
    stages: Sequence[NDArray[np.uint8]], rest: Floats, size: int, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """A count is how many ends its byte reaches; one that reaches the last end is drawn by the next stage."""
    if not stages:
        return np.asarray(np.searchsorted(rest, rest[-1] * generator.random(size), side="right"), np.uint8)
    digit = generator.bit_generator.random_raw(-(-size // 8)).view(np.uint8)[:size]
    counts, hit = np.zeros(size, np.uint8), np.empty(size, np.bool_)
    *ends, last = stages[0]
    for end in ends:
        counts += np.greater_equal(digit, end, out=hit).view(np.uint8)
    places = np.flatnonzero(np.greater_equal(digit, last, out=hit))
    if len(places):
        counts[places] = _counts(stages[1:], rest, len(places), generator)
    return counts


@lru_cache(maxsize=8)
def _stages(rate: float) -> tuple[tuple[NDArray[np.uint8], ...], Floats]:
    """The law of Poisson counts, as bytes: twice, the ends at which bytes pass to the next count; and what is left.

    Of the 256 bytes each count k gets as many as go into its probability, floor(256 p_k); what is left of all p_k is a
    law of its own, for which the last few bytes stand. The same again for that one; what then is left is cumulated.
    """
    law, stages = np.diff(pdtr(np.arange(_MOST), rate), prepend=0.0), []
    for _ in range(_STAGES):
        whole = np.floor(_BYTES * law / law.sum())
        ends = np.cumsum(whole)[: int(np.flatnonzero(whole)[-1]) + 1]
        if ends[-1] == _BYTES:
            break
        stages.append(ends.astype(np.uint8))
        law = law / law.sum() - whole / _BYTES
    return tuple(stages), np.cumsum(law)
