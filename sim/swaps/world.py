"""The item-response world of one score, fitted to the runs of a corpus."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ifonly.scm.errors import NotApplicable
from ifonly.scm.item_response.fit import fit
from ifonly.sim.swaps.cells import cell_of
from ifonly.sim.swaps.layout import facets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from ifonly.agents.records import Trajectory
    from ifonly.scm.item_response.facets import Facets, Floats
    from ifonly.scm.item_response.posterior import Posterior
    from ifonly.sim.swaps.cells import Cell

__all__ = ["FEWEST", "Observed", "SwapWorld", "observed"]

FEWEST = 20
"""Fewer runs than these are no corpus to fit a world to."""


@dataclass(frozen=True, eq=False)
class SwapWorld:
    """Abducted latents of all that was met, for one score.

    Attributes:
        score: its name.
        cells: the observed ones, then those that were only to be asked about.
        outcomes: of the observed cells, 0 or 1.
        facets: of all cells.
        posterior: of the latents, given the outcomes.
    """

    score: str
    cells: tuple[Cell, ...]
    outcomes: Floats
    facets: Facets
    posterior: Posterior

    @classmethod
    def fit(
        cls,
        score: str,
        cells: Sequence[Cell],
        outcomes: Floats,
        asked: Sequence[Cell] = (),
        *,
        more: Callable[[Cell], Mapping[str, Hashable]] = lambda cell: {},
        seed: int = 0,
        draws: int = 500,
    ) -> SwapWorld:
        """Fit it.

        Args:
            score: name of the score.
            cells: that were observed.
            outcomes: their scores, 0 or 1.
            asked: more cells that will be asked about.
            more: see `ifonly.sim.swaps.layout.facets_of`.
            seed: of the inference.
            draws: of the posterior.

        Raises:
            NotApplicable: there are too few cells.
            ImpossibleEvidence: an outcome is neither 0 nor 1.
        """
        if len(cells) < FEWEST:
            raise NotApplicable(
                f"{len(cells)} recorded runs with {score}: an item-response world needs {FEWEST} at least. Name more "
                "runs with --corpus."
            )
        known = tuple(dict.fromkeys(asked))
        facets = facets_of((*cells, *known), more)
        posterior = fit(facets, np.arange(len(cells)), np.asarray(outcomes, dtype=float), seed=seed, draws=draws)
        return cls(score, (*cells, *known), np.asarray(outcomes, dtype=float), facets, posterior)

    @property
    def observed(self) -> tuple[Cell, ...]:
        """The cells that have an outcome, in its order."""
        return self.cells[: len(self.outcomes)]

    def chances(self, cells: Sequence[Cell]) -> Floats:
        """P(Y = 1 | latents) of cells that were observed or named to be asked about, shape (draws, cells).

        Raises:
            NotApplicable: one was neither.
        """
        places = self._places()
        missing = next((cell for cell in cells if cell not in places), None)
        if missing is not None:
            raise NotApplicable(f"{missing} was neither observed nor named as `asked` when the world was fitted")
        return self.posterior.chances(self.facets.rows([places[cell] for cell in cells]))

    def _places(self) -> dict[Cell, int]:
        return {cell: place for place, cell in enumerate(self.cells)}


class Observed(NamedTuple):
    """Runs with one score: their cells, their outcomes and their ids, in the same order."""

    cells: list[Cell]
    outcomes: list[float]
    ids: list[str]


def observed(runs: Sequence[Trajectory]) -> dict[str, Observed]:
    """Runs by score; only scores that are 0 or 1 in every run.

    Runs without a step or with an error of the model's provider say nothing of the model and are left out.
    """
    found: dict[str, Observed] = defaultdict(lambda: Observed([], [], []))
    for run in runs:
        if run.steps and run.outcome.error is None:
            cell = cell_of(run)
            for name, score in run.outcome.scores.items():
                found[name].cells.append(cell)
                found[name].outcomes.append(float(score))
                found[name].ids.append(run.id)
    return {name: one for name, one in found.items() if set(one.outcomes) <= {0.0, 1.0}}
