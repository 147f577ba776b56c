"""New outcomes under a fixed posterior: one item's latents abducted without fitting again. Numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import ImpossibleEvidence
from ifonly.scm.intervals import effective_size

if TYPE_CHECKING:
    from ifonly.scm.draw import Draw
    from ifonly.scm.item_response.facets import Facets, Floats, Ints
    from ifonly.scm.item_response.posterior import Posterior

__all__ = ["Abducted", "abduct"]


@dataclass(frozen=True, eq=False)
class Abducted:
    """Chances of some cells, with the weights that new outcomes give their draws.

    Attributes:
        chances: P(Y = 1 | latents), shape (draws, cells).
        weights: of the draws, summing to 1, shape (draws,).
    """

    chances: Floats
    weights: Floats

    @property
    def means(self) -> Floats:
        """P(Y = 1) of each cell, shape (cells,)."""
        means: Floats = self.weights @ self.chances
        return means

    @property
    def effective(self) -> float:
        """Effective number of draws (Kish 1965): how far the answer can be trusted."""
        return effective_size(self.weights)


def abduct(
    posterior: Posterior, cells: Facets, seen: Ints, outcomes: Floats, draw: Draw, *, copies: int = 10
) -> Abducted:
    """The chances of cells given new outcomes of some of them, by importance weighting of the posterior's draws.

    Each draw is copied, with a fresh prior draw of what no outcome bore on so far (the effects of a new item), and
    weighted by the likelihood of the new outcomes. Right in the limit of many draws.

    Args:
        posterior: of the outcomes before.
        cells: with the posterior's levels: those observed now, and those asked about.
        seen: index of the cells observed now, shape (seen,); may be empty.
        outcomes: theirs, 0 or 1, shape (seen,).
        draw: of the copies, keyed ``effect`` and ``log_discrimination``.
        copies: of each draw.

    Raises:
        ImpossibleEvidence: an outcome is neither 0 nor 1.
        NotApplicable: the cells have other levels than those that were fitted.
    """
    if not np.isin(outcomes, (0.0, 1.0)).all():
        raise ImpossibleEvidence("outcomes", "an item-response world gives each cell 0 or 1")
    posterior.check(cells)
    copied = posterior.copied(cells, draw, copies)
    chances = copied.chances(copied.facets)
    met = np.clip(chances[:, seen], 1e-12, 1 - 1e-12)
    likelihood = np.where(np.asarray(outcomes) == 1, np.log(met), np.log1p(-met)).sum(axis=1)
    weights = np.exp(likelihood - likelihood.max())
    return Abducted(chances, weights / weights.sum())
