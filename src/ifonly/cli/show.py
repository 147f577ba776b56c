"""``ifonly show``: a recorded run step by step, or the list of runs in a file or folder."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ifonly.agents.errors import ActionError, InputError
from ifonly.cli.inputs import Runs, find, first_runs, is_path
from ifonly.cli.lazy import load
from ifonly.cli.options import Format, Html, Json, KeepGoing
from ifonly.cli.output import command_line, emit, note, stdout
from ifonly.cli.show_run import render_list, render_run
from ifonly.views.run import run_line, run_view

app = typer.Typer(add_completion=False)


@app.command()
def show(
    run: Annotated[
        str | None, typer.Argument(help="A file or folder of runs; or the id of a run, with --in.", metavar="RUN")
    ] = None,
    *,
    within: Annotated[
        list[str] | None, typer.Option("--in", help="Where to look for the id; may be repeated.", metavar="PATH")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show every value whole.")] = False,
    limit: Annotated[int, typer.Option("--limit", help="How many runs a list shows.", min=1)] = 20,
    json: Json = False,
    html: Html = None,
    format: Format = None,
    keep_going: KeepGoing = False,
) -> None:
    """Show a recorded run, step by step; or list the runs of a file or folder."""
    if run is None and not within:
        fix = "Name a file or folder of runs: ifonly show PATH; or one of its runs: ifonly show RUN --in PATH."
        raise ActionError("ifonly show", "neither a run nor a place", fix)
    found = first_runs(within or (), format, limit=limit) if run is None else _runs(run, within, format, limit)
    if len(found.runs) > 1:
        _list(found, run or shlex.join(within or ()), as_json=json, html=html)
    else:
        view = run_view(found.runs[0], full=full)
        if json:
            emit(view if full else view.model_dump(mode="json", exclude={"steps": {"__all__": {"message"}}}))
        else:
            render_run(stdout(), found.runs[0], view, full=full)
        if html:
            load("ifonly.report.pages", "write_run")(html, found.runs[0], command_line())
            note(f"wrote {html}")
    raise typer.Exit(found.status(keep_going=keep_going))


def _runs(run: str, within: list[str] | None, format: str | None, limit: int) -> Runs:
    if within:
        return find(run, within, format)
    if not is_path(run) and "/" in run and not run.endswith((".json", ".jsonl", ".gz")):
        raise InputError(run, "no such file or folder", "If this is the id of a run, say where it is: --in PATH.")
    return first_runs([run], format, limit=limit)


def _list(found: Runs, where: str, *, as_json: bool, html: Path | None) -> None:
    if html:
        raise typer.BadParameter(f"a page shows one run, and {where} holds more: give its id, and --in {where}")
    lines = [run_line(run) for run in found.runs]
    if as_json:
        emit({"version": 1, "runs": [line.model_dump(mode="json") for line in lines], "more": found.more})
        return
    render_list(stdout(), lines)
    if found.more:
        note(f"The first {len(lines)} are shown; --limit shows more.")
    note(f"See one with: ifonly show ID --in {where}")
