"""``ifonly scenario``: a practitioner's question, answered on a world whose truth is known and on real data."""

from pathlib import Path
from typing import Annotated

import typer

from ifonly.agents.errors import ActionError
from ifonly.cli.lazy import load
from ifonly.cli.options import Html, Json
from ifonly.cli.output import command_line, emit, note, stdout
from ifonly.cli.show_scenario import render_answer, render_list
from ifonly.scenarios.catalog import find_scenario, scenarios
from ifonly.scenarios.scenario import answer
from ifonly.scm.errors import Refusal

app = typer.Typer(add_completion=False)

HELP = (
    "Answer a practitioner's question on a world whose truth is known, and on real data.\n\n"
    "ifonly scenario --list\n\n"
    "ifonly scenario rescue --html rescue.html\n\n"
    "Every question has a world whose truth is known; some have real data too, which --data names."
)


@app.command("scenario", help=HELP)
def scenario(
    name: Annotated[str | None, typer.Argument(help="Which; --list tells all.", metavar="NAME")] = None,
    *,
    listed: Annotated[bool, typer.Option("--list", help="List the questions.")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the real data, or the one that holds it.", metavar="DIR")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all draws.", min=0)] = 0,
    json: Json = False,
    html: Html = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Write the picture of the answers alone.", metavar="FILE")
    ] = None,
) -> None:
    """Answer a practitioner's question."""
    if name is None and not listed:
        raise ActionError("ifonly scenario", "no scenario was named", "Name one; `ifonly scenario --list` tells all.")
    if name is None:
        found = list(scenarios())
        if json:
            rows = [{"name": one.called, "stage": one.stage, "question": one.asks, "data": _data(one)} for one in found]
            emit({"version": 1, "scenarios": rows})
        else:
            render_list(stdout(), found)
        return
    asked = find_scenario(name)
    try:
        made = answer(asked, seed, data)
    except Refusal as error:
        fix = "Mend the data as it says, or leave --data out: a world whose truth is known is asked then."
        where = "" if data is None else f" --data {data}"
        raise ActionError(f"ifonly scenario {name}{where}", str(error), fix) from error
    if json:
        emit(made)
    else:
        render_answer(stdout(), made)
    for path, writer in ((html, "write_scenario"), (svg, "write_picture")):
        if path:
            load("ifonly.report.scenario", writer)(path, made, command_line())
            note(f"wrote {path}")


def _data(one: object) -> str | None:
    real = getattr(one, "real", None)
    return None if real is None else str(real.name)
