"""Shared latent: two tools fail on the same hard tasks, so one's failure tells of the other's.

    difficulty --> A works
        |--------> B works

U is uniform on [0, 1] (here on the midpoints of ten equal cells, which the thresholds respect). A works iff U > .7, B
iff U > .5. A was tried and failed: P(B would have worked | A failed) = P(.5 < U <= .7) / P(U <= .7) = 2/7.

Naive: B works on half of all tasks, so it would have worked with probability 1/2.
"""

from __future__ import annotations

from ifonly.scenarios.known_world import KnownWorld, Query, counterfactual_mean
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function
from ifonly.scm.kernel import endogenous

__all__ = ["SHARED_LATENT", "world"]

_A, _B, _CELLS = 0.7, 0.5, 10


def world() -> None:
    """The program."""
    ease = endogenous("ease", choice(tuple((cell + 0.5) / _CELLS for cell in range(_CELLS))))
    endogenous("a_works", Function(lambda u: int(u > _A)), ease)
    endogenous("b_works", Function(lambda u: int(u > _B)), ease)


SHARED_LATENT = KnownWorld(
    name="shared latent",
    stage="agents",
    question="Tool A failed. Would tool B have worked?",
    world=world,
    edges=frozenset({("ease", "a_works"), ("ease", "b_works")}),
    queries=(
        Query(
            "P(B would have worked | A failed)",
            2 / 7,
            1 / 2,
            lambda: counterfactual_mean(world, {"a_works": 0}, {}, "b_works"),
        ),
        Query(
            "P(B would have worked | A worked)",
            1.0,
            1 / 2,
            lambda: counterfactual_mean(world, {"a_works": 1}, {}, "b_works"),
        ),
    ),
    naive="quote B's success rate over all tasks",
    marginals={"a_works": {1: 0.3, 0: 0.7}, "b_works": {1: 0.5, 0: 0.5}},
    assumes=("Both tools read the same difficulty, and nothing else is left to chance.",),
)
