"""``ifonly tools``: the first draft of a tools file, from recorded runs."""

from pathlib import Path
from typing import Annotated

import typer

from ifonly.agents.errors import InputError
from ifonly.agents.toolbox.drafting import draft
from ifonly.cli.inputs import find, is_path, read_runs
from ifonly.cli.options import Format
from ifonly.cli.output import note
from ifonly.cli.whatif_options import Within

app = typer.Typer(add_completion=False)


@app.command()
def tools(
    run: Annotated[str, typer.Argument(help="A file or folder of runs, or the id of one, with --in.", metavar="RUN")],
    *,
    within: Within = None,
    out: Annotated[
        Path, typer.Option("--out", help="Where the draft is written; a file that is there stays.", metavar="FILE")
    ] = Path("tools.py"),
    format: Format = None,
) -> None:
    """Write a first draft of the tools file that re-runs of your own agent need.

    It declares every tool that the runs call, irreversible until you say otherwise, and a score() for you to fill in.
    """
    if within is None and not is_path(run):
        raise InputError(run, "no such file or folder", "If this is the id of a run, say where it is: --in PATH.")
    found = find(run, within, format) if within else read_runs([run], format)
    text = draft(found.runs)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(str(out), "it is there already", "Name another file: --out FILE.") from None
    except OSError as error:
        raise InputError(str(out), f"cannot be written: {error.strerror}", "Name another file: --out FILE.") from None
    note(f"wrote {out}: say in score() when a run succeeded, and which tools may be executed again")
    raise typer.Exit(found.status(keep_going=False))
