"""``ifonly bench worlds``: every world whose answers are known, ours and the naive answer beside the truth."""

import time
from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ifonly.cli.options import Json
from ifonly.cli.output import emit, stdout
from ifonly.cli.progress import bar
from ifonly.scenarios.catalog import known_worlds
from ifonly.scenarios.scored import KnownRow, known_rows
from ifonly.views.scores import number

app = typer.Typer(add_completion=False)


@app.command()
def worlds(
    name: Annotated[
        str | None, typer.Option("--world", help="Only this world, by name.", metavar="NAME", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Every world whose answers are known: ifonly's answer and the naive one beside the truth."""
    started = time.perf_counter()
    known = {world.name: world for world in known_worlds()}
    if name is not None and name not in known:
        raise typer.BadParameter(f"there is no world {name!r}: there are {', '.join(map(repr, known))}")
    asked = [known[name]] if name is not None else list(known.values())
    rows: list[KnownRow] = []
    with bar("asking worlds", unit="worlds") as told:
        for n, world in enumerate(asked, 1):
            rows += known_rows([world])
            told(n, len(asked))
    seconds = time.perf_counter() - started
    if json:
        emit({"rows": [row.model_dump(exclude_none=True) for row in rows], "seconds": seconds})
        return
    console = stdout()
    for world in asked:
        console.print(Text(f"{world.name}: {world.question}", "bold"))
        console.print(_table([row for row in rows if row.world == world.name]))
    console.print(Text(f"{number(seconds)} s"))


def _table(rows: list[KnownRow]) -> Table:
    """Rows come in pairs: ours, then the naive one."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("query", overflow="fold")
    for title in ("truth", "ifonly", "error", "naive", "error"):
        table.add_column(title, justify="right")
    table.add_column("what naive does", overflow="fold")
    for ours, naive in zip(rows[::2], rows[1::2], strict=True):
        values = (ours.truth, ours.value, ours.error, naive.value, naive.error)
        table.add_row(ours.query, *map(number, values), naive.mistake)
    return table
