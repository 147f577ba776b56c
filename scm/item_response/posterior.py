"""What was abducted: joint draws of the latents of an item-response world. Numpy alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from ifonly.scm.errors import NotApplicable
from ifonly.scm.item_response.priors import DISCRIMINATION_SCALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ifonly.scm.draw import Draw
    from ifonly.scm.item_response.facets import Facets, Floats

__all__ = ["Posterior"]


@dataclass(frozen=True, eq=False)
class Posterior:
    """Joint draws of the latents, given the outcomes that were observed; what no outcome bears on, from its prior.

    Attributes:
        facets: what was fitted: names and levels.
        mean: shape (draws,).
        scale: shape (draws, facets).
        effect: shape (draws, effects).
        log_discrimination: shape (draws, groups).
        known_effects: whether an outcome bears on the effect, shape (effects,).
        known_groups: whether one bears on the discrimination, shape (groups,).
    """

    facets: Facets
    mean: Floats
    scale: Floats
    effect: Floats
    log_discrimination: Floats
    known_effects: NDArray[np.bool_]
    known_groups: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.mean)

    def chances(self, cells: Facets) -> Floats:
        """P(Y = 1 | latents) of cells, in each draw, shape (draws, cells).

        Raises:
            NotApplicable: the cells do not have the levels that were fitted.
        """
        if cells.levels is not self.facets.levels and cells.levels != self.facets.levels:
            raise NotApplicable(
                "cells with other levels than those that were fitted. Make the facets of all cells at once, "
                "and take the `rows` that were observed for the fit."
            )
        matrix = cells.matrix.tocsc()
        used = np.flatnonzero(np.diff(matrix.indptr))
        effects = self.scale[:, self.facets.facet[used]] * self.effect[:, used]
        total = effects @ matrix[:, used].T + self.mean[:, None]
        # One more place, for cells without a group: their discrimination is 1.
        logs = np.hstack([self.log_discrimination, np.zeros((len(self), 1))])
        chances: Floats = expit(total * np.exp(logs[:, cells.group % logs.shape[1]]))
        return chances

    def copied(self, cells: Facets, draw: Draw, copies: int) -> Posterior:
        """Each draw several times, with what is still at its prior drawn anew.

        Args:
            cells: alone can be asked about then: the effects of others are left at 0, to save their copies.
            draw: keyed ``effect`` and ``log_discrimination``.
            copies: of each draw.
        """
        used = np.zeros(len(self.known_effects), dtype=bool)
        used[cells.matrix.nonzero()[1]] = True
        # Pages of zeros that nothing writes to take no memory.
        effect = np.zeros((copies * len(self), len(used)))
        effect[:, used] = np.repeat(self.effect[:, used], copies, axis=0)
        free = np.flatnonzero(used & ~self.known_effects)
        effect[:, free] = draw.generator("effect").standard_normal((len(effect), len(free)))
        logs = np.repeat(self.log_discrimination, copies, axis=0)
        open_groups = np.flatnonzero(~self.known_groups)
        shape = (len(logs), len(open_groups))
        logs[:, open_groups] = DISCRIMINATION_SCALE * draw.generator("log_discrimination").standard_normal(shape)
        return replace(
            self,
            mean=np.repeat(self.mean, copies),
            scale=np.repeat(self.scale, copies, axis=0),
            effect=effect,
            log_discrimination=logs,
        )
