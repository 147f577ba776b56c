"""Worlds whose answers are known: what a world states of itself, so that one test can prove it.

A world is stated twice: as a program that calls `endogenous`, which the estimators run, and as its *units*, plain
Python that says what each member of the population does under any do(). A query is a number with a closed form; the
units give it again by brute force, ifonly's estimator answers it from the program, and the naive analysis shows what
is lost without. `ifonly.scenarios.catalog` finds the worlds; tests/contracts/test_worlds.py proves each.

To add a world: one module with a tuple ``WORLDS`` in a package that the catalog names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.nested import EXACT, Sampling
from ifonly.scm.queries import observe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ifonly.scm.estimate import Estimate
    from ifonly.scm.steps import Facts, World

__all__ = ["KnownWorld", "Law", "Query", "Respond", "Unit", "Values", "law_of", "mean_of"]

Values = Mapping[str, int]
"""Values by site."""

Respond = Callable[[Values], Values]
"""What a unit does: the values of all sites once those given are put; nothing put is what it does by itself."""

Unit = tuple[float, Respond]
"""A member of the population: its probability, and what it does."""

Law = Mapping[tuple[int, ...], float]
"""Probabilities of the joint values of some sites."""


@dataclass(frozen=True, eq=False)
class Query:
    """A question with a known answer.

    Attributes:
        name: what is asked.
        truth: the answer, in closed form.
        brute: the answer again, by going through the population.
        ours: the answer of ifonly's estimator.
        naive: the number that the naive analysis gives.
        mistake: what the naive analysis does.
        brute_error: largest error of `brute`, where it draws; 0 where it enumerates.
    """

    name: str
    truth: float
    brute: Callable[[], float]
    ours: Callable[[], Estimate]
    naive: float
    mistake: str
    brute_error: float = 0.0


@dataclass(frozen=True, eq=False)
class KnownWorld:
    """A world with all that is known of it.

    Attributes:
        name: of the world, unique.
        question: what it is there to ask, in a sentence.
        edges: its causal graph: (parent, child) for every pair of sites.
        world: the program.
        facts: a recorded unit, by site.
        queries: questions about it.
        sites: the sites that `law` speaks of.
        law: their joint law, from the units.
        assumptions: what the answers rest on.
        by: how the estimators go through the noise: enumeration, or particles where it is continuous.
    """

    name: str
    question: str
    edges: frozenset[tuple[str, str]]
    world: World
    facts: Facts
    queries: tuple[Query, ...]
    sites: tuple[str, ...]
    law: Callable[[], Law]
    assumptions: tuple[str, ...] = ()
    by: Sampling = EXACT

    def sample(self, n: int, seed: int) -> dict[str, NDArray[np.float64]]:
        """Draw units from the program.

        Args:
            n: how many.
            seed: of the noise.

        Returns:
            Values by site, each of shape (n,).
        """
        drawn = observe(self.world, particles=n, seed=seed).run.values
        return {site: np.broadcast_to(np.asarray(value, dtype=float), (n,)) for site, value in drawn.items()}


def mean_of(units: Sequence[Unit], of: Callable[[Respond], float], facts: Values | None = None) -> float:
    """Return E[of(unit) | facts] by going through the population.

    Args:
        units: the population; probabilities sum to 1.
        of: a number for each unit, from what it does under any do().
        facts: values that the unit shows by itself.

    Raises:
        ZeroDivisionError: if no unit shows the facts.
    """
    held = [
        (p, respond) for p, respond in units if all(respond({})[site] == value for site, value in (facts or {}).items())
    ]
    return fsum(p * of(respond) for p, respond in held) / fsum(p for p, _ in held)


def law_of(units: Sequence[Unit], sites: Sequence[str]) -> Law:
    """Return the joint law of sites in a population.

    Args:
        units: the population.
        sites: which.
    """
    law: dict[tuple[int, ...], float] = defaultdict(float)
    for p, respond in units:
        values = respond({})
        law[tuple(values[site] for site in sites)] += p
    return dict(law)
