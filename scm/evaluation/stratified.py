"""Prediction-powered means by strata, and how many labels it takes."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from ifonly.scm.errors import NotApplicable
from ifonly.scm.evaluation.labels import Judged, check_pair
from ifonly.scm.evaluation.powered import Powered, powered

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ifonly.scm.policy.logged import Floats

__all__ = ["labels_needed", "stratified_mean"]


def stratified_mean(judged: Judged, strata: Sequence[Hashable]) -> Powered:
    """Return the sum over strata of their share of items times their prediction-powered mean.

    Right where labels were given at random within each stratum, however unevenly between them: by style, by system, by
    stretch of time (Fisch et al. 2024, "Stratified prediction-powered inference", arXiv 2406.04291).

    Args:
        judged: the items.
        strata: of each, shape (n,).

    Raises:
        NotApplicable: if a stratum has fewer than three labels and items without.
    """
    if len(strata) != len(judged):
        raise NotApplicable(f"{len(judged)} items need a stratum each, got {len(strata)}")
    names = list(dict.fromkeys(strata))
    places = {name: place for place, name in enumerate(names)}
    member = np.array([places[one] for one in strata])
    shares, found = [], []
    for place, name in enumerate(names):
        rows = np.flatnonzero(member == place)
        labels = int(judged.labelled[rows].sum())
        if labels < 3:  # noqa: PLR2004 -- a tuned mean takes three
            raise NotApplicable(
                f"stratum {name!r} has {labels} labelled of {len(rows)} items: label at least 3 there, best 30, or "
                "merge it with its nearest one"
            )
        shares.append(len(rows) / len(judged))
        found.append(powered(judged.take(rows)))
    return _summed(np.array(shares), found, len(judged))


def labels_needed(judged: Judged, half: float, level: float = 0.95) -> int:
    """Return about how many labels, given at random, make the interval's half-width at most this.

    n = (z / half)^2 (1 - r^2) Var(Y) / (1 - (z / half)^2 r^2 Var(Y) / size), r the correlation of human and judge: the
    regression estimator's variance over `size` items.

    Args:
        judged: a first batch, some of it labelled.
        half: wanted half-width, positive.
        level: coverage, in (0, 1).

    Raises:
        NotApplicable: if all items labelled would not do.
    """
    seen = judged.labelled
    check_pair(judged.human[seen], judged.judge[seen])
    spread = float(judged.human[seen].var(ddof=1))
    both = judged.judge[seen].std() * judged.human[seen].std()
    cov = np.mean((judged.judge[seen] - judged.judge[seen].mean()) * (judged.human[seen] - judged.human[seen].mean()))
    explained = float(cov / both) ** 2 if both > 0 else 0.0
    scale = (float(ndtri((1 + level) / 2)) / half) ** 2
    left = 1 - scale * explained * spread / len(judged)
    needed = ceil(scale * (1 - explained) * spread / left) if left > 0 else len(judged) + 1
    if needed > len(judged):
        raise NotApplicable(
            f"{len(judged)} items are too few for a half-width of {half:g}, even all labelled: ask for a wider one, or "
            "let the judge score more items"
        )
    return max(needed, 3)


def _summed(shares: Floats, found: Sequence[Powered], size: int) -> Powered:
    """Strata put together; their shares, too, are of a sample."""
    values = np.array([one.value for one in found])
    value = float(shares @ values)
    between = float(shares @ np.square(values - value))
    parts = np.square(shares) * [one.variance for one in found]
    variance = float(parts.sum()) + between / size
    welch = float(np.sum(np.square(parts) / [one.freedom for one in found]))
    within = float(shares @ [one.spread for one in found])
    return Powered(
        value=value,
        variance=variance,
        plain=float(np.square(shares) @ [one.plain for one in found]) + between / size,
        freedom=variance**2 / welch if welch > 0 else float(sum(one.freedom for one in found)),
        tuning=float(shares @ [one.tuning for one in found]),
        labelled=sum(one.labelled for one in found),
        unlabelled=sum(one.unlabelled for one in found),
        spread=within + between,
    )
