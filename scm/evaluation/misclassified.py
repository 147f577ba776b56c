"""A judge of two verdicts as an imperfect test: sensitivity, specificity, and shares corrected by them.

    human ---> judge       P(judge yes | human yes) = sensitivity, P(judge no | human no) = specificity

Where the two rates are those of the items at hand, the share that humans would say yes to follows from the share that
the judge says yes to (Rogan and Gladen 1978, American Journal of Epidemiology 107:71). Unlike prediction-powered means
it holds where labels were chosen by the human's verdict (so many good answers, so many bad ones); it does not hold
where the rates come from items of another style, and does by strata of that style.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.shares import share_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from ifonly.scm.evaluation.labels import Judged
    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["Rates", "rates", "rates_by", "rogan_gladen", "rogan_gladen_by"]


@dataclass(frozen=True)
class Rates:
    """How often a judge is right, counted on labelled items.

    Attributes:
        hits: items that human and judge say yes to.
        positives: items that the human says yes to.
        rejections: items that both say no to.
        negatives: items that the human says no to.
    """

    hits: int
    positives: int
    rejections: int
    negatives: int

    def sensitivity(self, level: float = 0.95) -> Estimate:
        """P(judge yes | human yes), with its exact interval (Clopper and Pearson 1934)."""
        return share_of(self.hits, self.positives, "observed", level)

    def specificity(self, level: float = 0.95) -> Estimate:
        """P(judge no | human no), with its exact interval."""
        return share_of(self.rejections, self.negatives, "observed", level)


def rates(judged: Judged) -> Rates:
    """Count how often a judge of two verdicts is right.

    Args:
        judged: scores are 0 and 1.

    Raises:
        NotApplicable: if a score is neither 0 nor 1, or humans never said yes, or never no.
    """
    seen = judged.labelled
    human, judge = judged.human[seen], judged.judge[seen]
    if not (np.isin(human, (0.0, 1.0)).all() and np.isin(judged.judge, (0.0, 1.0)).all()):
        raise NotApplicable(
            "sensitivity and specificity are of verdicts 0 and 1: count a tie as one of them, or use "
            "`ifonly.scm.evaluation.powered`, which takes any score"
        )
    positives, negatives = int(human.sum()), int((1 - human).sum())
    if not (positives and negatives):
        missing = "yes" if not positives else "no"
        raise NotApplicable(
            f"no labelled item has the human verdict {missing!r}: label some that have it, or merge strata"
        )
    return Rates(int((human * judge).sum()), positives, int(((1 - human) * (1 - judge)).sum()), negatives)


def rates_by(judged: Judged, strata: Sequence[Hashable]) -> Mapping[Hashable, Rates]:
    """Count it in each stratum: by style, by whose answer it is, by what was shown first.

    Args:
        judged: scores are 0 and 1.
        strata: of every item, shape (n,).

    Raises:
        NotApplicable: as `rates`, naming the stratum.
    """
    return {name: _named(name, judged.take(rows)) for name, rows in _rows(judged, strata).items()}


def rogan_gladen(judge: Floats, known: Rates, level: float = 0.95) -> Estimate:
    """Return the share that humans would say yes to: (q + specificity - 1) / (sensitivity + specificity - 1).

    Interval of Lang and Reiczigel 2014, Preventive Veterinary Medicine 113:13, which knows that the rates are
    estimated: both rates with one more success and failure, q as Agresti and Coull, and a shift for the skew.

    Args:
        judge: verdicts on items without labels, 0 and 1, shape (N,), N >= 1.
        known: counted on other items, of the same kind.
        level: coverage, in (0, 1).

    Raises:
        NotApplicable: if there is no verdict, or the judge is no better than chance.
    """
    if not len(judge):
        raise NotApplicable("no item without a label: take the mean of the labels")
    value, low, high = _corrected(float(judge.mean()), len(judge), known, level)
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        effective=float(known.positives + known.negatives),
        rung="interventional",
        identified="point",
    )


def rogan_gladen_by(judged: Judged, strata: Sequence[Hashable], level: float = 0.95) -> Estimate:
    """Return the corrected share over strata with rates of their own, each weighed by its share of all items.

    The half-width adds up those of the strata by squares. Holds where rates differ between strata and labels are
    uneven.

    Args:
        judged: scores are 0 and 1; every stratum has labels of both verdicts.
        strata: of every item, shape (n,).
        level: coverage, in (0, 1).

    Raises:
        NotApplicable: as `rates_by` and `rogan_gladen`.
    """
    value = below = above = 0.0
    labels = 0
    for name, rows in _rows(judged, strata).items():
        part = judged.take(rows)
        counted, rest = _named(name, part), part.judge[~part.labelled]
        rest = rest if len(rest) else part.judge
        one, low, high = _corrected(float(rest.mean()), len(rest), counted, level)
        share = len(part) / len(judged)
        value += share * one
        below += (share * max(one - low, 0.0)) ** 2
        above += (share * max(high - one, 0.0)) ** 2
        labels += len(part.seen)
    return Estimate(
        value=value,
        low=value - below**0.5,
        high=value + above**0.5,
        level=level,
        effective=float(labels),
        rung="interventional",
        identified="point",
    )


def _corrected(share: float, items: int, known: Rates, level: float) -> tuple[float, float, float]:
    """Value and limits."""
    n1, n0 = known.positives, known.negatives
    index = known.hits / n1 + known.rejections / n0 - 1
    z = float(ndtri((1 + level) / 2))
    se, sp = (known.hits + 1) / (n1 + 2), (known.rejections + 1) / (n0 + 2)
    if index <= 0 or se + sp <= 1:
        raise NotApplicable(
            f"sensitivity {known.hits / n1:.3f} and specificity {known.rejections / n0:.3f} do not exceed 1 together: "
            "this judge tells nothing that chance would not; take the labels alone, or another judge"
        )
    value = min(max((share + known.rejections / n0 - 1) / index, 0.0), 1.0)
    q = (items * share + z * z / 2) / (items + z * z)
    p = (q + sp - 1) / (se + sp - 1)
    of_se, of_sp = se * (1 - se) / (n1 + 2), sp * (1 - sp) / (n0 + 2)
    error = np.sqrt(q * (1 - q) / (items + z * z) + p * p * of_se + (1 - p) ** 2 * of_sp) / (se + sp - 1)
    middle = p + 2 * z * z * (p * of_se - (1 - p) * of_sp)
    low, high = (float(np.clip(middle + side * z * error, 0.0, 1.0)) for side in (-1, 1))
    return value, low, high


def _rows(judged: Judged, strata: Sequence[Hashable]) -> dict[Hashable, Ints]:
    if len(strata) != len(judged):
        raise NotApplicable(f"{len(judged)} items need a stratum each, got {len(strata)}")
    places: dict[Hashable, list[int]] = {}
    for row, name in enumerate(strata):
        places.setdefault(name, []).append(row)
    return {name: np.array(rows) for name, rows in places.items()}


def _named(name: Hashable, part: Judged) -> Rates:
    try:
        return rates(part)
    except NotApplicable as error:
        raise NotApplicable(f"stratum {name!r}: {error}") from error
