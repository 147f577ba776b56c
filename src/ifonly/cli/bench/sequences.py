"""``ifonly bench sequences``: policies over whole runs, where what they are worth is known."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ifonly.cli.grid import grid_table
from ifonly.cli.options import Json
from ifonly.cli.output import emit, stdout
from ifonly.scenarios.credit.bench import REGIMES, shipped_world
from ifonly.scenarios.credit.routing import RoutingRow, routing_rows
from ifonly.views.grid import Grid
from ifonly.views.scores import number

app = typer.Typer(add_completion=False)

_TITLES = ("estimator", "value", "interval", "error", "support", "runs alike", "models asked a run")


@app.command()
def sequences(
    data: Annotated[Path, typer.Option("--data", help="Folder credit_world, with its two worlds.", metavar="PATH")],
    json: Json = False,
) -> None:
    """What would another model at each step have been worth? Every estimator of whole runs, beside the truth.

    Weighting, models of what is to come, and abduction: every logged run replayed with the noise that its log speaks
    for. Where weighting has nothing to go by it says nothing.
    """
    started = time.perf_counter()
    rows = [row for regime in REGIMES for row in routing_rows(shipped_world(data, regime))]
    seconds = time.perf_counter() - started
    if json:
        emit({"rows": [row.model_dump(mode="json") for row in rows], "seconds": seconds})
        return
    for world, policy in dict.fromkeys((row.world, row.policy) for row in rows):
        mine = [row for row in rows if (row.world, row.policy) == (world, policy)]
        stdout().print(Text(f"{world}, {policy}: worth {number(mine[0].truth)}", "bold"))
        stdout().print(grid_table(Grid(_TITLES, tuple(map(_cells, mine)))))
    stdout().print(Text(f"{number(seconds)} s"))


def _cells(row: RoutingRow) -> tuple[str, ...]:
    found = row.value
    value = "" if found.value is None else number(found.value)
    error = "" if found.value is None else number(abs(found.value - row.truth))
    interval = f"[{number(found.low)}, {number(found.high)}]"
    return row.estimator, value, interval, error, row.support, f"{row.matching}", number(row.asked)
