"""Overdetermined: two agents each sent the secret; either message alone would have leaked it.

    sends/0 ---> leaked <--- sends/1

The disjunctive forest fire (Halpern and Pearl 2005): neither is a but-for cause, both together are, and each has half
of the failure.

Naive: but-for effects, which acquit both.
"""

from __future__ import annotations

from ifonly.scenarios.known_world import KnownWorld, Query, counterfactual_mean
from ifonly.scm.actions import Put
from ifonly.scm.coalitions import on_sets
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function
from ifonly.scm.games import Game
from ifonly.scm.kernel import endogenous
from ifonly.scm.shapley import exact_shapley

__all__ = ["OVERDETERMINED", "world"]

_SENDS = 0.5
_SITES = ("sends/0", "sends/1")


def world() -> None:
    """The program."""
    one, other = (endogenous(site, choice((1, 0), (_SENDS, 1 - _SENDS))) for site in _SITES)
    endogenous("leaked", Function(max), one, other)


_LEAKED = {"sends/0": 1, "sends/1": 1, "leaked": 1}


def _leaks(*held_back: str) -> float:
    return counterfactual_mean(world, _LEAKED, {site: Put(0) for site in held_back}, "leaked")


def _share() -> float:
    game = Game(on_sets(lambda made: _leaks(*(s for i, s in enumerate(_SITES) if i not in made))), len(_SITES))
    return float(exact_shapley(game)[0])


OVERDETERMINED = KnownWorld(
    name="overdetermined",
    stage="agents",
    question="Two agents each sent the secret. What would holding back one, or both, have changed?",
    world=world,
    edges=frozenset({("sends/0", "leaked"), ("sends/1", "leaked")}),
    queries=(
        Query("P(leaked | do(the first does not send), the run)", 1.0, 1.0, lambda: _leaks("sends/0")),
        Query("P(leaked | do(neither sends), the run)", 0.0, None, lambda: _leaks(*_SITES)),
        Query("the first's share of the failure (Shapley)", 0.5, 0.0, _share),
    ),
    naive="but-for: a message is to blame if without it nothing had leaked",
    marginals={"leaked": {1: 0.75, 0: 0.25}},
)
