"""``ifonly whatif``: what would have happened, had a step been otherwise."""

from collections.abc import Sequence
from pathlib import Path

import typer

from ifonly.agents.canonical import Equality
from ifonly.agents.corpus import Corpus
from ifonly.agents.errors import ActionError
from ifonly.agents.records import Trajectory
from ifonly.cli import whatif_options as options
from ifonly.cli.ask import Ask
from ifonly.cli.asking import Asker, Environments, RecordedAsker
from ifonly.cli.asking_fitted import FittedAsker
from ifonly.cli.asking_live import LiveAsker, Spec, endpoint, pairs, show_plans
from ifonly.cli.inputs import Runs, asked_runs, read_runs
from ifonly.cli.lazy import load
from ifonly.cli.options import Format, Html, Json, KeepGoing, Level
from ifonly.cli.output import command_line, command_words, emit, note, stdout
from ifonly.cli.show_answer import render_answer, render_answers
from ifonly.cli.show_next import render_next
from ifonly.cli.status import Status
from ifonly.cli.whatif_options import Continue
from ifonly.cli.where import Where
from ifonly.sim.answers import WhatIfAnswer
from ifonly.sim.continuations import Bounds, Continuation, FromCorpus, Hold
from ifonly.sim.rollout import Effort
from ifonly.sim.summary import WhatIfSummary, summarise
from ifonly.views.next_steps import after_whatif
from ifonly.views.whatif import whatif_view

app = typer.Typer(add_completion=False)

HELP = (
    "Ask what would have happened, had a step been otherwise.\n\n"
    "ifonly whatif run.json --at search/0 --drop\n\n"
    "ifonly whatif ID --corpus runs/ --at read_file/0 --clean --html answer.html\n\n"
    "ifonly whatif runs/ --corpus runs/ --where security=true --clean\n\n"
    "ifonly whatif run.json --at system/0 --prompt @better.txt --continue live --budget-usd 1"
)


@app.command(help=HELP)
def whatif(  # noqa: PLR0913 -- as many as the command has options
    run: options.Runs,
    *,
    within: options.Within = None,
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
    then: options.Then = None,
    corpus: options.Corpora = None,
    equal: options.Equal = Equality.EXACT,
    tools: options.Tools = None,
    noise: options.Noise = options.NoiseKind.FRESH,
    particles: options.Particles = 20,
    workers: options.Workers = 8,
    width: options.Width = None,
    max_steps: options.MaxSteps = None,
    budget_usd: options.BudgetUsd = None,
    max_calls: options.MaxCalls = None,
    dry_run: options.DryRun = False,
    allow_unknown_price: options.UnknownPrice = False,
    api_base: options.ApiBase = None,
    alias: options.Alias = None,
    set: options.Set = None,
    cassette: options.Tape = None,
    resume: options.Resume = False,
    level: Level = 0.95,
    where: options.Wheres = None,
    limit: options.Limit = None,
    seed: options.Seed = 0,
    json: Json = False,
    html: Html = None,
    save: options.Save = None,
    format: Format = None,
    keep_going: KeepGoing = False,
) -> None:
    """Long because typer reads the options off the signature."""
    asked = Ask(at, result, reply, call, arguments, drop, redraw, model, only_here, prompt, clean, tuple(action or ()))
    conditions = Where.parse(where or ())
    environment = Environments(tools)
    continuation, pool = _continuation(then, corpus, equal, format, environment)
    found = environment.judged(asked_runs(run, within, pool, format))
    runs = conditions.choose(found.runs)[:limit]
    if then is Continue.MODEL and not asked.swaps:
        raise ActionError(
            "--continue model", "no swap of the model", "A fitted world answers --at SITE --model NAME, onward, alone."
        )
    _check(runs, found, one=html is not None or save is not None)
    many = len(found.runs) > 1 and not (html or save)
    spec = Spec(
        Effort(particles, workers, max_steps, width, level),
        noise=noise.value,
        seed=seed,
        endpoint=endpoint(api_base, alias or ()),
        settings=pairs(set or (), "--set"),
        budget_usd=budget_usd,
        max_calls=max_calls,
        unknown_price=allow_unknown_price,
        cassette=cassette,
        resume=resume,
    )
    live = LiveAsker(spec, environment)
    if dry_run:
        show_plans(live.plans(runs, asked), as_json=json)
        raise typer.Exit
    asker: Asker = live if then is Continue.LIVE else RecordedAsker(continuation, environment, level)
    if isinstance(asker, RecordedAsker) and asked.swaps and pool.runs:
        asker = FittedAsker(asker, pool.runs, then is Continue.MODEL, spec.endpoint, seed)
    given = asker.answers(runs, asked, strict=not many)
    answers, failed = given.answers, given.failed
    if many:
        _many(answers, failed, summarise(answers, level, seed), json=json)
    else:
        _one(runs[0], answers[0], json=json, html=html)
    if save:
        asker.save(save, runs[0], answers[0])
        note(f"wrote {save}")
    raise typer.Exit(_status(answers, found, failed, keep_going=keep_going))


def _check(runs: Sequence[Trajectory], found: Runs, *, one: bool) -> None:
    """See that there is a run to ask of, and one alone where one is needed."""
    if not runs:
        raise ActionError(f"{len(found.runs):,} runs", "none is as --where says", "`ifonly show PATH` lists the runs.")
    if one and len(runs) > 1:
        raise ActionError("--html or --save", f"{len(runs)} runs", "Ask of one run: give its id, and --in PATH.")


def _continuation(
    then: Continue | None,
    corpus: Sequence[str] | None,
    equal: Equality,
    format: str | None,
    environment: Environments,
) -> tuple[Continuation, Runs]:
    """Where later replies come from, and the runs of the corpus."""
    if then in (Continue.CORPUS, Continue.MODEL) and not corpus:
        raise ActionError(f"--continue {then}", "no corpus", "Name the runs to take replies from: --corpus PATH.")
    pool = environment.judged(read_runs(corpus, format)) if corpus else Runs(())
    if then in (Continue.BOUNDS, Continue.LIVE):
        return Bounds(), pool
    if then is Continue.HOLD or not corpus:
        return Hold(), pool
    return FromCorpus(Corpus(pool.runs, equal)), pool


def _many(answers: Sequence[WhatIfAnswer], failed: int, summary: WhatIfSummary, *, json: bool) -> None:
    """Show the answers of many runs, and their summary."""
    if json:
        shown = [answer.model_dump(mode="json") for answer in answers]
        emit({"version": 1, "summary": summary.model_dump(mode="json"), "answers": shown, "failed": failed})
    else:
        render_answers(stdout(), answers, summary)


def _one(run: Trajectory, answer: WhatIfAnswer, *, json: bool, html: Path | None) -> None:
    """Show one answer in the forms that were asked for."""
    if json:
        emit(answer)
    else:
        render_answer(stdout(), run, whatif_view(run, answer))
        render_next(stdout(), after_whatif(run, answer, command_words()))
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
