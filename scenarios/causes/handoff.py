"""Two agents and a handoff: what the first hands over is a mediator, and a task's difficulty moves both it and the end.

    plan ---> handoff ---> result        planner: plan, handoff;  executor: result
     |           ^            ^
     +-----------|------------+          the executor sees the plan too
              difficulty (either)        hidden, moves handoff and result

P(handoff good | plan, difficulty) = .4 + .5 plan - .3 difficulty
P(result good | handoff, plan, difficulty) = .1 + .3 handoff + .1 plan + .2 handoff plan + .2 (1 - difficulty)

Truth, by the mediation formula within difficulties: TE = .4, NDE = .15, NIE = .15; the last .1 needs a good plan and a
good handoff at once. Naive: the same formula without the difficulty, which good handoffs and good results share:
NDE = .11, NIE = .19.

Blame for one failed run is rolled up to agents by what each could have changed: the planner's is P(success had the plan
been good | log), part of it through the handoff; the executor's is P(success had its own noise fallen anew | log).
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Final

from ifonly.scenarios.known import KnownWorld, Query, Respond, Unit, Values, law_of, mean_of
from ifonly.scm.actions import Redraw
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.finite import Finite, choice
from ifonly.scm.kernel import endogenous
from ifonly.scm.nested import Cause
from ifonly.scm.pathways import mediation_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from ifonly.scm.estimate import Estimate
    from ifonly.scm.mediation import Mediation

__all__ = ["WORLDS"]

_GOOD_PLAN, _HARD = 0.7, 0.5
# All probabilities are whole tenths, so that a uniform's ten cells are all there is to know of it.
_CELLS: Final = tuple(range(10))
_EVEN: Final = (0.1,) * 10
_SITES: Final = ("difficulty", "plan", "handoff", "result")
_FACTS: Final = {"plan": 0, "handoff": 0, "result": 0}


def _handoff(cell: int, plan: int, hard: int) -> int:
    return 1 * (cell < 4 + 5 * plan - 3 * hard)


def _result(cell: int, handoff: int, plan: int, hard: int) -> int:
    return 1 * (cell < 1 + 3 * handoff + plan + 2 * handoff * plan + 2 * (1 - hard))


def _world() -> None:
    hard = endogenous("difficulty", choice((0, 1), (1 - _HARD, _HARD)))
    plan = endogenous("plan", choice((0, 1), (1 - _GOOD_PLAN, _GOOD_PLAN)))
    handoff = endogenous("handoff", Finite(_handoff, _CELLS, _EVEN, "threshold"), plan, hard)
    endogenous("result", Finite(_result, _CELLS, _EVEN, "threshold"), handoff, plan, hard)


def _unit(hard: int, plan: int, cell: int, last: int, again: int) -> Respond:
    """A unit answers do(again = 1) too: the executor's noise is the second of two draws."""

    def respond(put: Values) -> Values:
        made = {"difficulty": hard, "plan": put.get("plan", plan)}
        made["handoff"] = put.get("handoff", _handoff(cell, made["plan"], hard))
        own = again if put.get("again") else last
        return {**made, "result": _result(own, made["handoff"], made["plan"], hard)}

    return respond


_UNITS: Final[list[Unit]] = [
    (p * q / 1000, _unit(hard, plan, *cells))
    for (hard, p), (plan, q) in product(enumerate((1 - _HARD, _HARD)), enumerate((1 - _GOOD_PLAN, _GOOD_PLAN)))
    for cells in product(_CELLS, repeat=3)
]
# Of the failed run: P(easy | log), from P(handoff bad, result bad | plan bad, difficulty) = .6 x .7 and .9 x .9.
_EASY: Final = 0.42 / (0.42 + 0.81)


def _given_difficulty(easy: float, hard: float) -> float:
    return _EASY * easy + (1 - _EASY) * hard


