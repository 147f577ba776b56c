"""A noisy tool among deterministic decisions: the tool's noise gets the credit, not the final answer.

    task ---> query ---> tool ---> parse ---> answer ---> success
      +--------------------------------------------------^

The task is one of two; query, parse and answer follow from what they read, and the tool returns the wrong value with
probability .2. A run failed. Credit here is what the step's own noise did: P(success had only this step's noise fallen
anew). Truth: .8 for the tool, 0 for every decision.

Naive: the last step that could have been otherwise, and with which the failure always goes along: the answer is wrong
in every failed run and in no other, P(success | another answer) = 1. So the answer gets 1 and the tool 0.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from ifonly.scenarios.known import KnownWorld, Query, Respond, Unit, Values, law_of, mean_of
from ifonly.scm.actions import Redraw
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.finite import Finite, choice
from ifonly.scm.fixed import Function
from ifonly.scm.kernel import endogenous

if TYPE_CHECKING:
    from ifonly.scm.estimate import Estimate

__all__ = ["WORLDS"]

_WRONG: Final = 0.2
_DECISIONS: Final = ("query", "parse", "answer")
_SITES: Final = ("task", "query", "tool", "parse", "answer", "success")
_FACTS: Final = {"task": 1, "success": 0}


def _world() -> None:
    task = endogenous("task", choice((0, 1)))
    query = endogenous("query", Function(lambda t: 2 * t), task)
    tool = endogenous("tool", Finite(lambda wrong, q: q + wrong, (0, 1), (1 - _WRONG, _WRONG)), query)
    parse = endogenous("parse", Function(lambda found: 10 * found), tool)
    answer = endogenous("answer", Function(lambda text: text + 1), parse)
    endogenous("success", Function(lambda a, t: 1 * (a == 20 * t + 1)), answer, task)


def _unit(task: int, wrong: int, again: int) -> Respond:
    """A unit answers do(again = 1) too: the tool's noise is the second of two draws."""

    def respond(put: Values) -> Values:
        made = {"task": task, "query": 2 * task}
        made["tool"] = made["query"] + (again if put.get("again") else wrong)
        made["parse"] = 10 * made["tool"]
        made["answer"] = made["parse"] + 1
        return {**made, "success": int(made["answer"] == 20 * task + 1)}

    return respond


_NOISE: Final = ((0, 1 - _WRONG), (1, _WRONG))
_UNITS: Final[list[Unit]] = [
    (p * q / 2, _unit(task, wrong, again)) for task, (wrong, p), (again, q) in product((0, 1), _NOISE, _NOISE)
]


def _redrawn(site: str) -> Estimate:
    return enumerate_world(_world, _FACTS, {site: Redraw()}).estimate("success")


def _credit(site: str) -> Query:
    is_tool = site == "tool"
    put = {"again": 1} if is_tool else {}
    return Query(
        name=f"P(success had only the noise of `{site}` fallen anew)",
        truth=1 - _WRONG if is_tool else 0.0,
        brute=lambda: mean_of(_UNITS, lambda do: do(put)["success"], _FACTS),
        ours=lambda: _redrawn(site),
        naive=1.0 if site == "answer" else 0.0,
        mistake="the last step that goes along with the failure gets all of the credit",
    )


# The worlds of this file: `ifonly.scenarios.catalog` finds them.
WORLDS: Final = (
    KnownWorld(
        name="noisy tool",
        question="A tool errs by chance and decisions do not: whose is the failure?",
        edges=frozenset(
            {
                ("task", "query"),
                ("query", "tool"),
                ("tool", "parse"),
                ("parse", "answer"),
                ("answer", "success"),
                ("task", "success"),
            }
        ),
        world=_world,
        facts=_FACTS,
        queries=tuple(_credit(site) for site in ("tool", *_DECISIONS)),
        sites=_SITES,
        law=lambda: law_of(_UNITS, _SITES),
        assumptions=("the tool errs independently of the query",),
        decision="Retry or replace the tool; leave query, parse and answer as they are.",
    ),
)
