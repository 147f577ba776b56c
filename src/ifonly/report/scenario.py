"""The page of a scenario: question, graph, naive and causal answers, sensitivity, pictures and decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.report.charts import chart, forest
from ifonly.report.layered import layered
from ifonly.report.pages import write_page
from ifonly.report.rendering import render_page
from ifonly.views.scenario import scenario_view

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.scenarios.study import ScenarioAnswer, Study

__all__ = ["scenario_page", "scenario_picture", "write_picture", "write_scenario"]


def scenario_page(answer: ScenarioAnswer, command: str) -> str:
    """The page of one answer.

    Args:
        answer: of `ifonly.scenarios.scenario.answer`.
        command: how to ask again.
    """
    view = scenario_view(answer)
    studies = [
        {
            "view": told,
            "forest": forest(study.asked),
            "charts": [chart(picture) for picture in study.pictures],
            "known": any(one.truth is not None for one in study.asked),
        }
        for told, study in zip(view.studies, _studies(answer), strict=True)
    ]
    return render_page(
        "scenario.html",
        ("report.css", "policy.css", "scenario.css"),
        view=view,
        dag=layered(answer.edges, answer.hidden),
        studies=studies,
        command=command,
    )


def scenario_picture(answer: ScenarioAnswer) -> str:
    """The picture of the answers alone, as an SVG file: on real data, where there is some."""
    return render_page("picture.jinja", ("picture.css",), drawn=forest(_studies(answer)[0].asked)).strip() + "\n"


def write_scenario(path: Path, answer: ScenarioAnswer, command: str) -> None:
    """Write the page of an answer."""
    write_page(path, scenario_page(answer, command))


def write_picture(path: Path, answer: ScenarioAnswer, command: str) -> None:
    """Write the picture of an answer; it does not name the command."""
    del command
    write_page(path, scenario_picture(answer))


def _studies(answer: ScenarioAnswer) -> list[Study]:
    return [answer.world] if answer.data is None else [answer.data, answer.world]
