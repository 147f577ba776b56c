"""What a correction is worth where all labels are known: hide most of them, many times, and look at the intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.evaluation.powered import powered_mean

if TYPE_CHECKING:
    from ifonly.scm.draw import Draw
    from ifonly.scm.policy.logged import Floats

__all__ = ["TITLES", "Subsets", "hide_labels", "label_subsets", "row_of"]

# Of the columns that `row_of` fills.
TITLES = (
    "judge",
    "labels",
    "subsets",
    "coverage",
    "width",
    "coverage, labels alone",
    "width, labels alone",
    "ratio of widths",
    "judge alone off by",
)


@dataclass(frozen=True)
class Subsets:
    """Intervals over many random sets of labels, held against the mean of all labels.

    Attributes:
        labels: size of each set.
        repeats: number of sets.
        covered: share of prediction-powered intervals that hold the mean of all labels.
        width: their mean width.
        covered_alone: the same share for labels alone.
        width_alone: their mean width.
        naive: the judge's mean less that of all labels.
    """

    labels: int
    repeats: int
    covered: float
    width: float
    covered_alone: float
    width_alone: float
    naive: float

    @property
    def ratio(self) -> float:
        """Width with the judge over width without."""
        return self.width / self.width_alone


def label_subsets(
    human: Floats, judge: Floats, labels: int, draw: Draw, repeats: int = 1_000, level: float = 0.95
) -> Subsets:
    """Return coverage and width of intervals for the mean of all labels, from random sets of them.

    The mean of these very items is the target: intervals know that the items are all there are (`finite`).

    Args:
        human: of every item, shape (n,).
        judge: of every item, shape (n,).
        labels: size of each set, below n.
        draw: of the sets; the stream is keyed by the name "subsets".
        repeats: number of sets.
        level: of the intervals.
    """
    generator, truth = draw.generator("subsets"), float(human.mean())
    found = np.empty((repeats, 2, 2))
    for row in range(repeats):
        order = generator.permutation(len(human))
        seen, rest = order[:labels], order[labels:]
        for column, tuning in enumerate((None, 0.0)):
            made = powered_mean(human[seen], judge[seen], judge[rest], tuning, finite=True).estimate(level)
            found[row, column] = made.low <= truth <= made.high, made.high - made.low
    (covered, width), (covered_alone, width_alone) = found.mean(0)
    return Subsets(
        labels,
        repeats,
        float(covered),
        float(width),
        float(covered_alone),
        float(width_alone),
        float(judge.mean()) - truth,
    )


def row_of(name: str, found: Subsets) -> tuple[str | float, ...]:
    """A row of figures under `TITLES`."""
    return (
        name,
        str(found.labels),
        f"{found.repeats:,}",
        found.covered,
        found.width,
        found.covered_alone,
        found.width_alone,
        found.ratio,
        found.naive,
    )


def hide_labels(human: Floats, labels: int, draw: Draw) -> Floats:
    """Return the scores with all but a random set of them hidden.

    Args:
        human: of every item, shape (n,).
        labels: how many stay.
        draw: of the set; the stream is keyed by the name "labels".
    """
    kept = draw.generator("labels").permutation(len(human))[:labels]
    hidden = np.full(len(human), np.nan)
    hidden[kept] = human[kept]
    return hidden
