"""``ifonly policy``: what another policy would have been worth, from a log alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ifonly.agents.errors import ActionError
from ifonly.agents.files import expand
from ifonly.agents.records import Trajectory
from ifonly.agents.tables import Table, is_table, read_table
from ifonly.cli.inputs import read_runs
from ifonly.cli.lazy import load
from ifonly.cli.options import Format, Html, Json, Level, in_panel
from ifonly.cli.output import command_line, emit, note, stdout
from ifonly.cli.policy_log import check_since, must, propensities_of
from ifonly.cli.policy_runs import in_world, parse_policy, replayed, steps_of_runs
from ifonly.cli.progress import bar
from ifonly.cli.show_policy import render_report
from ifonly.cli.status import Status
from ifonly.cli.where import Where
from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.nuisance import FOLDS
from ifonly.sim.policy import (
    Columns,
    PolicyReport,
    RunsValuing,
    SavedRule,
    Target,
    Valuing,
    choices_table,
    decisions_of,
    pareto,
    parse_choice,
    summarise_log,
)
from ifonly.sim.policy.choices import ACTION, EVERY, PROPENSITY
from ifonly.sim.policy.designing import ASSUMES
from ifonly.sim.policy.targets import parse_numbers

if TYPE_CHECKING:
    from ifonly.sim.policy.answers import DesignedPolicy, Intervals

app = typer.Typer(add_completion=False)

HELP = (
    "Say what another way to choose tools or models would have been worth, from a log alone.\n\n"
    "ifonly policy log.csv --action model --reward correct --propensity p --context domain --target large\n\n"
    "ifonly policy log.csv ... --price small=0.1,large=1.5 --design --save rule.json\n\n"
    "ifonly policy runs/ --score utility --cluster task --context label.suite --propensity uniform --target gpt-4o\n\n"
    "ifonly policy steps.csv --run run --action model --reward solved --propensity p --target 'large@5 else small'\n\n"
    "A log is a table with one decision a row (CSV, JSON lines, Parquet), or a folder of recorded runs."
)


class IntervalKind(StrEnum):
    """How intervals are made."""

    INFLUENCE = "influence"
    BOOTSTRAP = "bootstrap"


class RuleKind(StrEnum):
    """What a designed policy is."""

    TREE = "tree"
    LINEAR = "linear"


_log = partial(in_panel, "What the log says")
_policy = partial(in_panel, "Which policies")
_trust = partial(in_panel, "How far to trust it")


@app.command("policy", help=HELP)
def policy(  # noqa: PLR0913 -- as many as the command has options
    paths: Annotated[list[str], typer.Argument(help="A table, or recorded runs.", metavar="LOG...")],
    *,
    action: Annotated[str | None, _log("Column of what was chosen.", "COLUMN")] = None,
    reward: Annotated[str | None, _log("Column of what came of it.", "COLUMN")] = None,
    choice: Annotated[str, _log("Of runs: model, model@SITE or tool@SITE; SITE * for every step.", "WHAT")] = "model",
    score: Annotated[str | None, _log("Of runs: the score that is the reward.", "NAME")] = None,
    where: Annotated[list[str] | None, _log("Of runs: only those that are so.", "KEY=VALUE")] = None,
    propensity: Annotated[
        str | None,
        _log("How likely each choice was: a column; uniform; ARM=SHARE,...; or fit, from the context.", "COLUMN"),
    ] = None,
    context: Annotated[list[str] | None, _log("Column known before the choice; repeat it.", "COLUMN")] = None,
    run: Annotated[
        str | None,
        _log(
            "Column of the run that a decision is a step of: whole runs are valued, steps in the order of rows.",
            "COLUMN",
        ),
    ] = None,
    discount: Annotated[float, _log("Of each step of a run over the one before.", min=0.01, max=1)] = 1.0,
    cost: Annotated[str | None, _log("Column of what the decision cost.", "COLUMN")] = None,
    price: Annotated[str | None, _log("What each arm costs a decision.", "ARM=NUMBER,...")] = None,
    seconds: Annotated[str | None, _log("Column of how long it took.", "COLUMN")] = None,
    cluster: Annotated[str | None, _log("Column of what makes decisions dependent: the task.", "COLUMN")] = None,
    time: Annotated[str | None, _log("Column of when it was, a number: then drift is looked for.", "COLUMN")] = None,
    target: Annotated[
        list[str] | None,
        _policy(
            "A policy to value: ARM; uniform; ARM=SHARE,...; @RULE.json; of runs also ARM@STEPS else ARM. Repeat it.",
            "POLICY",
        ),
    ] = None,
    design: Annotated[bool, _policy("Design policies: quality against cost.", None, "--design")] = False,
    budget: Annotated[list[float] | None, _policy("Mean cost of a decision to design for; repeat it.", "COST")] = None,
    rule: Annotated[RuleKind, _policy("What is designed: a tree, or a threshold.")] = RuleKind.TREE,
    depth: Annotated[int, _policy("Questions on a path of a tree.", min=0, max=5)] = 2,
    seconds_price: Annotated[float, _policy("What a second counts for, beside the cost.", min=0)] = 0.0,
    save: Annotated[
        Path | None, _policy("Write the best rule designed (of --budget, if one is given) as JSON.", "FILE")
    ] = None,
    control: Annotated[
        list[str] | None, _trust("Column that the choice cannot have moved: it should not differ.", "COLUMN")
    ] = None,
    since: Annotated[
        float | None,
        _trust("With --time: the value from then on, the log's contexts re-weighted to that period.", "TIME"),
    ] = None,
    reward_range: Annotated[
        tuple[float, float] | None, _trust("Smallest and largest reward there can be; those seen if left out.")
    ] = None,
    intervals: Annotated[
        IntervalKind, _trust("From influence functions, or by resampling whole groups (of --cluster).")
    ] = IntervalKind.INFLUENCE,
    repeats: Annotated[int, _trust("Resamples of --intervals bootstrap.", min=100)] = 1_000,
    abduct: Annotated[
        bool, _trust("Of whole runs: replay each under the policy's model, by abduction.", None, "--abduct/--no-abduct")
    ] = True,
    corpus: Annotated[
        list[str] | None, _trust("More runs for --abduct to learn tasks and models from.", "PATH")
    ] = None,
    world: Annotated[
        str | None,
        _trust("Of runs of several decisions: replay each in your own Pyro world, by abduction.", "FILE.py:NAME"),
    ] = None,
    particles: Annotated[int, _trust("Draws of what the log does not show, for each run in --world.", min=2)] = 200,
    level: Level = 0.95,
    seed: Annotated[int, typer.Option(help="Of the folds, the bootstrap and the draws in --world.", min=0)] = 0,
    json: Json = False,
    html: Html = None,
    format: Format = None,
) -> None:
    """Long because typer reads the options off the signature."""
    table, runs, left_out = _table(paths, choice, where or [], format)
    is_runs = runs is not None
    run = run or ("run" if is_runs and parse_choice(choice).site == EVERY else None)
    whole = runs if abduct and action is run is None and parse_choice(choice).site is None else None
    if corpus and whole is None:
        raise ActionError("--corpus", "no whole runs under one model each to replay", "See `ifonly policy --help`.")
    taken, came = must(table, action or (ACTION if is_runs else None), reward, score)
    chances, source = propensities_of(table, taken, propensity or (PROPENSITY if PROPENSITY in table.columns else None))
    columns = Columns(
        taken,
        came,
        propensity=chances if isinstance(chances, str) else None,
        declared=chances if isinstance(chances, dict) else None,
        context=tuple(context or ()),
        cost=cost,
        prices={} if price is None else parse_numbers("--price", price),
        seconds=seconds,
        cluster=cluster,
        time=time,
    )
    if run is not None:
        refused = {
            "design": design,
            "cost": cost,
            "price": price,
            "seconds": seconds,
            "time": time,
            "control": control,
            "since": since is not None,
        }
        table = steps_of_runs(table, run, [f"--{name}" for name, value in refused.items() if value])
    decisions = decisions_of(table, columns)
    how: Intervals = "bootstrap" if intervals is IntervalKind.BOOTSTRAP else "influence"
    span = reward_range
    valuing: Valuing | RunsValuing
    if run is None:
        controls = tuple(control or ())
        check_since(decisions, since)
        valuing = Valuing(
            decisions, table, source, level, seed, controls, span, intervals=how, repeats=repeats, since=since
        )
    else:
        valuing = RunsValuing(decisions, table, run, source, level, seed, span, discount, how, repeats)
    targets = [parse_policy(text, decisions.log.arms, steps=run is not None) for text in target or []]
    if not targets and not design:
        fix = f"Value policies with --target (arms: {', '.join(decisions.log.arms)}), or design some with --design."
        raise ActionError("ifonly policy", "neither a target nor a design was asked for", fix)
    wanted = _Wanted(rule, tuple(budget or ()), depth, seconds_price) if design else None
    report = _report(valuing, targets, left_out, wanted)
    if whole is not None and isinstance(valuing, Valuing) and report.answers:
        answers = replayed(report.answers, valuing, whole, came, corpus or (), format)
        report = report.model_copy(update={"answers": tuple(answers)})
    if world is not None:
        answers = in_world(report.answers, valuing, world, (taken, came), particles)
        report = report.model_copy(update={"answers": tuple(answers)})
    if save is not None:
        _save(save, report, decisions.encoding, budget or [])
    if json:
        emit(report)
    else:
        render_report(stdout(), report)
    if html:
        load("ifonly.report.policy", "write_policy")(html, report, command_line())
        note(f"wrote {html}")
    raise typer.Exit(Status.FAILED if any(one.verdict == "bounds only" for one in report.answers) else Status.ANSWERED)


@dataclass(frozen=True)
class _Wanted:
    """The designs that were asked for."""

    rule: RuleKind
    budgets: tuple[float, ...]
    depth: int
    seconds_price: float


def _report(
    valuing: Valuing | RunsValuing, targets: list[Target], left_out: int, wanted: _Wanted | None
) -> PolicyReport:
    try:
        with bar("valuing", unit="policies") as told:
            answers = []
            for index, one in enumerate(targets):
                told(index, len(targets))
                answers.append(valuing.value(one))
        front: tuple[DesignedPolicy, ...] = ()
        if wanted is not None and isinstance(valuing, Valuing):
            with bar("designing", unit="folds") as told:
                front = pareto(
                    valuing,
                    wanted.rule.value,
                    wanted.budgets,
                    depth=wanted.depth,
                    seconds_price=wanted.seconds_price,
                    progress=told,
                )
    except NotApplicable as error:
        fix = (
            "Name the column of propensities with --propensity; declare them (uniform, or ARM=SHARE,...); or fit them "
            f"from the context with --propensity fit. Cross-fitting takes at least 2 groups, best {FOLDS} or more."
        )
        raise ActionError("ifonly policy", str(error), fix) from error
    return PolicyReport(
        log=summarise_log(
            valuing.decisions,
            valuing.propensities,
            left_out,
            len(valuing.log) if isinstance(valuing, RunsValuing) else 0,
        ),
        answers=tuple(answers),
        pareto=front,
        assumes=ASSUMES if front else (),
    )


def _table(
    paths: list[str], choice: str, where: list[str], format: str | None
) -> tuple[Table, Sequence[Trajectory] | None, int]:
    """The rows of the log, of a table or of runs, as the first file is; the runs; and how many were left out."""
    first = next((file for file in expand(paths) if isinstance(file, Path)), None)
    if format is None and first is not None and is_table(first):
        return read_table(paths), None, 0
    found = read_runs(paths, format)
    runs = Where.parse(where).choose(found.runs)
    table, without = choices_table(runs, parse_choice(choice), " ".join(paths))
    return table, runs, found.left_out + without


def _save(path: Path, report: PolicyReport, encoding: object, budgets: list[float]) -> None:
    """Write the rule of the best designed point."""
    designed = [one for one in report.pareto if one.budget is not None]
    if not designed:
        raise ActionError(f"--save {path}", "nothing was designed", "Ask for it with --design.")
    asked = [one for one in designed if one.budget in budgets[:1]] or designed
    best = max(asked, key=lambda one: one.value.value or 0.0)
    rule = SavedRule(rule=best.target.rule, encoding=best.target.encoding, source=command_line())
    load("ifonly.report.pages", "write_page")(path, rule.model_dump_json(indent=2) + "\n")
    note(f"wrote {path}: {best.target.name}")
