"""What an attributor says of a trace, and how far the labels bear it out.

An attributor scores spans, and *names* the first `take` of them, each with categories. For a trace with labels:

- ``location``: share of the labelled spans that are named. TRAIL's "location accuracy": a recall, which is 1 for who
  names every span
- ``precision``: share of the named spans that are labelled, which TRAIL does not count
- ``joint``: share of the labelled pairs of span and category that are named: TRAIL's "joint accuracy"
- ``top1``: whether the first span is labelled; ``recall3``, ``recall5``: share of the labelled spans among the first 3
  or 5; ``average``: the average precision of the whole order

Spans of equal score have no order: every number is its exact expectation over all orders of the ties (for average
precision as in McSherry and Najork 2008, "Computing information retrieval performance measures efficiently in the
presence of tied scores"). Equal scores everywhere are thus the rule of pure chance.

Over traces, as in the scorer that TRAIL publishes: ``location`` and ``joint`` are means in which a trace without labels
counts as 0; ``category`` is the mean F1 of the categories named in a trace, each weighted by the number of traces that
carry it. The others are means over traces with labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "Verdict",
    "average_precision",
    "category_tables",
    "expected_recall",
    "joint",
    "location",
    "named_categories",
    "precision",
    "weighted_f1",
]


@dataclass(frozen=True)
class Verdict:
    """What an attributor says of a trace.

    Attributes:
        scores: of every span that may be blamed; higher is more suspect.
        take: how many spans, the most suspect, it names.
        categories: of a span, if it were named.
    """

    scores: Mapping[str, float]
    take: int = 1
    categories: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def tiers(self) -> list[list[str]]:
        """The spans of equal score together, the most suspect first."""
        ranked = sorted(self.scores, key=lambda span: -self.scores[span])
        return [list(tier) for _, tier in groupby(ranked, key=self.scores.__getitem__)]

    def chances(self, first: int) -> dict[str, float]:
        """The probability of each span to be among the first, over all orders of the ties."""
        found, left = dict[str, float](), first
        for tier in self.tiers():
            share = min(1.0, max(0, left) / len(tier))
            found |= dict.fromkeys(tier, share)
            left -= len(tier)
        return found


def location(verdict: Verdict, wanted: Collection[str]) -> float:
    """The expected share of the wanted spans that are named; 0 where none is wanted."""
    return expected_recall(verdict, wanted, verdict.take)


def expected_recall(verdict: Verdict, wanted: Collection[str], first: int) -> float:
    """The expected share of the wanted spans among the first; 0 where none is wanted."""
    chances = verdict.chances(first)
    return sum(chances.get(span, 0.0) for span in wanted) / len(wanted) if wanted else 0.0


def precision(verdict: Verdict, wanted: Collection[str]) -> float:
    """The expected share of the named spans that are wanted; 0 where none is named."""
    chances = verdict.chances(verdict.take)
    named = sum(chances.values())
    return sum(chances.get(span, 0.0) for span in wanted) / named if named else 0.0


def joint(verdict: Verdict, pairs: Collection[tuple[str, str]]) -> float:
    """The expected share of the pairs of span and category that are named; 0 where there is none."""
    chances = verdict.chances(verdict.take)
    hit = [chances.get(span, 0.0) for span, category in pairs if category in verdict.categories.get(span, ())]
    return sum(hit) / len(pairs) if pairs else 0.0


def average_precision(verdict: Verdict, wanted: Collection[str]) -> float:
    """The expected average precision: the mean over wanted spans of the precision of the order down to each.

    A wanted span that has no score is never found.

    Raises:
        ValueError: nothing is wanted.
    """
    if not wanted:
        raise ValueError("average precision is of wanted spans: there is none")
    total, before, hits = 0.0, 0, 0
    for tier in verdict.tiers():
        size, good = len(tier), sum(span in wanted for span in tier)
        if good:
            place = np.arange(size)
            # At each place stands a wanted span with probability good / size, and so many of the others before it.
            earlier = place * (good - 1) / (size - 1) if size > 1 else np.zeros(1)
            total += float((good / size * (hits + 1 + earlier) / (before + 1 + place)).sum())
        before, hits = before + size, hits + good
    return total / len(wanted)


def named_categories(verdict: Verdict) -> frozenset[str]:
    """The categories of every span that may be named."""
    named = (verdict.categories.get(span, frozenset()) for span, p in verdict.chances(verdict.take).items() if p > 0)
    return frozenset[str]().union(*named)


def category_tables(
    wanted: Sequence[Collection[str]], named: Sequence[Collection[str]]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which categories each trace carries, and which of these were named in it.

    Returns:
        Two tables of shape (traces, categories that some trace carries).
    """
    names = sorted({name for trace in wanted for name in trace})
    true, said = (np.array([[name in told for name in names] for told in side], dtype=bool) for side in (wanted, named))
    return true, said


def weighted_f1(true: NDArray[np.bool_], said: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The F1 of each category over traces, weighted by the number of traces that carry it; 0 where none does.

    Args:
        true: which categories each trace carries, shape (..., traces, categories).
        said: which were named in it.

    Returns:
        Shape (...).
    """
    both, support = (true & said).sum(axis=-2), true.sum(axis=-2)
    f1 = 2.0 * both / np.maximum(1, support + said.sum(axis=-2))
    return np.asarray((f1 * support).sum(axis=-1) / np.maximum(1, support.sum(axis=-1)))
