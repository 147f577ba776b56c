"""What was abducted: joint draws of the latents of an item-response world. Numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
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
        self.check(cells)
        matrix = cells.matrix.tocsc()
        used = np.flatnonzero(np.diff(matrix.indptr))
        effects = self.scale[:, self.facets.facet[used]] * self.effect[:, used]
        total = effects @ matrix[:, used].T + self.mean[:, None]
        # One more place, for cells without a group: their discrimination is 1.
        logs = np.hstack([self.log_discrimination, np.zeros((len(self), 1))])
        chances: Floats = expit(total * np.exp(logs[:, cells.group % logs.shape[1]]))
        return chances

    def check(self, cells: Facets) -> None:
        """See that cells have the levels that were fitted.

        Raises:
            NotApplicable: they do not.
        """
        if cells.levels is not self.facets.levels and cells.levels != self.facets.levels:
            raise NotApplicable(
                "cells with other levels than those that were fitted. Make the facets of all cells at once, "
                "and take the `rows` that were observed for the fit."
            )

    def copied(self, cells: Facets, draw: Draw, copies: int) -> Posterior:
        """Each draw several times, with what is still at its prior drawn anew; its facets are these cells alone.

        Args:
            cells: that will be asked about; only what they need is copied.
            draw: keyed ``effect`` and ``log_discrimination``.
            copies: of each draw.
        """
        effects, groups = np.unique(cells.matrix.nonzero()[1]), np.unique(cells.group[cells.group >= 0])
        known_effects, known_groups = self.known_effects[effects], self.known_groups[groups]
        effect = np.repeat(self.effect[:, effects], copies, axis=0)
        logs = np.repeat(self.log_discrimination[:, groups], copies, axis=0)
        for name, values, known, scale in (
            ("effect", effect, known_effects, 1.0),
            ("log_discrimination", logs, known_groups, DISCRIMINATION_SCALE),
        ):
            shape = (len(values), int((~known).sum()))
            values[:, ~known] = scale * draw.generator(name).standard_normal(shape)
        return Posterior(
            cells.only(effects, groups),
            np.repeat(self.mean, copies),
            np.repeat(self.scale, copies, axis=0),
            effect,
            logs,
            known_effects,
            known_groups,
        )