def _through(do: Respond) -> float:
    """Y with the plan bad, and the handoff that a good plan would have made."""
    return do({"plan": 0, "handoff": do({"plan": 1})["handoff"]})["result"]


def _around(do: Respond) -> float:
    """Y with the plan good, and the handoff that a bad plan would have made."""
    return do({"plan": 1, "handoff": do({"plan": 0})["handoff"]})["result"]


def _whole(do: Respond) -> float:
    return do({"plan": 1})["result"]


@cache
def _mediation(*, failed: bool) -> Mediation:
    return mediation_in(_world, Cause("plan", on=1, off=0), ["handoff"], "result", _FACTS if failed else None)


def _part(
    path: str, way: str, of: Callable[[Respond], float], facts: Values | None, known: tuple[float, float]
) -> Query:
    """The planner's effect along one path, `known` being truth and naive: over all runs, or in the failed one."""

    def ours() -> Estimate:
        made = _mediation(failed=facts is not None)
        return {"direct": made.direct, "indirect": made.indirect, "total": made.total}[path]

    truth, naive = known
    return Query(
        name=f"planner, {way}" + (", in the failed run" if facts else ""),
        truth=truth,
        brute=lambda: mean_of(_UNITS, lambda do: of(do) - do({"plan": 0})["result"], facts),
        ours=ours,
        naive=naive,
        mistake="the effect over all runs, taken for this one's" if facts else "the task's difficulty left out",
        span=(-1.0, 1.0),
    )


def _executor() -> Query:
    return Query(
        name="executor, its own noise anew, in the failed run",
        truth=_given_difficulty(0.3, 0.1),
        brute=lambda: mean_of(_UNITS, lambda do: do({"again": 1})["result"], _FACTS),
        ours=lambda: enumerate_world(_world, _FACTS, {"result": Redraw()}).estimate("result"),
        naive=0.1 + 0.2 * 0.4,
        mistake="runs with the same plan and handoff, not this one: its failure, too, tells that the task is hard",
    )


def _queries() -> tuple[Query, ...]:
    """In the failed run P(y' = 1 | y = 0, hard) = (q' - q) / (1 - q), and the handoff turns with .5 / .6 or .5 / .9."""
    through = _given_difficulty(5 / 6 * 3 / 7, 5 / 9 * 1 / 3)
    around = _given_difficulty(1 / 7, 1 / 9)
    both = _given_difficulty(5 / 6 * 6 / 7 + 1 / 6 * 1 / 7, 5 / 9 * 6 / 9 + 4 / 9 * 1 / 9)
    return (
        _part("total", "in all", _whole, None, (0.4, 0.4)),
        _part("direct", "around the handoff (NDE)", _around, None, (0.15, 0.11)),
        _part("indirect", "through the handoff (NIE)", _through, None, (0.15, 0.19)),
        _part("total", "in all", _whole, _FACTS, (both, 0.4)),
        _part("direct", "around the handoff (NDE)", _around, _FACTS, (around, 0.15)),
        _part("indirect", "through the handoff (NIE)", _through, _FACTS, (through, 0.15)),
        _executor(),
    )


# The worlds of this file: `ifonly.scenarios.catalog` finds them.
WORLDS: Final = (
    KnownWorld(
        name="handoff",
        question="A planner hands over to an executor and the run fails: which agent, and along which way?",
        edges=frozenset(
            {
                ("plan", "handoff"),
                ("difficulty", "handoff"),
                ("plan", "result"),
                ("handoff", "result"),
                ("difficulty", "result"),
            }
        ),
        world=_world,
        facts=_FACTS,
        queries=_queries(),
        sites=_SITES,
        law=lambda: law_of(_UNITS, _SITES),
        assumptions=("a good step is one uniform's threshold: what works at low odds works at higher ones",),
        decision="Mend the planner first: of the .4 of success that a good plan is worth, .15 goes around the handoff, "
        "and a better handoff alone leaves that undone.",
        hidden=frozenset({"difficulty"}),
    ),
)
