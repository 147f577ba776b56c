"""``ifonly bench routing``: values of routing policies, where both models' answers are known."""

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
from ifonly.scenarios.routing import read_prompts
from ifonly.scenarios.routing_bench import FrontRow, PolicyRow, RoutingRow, front_rows, routing_rows
from ifonly.views.scores import number

app = typer.Typer(add_completion=False)


@app.command()
def routing(
    data: Annotated[Path, typer.Option("--data", help="Folder or file of RouteLLM's outcomes.", metavar="PATH")],
    seeds: Annotated[int, typer.Option(help="Logs drawn of each world.", min=1)] = 5,
    front: Annotated[bool, typer.Option(help="Design policies too, and hold them to the oracle.")] = True,
    json: Json = False,
) -> None:
    """What would another routing have been worth? Every estimator against full information.

    A log is made by hiding one of two known answers; who saw it, and why, confounds it.
    """
    started = time.perf_counter()
    prompts = read_prompts(data)
    with bar("valuing policies", unit="logs") as told:
        rows = list(routing_rows(prompts, seeds, told))
    designed = list(front_rows(prompts)) if front else []
    seconds = time.perf_counter() - started
    estimators = [row for row in rows if isinstance(row, RoutingRow)]
    policies = [row for row in rows if isinstance(row, PolicyRow)]
    if json:
        shown = [[row.model_dump() for row in part] for part in (estimators, policies, designed)]
        emit({**dict(zip(("rows", "policies", "front"), shown, strict=True)), "seconds": seconds})
        return
    console = stdout()
    for world in dict.fromkeys(row.world for row in policies):
        console.print(Text(f"{world}: ten policies, first log", "bold"))
        console.print(_table([row for row in policies if row.world == world]))
        console.print(Text(f"{world}: estimators, {seeds} logs", "bold"))
        console.print(_table([row for row in estimators if row.world == world]))
    if designed:
        console.print(Text("designed under a budget (US dollars a thousand prompts), against the oracle", "bold"))
        console.print(_table(designed))
    console.print(Text(f"{number(seconds)} s"))


def _table(rows: list[RoutingRow] | list[PolicyRow] | list[FrontRow]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    names = [name for name in type(rows[0]).model_fields if name != "world"]
    for index, name in enumerate(names):
        table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        cells = [getattr(row, name) for name in names]
        table.add_row(*(cell if isinstance(cell, str) else number(cell) for cell in cells))
    return table
