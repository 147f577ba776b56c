"""``ifonly blame``: which step was it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ifonly.agents.canonical import Equality
from ifonly.agents.corpus import Corpus
from ifonly.agents.errors import ActionError, IfonlyError
from ifonly.agents.records import Trajectory
from ifonly.cli import whatif_options as options
from ifonly.cli.ask import text_of
from ifonly.cli.asking import Environments
from ifonly.cli.asking_live import Spec, endpoint, pairs
from ifonly.cli.blame_live import LiveBlaming, show_blame_plans
from ifonly.cli.inputs import Runs, asked_runs, read_runs
from ifonly.cli.lazy import load
from ifonly.cli.options import Format, Html, Json, KeepGoing, Level
from ifonly.cli.output import command_line, command_words, emit, note, problems, stdout
from ifonly.cli.progress import bar
from ifonly.cli.show_blame import render_blame, render_blames
from ifonly.cli.show_next import render_next
from ifonly.cli.status import Status
from ifonly.cli.whatif_options import live_option
from ifonly.cli.where import Where
from ifonly.sim.blame import (
    EFFORT,
    BlameAnswer,
    BlamePlan,
    Failure,
    blame,
    failure_of,
    parse_failure,
    summarise_blame,
)
from ifonly.sim.rollout import Effort
from ifonly.views.blame import blame_view
from ifonly.views.fixes import Places
from ifonly.views.next_steps import after_blame

app = typer.Typer(add_completion=False)

HELP = (
    "Say which steps the failure of a run is due to, and what would have averted it.\n\n"
    "ifonly blame run.json\n\n"
    "ifonly blame ID --in runs/ --corpus runs/ --html blame.html\n\n"
    "ifonly blame runs/ --corpus runs/ --where security=true --limit 50\n\n"
    "ifonly blame ID --in runs/ --continue live --max-calls 200 --dry-run\n\n"
    "Answers come from recordings and from tools executed again; models are asked only with --continue live."
)


class Continue(StrEnum):
    """Where answers come from beyond the recordings."""

    RECORDED = "recorded"
    LIVE = "live"


@app.command("blame", help=HELP)
def blame_(  # noqa: PLR0913 -- as many as the command has options
    run: options.Runs,
    *,
    within: options.Within = None,
    corpus: options.Corpora = None,
    equal: options.Equal = Equality.EXACT,
    tools: options.Tools = None,
    score: Annotated[
        str | None,
        typer.Option(
            help="What counts as failure, NAME=VALUE or NAME<VALUE; if left out: an injection that succeeded, else the "
            "first score that is false or 0.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    effort: Annotated[
        int,
        typer.Option(help="Sets of calls executed for the Shapley share: 2^n make n calls exact, to 16.", min=4),
    ] = EFFORT,
    then: Annotated[
        Continue,
        typer.Option(
            "--continue",
            help="recorded: no model is asked; live: models are asked for what the log leaves open, within a budget.",
        ),
    ] = Continue.RECORDED,
    model: Annotated[
        list[str] | None, live_option("Another model answers, from each model step on; may be repeated.", "NAME")
    ] = None,
    prompt: Annotated[
        list[str] | None,
        live_option("Another text stands in the first prompt (TEXT or @FILE); may be repeated.", "TEXT"),
    ] = None,
    at: Annotated[list[str] | None, live_option("Ask of this step alone; may be repeated.", "SITE")] = None,
    worlds: Annotated[
        int | None,
        live_option(
            "Worlds in which the shares of model steps are asked: as many as --particles, if left out; 0 asks none.",
            min=0,
        ),
    ] = None,
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
    where: options.Wheres = None,
    limit: Annotated[int | None, typer.Option(help="Blame this many failed runs at most.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of the orders drawn for many calls, and of the bootstrap over tasks.")] = 0,
    level: Level = 0.95,
    json: Json = False,
    html: Html = None,
    format: Format = None,
    keep_going: KeepGoing = False,
) -> None:
    """Long because typer reads the options off the signature."""
    failure = None if score is None else parse_failure(score)
    conditions = Where.parse(where or ())
    environments = Environments(tools)
    pool = environments.judged(read_runs(corpus, format)) if corpus else Runs(())
    found = environments.judged(asked_runs(run, within, pool, format))
    chosen = conditions.choose(found.runs)
    if not chosen:
        raise ActionError(f"{len(found.runs):,} runs", "none is as --where says", "`ifonly show PATH` lists the runs.")
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
    texts = tuple(text_of(text) for text in prompt or ())
    blaming = LiveBlaming(spec, tuple(model or ()), texts, tuple(at or ()), worlds)
    _check_live(then, blaming)
    asker = _Asker(Corpus(pool.runs, equal) if corpus else None, environments, failure, effort, seed, level)
    if dry_run:
        failed = [one for one in chosen if asker.fails(one)][:limit] or chosen[:1]
        show_blame_plans([(one, asker.plan(one, blaming)) for one in failed], as_json=json)
        raise typer.Exit
    if then is Continue.LIVE:
        asker.live = blaming
    if len(found.runs) > 1:
        if html:
            raise ActionError("--html", f"{len(chosen)} runs", "Ask of one run: give its id, and --in PATH.")
        raise typer.Exit(_many(asker, chosen, limit, found, json=json, keep_going=keep_going))
    one = chosen[0]
    with asker.ready([one]):
        answer = asker(one)
    places = _places(run, within, corpus, tools, equal, spec if then is Continue.LIVE else None)
    if json:
        emit(answer)
    else:
        render_blame(stdout(), blame_view(one, answer, places))
        render_next(stdout(), after_blame(one, answer, command_words()))
    if html:
        load("ifonly.report.blame", "write_blame")(html, one, answer, places, command_line())
        note(f"wrote {html}")
    blamed = answer.verdict == "blamed"
    raise typer.Exit(found.status(keep_going=keep_going) if blamed else Status.FAILED)


def _check_live(then: Continue, live: LiveBlaming) -> None:
    """See that nothing is asked for that only live calls can answer, without them."""
    given = {"--model": live.models, "--prompt": live.prompts, "--at": live.sites}
    for option, value in given.items():
        if value and then is not Continue.LIVE:
            raise ActionError(option, "no live calls", "Add --continue live, and a budget (or --dry-run).")


class _Asker:
    """Blames a run, with what the options say."""

    def __init__(
        self,
        corpus: Corpus | None,
        environments: Environments,
        failure: Failure | None,
        effort: int,
        seed: int,
        level: float,
    ) -> None:
        self.corpus, self.environments, self.failure = corpus, environments, failure
        self.effort, self.seed, self.level = effort, seed, level
        self.live: LiveBlaming | None = None

    def __call__(self, run: Trajectory) -> BlameAnswer:
        environment = self.environments(run)
        with self.live.ask(run, environment) if self.live else nullcontext() as live:
            return blame(
                run,
                corpus=self.corpus,
                environment=environment,
                score=self.failure,
                effort=self.effort,
                seed=self.seed,
                level=self.level,
                live=live,
            )

    def ready(self, runs: Sequence[Trajectory]) -> AbstractContextManager[object]:
        """Ready to ask of these runs."""
        return nullcontext() if self.live is None else self.live.open(runs)

    def plan(self, run: Trajectory, live: LiveBlaming) -> BlamePlan:
        """What asking would cost."""
        return live.plan(run, self.environments(run), self.corpus, self.failure)

    def fails(self, run: Trajectory) -> bool:
        """Whether there is something to blame somebody for."""
        failure = self.failure or failure_of(run)
        return bool(run.steps) and failure is not None and failure.of(run) is True


def _many(
    asker: _Asker, runs: Sequence[Trajectory], limit: int | None, found: Runs, *, json: bool, keep_going: bool
) -> Status:
    """Blame each failed run, and show the answers with their summary."""
    failed = [run for run in runs if asker.fails(run)]
    asked = failed[:limit]
    if not failed:
        fix = "Say what counts as failure with --score NAME=VALUE."
        raise ActionError(f"blame over {len(runs):,} runs", "none of them failed", fix)
    answers, errors, stopped = _answers(asker, asked)
    if not answers:
        raise errors[0]
    problems(errors)
    summary = summarise_blame(answers, runs=len(runs), failed=len(failed), level=asker.level, seed=asker.seed)
    if json:
        shown = [answer.model_dump(mode="json") for answer in answers]
        emit({"version": 1, "summary": summary.model_dump(mode="json"), "answers": shown, "failed": len(errors)})
    else:
        render_blames(stdout(), answers, summary)
    if stopped:
        note(f"Interrupted after {len(answers):,} of {len(asked):,} runs; these are shown.")
        return Status.INTERRUPTED
    if errors and not keep_going:
        return Status.FAILED
    return found.status(keep_going=keep_going) if any(one.verdict == "blamed" for one in answers) else Status.FAILED


def _answers(asker: _Asker, asked: Sequence[Trajectory]) -> tuple[list[BlameAnswer], list[IfonlyError], bool]:
    """The answers, what could not be asked, and whether it was interrupted: the answers until then are kept."""
    answers: list[BlameAnswer] = []
    errors: list[IfonlyError] = []
    with asker.ready(asked), bar("blaming") as told:
        for index, run in enumerate(asked):
            told(index, len(asked))
            try:
                answers.append(asker(run))
            except IfonlyError as error:
                errors.append(error)
            except KeyboardInterrupt:
                if asker.live or not answers:  # what was paid for is kept elsewhere
                    raise
                return answers, errors, True
    return answers, errors, False


def _places(
    asked: Sequence[str],
    within: list[str] | None,
    corpus: list[str] | None,
    tools: str | None,
    equal: Equality,
    spec: Spec | None,
) -> Places:
    """Where the run is, for the commands that run its fixes."""
    paths = within or [text for text in asked if Path(text).exists()] or corpus or []
    options_ = ["--tools", tools] if tools else []
    if equal is not Equality.EXACT:
        options_ += ["--equal", equal.value]
    return Places(tuple(paths), tuple(corpus or ()), tuple(options_), spec.words if spec else ())
