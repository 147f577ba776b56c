"""Agreement of judge and human beyond what both have from style: kappa with chance taken within strata.

    style ---> human
      |          (quality moves both)
      +------> judge

Two graders who both prefer long answers agree often, though neither looks at the content; where style is intervened on
(all answers made short) that agreement is gone. What is left within levels of style is what quality makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable
from ifonly.scm.evaluation.labels import check_pair
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ifonly.scm.evaluation.labels import Judged
    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["agreement", "kappa"]


def agreement(judged: Judged) -> Value:
    """Return the share of labelled items on which judge and human say the same.

    Raises:
        NotApplicable: if fewer than two items are labelled.
    """
    human, judge, clusters = _pairs(judged)
    same = 1.0 * (human == judge)
    value = float(same.mean())
    return Value("agreement", value, same - value, clusters=clusters)


def kappa(judged: Judged, strata: Sequence[Hashable] | None = None) -> Value:
    """Return Cohen's kappa with chance agreement taken within strata: 1 - D / E.

    D is the share of pairs that differ; E the share that would if, within each stratum, judge and human were
    independent with the frequencies that they have there. One stratum: Cohen 1960, Educational and Psychological
    Measurement 20:37. Strata of a common cause: what remains once it is adjusted for (Pearl 2009, section 3.3).
    Influence function by the delta method; t interval over labelled items or their groups.

    Args:
        judged: labels given at random; verdicts are few different numbers.
        strata: of every item, shape (n,): style, position, system; None for plain kappa.

    Raises:
        NotApplicable: if fewer than two items are labelled, there is another number of strata, or within every stratum
            both always say the same, so that nothing is left to agree on.
    """
    human, judge, clusters = _pairs(judged)
    if strata is not None and len(strata) != len(judged):
        raise NotApplicable(f"{len(judged)} items need a stratum each, got {len(strata)}")
    names = [0] * len(judged) if strata is None else list(strata)
    known = {name: place for place, name in enumerate(dict.fromkeys(names))}
    member = np.array([known[names[row]] for row in judged.seen])
    differ = 1.0 * (human != judge)
    chance = _by_chance(human, judge, member)
    d, e = float(differ.mean()), float(chance.mean())
    if e <= 0:
        raise NotApplicable(
            "within every stratum judge and human always say the same one thing: nothing is left to agree on; use "
            "coarser strata, or label more items"
        )
    influence = -(differ - d) / e + d * (chance - e) / e**2
    return Value("kappa", 1 - d / e, influence, clusters=clusters)


def _by_chance(human: Floats, judge: Floats, member: Ints) -> Floats:
    """Of each pair, what its mean and its own influence say of the chance to differ within its stratum."""
    values = np.unique(np.concatenate([human, judge]))
    found = np.empty(len(human))
    for place in np.unique(member):
        rows = member == place
        h = 1.0 * (human[rows][:, None] == values)
        j = 1.0 * (judge[rows][:, None] == values)
        p, q = h.mean(0), j.mean(0)
        # 1 - p q, with the influence of both frequencies: p q + q (h - p) + p (j - q).
        found[rows] = 1 - (h @ q + j @ p - float(p @ q))
    return found


def _pairs(judged: Judged) -> tuple[Floats, Floats, Ints | None]:
    seen = judged.seen
    human, judge = judged.human[seen], judged.judge[seen]
    check_pair(human, judge)
    return human, judge, None if judged.clusters is None else judged.clusters[seen]
