"""The page of blame: the run as lanes, shares as bars, flip set, and fixes as commands to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.report.pages import write_page
from ifonly.report.rendering import render_page
from ifonly.views.blame import blame_view
from ifonly.views.next_steps import after_blame, words_of
from ifonly.views.run import run_view
from ifonly.views.text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.agents.records import Trajectory
    from ifonly.sim.blame import BlameAnswer
    from ifonly.views.blame import BlameView
    from ifonly.views.fixes import Places

__all__ = ["blame_page", "write_blame"]

_LINE = 110
_STYLES = ("report.css", "blame.css")


def blame_page(run: Trajectory, answer: BlameAnswer, places: Places, command: str) -> str:
    """The page of one answer.

    Args:
        run: the recorded run that was asked about.
        answer: of `ifonly.sim.blame`.
        places: where the runs are, for the commands of the fixes.
        command: how to ask again.
    """
    view = blame_view(run, answer, places)
    steps = after_blame(run, answer, words_of(command))
    return render_page("blame.html", _STYLES, view=view, lanes=_lanes(run, view), command=command, next_steps=steps)


def write_blame(path: Path, run: Trajectory, answer: BlameAnswer, places: Places, command: str) -> None:
    """Write the page of an answer."""
    write_page(path, blame_page(run, answer, places, command))


def _lanes(run: Trajectory, view: BlameView) -> list[dict[str, object]]:
    """The steps in the order of the run, each in the lane of its kind, with what is said of its parts."""
    credits: dict[str, list[object]] = {}
    for credit in view.credits:
        credits.setdefault(credit.site, []).append(credit)
    return [
        {
            "step": step,
            "line": one_line(step.summary, _LINE),
            "credits": credits.get(step.site, []),
            "flip": step.site in view.flip_set,
            "likely": step.site in view.likely,
            "together": any(one.flips == "jointly" for one in view.credits if one.site == step.site),
            "bar": view.shares.get(step.site),
        }
        for step in run_view(run).steps
    ]
