"""Annotators who like style: a new model writes better answers, and longer ones with more markup.

    hard, model -----> quality
    quality, model --> length, markdown
    quality, hard, length, markdown, crowd, first --> preferred

model is the new one (1) or the old one (0), each against one baseline; length is shorter than the baseline's answer
(0), as long (1) or longer (2); markdown is whether the answer is formatted; crowd is who is asked, first whether the
candidate is shown first.

log-odds of preferred = -.7 + 1.2 quality - .4 hard + .3 (2 first - 1) + a (length - 1) + b markdown,
a = .9 and b = .8 in the crowd, a = .3 and b = 0 among experts.

The log is seven tenths crowd and shows the candidate first in eight of ten. Quality is moved by the model, and moves
length and markdown: a longer answer is a better one, too. Truth is a finite sum over hard, quality, crowd and first
(the g-formula); brute force goes through units with all their potential outcomes. Naive: the raw win rate, which pays
for style; and where quality was not graded, length is paid for quality.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise, product
from math import fsum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import expit

from ifonly.scenarios.known import Unit, draw, law_of
from ifonly.scm.discrete import InverseCdf, look_up
from ifonly.scm.kernel import endogenous

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ifonly.scenarios.known import Law, Respond, Values

__all__ = ["CROWD", "EDGES", "FIRST", "SITES", "chance", "exact", "law", "program", "sample", "unit_mean", "units"]

CROWD: Final = 0.7
"""Share of the crowd among the log's annotators."""

FIRST: Final = 0.8
"""How often the log shows the candidate first."""

_HALF: Final = np.array([0.5, 0.5])
_QUALITY: Final = np.array([[[0.5, 0.5], [0.3, 0.7]], [[0.7, 0.3], [0.5, 0.5]]])
"""P(quality | hard, model)."""
_LENGTH: Final = np.array([[[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]], [[0.3, 0.4, 0.3], [0.1, 0.2, 0.7]]])
"""P(length | quality, model)."""
_MARKDOWN: Final = np.array([[[0.9, 0.1], [0.5, 0.5]], [[0.7, 0.3], [0.3, 0.7]]])
"""P(markdown | quality, model)."""
_TABLES: Final = {
    "hard": (_HALF, ()),
    "model": (_HALF, ()),
    "quality": (_QUALITY, ("hard", "model")),
    "length": (_LENGTH, ("quality", "model")),
    "markdown": (_MARKDOWN, ("quality", "model")),
    "crowd": (np.array([1 - CROWD, CROWD]), ()),
    "first": (np.array([1 - FIRST, FIRST]), ()),
}
"""P(site | parents) and the parents, causes first."""
_LIKES: Final = ("quality", "hard", "first", "length", "markdown", "crowd")
"""What preference hangs on."""
SITES: Final = (*_TABLES, "preferred")
"""All sites, causes first."""

EDGES: Final = frozenset(
    {(parent, site) for site, (_, parents) in _TABLES.items() for parent in parents}
    | {(parent, "preferred") for parent in _LIKES}
)
"""The causal graph."""


def chance(values: Mapping[str, NDArray[np.float64] | float]) -> NDArray[np.float64]:
    """P(preferred) given what it hangs on, elementwise.

    Args:
        values: of `_LIKES`, by site.
    """
    crowd = values["crowd"]
    style = (0.3 + 0.6 * crowd) * (values["length"] - 1.0) + 0.8 * crowd * values["markdown"]
    rest = -0.7 + 1.2 * values["quality"] - 0.4 * values["hard"] + 0.3 * (2 * values["first"] - 1)
    liked: NDArray[np.float64] = expit(np.asarray(rest + style))
    return liked


def _preferred() -> NDArray[np.float64]:
    """P(preferred | parents), one axis for each, the last for the value."""
    grid = np.meshgrid(*(np.arange(3.0 if site == "length" else 2.0) for site in _LIKES), indexing="ij")
    liked = chance(dict(zip(_LIKES, grid, strict=True)))
    return np.stack([1 - liked, liked], -1)


