"""What to type next, on the terminal: commands stay on one line, so that they can be pasted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from ifonly.views.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ifonly.views.next_steps import NextStep

__all__ = ["render_next"]


def render_next(console: Console, steps: Sequence[NextStep]) -> None:
    """Print each command below what it is good for; nothing where there is none."""
    if not steps:
        return
    console.print()
    console.print(Text("type next", style="bold"))
    for step in steps:
        console.print(Padding(Text(f"- {visible(step.why)}:"), (0, 0, 0, 2)))
        console.print(Text("    " + visible(step.command), "cyan"), soft_wrap=True)
