"""Values of policies on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from ifonly.cli.grid import grid_table
from ifonly.views.policy import policy_view
from ifonly.views.text import visible

if TYPE_CHECKING:
    from rich.console import Console

    from ifonly.sim.policy import PolicyReport

__all__ = ["render_report"]

_STYLES = {"answered": "bold green", "thin support": "bold yellow", "bounds only": "bold red"}


def render_report(console: Console, report: PolicyReport) -> None:
    """Print what was in the log, what each policy would have been worth, and the front."""
    view = policy_view(report)
    console.print(Text(visible(view.log), "bold"))
    console.print(grid_table(view.arms))
    for answer in view.answers:
        console.print(Text(visible(answer.target), "bold") + Text("  " + answer.verdict, _STYLES[answer.verdict]))
        for line in answer.lines:
            console.print(Text("  " + visible(line)))
        console.print(grid_table(answer.estimates))
    if view.front is not None:
        console.print(Text("Quality against cost", "bold"))
        console.print(grid_table(view.front))
        for name, lines in view.rules.items():
            console.print(Text(visible(name), "bold"))
            for line in lines:
                console.print(Text("  " + visible(line)))
    console.print()
    console.print(Text("assumes", "bold"))
    for line in view.assumes:
        console.print(Text("  " + visible(line)))
