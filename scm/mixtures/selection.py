"""The best mixture of many, and what it is worth: the lowest of many predictions is too low, which is counted.

An error that helped a mixture to be chosen is in its predicted loss, too (the winner's curse). Two ways out: an
interval that holds all candidates at once, hence whichever was chosen; or a choice by some runs and a value by others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.mixtures.surface import LossSurface

if TYPE_CHECKING:
    from ifonly.scm.mixtures.simplex import Floats

__all__ = ["Chosen", "between", "chosen_and_valued_apart", "lowest"]

_DRAWS = 2_000


@dataclass(frozen=True, eq=False)
class Chosen:
    """A mixture chosen among candidates.

    Attributes:
        index: of the candidate.
        plain: predicted loss of a run of it, with the interval that forgets that it was chosen.
        honest: with the interval that counts it.
    """

    index: int
    plain: Estimate
    honest: Estimate


def lowest(surface: LossSurface, candidates: Floats, level: float = 0.95, seed: int = 0) -> Chosen:
    """Choose the lowest expected loss; the honest interval holds a run of every candidate at once.

    Half-widths are c s_j, with c the level's quantile of max_j |error_j| / s_j under the joint posterior.

    Args:
        surface: fitted.
        candidates: mixtures, shape (m, K).
        level: of the intervals.
        seed: of the posterior draws.

    Raises:
        NotApplicable: there is no candidate.
    """
    if not len(candidates):
        raise NotApplicable("no candidate mixture to choose from: give at least one")
    spread, correlation = surface.errors(candidates)
    root = np.linalg.cholesky(correlation + 1e-8 * np.eye(len(correlation)))
    errors = Draw(seed).generator("lowest").standard_normal((_DRAWS, len(root))) @ root.T
    reach = float(np.quantile(np.abs(errors).max(1), level))
    middle, low, high = surface.run(candidates, level)
    best = int(np.argmin(middle))
    value, half = float(middle[best]), reach * float(spread[best])
    plain = _told(surface, value, float(low[best]), float(high[best]), level)
    return Chosen(
        best, plain, _told(surface, value, min(value - half, plain.low), max(value + half, plain.high), level)
    )


def chosen_and_valued_apart(
    shares: Floats, losses: Floats, candidates: Floats, level: float = 0.95, seed: int = 0
) -> Chosen:
    """Choose by half of the runs, and value the choice by the other half, which knows nothing of it.

    Args:
        shares: mixtures of the runs, shape (n, K).
        losses: of the runs, shape (n,).
        candidates: mixtures, shape (m, K).
        level: of the intervals.
        seed: of the halves.
    """
    order = Draw(seed).generator("halves").permutation(len(losses))
    one, other = order[: len(order) // 2], order[len(order) // 2 :]
    choosing, valuing = (LossSurface.of(shares[half], losses[half]) for half in (one, other))
    index = int(np.argmin(choosing.mean_loss(candidates)))
    told = []
    for surface in (choosing, valuing):
        value, low, high = (float(part[0]) for part in surface.run(candidates[index : index + 1], level))
        told.append(_told(surface, value, low, high, level))
    return Chosen(index, told[0], told[1])


def between(shares: Floats, number: int, seed: int = 0) -> Floats:
    """Return candidates among mixtures that were run, shape (number, K): weighted means of three runs each.

    What lies between runs is a forecast that the runs support; what lies outside is none.

    Args:
        shares: mixtures of the runs, shape (n, K).
        number: of candidates.
        seed: of the draws.
    """
    generator = Draw(seed).generator("between")
    picked = generator.integers(len(shares), size=(number, 3))
    weights = generator.dirichlet(np.ones(3), number)
    made: Floats = np.einsum("mt,mtk->mk", weights, shares[picked])
    made /= made.sum(1, keepdims=True)
    return made


def _told(surface: LossSurface, value: float, low: float, high: float, level: float) -> Estimate:
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        effective=float(surface.runs),
        rung="interventional",
        identified="point",
    )
