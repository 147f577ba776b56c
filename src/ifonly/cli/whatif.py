"""``ifonly whatif``: what would have happened, had a step been otherwise."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ifonly.agents.canonical import Equality
from ifonly.agents.corpus import Corpus
from ifonly.agents.errors import ActionError, IfonlyError, UnknownName
from ifonly.cli.ask import Ask
from ifonly.cli.inputs import Runs, find, is_path, read_runs
from ifonly.cli.lazy import load
from ifonly.cli.options import Format, Html, Json, KeepGoing, Level
from ifonly.cli.output import command_line, emit, note, problems, stdout
from ifonly.cli.progress import bar
from ifonly.cli.save import save as save_twin
from ifonly.cli.show_answer import render_answer, render_answers
from ifonly.cli.status import Status
from ifonly.cli.where import Where
from ifonly.sim.continuations import Bounds, Continuation, FromCorpus, Hold
from ifonly.sim.summary import summarise
from ifonly.sim.whatif import whatif as ask_one
from ifonly.views.whatif import whatif_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import Trajectory
    from ifonly.sim.answers import WhatIfAnswer

app = typer.Typer(add_completion=False)

_ACTION, _THEN, _MANY, _OUT = "What had been otherwise", "What happens after", "Many runs", "Output"


class Continue(StrEnum):
    """Where replies come from after the worlds part."""

    HOLD = "hold"
    CORPUS = "corpus"
    BOUNDS = "bounds"


@app.command()
def whatif(
    run: Annotated[list[str], typer.Argument(help="Files or folders of runs, or ids (with --in).", metavar="RUN...")],
    within: Annotated[
        list[str] | None, typer.Option("--in", help="Where to look for ids; the corpus, if left out.", metavar="PATH")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", help="Site of the step.", metavar="SITE", rich_help_panel=_ACTION)] = None,
    result: Annotated[
        str | None, typer.Option(help="The tool gives this back (TEXT or @FILE).", metavar="TEXT", rich_help_panel=_ACTION)
    ] = None,
    reply: Annotated[
        str | None,
        typer.Option(help="The model says this: text, or JSON with tool_calls.", metavar="TEXT", rich_help_panel=_ACTION),
    ] = None,
    call: Annotated[
        str | None, typer.Option(help="Another call is made.", metavar="TOOL", rich_help_panel=_ACTION)
    ] = None,
    arguments: Annotated[
        str | None, typer.Option(help="The arguments of --call.", metavar="JSON", rich_help_panel=_ACTION)
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="The call is not made.", rich_help_panel=_ACTION)] = False,
    redraw: Annotated[
        bool, typer.Option("--redraw", help="The model is asked the same once more.", rich_help_panel=_ACTION)
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="Another model answers, from here on.", metavar="NAME", rich_help_panel=_ACTION)
    ] = None,
    only_here: Annotated[
        bool, typer.Option("--only-here", help="... at this step alone.", rich_help_panel=_ACTION)
    ] = False,
    prompt: Annotated[
        str | None, typer.Option(help="Another prompt stands there.", metavar="TEXT", rich_help_panel=_ACTION)
    ] = None,
    clean: Annotated[
        bool,
        typer.Option(
            "--clean",
            help="The attack's text is taken out: of the result at SITE, or of the whole environment without --at.",
            rich_help_panel=_ACTION,
        ),
    ] = False,
    action: Annotated[
        list[str] | None,
        typer.Option(help="An action as JSON, or @FILE; may be repeated.", metavar="JSON", rich_help_panel=_ACTION),
    ] = None,
    then: Annotated[
        Continue | None,
        typer.Option(
            "--continue",
            help="Later replies: 'hold' keeps those recorded; 'corpus' takes those that runs of the same model gave to the "
            "equal request; 'bounds' leaves them open. Left out: corpus if --corpus is given, else hold.",
            rich_help_panel=_THEN,
        ),
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(help="Runs to take replies from; may be repeated.", metavar="PATH", rich_help_panel=_THEN),
    ] = None,
    equal: Annotated[
        Equality,
        typer.Option(
            help="When requests count as equal: word for word, or by calls alone (an assumption).", rich_help_panel=_THEN
        ),
    ] = Equality.EXACT,
    level: Level = 0.95,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only runs with this label, score, model, task.", metavar="KEY=VALUE", rich_help_panel=_MANY),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Ask of this many runs at most.", min=1, rich_help_panel=_MANY)] = None,
    seed: Annotated[int, typer.Option(help="Of the interval over runs.", rich_help_panel=_MANY)] = 0,
    json: Json = False,
    html: Html = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Write the counterfactual run as JSONL of ifonly.", metavar="FILE", rich_help_panel=_OUT),
    ] = None,
    format: Format = None,
    keep_going: KeepGoing = False,
) -> None:
    """Ask what would have happened, had a step been otherwise.

    Long because typer reads the options off the signature.
    """
    asked = Ask(at, result, reply, call, arguments, drop, redraw, model, only_here, prompt, clean, tuple(action or ()))
    conditions = Where.parse(where or ())
    continuation, pool = _continuation(then, corpus, equal, format)
    found = _runs(run, within, pool, format)
    runs = conditions.choose(found.runs)[:limit]
    if not runs:
        raise ActionError(" ".join(where or run), "no run is like this", "`ifonly show PATH` lists the runs.")
    if len(runs) > 1 and (html or save):
        raise ActionError("--html or --save", f"{len(runs)} runs", "Ask of one run: give its id, and --in PATH.")
    many = len(found.runs) > 1 and not (html or save)
    answers, failed = _answers(runs, asked, continuation, level, strict=not many)
    if many:
        summary = summarise(answers, level, seed)
        if json:
            shown = [answer.model_dump(mode="json") for answer in answers]
            emit({"version": 1, "summary": summary.model_dump(mode="json"), "answers": shown, "failed": failed})
        else:
            render_answers(stdout(), answers, summary)
    else:
        _one(runs[0], answers[0], json=json, html=html)
        if save:
            save_twin(save, runs[0], answers[0], continuation)
            note(f"wrote {save}")
    raise typer.Exit(_status(answers, found, failed, keep_going=keep_going))


def _continuation(
    then: Continue | None, corpus: Sequence[str] | None, equal: Equality, format: str | None
) -> tuple[Continuation, Runs]:
    """Where later replies come from, and the runs of the corpus."""
    if then is Continue.CORPUS and not corpus:
        raise ActionError("--continue corpus", "no corpus", "Name the runs to take replies from: --corpus PATH.")
    pool = read_runs(corpus, format) if corpus else Runs(())
    if then is Continue.BOUNDS:
        return Bounds(), pool
    if then is Continue.HOLD or not corpus:
        return Hold(), pool
    return FromCorpus(Corpus(pool.runs, equal)), pool


def _runs(asked: Sequence[str], within: list[str] | None, pool: Runs, format: str | None) -> Runs:
    """The runs that are asked about: of the paths, and those with the ids."""
    paths = [text for text in asked if is_path(text)]
    chosen = read_runs(paths, format) if paths else Runs(())
    runs, left_out = list(chosen.runs), chosen.left_out + pool.left_out
    known = {run.id: run for run in pool.runs}
    for id in (text for text in asked if text not in paths):
        if id in known and not within:
            runs.append(known[id])
            continue
        if not within and not pool.runs:
            raise ActionError(id, "no such file", "If this is the id of a run, say where it is: --in PATH.")
        if not within:
            raise UnknownName("run", id, list(known), "`ifonly show PATH` lists the runs of the corpus.")
        runs.append(find(id, within, format).runs[0])
    return Runs(tuple(runs), left_out)


def _answers(
    runs: Sequence[Trajectory], asked: Ask, continuation: Continuation, level: float, *, strict: bool
) -> tuple[list[WhatIfAnswer], int]:
    """An answer for each run, and how many had none; asked of one run alone, its error is raised.

    Raises:
        IfonlyError: no run at all could be asked.
    """
    answers: list[WhatIfAnswer] = []
    errors: list[IfonlyError] = []
    with bar("asking") as told:
        for index, run in enumerate(runs):
            told(index, len(runs))
            try:
                answers.append(ask_one(run, asked.actions(run), continuation=continuation, level=level))
            except IfonlyError as error:
                if strict:
                    raise
                errors.append(error)
    if errors and not answers:
        raise errors[0]
    problems(errors)
    return answers, len(errors)


def _one(run: Trajectory, answer: WhatIfAnswer, *, json: bool, html: Path | None) -> None:
    """Show one answer in the forms that were asked for."""
    if json:
        emit(answer)
    else:
        render_answer(stdout(), run, whatif_view(run, answer))
    if html:
        load("ifonly.report.pages", "write_whatif")(html, run, answer, command_line())
        note(f"wrote {html}")


def _status(answers: Sequence[WhatIfAnswer], found: Runs, failed: int, *, keep_going: bool) -> Status:
    """Needs live where nothing was answered for want of replies; failed where nothing was answered otherwise."""
    if failed and not keep_going:
        return Status.FAILED
    verdicts = {answer.verdict for answer in answers}
    settled = verdicts & {"answered", "partly answered"} or {answer.continuation for answer in answers} == {"bounds"}
    if settled:
        return found.status(keep_going=keep_going)
    return Status.NEEDS_LIVE if "needs live or fitted" in verdicts else Status.FAILED
