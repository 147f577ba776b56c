"""``ifonly bench estimators``: every estimator against every world, whether it meets its assumptions or breaks them."""

import os
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
from ifonly.scenarios.bench.catalog import contests_named
from ifonly.scenarios.bench.playing import play
from ifonly.scenarios.bench.rows import BenchRow, rows_of
from ifonly.views.bench import bench_view, contests_grid, markdown
from ifonly.views.scores import number
from ifonly.views.text import visible

app = typer.Typer(add_completion=False)

_ROUNDS, _QUICK = 200, 8


@app.command()
def estimators(  # noqa: PLR0913 -- as many as the command has options
    *,
    world: Annotated[
        list[str] | None, typer.Option("--world", help="Only this world; may be repeated.", metavar="NAME")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the worlds, and ask none.")] = False,
    rounds: Annotated[int | None, typer.Option(help="Draws of each world.", min=1, show_default=str(_ROUNDS))] = None,
    quick: Annotated[bool, typer.Option("--quick", help=f"{_QUICK} draws of each world: does all run?")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; as many as cores, if left out.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of all draws.", min=0)] = 0,
    journal: Annotated[
        Path | None,
        typer.Option("--resume", help="Note rounds in this file; those it holds are not played again.", metavar="FILE"),
    ] = None,
    json: Json = False,
    md: Annotated[Path | None, typer.Option("--markdown", help="Write the tables as Markdown.", metavar="FILE")] = None,
    html: Html = None,
) -> None:
    """Every estimator against every world: bias, error, coverage, width and cost."""
    asked = contests_named(world or ())
    if listed:
        stdout().print(grid_table(contests_grid(asked.values()), numbers=False))
        return
    count = rounds or (_QUICK if quick else _ROUNDS)
    started = time.perf_counter()
    with bar("asking worlds", unit="rounds") as told:
        made = play(asked, count, seed=seed, workers=workers or os.cpu_count() or 1, journal=journal, told=told)
    rows = [row for name, contest in asked.items() for row in rows_of(contest, list(made[name].values()))]
    seconds = time.perf_counter() - started
    source = f"{len(rows)} rows: {len(asked)} worlds, up to {count} draws of each, seed {seed}, 95 % intervals."
    if md is not None:
        md.write_text(markdown(bench_view(rows), source), encoding="utf-8")
        note(f"wrote {md}")
    if html is not None:
        load("ifonly.report.bench", "write_bench")(html, rows, source, command_line())
        note(f"wrote {html}")
    if json:
        emit({"rows": [row.model_dump(exclude_none=True) for row in rows], "seconds": seconds})
    else:
        _print(stdout(), rows, f"{source} {number(seconds)} s")


def _print(console: Console, rows: list[BenchRow], source: str) -> None:
    for view in bench_view(rows):
        console.print(Text(visible(f"{view.world}: {view.query}, truth {view.truth}"), "bold"))
        console.print(grid_table(view.grid))
    short = [row for row in rows if row.verdict == "falls short"]
    for row in short:
        console.print(Text(visible(f"{row.estimator} falls short on {row.world}: {row.query}"), "red"))
    console.print(Text(visible(source)))
