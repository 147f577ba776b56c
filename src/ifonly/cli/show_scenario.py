"""Scenarios on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from ifonly.cli.grid import grid_table
from ifonly.views.scenario import listing, scenario_view
from ifonly.views.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ifonly.scenarios.scenario import Scenario
    from ifonly.scenarios.study import ScenarioAnswer
    from ifonly.views.scenario import StudyView

__all__ = ["render_answer", "render_list"]


def render_list(console: Console, scenarios: Sequence[Scenario]) -> None:
    """Print all scenarios."""
    console.print(grid_table(listing(scenarios), numbers=False))


def render_answer(console: Console, answer: ScenarioAnswer) -> None:
    """Print question, graph, answers, sensitivity and decision."""
    view = scenario_view(answer)
    console.print(Text(visible(view.question), "bold"))
    console.print(Text(f"{view.name}, {view.stage}"))
    for line in view.graph:
        console.print(Text("  " + visible(line)))
    for study in view.studies:
        _study(console, study)
    console.print(Text("assumes", "bold"))
    for line in view.assumptions:
        console.print(Text("  " + visible(line)))
    if view.missing:
        console.print(Text(f"on real data: --data FOLDER, where the folder holds {view.missing}"))


def _study(console: Console, study: StudyView) -> None:
    console.print()
    console.print(Text(visible(f"{study.title} ({study.source})"), "bold"))
    for asked in study.asked:
        truth = "" if asked.truth is None else f"   truth {asked.truth}"
        console.print(Text(visible(asked.name + truth)))
        console.print(grid_table(asked.answers, numbers=False))
    for figures in study.figures:
        console.print(Text(visible(figures.title)))
        console.print(grid_table(figures.grid))
    if study.sensitivity is not None:
        console.print(grid_table(study.sensitivity, numbers=False))
    for line in study.notes:
        console.print(Text(visible(line)))
    console.print(Text("decision  ", "bold green") + Text(visible(study.decision)))
    console.print()
