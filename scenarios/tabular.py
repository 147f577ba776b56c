"""Worlds of few-valued sites, stated once: each site's parents and its law; program, graph and joint law follow.

For families whose truth is a finite sum. The truth of a query is still stated apart from this, in closed form: going
through the law is what the contract test holds it to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import fsum
from typing import TYPE_CHECKING, Any

from ifonly.scenarios.known import draw
from ifonly.scm.discrete import Threshold
from ifonly.scm.finite import choice
from ifonly.scm.kernel import Node, endogenous

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ifonly.scenarios.known import Law, Sample, Values
    from ifonly.scm.steps import World

__all__ = ["Site", "Tabular"]


@dataclass(frozen=True, eq=False)
class Site:
    """One site.

    Attributes:
        law: P(1 | parents) in arithmetic of their values, for a site of 0 and 1; or, of a site without parents, the
            probabilities of 0, 1, 2, ...
        parents: sites before it, in the order of the arguments.
    """

    law: Callable[..., Any] | tuple[float, ...]
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Tabular:
    """A world by its sites, causes first.

    Attributes:
        sites: by name.
    """

    sites: Mapping[str, Site]

    @property
    def names(self) -> tuple[str, ...]:
        """The sites in order."""
        return tuple(self.sites)

    @property
    def edges(self) -> frozenset[tuple[str, str]]:
        """(parent, child)."""
        return frozenset((parent, name) for name, site in self.sites.items() for parent in site.parents)

    @cached_property
    def program(self) -> World:
        """The world as a program of `endogenous` sites."""
        mechanisms = {
            name: choice(tuple(range(len(site.law))), site.law) if isinstance(site.law, tuple) else Threshold(site.law)
            for name, site in self.sites.items()
        }

        def run() -> None:
            made: dict[str, Node[Any]] = {}
            for name, site in self.sites.items():
                made[name] = endogenous(name, mechanisms[name], *(made[parent] for parent in site.parents))

        return run

    def sample(self, n: int, seed: int) -> Sample:
        """Draw units of the program: see `draw`."""
        return draw(self.program, n, seed)

    def law(self) -> Law:
        """The joint law of all sites."""
        supports = [range(len(site.law)) if isinstance(site.law, tuple) else range(2) for site in self.sites.values()]
        found = {}
        for cell in product(*supports):
            values = dict(zip(self.sites, cell, strict=True))
            p = 1.0
            for name, site in self.sites.items():
                if isinstance(site.law, tuple):
                    p *= site.law[values[name]]
                else:
                    yes = float(site.law(*(values[parent] for parent in site.parents)))
                    p *= yes if values[name] else 1 - yes
            if p > 0:
                found[cell] = p
        return found

    def mean(self, of: Callable[[Values], float], given: Callable[[Values], bool] = lambda values: True) -> float:
        """E[of | given], by going through the law.

        Args:
            of: a number of the sites' values.
            given: which units count.

        Raises:
            ZeroDivisionError: if none does.
        """
        cells = [(p, dict(zip(self.sites, cell, strict=True))) for cell, p in self.law().items()]
        kept = [(p, values) for p, values in cells if given(values)]
        return fsum(p * of(values) for p, values in kept) / fsum(p for p, _ in kept)
