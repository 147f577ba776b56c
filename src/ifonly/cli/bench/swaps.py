"""``ifonly bench swaps``: would another model have solved it, where it is on record."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ifonly.cli.options import Json
from ifonly.cli.output import emit, stdout
from ifonly.cli.progress import bar
from ifonly.scenarios.swaps.bench import Row, StepRow, SwapBench, swap_bench
from ifonly.views.scores import number

app = typer.Typer(add_completion=False)

_SCORES = {"brier": "Brier", "log_loss": "log-loss", "calibration": "calibration", "covered": "covered"}
_STEPS = {
    "step": "step",
    "cells": "swaps",
    "solved": "recorded mean",
    "brier": "Brier",
    "calibration": "calibration",
    "share": "shared noise",
    "low": "low",
    "high": "high",
}


@app.command()
def swaps(
    data: Annotated[Path, typer.Option("--data", help="Folder agentdojo_runs, with index.csv.gz.", metavar="PATH")],
    quick: Annotated[bool, typer.Option("--quick", help="Fewer folds and models.")] = False,
    steps: Annotated[bool, typer.Option("--steps/--no-steps", help="Score mid-run swaps: reads all runs.")] = True,
    seed: Annotated[int, typer.Option("--seed", help="Of folds, fits and resampling.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Would B have solved what A met? A fitted item-response world against recorded potential outcomes."""
    started = time.perf_counter()
    with bar("fitting worlds", unit="fits") as told:
        found = swap_bench(data, told, seed=seed, quick=quick, steps=steps)
    seconds = time.perf_counter() - started
    if json:
        emit({**found.model_dump(mode="json"), "seconds": seconds})
        return
    _render(stdout(), found)
    stdout().print(Text(f"{number(seconds)} s"))


def _render(console: Console, found: SwapBench) -> None:
    for world, split in dict.fromkeys((row.world, row.split) for row in found.rows):
        rows = [row for row in found.rows if (row.world, row.split) == (world, split)]
        console.print(Text(f"{world}, known: {split}; {rows[0].cells:,} hidden", "bold"))
        console.print(_scores(rows))
    for world, bins in found.reliability.items():
        console.print(Text(f"{world}: reliability of the item-response world, known: cells", "bold"))
        table = _table("predicted", "observed", "cells")
        for one in bins:
            table.add_row(number(one.predicted), number(one.observed), f"{one.cells:,}")
        console.print(table)
    for score in dict.fromkeys(row.world for row in found.steps):
        console.print(Text(f"{score} after a mid-run swap that is on record", "bold"))
        console.print(_steps([row for row in found.steps if row.world == score]))


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in titles:
        table.add_column(title, overflow="fold", justify="left" if title == "estimator" else "right")
    return table


def _scores(rows: list[Row]) -> Table:
    table = _table("estimator", *_SCORES.values(), "gain in Brier [95 %]")
    for row in rows:
        values = [getattr(row, name) for name in _SCORES]
        better = "" if row.gain is None else f"{row.gain:+.4f} [{row.gain_low:+.4f}, {row.gain_high:+.4f}]"
        table.add_row(row.estimator, *("" if value is None else number(value) for value in values), better)
    return table


def _steps(rows: list[StepRow]) -> Table:
    table = _table("estimator", *_STEPS.values())
    for row in rows:
        table.add_row(row.estimator, *(number(getattr(row, name)) for name in _STEPS))
    return table
