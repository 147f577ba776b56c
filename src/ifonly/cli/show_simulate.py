"""Answers about time, cost and load on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from ifonly.cli.grid import grid_table
from ifonly.views.simulate import simulate_view
from ifonly.views.text import visible

if TYPE_CHECKING:
    from rich.console import Console

    from ifonly.sim.simulate import SimulateAnswer

__all__ = ["render_answer"]


def render_answer(console: Console, answer: SimulateAnswer) -> None:
    """Print the question, what would have been, the runs that change most, and what it rests on."""
    view = simulate_view(answer)
    for line in view.question:
        console.print(Text(visible(line), "bold"))
    console.print(Text(visible(view.traffic)))
    console.print(grid_table(view.total))
    if view.sweep is not None:
        console.print(Text("settings side by side", "bold"))
        console.print(grid_table(view.sweep))
    for title, grid in (("by service", view.services), ("runs that change most", view.runs)):
        if grid.rows:
            console.print(Text(title, "bold"))
            console.print(grid_table(grid))
    console.print(Text("laws of the services, as recorded", "bold"))
    console.print(grid_table(view.laws))
    for title, lines in (("drawn", view.drawn), ("assumes", view.assumes)):
        if lines:
            console.print(Text(title, "bold"))
            for line in lines:
                console.print(Text("  " + visible(line)))