_ALL: Final = {**_TABLES, "preferred": (_preferred(), _LIKES)}


def program() -> None:
    """The world, as the estimators run it."""
    made: dict[str, Any] = {}
    for site, (rows, parents) in _ALL.items():
        made[site] = endogenous(site, InverseCdf(look_up(rows)), *(made[parent] for parent in parents))


def sample(n: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Draw comparisons; see `KnownWorld.sample`."""
    return draw(program, n, seed)


@cache
def law() -> Law:
    """The joint law of all sites."""
    return law_of(units(), SITES)


def exact(
    put: Mapping[str, int], *, crowd: float = CROWD, first: float = FIRST, given: Mapping[str, int] | None = None
) -> float:
    """E[preferred | do(put), given] as a finite sum over the sites that are left.

    Args:
        put: values by site, of any but preferred; do().
        crowd: share of the crowd.
        first: how often the candidate is shown first.
        given: observed values by site, in the world so changed.
    """
    shares = {"crowd": (1 - crowd, crowd), "first": (1 - first, first)}
    sizes = [range(3 if site == "length" else 2) for site in _TABLES]
    total = mass = 0.0
    for cell in product(*sizes):
        at = dict(zip(_TABLES, cell, strict=True))
        if any(at[site] != value for site, value in {**put, **(given or {})}.items()):
            continue
        p = 1.0
        for site, (rows, parents) in _TABLES.items():
            if site not in put:
                p *= shares[site][at[site]] if site in shares else rows[(*(at[parent] for parent in parents), at[site])]
        mass, total = mass + p, total + p * float(chance({site: float(at[site]) for site in _LIKES}))
    return total / mass


def units() -> list[Unit]:
    """The population: each unit with the uniforms of its sites, as far as they matter, and all its answers.

    Whether it is preferred with nothing done is split into two units; `unit_mean` takes the probability instead.
    """
    return [(p * q, _respond(cells, liked)) for p, cells in _cells() for liked, q in _ends(cells)]


def unit_mean(put: Values) -> float:
    """E[preferred | do(put)] by going through the units.

    Args:
        put: values by site.
    """
    made = ((p, _potential(cells, put)) for p, cells in _cells())
    return fsum(p * float(chance({site: float(at[site]) for site in _LIKES})) for p, at in made)


@cache
def _cells() -> list[tuple[float, dict[str, float]]]:
    """A point in every cell of the common refinement of each site's distribution functions, with its width."""
    found: list[tuple[float, dict[str, float]]] = [(1.0, {})]
    for site, (rows, _) in _TABLES.items():
        cuts = np.unique(np.round(np.concatenate([[0.0, 1.0], rows.cumsum(-1).ravel()]), 12))
        cells = [(high - low, (low + high) / 2) for low, high in pairwise(cuts.tolist())]
        found = [(p * width, {**at, site: place}) for p, at in found for width, place in cells]
    return found


def _potential(cells: Mapping[str, float], put: Values) -> dict[str, int]:
    """What a unit's sites are once some are put."""
    made: dict[str, int] = {}
    for site, (rows, parents) in _TABLES.items():
        ends = rows[tuple(made[parent] for parent in parents)].cumsum()
        made[site] = put.get(site, int((cells[site] >= ends).sum()))
    return made


def _ends(cells: Mapping[str, float]) -> list[tuple[int, float]]:
    """Both values of preferred with nothing done, and their probabilities."""
    made = _potential(cells, {})
    liked = float(chance({site: float(made[site]) for site in _LIKES}))
    return [(1, liked), (0, 1 - liked)]


def _respond(cells: Mapping[str, float], liked: int) -> Respond:
    def respond(put: Values) -> Values:
        return {**_potential(cells, put), "preferred": put.get("preferred", liked)}

    return respond
