"""``ifonly bench trail``: which spans are at fault, in real traces whose errors annotators marked."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ifonly.cli.options import Json
from ifonly.cli.output import emit, stdout
from ifonly.cli.progress import bar
from ifonly.scenarios.trail.bench import Row, trail_rows
from ifonly.scenarios.trail.labels import read_labelled
from ifonly.views.scores import number

app = typer.Typer(add_completion=False)

_TITLES = {
    "location": "location",
    "precision": "precision",
    "joint": "joint",
    "category": "category F1",
    "top1": "top-1",
    "recall3": "recall@3",
    "recall5": "recall@5",
    "average": "MAP",
    "top1_high": "top-1, high",
    "average_high": "MAP, high",
}


@app.command()
def trail(
    path: Annotated[
        Path | None,
        typer.Argument(help="TRAIL's traces with their labels: a file, a trace a line, or a folder.", metavar="PATH"),
    ] = None,
    *,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", help="Score what another attributor said: an object a trace.", metavar="FILE"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of folds and resampling.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Which spans are at fault? Rules, and an attributor without a model, against TRAIL's labels.

    A line of --predictions: {"trace_id": ID, "errors": [{"location": SPAN, "category": NAME}]}, most suspect first.
    """
    if path is None:
        raise typer.BadParameter(
            "there are no traces: name a file of labelled traces (arXiv 2505.08638), or its folder"
        )
    started = time.perf_counter()
    with bar("reading traces", unit="traces") as told:
        traces = read_labelled(path, told)
    rows = list(trail_rows(traces, predictions, seed))
    seconds = time.perf_counter() - started
    if json:
        emit({"rows": [row.model_dump() for row in rows], "seconds": seconds})
        return
    console = stdout()
    for world in dict.fromkeys(row.world for row in rows):
        found = [row for row in rows if row.world == world]
        console.print(Text(f"{world}: {found[0].traces} traces, {found[0].labelled} with labels", "bold"))
        console.print(_table(found))
    console.print(Text("Below each number: its interval (95 %, traces resampled).", "dim"))
    console.print(Text(f"{number(seconds)} s"))


def _table(rows: list[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("attributor", overflow="fold")
    table.add_column("named", justify="right")
    for title in _TITLES.values():
        table.add_column(title, justify="right")
    for row in rows:
        values = [Text(_cell(row, metric)) for metric in _TITLES]
        table.add_row(row.estimator, number(row.named), *values)
    return table


def _cell(row: Row, metric: str) -> str:
    found = row.intervals[metric]
    return f"{getattr(row, metric):.2f}\n{found.low:.2f}-{found.high:.2f}"
