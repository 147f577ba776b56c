"""``ifonly bench credit``: which step was it, where the truth is known."""

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
from ifonly.scenarios.credit.bench import REGIMES, Row, credit_rows, drawn_world, shipped_world
from ifonly.views.scores import number

app = typer.Typer(add_completion=False)

_TITLES = {
    "top1": "top-1",
    "in_set": "in set",
    "set_size": "set size",
    "false_share": "false",
    "error_action": "error, action",
    "error_model": "error, model",
    "bias": "bias",
    "redo": "redo",
    "calls_steps": "calls, steps",
    "calls": "calls",
    "calls_most": "most",
    "cpu_ms": "CPU ms",
}


@app.command()
def credit(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of the shipped worlds, with `commit` and `repair`.", metavar="PATH"),
    ] = None,
    fresh: Annotated[int, typer.Option("--fresh", help="How many worlds of other shapes to draw.", min=0)] = 2,
    seed: Annotated[int, typer.Option("--seed", help="Of the worlds drawn.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Which step was a failure due to? Attributors and simple rules against the truth.

    Each sees the logs, may execute the deterministic tools, and may ask a model for its law over options: counted.
    """
    if data is None and not fresh:
        raise typer.BadParameter("there is no world: pass --data, or --fresh above 0")
    started = time.perf_counter()
    with bar("drawing worlds", unit="worlds") as told:
        worlds = [] if data is None else [shipped_world(data, regime) for regime in REGIMES]
        for n in range(fresh):
            worlds.append(drawn_world(seed, n))
            told(n + 1, fresh)
    rows = list(credit_rows(worlds, seed))
    seconds = time.perf_counter() - started
    if json:
        emit({"rows": [row.model_dump(exclude_none=True) for row in rows], "seconds": seconds})
        return
    console = stdout()
    for world in dict.fromkeys(row.world for row in rows):
        found = [row for row in rows if row.world == world]
        title = f"{world}: {found[0].runs} failed runs with a decisive step"
        console.print(Text(title + (f", of {fresh} worlds" if world == "drawn" else ""), "bold"))
        console.print(_table(found))
    console.print(Text(f"{number(seconds)} s"))


def _table(rows: list[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("estimator", overflow="fold")
    for title in _TITLES.values():
        table.add_column(title, justify="right")
    for row in rows:
        values = [getattr(row, name) for name in _TITLES]
        table.add_row(row.estimator, *("" if value is None else number(value) for value in values))
    return table
