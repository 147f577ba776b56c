"""``ifonly batch``: what-ifs of very many units, resumable."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ifonly.agents.canonical import Equality
from ifonly.agents.errors import ActionError
from ifonly.cli import whatif_options as options
from ifonly.cli.ask import Ask
from ifonly.cli.asking_live import pairs
from ifonly.cli.batch_job import job_of, questions_of, recorded_units, world_units
from ifonly.cli.batch_work import ExecutorName, work
from ifonly.cli.options import Format, Json, KeepGoing, Level, Workers, in_panel
from ifonly.cli.output import emit, stdout
from ifonly.cli.show_batch import render_batch
from ifonly.cli.status import Status
from ifonly.cli.where import Where

app = typer.Typer(add_completion=False)

_UNITS, _WORK = "Units", "Work"

HELP = (
    "Ask what-ifs of very many units, on all processors or a cluster; an interrupted batch goes on.\n\n"
    "Units are recorded runs, or those of a fitted or known world.\n\n"
    "ifonly batch runs/ --clean --continue hold --out batches\n\n"
    "ifonly batch --world credit-commit --units 1000000 --at check/0 --model big\n\n"
    "Rows go to Parquet files in a folder named by the digest of the job. The same command again goes on where an "
    "interrupted one stopped, and does nothing where all is done."
)


class Then(StrEnum):
    """Where later replies come from; a batch asks no model."""

    HOLD = "hold"
    CORPUS = "corpus"
    BOUNDS = "bounds"


@app.command(help=HELP)
def batch(  # noqa: PLR0913 -- as many as the command has options
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files or folders of recorded runs; with --world, what it is fitted to.", metavar="PATH..."
        ),
    ] = None,
    *,
    at: options.At = None,
    result: options.Result = None,
    reply: options.Reply = None,
    call: options.Call = None,
    arguments: options.Arguments = None,
    drop: options.Drop = False,
    redraw: options.Redraw = False,
    model: options.Model = None,
    only_here: options.OnlyHere = False,
    prompt: options.Prompt = None,
    clean: options.Clean = False,
    action: options.Action = None,
    questions: Annotated[
        str | None,
        typer.Option(help="Several what-ifs at once: a JSON object of names and lists of actions (or @FILE)."),
    ] = None,
    then: Annotated[
        Then | None,
        typer.Option("--continue", help="Later replies, as for `ifonly whatif`: hold, corpus or bounds."),
    ] = None,
    corpus: options.Corpora = None,
    equal: options.Equal = Equality.EXACT,
    world: Annotated[
        str | None,
        in_panel(_UNITS, "Units of a world: credit-commit, credit-repair, or module:name of your own.", "NAME"),
    ] = None,
    units: Annotated[int | None, in_panel(_UNITS, "How many units of the world.", "N", min=1)] = None,
    set: Annotated[list[str] | None, in_panel(_UNITS, "A setting of the world.", "NAME=VALUE", "--set")] = None,
    where: options.Wheres = None,
    limit: options.Limit = None,
    out: Annotated[Path, in_panel(_WORK, "Folder of all results.", "FOLDER")] = Path("batches"),
    executor: Annotated[
        ExecutorName, in_panel(_WORK, "Who does the work: this process, processes of this machine, or a Ray cluster.")
    ] = ExecutorName.PROCESS,
    workers: Workers = None,
    chunk: Annotated[int | None, in_panel(_WORK, "Units a partition.", "N", min=1)] = None,
    address: Annotated[
        str | None, in_panel(_WORK, "Of the Ray cluster; RAY_ADDRESS, or a new local one, if left out.", "ADDRESS")
    ] = None,
    level: Level = 0.95,
    seed: Annotated[int, typer.Option(help="Of all noise that is drawn.")] = 0,
    json: Json = False,
    format: Format = None,
    keep_going: KeepGoing = False,
) -> None:
    """Long because typer reads the options off the signature."""
    typed = (at, result, reply, call, arguments, drop, redraw, model, only_here, prompt, clean, tuple(action or ()))
    asked = questions_of(Ask(*typed) if any(typed) else None, questions)
    if world is not None:
        if units is None:
            raise ActionError(f"--world {world}", "no number of units", "Say how many: --units 1000000.")
        job, left_out = job_of(world_units(world, paths or (), units, pairs(set or (), "--set")), asked, level, seed), 0
    else:
        if not paths:
            raise ActionError("a batch", "no units", "Name files of recorded runs, or a world with --world.")
        after = then or (Then.CORPUS if corpus else Then.HOLD)
        if after is Then.CORPUS and not corpus:
            raise ActionError("--continue corpus", "no corpus", "Name the runs to take replies from: --corpus PATH.")
        continuation = (after.value, corpus or (), equal)
        chosen, left_out = recorded_units(paths, format, Where.parse(where or ()), limit, asked, continuation)
        job = job_of(chosen, asked, level, seed)
    answer = work(job, out, executor, workers, address, chunk)
    if json:
        emit(answer)
    else:
        render_batch(stdout(), answer)
    failed = (left_out or answer.summary.errors) and not keep_going
    raise typer.Exit(Status.FAILED if failed else Status.ANSWERED)
