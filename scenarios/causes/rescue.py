"""A bad plan that is now and then rescued: the earliest decisive step is the plan, not the check that let it pass.

    0 plan ---> 2 draft ---> 3 check ---> 4 answer
    1 search -----^

The plan is good with probability .7 and the search with .9; the draft is right if both are. The check rescues a wrong
draft with probability .1. Of a failed run with a bad plan, truth: with a good one it would have succeeded with
probability .9 (the search; the check is known not to rescue). Had the check been passed it would have succeeded too, so
that step 3 is decisive as well: the earliest is 0, the latest 3.

Naive: the last step whose change averts the failure is "where it went wrong": 3. And rerunning from the plan on, with
fresh noise, gives .9 + .1 x .1 = .91, since the check may now rescue where it had not.
"""

from __future__ import annotations

from itertools import product
from typing import Final

import numpy as np

from ifonly.scenarios.known import KnownWorld, Query, Respond, Unit, Values, law_of, mean_of
from ifonly.scm.credit_chain import decisive_step
from ifonly.scm.effect import but_for
from ifonly.scm.estimate import Estimate
from ifonly.scm.finite import Finite, choice
from ifonly.scm.fixed import Function
from ifonly.scm.kernel import endogenous

__all__ = ["WORLDS"]

_PLAN, _SEARCH, _RESCUE = 0.7, 0.9, 0.1
_STEPS: Final = ("plan", "search", "draft", "check", "answer")
# The choices: the draft follows from two of them, and the answer from all.
_CHOICES: Final = ("plan", "search", "check")
_FACTS: Final = {"plan": 0, "answer": 0}


def _world() -> None:
    plan = endogenous("plan", choice((0, 1), (1 - _PLAN, _PLAN)))
    search = endogenous("search", choice((0, 1), (1 - _SEARCH, _SEARCH)))
    draft = endogenous("draft", Function(lambda a, b: a * b), plan, search)
    check = endogenous("check", Finite(lambda r, d: d + r * (1 - d), (0, 1), (1 - _RESCUE, _RESCUE)), draft)
    endogenous("answer", Function(lambda c: 1 * c), check)


def _unit(plan: int, search: int, rescue: int) -> Respond:
    def respond(put: Values) -> Values:
        made = {"plan": put.get("plan", plan), "search": put.get("search", search)}
        made["draft"] = put.get("draft", made["plan"] & made["search"])
        made["check"] = put.get("check", made["draft"] | rescue)
        return {**made, "answer": put.get("answer", made["check"])}

    return respond


_UNITS: Final[list[Unit]] = [
    (p * q * r, _unit(plan, search, rescue))
    for (plan, p), (search, q), (rescue, r) in product(
        enumerate((1 - _PLAN, _PLAN)), enumerate((1 - _SEARCH, _SEARCH)), enumerate((1 - _RESCUE, _RESCUE))
    )
]


def _flip(site: str) -> Estimate:
    return but_for(_world, _FACTS, {site: 1}, "answer")[site].counterfactual.done


def _averted_by_units(site: str) -> float:
    return mean_of(_UNITS, lambda do: do({site: 1})["answer"], _FACTS)


def _averted(site: str, truth: float, naive: float, mistake: str) -> Query:
    return Query(
        name=f"P(success had `{site}` been right)",
        truth=truth,
        brute=lambda: _averted_by_units(site),
        ours=lambda: _flip(site),
        naive=naive,
        mistake=mistake,
    )


def _earliest() -> Estimate:
    """The earliest step that a right choice makes more likely than not to avert the failure."""
    step = decisive_step(np.array([_flip(site).high if site in _CHOICES else 0.0 for site in _STEPS]))
    if step is None:
        raise ArithmeticError("the plan is decisive")
    return Estimate.settled(step, "counterfactual")


def _earliest_by_units() -> float:
    return float(min(_STEPS.index(site) for site in _CHOICES if _averted_by_units(site) >= 1 / 2))


# The worlds of this file: `ifonly.scenarios.catalog` finds them.
WORLDS: Final = (
    KnownWorld(
        name="rescue",
        question="Which step decides, if a bad plan is rescued one time in ten?",
        edges=frozenset({("plan", "draft"), ("search", "draft"), ("draft", "check"), ("check", "answer")}),
        world=_world,
        facts=_FACTS,
        queries=(
            _averted("plan", _SEARCH, _SEARCH + (1 - _SEARCH) * _RESCUE, "a rerun from the plan on with fresh noise"),
            _averted("search", 0.0, 0.0, "none: a bad plan is not searched away"),
            Query(
                name="earliest decisive step",
                truth=0.0,
                brute=_earliest_by_units,
                ours=_earliest,
                naive=3.0,
                mistake="the last step at which the failure could have been averted",
                span=(0.0, 3.0),
            ),
        ),
        sites=_STEPS,
        law=lambda: law_of(_UNITS, _STEPS),
        assumptions=("plan, search and check err independently",),
        decision="Mend the plan, step 0; the check that let it pass is not where this failure was decided.",
    ),
)
