"""``ifonly bench swaps``: would another model have solved it, where it is on record."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ifonly.cli.grid import grid_table
from ifonly.cli.lazy import load
from ifonly.cli.options import Html, Json
from ifonly.cli.output import command_line, emit, note, stdout
from ifonly.cli.progress import bar
from ifonly.scenarios.swaps.bench import SwapBench, swap_bench
from ifonly.views.scores import number
from ifonly.views.swaps import swaps_view
from ifonly.views.text import visible

app = typer.Typer(add_completion=False)


@app.command()
def swaps(
    data: Annotated[
        Path,
        typer.Option("--data", help="Folder of AgentDojo's runs: see `ifonly data get agentdojo`.", metavar="PATH"),
    ],
    quick: Annotated[bool, typer.Option("--quick", help="Fewer folds and models.")] = False,
    steps: Annotated[bool, typer.Option("--steps/--no-steps", help="Score mid-run swaps: reads all runs.")] = True,
    seed: Annotated[int, typer.Option("--seed", help="Of folds, fits and resampling.", min=0)] = 0,
    json: Json = False,
    html: Html = None,
) -> None:
    """Would B have solved what A met? A fitted item-response world against recorded potential outcomes."""
    started = time.perf_counter()
    with bar("fitting worlds", unit="fits") as told:
        found = swap_bench(data, told, seed=seed, quick=quick, steps=steps)
    seconds = time.perf_counter() - started
    if json:
        emit({**found.model_dump(mode="json"), "seconds": seconds})
    else:
        _render(stdout(), found)
        stdout().print(Text(f"{number(seconds)} s"))
    if html:
        load("ifonly.report.swaps", "write_swaps")(html, found, command_line())
        note(f"wrote {html}")


def _render(console: Console, found: SwapBench) -> None:
    view = swaps_view(found)
    for part in (*view.scores, *view.reliability, *view.steps):
        console.print(Text(visible(part.title), "bold"))
        console.print(grid_table(part.grid))
