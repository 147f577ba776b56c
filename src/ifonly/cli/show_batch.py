"""A batch in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from ifonly.views.scores import estimate_text, number
from ifonly.views.text import one_line, visible

if TYPE_CHECKING:
    from rich.console import Console

    from ifonly.scm.estimate import Estimate
    from ifonly.sim.batch.running import BatchAnswer

__all__ = ["render_batch"]

_WIDTH = 100
_REPLIES = {
    "hold": "kept as recorded, although what they answer has changed (a controlled direct effect). What the model "
    "would have said: --corpus PATH",
    "corpus": "those that recorded runs of the same model gave to equal requests",
    "bounds": "left open where the recording does not settle them",
}


def render_batch(console: Console, answer: BatchAnswer) -> None:
    """Print the means, the verdicts, the errors by kind, and where the rows are.

    Args:
        console: to print to.
        answer: what to print.
    """
    summary = answer.summary
    console.print(Text(f"{summary.units:,} units, {summary.rows:,} rows", "bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("question", "score", "settled", "tasks", "factual", "counterfactual", "change", "bounds"):
        table.add_column(title, justify="left" if title in ("question", "score") else "right", overflow="fold")
    for row in summary.scores:
        table.add_row(
            visible(row.question),
            visible(row.score),
            f"{row.settled:,} of {row.units:,}",
            "" if row.tasks is None else f"{row.tasks:,}",
            _value(row.factual),
            *(_told(estimate) for estimate in (row.counterfactual, row.change)),
            _ends(row.bounds) if row.settled < row.units else "",
        )
    console.print(table)
    if answer.continuation is not None:
        console.print(Text(f"Later replies: {_REPLIES[answer.continuation]}"))
    verdicts = ", ".join(f"{count:,} {visible(name)}" for name, count in summary.verdicts.items())
    if verdicts:
        console.print(Text(f"Rows: {verdicts}"))
    noise = {row.counterfactual.noise for row in summary.scores if row.counterfactual and row.counterfactual.noise}
    if noise:
        console.print(Text(f"Assumed: {visible(', '.join(sorted(noise)))}"))
    for error in summary.errors:
        console.print(Text(f"{error.count:,} x {visible(error.kind)}", "yellow"))
        console.print(Text(f"  {visible(error.unit)}: {one_line(visible(error.message), _WIDTH)}"))
    rate = "" if answer.rate is None else f", {number(answer.rate)} units a second"
    before = f"; {answer.before:,} were done before" if answer.before else ""
    console.print(Text(f"{number(answer.seconds)} s ({answer.executor}{rate}){before}"))
    console.print(Text(f"{answer.partitions} partitions in {visible(answer.rows)}"))


def _told(estimate: Estimate | None) -> str:
    return "" if estimate is None else estimate_text(estimate)


def _ends(bounds: Estimate | None) -> str:
    return "unbounded" if bounds is None else f"{number(bounds.low)} to {number(bounds.high)}"


def _value(estimate: Estimate | None) -> str:
    return "" if estimate is None or estimate.value is None else number(estimate.value)
