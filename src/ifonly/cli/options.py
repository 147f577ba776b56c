"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer


def in_panel(
    panel: str,
    help: str,
    metavar: str | None = None,
    *names: str,
    min: float | None = None,
    max: float | None = None,
) -> typer.models.OptionInfo:
    """An option that help lists under a heading of its own."""
    option: typer.models.OptionInfo = typer.Option(
        *names, help=help, metavar=metavar, min=min, max=max, rich_help_panel=panel
    )
    return option


Paths = Annotated[
    list[str], typer.Argument(help="Files, folders or globs of recorded runs (.json, .jsonl, .gz).", metavar="PATH...")
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, whole.")]
Html = Annotated[
    Path | None,
    typer.Option("--html", help="Write a page too: one file, no network, no script.", metavar="FILE"),
]
Format = Annotated[
    str | None, typer.Option("--format", help="Format of the runs; found out by itself if left out.", metavar="NAME")
]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Exit with 0 even where records were left out; they are still told.")
]
Level = Annotated[float, typer.Option("--level", help="Coverage of intervals.", min=0.5, max=0.999)]
Workers = Annotated[
    int | None, typer.Option("--workers", help="Processes; as many as there are cores if left out.", min=1)
]
