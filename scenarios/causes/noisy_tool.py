"""Noisy tool: every decision is deterministic, and the tool's own chance is to blame.

    decision/0 --> search/0 --> answer/1 --> success

The search returns the page with probability .8, else nothing; the model repeats what it was given. In the failed run
the search returned nothing. Credit of the failure, over the noise of all sites: all of it is the tool's.

Naive: the wrong answer was written at the last step, so blame the last step.
"""

from __future__ import annotations

from ifonly.scenarios.known_world import KnownWorld, Query, counterfactual_mean
from ifonly.scm.actions import Put, Redraw
from ifonly.scm.coalitions import on_sets
from ifonly.scm.finite import Finite
from ifonly.scm.fixed import Function, given
from ifonly.scm.games import Game
from ifonly.scm.kernel import endogenous
from ifonly.scm.shapley import exact_shapley

__all__ = ["NOISY_TOOL", "world"]

_FOUND = 0.8
_SITES = ("decision/0", "search/0", "answer/1")


def world() -> None:
    """The program."""
    decision = given("decision/0", "search")
    search = endogenous(
        "search/0", Finite(lambda found, _: "page" if found else "", (1, 0), (_FOUND, 1 - _FOUND)), decision
    )
    answer = endogenous("answer/1", Function(lambda page: page or "I do not know"), search)
    endogenous("success", Function(lambda answer: int(answer == "page")), answer)


_FAILED = {"search/0": "", "answer/1": "I do not know", "success": 0}


def _noise_credit(site: str) -> float:
    """Share of the failure: v(S) = P(failure | the noise of S kept, all other noise fresh)."""

    def value(kept: frozenset[int]) -> float:
        fresh = {s: Redraw() for i, s in enumerate(_SITES) if i not in kept}
        return 1 - counterfactual_mean(world, _FAILED, fresh, "success")

    shares = exact_shapley(Game(on_sets(value), len(_SITES)))
    return float(shares[_SITES.index(site)])


NOISY_TOOL = KnownWorld(
    name="noisy tool",
    stage="agents",
    question="The final answer was wrong. Was it the model, or the tool's bad luck?",
    world=world,
    edges=frozenset({("decision/0", "search/0"), ("search/0", "answer/1"), ("answer/1", "success")}),
    queries=(
        Query("share of the tool's noise in the failure beyond luck", _FOUND, 0.0, lambda: _noise_credit("search/0")),
        Query("share of the last step's noise", 0.0, _FOUND, lambda: _noise_credit("answer/1")),
        Query(
            "P(success | do(search returns the page), the failed run)",
            1.0,
            None,
            lambda: counterfactual_mean(world, _FAILED, {"search/0": Put("page")}, "success"),
        ),
        Query(
            "P(success | the search done once more, the failed run)",
            _FOUND,
            None,
            lambda: counterfactual_mean(world, _FAILED, {"search/0": Redraw()}, "success"),
        ),
    ),
    naive="blame the step that wrote the wrong answer",
    marginals={"success": {1: _FOUND, 0: 1 - _FOUND}},
)
