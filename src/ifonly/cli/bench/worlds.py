"""``ifonly bench worlds``: worlds whose truth is known, what ifonly says of them, and what a naive analysis says."""

import time

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ifonly.cli.options import Json
from ifonly.cli.output import emit, stdout
from ifonly.scenarios.causes import WORLDS
from ifonly.scenarios.known_world import KnownWorld
from ifonly.views.scores import number

app = typer.Typer(add_completion=False)


@app.command()
def worlds(json: Json = False) -> None:
    """Who was it, where it is known? Each world's questions: the truth, ifonly's answer, and the naive one."""
    started = time.perf_counter()
    rows = [row for known in WORLDS for row in _rows(known)]
    seconds = time.perf_counter() - started
    if json:
        emit({"rows": rows, "seconds": seconds})
        return
    console = stdout()
    for known in WORLDS:
        console.print(Text(known.name, "bold") + Text(f"  {known.question}"))
        console.print(Text(f"  naive: {known.naive}", "dim"))
        for line in known.assumes:
            console.print(Text(f"  assumes: {line}", "dim"))
        console.print(_table([row for row in rows if row["world"] == known.name]))
    console.print(Text(f"{number(seconds)} s"))


def _rows(known: KnownWorld) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for query in known.queries:
        for estimator, value in (("ifonly", query.answer()), ("naive", query.naive)):
            if value is not None:
                row = {"query": query.asks, "truth": query.truth, "value": value, "error": value - query.truth}
                made.append({"estimator": estimator, "world": known.name, **row})
    return made


def _table(rows: list[dict[str, object]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("question", overflow="fold")
    for title in ("truth", "ifonly", "naive"):
        table.add_column(title, justify="right")
    for asks in dict.fromkeys(str(row["query"]) for row in rows):
        mine = {row["estimator"]: row for row in rows if row["query"] == asks}
        cells = [
            mine["ifonly"]["truth"],
            *(mine[name]["value"] if name in mine else None for name in ("ifonly", "naive")),
        ]
        table.add_row(asks, *("" if cell is None else number(float(str(cell))) for cell in cells))
    return table
