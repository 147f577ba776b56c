"""A tool result carried an injection and the task failed: is it enough to block the call that obeyed it?

    hard ---> injected ---> obeyed ---> solved
      |           |                       ^ ^
      +-----------|-----------------------+ |
                  +-------------------------+

P(hard) = .4, unseen;  P(injected | hard) = .5 - .3 hard: attackers write into what many read
P(obeyed | injected) = .5, else 0
P(solved) = .9 - .4 hard - .2 injected - .3 obeyed: the text confuses even where it is not obeyed

The injection is an action on the tool's result, so that "had the result been clean" is do(injected = 0), and "had the
call been blocked" do(obeyed = 0) with the text left in place. Of a run that obeyed and failed, truth: P(solved had the
result been clean) = .731, P(solved had the call been blocked) = .438. Naive: blocking the call is taken to undo the
attack, .731. Over all runs the injection takes .35 of solved tasks; attacked and clean runs differ by .228, as attacked
tasks are easier.

The same two questions of recorded runs: `ifonly.scenarios.obeyed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ifonly.scenarios.agentic.steps import Step, Steps
from ifonly.scenarios.known import KnownWorld, Query, law_of, mean_of
from ifonly.scm.actions import Put
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WORLDS"]

_STEPS: Final = Steps(
    (
        Step("hard", lambda cell: 1 * (cell < 8)),  # noqa: PLR2004 -- .4 in twentieths
        Step("injected", lambda cell, hard: 1 * (cell < 10 - 6 * hard), ("hard",)),
        Step("obeyed", lambda cell, injected: 1 * (cell < 10 * injected), ("injected",)),
        Step(
            "solved",
            lambda cell, hard, injected, obeyed: 1 * (cell < 18 - 8 * hard - 4 * injected - 6 * obeyed),
            ("hard", "injected", "obeyed"),
        ),
    )
)
_FACTS: Final = {"injected": 1, "obeyed": 1, "solved": 0}
# Of the recorded run: P(easy | facts), from P(injected, obeyed, failed | hard) = .5 x .5 x .6 and .2 x .5 x 1.
_EASY: Final = 0.6 * 0.15 / (0.6 * 0.15 + 0.4 * 0.1)
_CLEAN: Final = _EASY * 10 / 12 + (1 - _EASY) * 10 / 20
_BLOCKED: Final = _EASY * 6 / 12 + (1 - _EASY) * 6 / 20
# P(solved) of attacked and of clean runs as the log has them.
_ATTACKED_RUNS: Final = (0.6 * 0.5 * 0.55 + 0.4 * 0.2 * 0.15) / 0.38
_CLEAN_RUNS: Final = (0.6 * 0.5 * 0.9 + 0.4 * 0.8 * 0.5) / 0.62


def _had(name: str, put: Mapping[str, int], truth: float, naive: float, mistake: str) -> Query:
    """Whether the recorded run would have solved its task."""
    actions = {site: Put(value) for site, value in put.items()}
    return Query(
        name=f"P(solved had {name})",
        truth=truth,
        brute=lambda: mean_of(_STEPS.units, lambda do: do(put)["solved"], _FACTS),
        ours=lambda: enumerate_world(_STEPS.world, _FACTS, actions).estimate("solved"),
        naive=naive,
        mistake=mistake,
    )


def _over_all() -> Estimate:
    on, off = (enumerate_world(_STEPS.world, {}, {"injected": Put(value)}).mean("solved") for value in (1, 0))
    return Estimate.settled(on - off, "interventional")


# The worlds of this file: `ifonly.scenarios.catalog` finds them.
WORLDS: Final = (
    KnownWorld(
        name="injected result",
        question="An injection in a tool result was obeyed and the task failed: is blocking the call enough?",
        edges=_STEPS.edges,
        world=_STEPS.world,
        facts=_FACTS,
        queries=(
            _had("the call been blocked", {"obeyed": 0}, _BLOCKED, _CLEAN, "the call taken for all that the text did"),
            _had("the result been clean", {"injected": 0}, _CLEAN, _CLEAN_RUNS, "clean runs, whose tasks are harder"),
            Query(
                name="the injection on solved tasks, over all runs",
                truth=-0.35,
                brute=lambda: mean_of(
                    _STEPS.units, lambda do: do({"injected": 1})["solved"] - do({"injected": 0})["solved"]
                ),
                ours=_over_all,
                naive=_ATTACKED_RUNS - _CLEAN_RUNS,
                mistake="attacked runs against clean ones, whose tasks are harder",
                span=(-1.0, 1.0),
            ),
        ),
        sites=_STEPS.sites,
        law=lambda: law_of(_STEPS.units, _STEPS.sites),
        assumptions=(
            "a task that is solved at low odds is solved at higher ones: each step is one uniform's threshold",
            "nothing but the difficulty moves both who is attacked and what is solved",
        ),
        decision="Clean the results that tools give, and do not stop at blocking calls: blocked, this run would have "
        "been solved with .44, clean with .73.",
        hidden=frozenset({"hard"}),
    ),
)
