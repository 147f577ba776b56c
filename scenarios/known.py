"""Worlds whose answers are known: what a world states of itself, so that one test can prove it.

A world is stated twice: as a program that calls `endogenous`, which the estimators run, and as its *units*, plain
Python that says what each member of the population does under any do(). A query is a number with a closed form; the
units give it again by brute force, ifonly's estimator answers it from the program, and the naive analysis shows what
is lost without. `ifonly.scenarios.catalog` finds the worlds; tests/contracts/test_worlds.py proves each.

Questions about a population are answered from a sample of it: such a query lists *estimators*, each with whether its
assumptions hold in this world, and `sampled_query` makes the rest. A world with continuous sites states *moments*
where it has no law over cells.

To add a world: one module with a tuple ``WORLDS`` (or ``SCENARIOS``) in a package that the catalog names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scm.nested import EXACT, Sampling
from ifonly.scm.queries import observe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ifonly.scm.estimate import Estimate
    from ifonly.scm.steps import Facts, World

__all__ = [
    "SURE",
    "Estimator",
    "KnownWorld",
    "Law",
    "Moment",
    "Query",
    "Respond",
    "Sample",
    "Unit",
    "Values",
    "draw",
    "law_of",
    "mean_of",
    "sampled_query",
]

Values = Mapping[str, int]
"""Values by site."""

Respond = Callable[[Values], Values]
"""What a unit does: the values of all sites once those given are put; nothing put is what it does by itself."""

Unit = tuple[float, Respond]
"""A member of the population: its probability, and what it does."""

Law = Mapping[tuple[int, ...], float]
"""Probabilities of the joint values of some sites."""

Sample = Mapping[str, "NDArray[np.float64]"]
"""Values of many units by site, each of shape (n,)."""

SURE: Final = 1 - 1e-6
"""Level at which intervals are held to the truth, so that a right one fails seldom enough for a test."""


@dataclass(frozen=True, eq=False)
class Estimator:
    """An analysis of a sample of a world.

    Attributes:
        name: of the analysis.
        of: the answer from a sample, at a level of coverage.
        right: whether the assumptions that it makes hold in the world at hand.
        why: what it assumes; where it is not right, which assumption the world breaks.
    """

    name: str
    of: Callable[[Sample, float], Estimate]
    right: bool = True
    why: str = ""


@dataclass(frozen=True, eq=False)
class Moment:
    """A mean over the population that a world states, to hold its sampler to.

    Attributes:
        name: what it is the mean of.
        of: the number of each unit of a sample, shape (n,).
        truth: its mean, in closed form.
    """

    name: str
    of: Callable[[Sample], NDArray[np.float64]]
    truth: float


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
        span: smallest and largest number that the answer could be.
        estimators: analyses of a sample, right and wrong ones, the right one to answer with first.
        sampler: draws what an estimator may see, from a number of units and a seed; None where none is drawn.
        units: how many `ours` draws.
    """

    name: str
    truth: float
    brute: Callable[[], float]
    ours: Callable[[], Estimate]
    naive: float
    mistake: str
    brute_error: float = 0.0
    span: tuple[float, float] = (0.0, 1.0)
    estimators: tuple[Estimator, ...] = ()
    sampler: Callable[[int, int], Sample] | None = None
    units: int = 0


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
        by: how the estimators go through the noise: enumeration, or particles where it is continuous or a sample.
        decision: what to do with the answer, in a sentence; empty where a scenario says it from its figures.
        hidden: sites that no estimator sees.
        moments: means that the sampler is held to, beside the law.
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
    decision: str = ""
    hidden: frozenset[str] = frozenset()
    moments: tuple[Moment, ...] = ()

    def sample(self, n: int, seed: int) -> dict[str, NDArray[np.float64]]:
        """Draw units from the program.

        Args:
            n: how many.
            seed: of the noise.

        Returns:
            Values by site, each of shape (n,).
        """
        return draw(self.world, n, seed)


def draw(world: World, n: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Draw units from a program.

    Args:
        world: the program.
        n: how many.
        seed: of the noise.

    Returns:
        Values by site, each of shape (n,); vector-valued sites keep their further axes.
    """
    drawn = observe(world, particles=n, seed=seed).run.values
    made: dict[str, NDArray[np.float64]] = {}
    for site, value in drawn.items():
        cells = np.asarray(value, dtype=float)
        made[site] = cells if cells.ndim and len(cells) == n else np.broadcast_to(cells, (n,))
    return made


def sampled_query(
    name: str,
    known: tuple[float, Callable[[], float]],
    naive: tuple[float, str],
    estimators: tuple[Estimator, ...],
    sample: Callable[[int, int], Sample],
    by: Sampling,
    *,
    span: tuple[float, float] = (0.0, 1.0),
) -> Query:
    """Return a query about a population that estimators answer from a sample, `ours` being the first of them.

    Args:
        name: what is asked.
        known: the truth in closed form, and by brute force.
        naive: the limit of the naive analysis in large samples, and what it does.
        estimators: the right one to answer with first.
        sample: draws units, from their number and a seed; only what an estimator may see.
        by: number of units, seed and level of the answer.
        span: smallest and largest number that the answer could be.

    Raises:
        ValueError: if `by` names no number of units, or the first estimator is not right.
    """
    if by.particles is None or not (estimators and estimators[0].right):
        raise ValueError(f"{name}: need a number of units and a right estimator first, got {by}, {len(estimators)}")
    n, first = by.particles, estimators[0]
    return Query(
        name=name,
        truth=known[0],
        brute=known[1],
        ours=lambda: first.of(sample(n, by.seed), by.level),
        naive=naive[0],
        mistake=naive[1],
        span=span,
        estimators=estimators,
        sampler=sample,
        units=n,
    )


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
