"""Finite worlds from their steps: the program that estimators run, and the population that proves it, from one table.

A step is a function of a uniform's cell and its parents' values. Cells that act alike whatever the parents are one
response type (Balke and Pearl 1994): so a world of a few binary steps has a population of some hundred kinds of unit,
whose mean is brute force, and noise that is enumerated at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from ifonly.scenarios.known import draw
from ifonly.scm.finite import Finite
from ifonly.scm.kernel import endogenous

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scenarios.known import Respond, Sample, Unit, Values
    from ifonly.scm.kernel import Node

__all__ = ["EVEN", "Step", "Steps"]

EVEN: Final = (0.05,) * 20
"""Twenty cells: for steps whose probabilities are whole twentieths."""


@dataclass(frozen=True)
class Step:
    """One site.

    Attributes:
        site: its name.
        of: its value, from the cell of its noise and the values of its parents; whole numbers, or tensors of such.
        parents: sites before it.
        weights: of the cells 0, 1, ...; twenty equal ones unless given. `1 * (cell < k)` is then 1 with chance k / 20.
    """

    site: str
    of: Callable[..., int]
    parents: tuple[str, ...] = ()
    weights: tuple[float, ...] = EVEN


@dataclass(frozen=True, eq=False)
class Steps:
    """A world by its steps.

    Attributes:
        steps: in order: parents first.
    """

    steps: Sequence[Step]

    @property
    def sites(self) -> tuple[str, ...]:
        """All sites, in order."""
        return tuple(step.site for step in self.steps)

    @property
    def edges(self) -> frozenset[tuple[str, str]]:
        """The causal graph."""
        return frozenset((parent, step.site) for step in self.steps for parent in step.parents)

    @cached_property
    def types(self) -> dict[str, dict[int, float]]:
        """Of each site the response types: a cell that stands for all that act alike, with their joint weight."""
        values: dict[str, tuple[int, ...]] = {}
        found: dict[str, dict[int, float]] = {}
        for step in self.steps:
            cases = list(product(*(values[parent] for parent in step.parents)))
            alike: dict[tuple[int, ...], list[int]] = {}
            for cell, weight in enumerate(step.weights):
                if weight > 0:
                    alike.setdefault(tuple(step.of(cell, *case) for case in cases), []).append(cell)
            found[step.site] = {cells[0]: sum(step.weights[cell] for cell in cells) for cells in alike.values()}
            values[step.site] = tuple(sorted({value for response in alike for value in response}))
        return found

    def world(self) -> None:
        """The program."""
        made: dict[str, Node[Any]] = {}
        for step in self.steps:
            cells = self.types[step.site]
            mechanism: Finite[Any] = Finite(step.of, tuple(cells), tuple(cells.values()), "threshold")
            made[step.site] = endogenous(step.site, mechanism, *(made[parent] for parent in step.parents))

    def sample(self, n: int, seed: int) -> Sample:
        """Draw units of the program: see `draw`."""
        return draw(self.world, n, seed)

    @cached_property
    def units(self) -> list[Unit]:
        """The population."""
        laws = [self.types[step.site].items() for step in self.steps]
        found: list[Unit] = []
        for cells in product(*laws):
            weight = 1.0
            for _, p in cells:
                weight *= p
            found.append((weight, self._respond(tuple(cell for cell, _ in cells))))
        return found

    def _respond(self, cells: tuple[int, ...]) -> Respond:
        def respond(put: Values) -> Values:
            made: dict[str, int] = {}
            for step, cell in zip(self.steps, cells, strict=True):
                inputs = (made[parent] for parent in step.parents)
                made[step.site] = put[step.site] if step.site in put else step.of(cell, *inputs)
            return made

        return respond
