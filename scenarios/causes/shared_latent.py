"""Two tools that fail on the same hard tasks: what one's failure says about the other.

    U ---> A        A works iff U > .7
    +----> B        B works iff U > .5;  U uniform on (0, 1), never seen

A was called and failed. Truth: P(B would have worked | A failed) = P(.5 < U <= .7) / P(U <= .7) = 2/7.

Naive: tools fail independently, so B works as often as it does: 1/2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ifonly.scenarios.known import KnownWorld, Query, Respond, Unit, Values, law_of, mean_of
from ifonly.scm.fixed import Function, latent
from ifonly.scm.kernel import endogenous
from ifonly.scm.laws import UNIT
from ifonly.scm.nested import Sampling
from ifonly.scm.queries import counterfactual

if TYPE_CHECKING:
    from ifonly.scm.estimate import Estimate

__all__ = ["WORLDS"]

_A, _B = 0.7, 0.5
_BY: Final = Sampling(particles=20_000, seed=0, level=1 - 1e-6)
_FACTS: Final = {"A": 0}


def _world() -> None:
    hardness = latent("U", UNIT)
    endogenous("A", Function(lambda u: 1 * (u > _A)), hardness)
    endogenous("B", Function(lambda u: 1 * (u > _B)), hardness)


def _unit(a: int, b: int) -> Respond:
    def respond(put: Values) -> Values:
        return {"A": put.get("A", a), "B": put.get("B", b)}

    return respond


# The three kinds of task that the tools tell apart.
_UNITS: Final[list[Unit]] = [(_B, _unit(0, 0)), (_A - _B, _unit(0, 1)), (1 - _A, _unit(1, 1))]


def _query() -> Query:
    def ours() -> Estimate:
        twin = counterfactual(_world, _FACTS, {}, particles=_BY.particles, seed=_BY.seed)
        return twin.estimate("B", _BY.level)

    return Query(
        name="P(B would have worked)",
        truth=2 / 7,
        brute=lambda: mean_of(_UNITS, lambda do: do({})["B"], _FACTS),
        ours=ours,
        naive=1 - _B,
        mistake="tools taken to fail independently",
    )


# The worlds of this file: `ifonly.scenarios.catalog` finds them.
WORLDS: Final = (
    KnownWorld(
        name="shared latent",
        question="A failed: would B have worked, where both fail on the same hard tasks?",
        edges=frozenset({("U", "A"), ("U", "B")}),
        world=_world,
        facts=_FACTS,
        queries=(_query(),),
        sites=("A", "B"),
        law=lambda: law_of(_UNITS, ("A", "B")),
        assumptions=("a task is as hard for B as it was for A",),
        decision="Do not count on B where A failed: it works on 2 of 7 such tasks, not on every second.",
        hidden=frozenset({"U"}),
        by=_BY,
    ),
)
