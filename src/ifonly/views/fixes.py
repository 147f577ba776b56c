"""Fixes as screens show them: in words, and as the command that runs them."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.actions import DropAction, EnvironmentAction
from ifonly.views.actions import question
from ifonly.views.scores import estimate_text, number

if TYPE_CHECKING:
    from ifonly.agents.records import Trajectory
    from ifonly.scm.estimate import Estimate
    from ifonly.sim.blame.answers import BlameAnswer, Fix

__all__ = ["FixView", "Places", "fix_view"]


@dataclass(frozen=True, slots=True)
class Places:
    """Where the runs are, as options of the commands that are to be typed.

    Args:
        within: paths in which the run is found by its id.
        corpus: paths of the runs that replies are taken from.
        options: others that the answer rests on.
        live: those that only live calls need.
    """

    within: tuple[str, ...] = ()
    corpus: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    live: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FixView:
    """One fix: in words, with what it does, and as a command."""

    question: str
    necessity: str
    others: tuple[str, ...]
    cost: str
    command: str


def fix_view(run: Trajectory, answer: BlameAnswer, fix: Fix, places: Places) -> FixView:
    """A fix as it is shown.

    Args:
        run: the recorded run.
        answer: the answer that the fix is of.
        fix: the actions, and what they do.
        places: where the runs are.
    """
    others = []
    for name, score in fix.others.items():
        boolean = isinstance(run.outcome.scores.get(name), bool)
        others.append(f"{name}: {estimate_text(score, boolean=boolean)}")
    return FixView(
        question=question(fix.actions, run),
        necessity=_live(fix) if fix.continuation == "live" else _necessity(fix.necessity),
        others=tuple(others),
        cost="asked live" if fix.continuation == "live" else f"{fix.calls} model calls, {fix.cost:.2f} US dollars",
        command=shlex.join(_command(answer, fix, places)),
    )


def _necessity(pn: Estimate) -> str:
    ends = f" (between {number(pn.low)} and {number(pn.high)} at {number(100 * pn.level)} %)"
    return f"PN {number(pn.value or 0.0)}" + (" (exact)" if pn.low == pn.high else ends)


def _live(fix: Fix) -> str:
    again = "" if fix.rerun is None else f", by asking again unchanged in {estimate_text(fix.rerun)}"
    return f"averted in {estimate_text(fix.necessity)}{again}"


def _command(answer: BlameAnswer, fix: Fix, places: Places) -> list[str]:
    """The what-if that anybody can run; clean results and single drops in their short form."""
    asked = ["ifonly", "whatif", answer.run]
    for path in places.within:
        asked += ["--in", path]
    cleaned = [one.action for row in answer.steps for one in row.attempts if one.source == "clean"]
    only = fix.actions[0] if len(fix.actions) == 1 else None
    if isinstance(only, DropAction):
        asked += ["--at", only.site, "--drop"]
    elif only is not None and only in cleaned:
        asked += ["--clean"] if isinstance(only, EnvironmentAction) else ["--at", only.site, "--clean"]
    else:
        for action in fix.actions:
            asked += ["--action", json.dumps(action.model_dump(mode="json"))]
    asked += [part for path in places.corpus if fix.continuation == "corpus" for part in ("--corpus", path)]
    live = places.live if fix.continuation == "live" else ()
    return [*asked, "--continue", fix.continuation, *places.options, *live]
