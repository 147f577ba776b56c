"""Handoff: a researcher's choice of source reaches the answer through the report it hands over, and around it.

    source --> report --> solved
       |                    ^
       +--------------------+          (the writer sees the source's style, too)

P(report sound | source) = .40 without and .75 with the good source. P(solved | source, report): .20 and .30 without the
good source (report unsound, sound), .40 and .80 with it. These are the numbers of Pearl, Glymour and Jewell, Primer,
sec. 4.5.2: total effect .46, natural direct effect .32, natural indirect effect (through the handoff) .035.

Naive: what is not direct must be indirect, .46 - .32 = .14. It is not: the two interact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.scenarios.known_world import KnownWorld, Query
from ifonly.scm.finite import Finite, choice
from ifonly.scm.kernel import endogenous
from ifonly.scm.nested import Cause
from ifonly.scm.pathways import mediation_in

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HANDOFF", "world"]

_SOUND = (0.40, 0.75)
_SOLVED = {(0, 0): 0.20, (0, 1): 0.30, (1, 0): 0.40, (1, 1): 0.80}


def world() -> None:
    """The program. Each noise is uniform on [0, 1], cut where a probability cuts it."""
    source = endogenous("source", choice((1, 0)))
    report = endogenous("report", Finite(lambda u, x: int(u < _SOUND[x]), *_cells(_SOUND)), source)
    solves = Finite(lambda u, x, m: int(u < _SOLVED[x, m]), *_cells(_SOLVED.values()))
    endogenous("solved", solves, source, report)


def _cells(cuts: Iterable[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The lower ends of the cells between cuts of [0, 1], and their lengths."""
    ends = sorted({0.0, *cuts})
    return tuple(ends), tuple(high - low for low, high in zip(ends, [*ends[1:], 1.0], strict=True))


def _effect(name: str) -> float:
    found = mediation_in(world, Cause("source", 1, 0), ["report"], "solved")
    return float(getattr(found, name).value)


HANDOFF = KnownWorld(
    name="handoff",
    stage="agents",
    question="How much of what the researcher's source does goes through the report that it hands over?",
    world=world,
    edges=frozenset({("source", "report"), ("source", "solved"), ("report", "solved")}),
    queries=(
        Query("total effect of the good source", 0.46, 0.46, lambda: _effect("total")),
        Query("natural direct effect", 0.32, 0.32, lambda: _effect("direct")),
        Query("natural indirect effect, through the handoff", 0.035, 0.14, lambda: _effect("indirect")),
    ),
    naive="subtract the direct effect from the total one",
    marginals={
        "report": {1: 0.575, 0: 0.425},
        "solved": {1: 0.47, 0: 0.53},
    },
    assumes=("Nothing unseen moves both the report and the outcome.",),
)
