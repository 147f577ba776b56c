"""``ifonly bench whowhen``: which step was it, in the eyes of humans."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ifonly.agents.errors import InputError
from ifonly.cli.bench.whowhen_judge import Asked, Bench, judge_logs
from ifonly.cli.options import Json, in_panel
from ifonly.cli.output import emit, note, stdout
from ifonly.cli.progress import bar
from ifonly.cli.status import Status
from ifonly.scenarios.whowhen.bench import Answers, Row, own_answers, rows_of, shortlisted, spread
from ifonly.scenarios.whowhen.blame import NOBODY
from ifonly.scenarios.whowhen.judge import Protocol
from ifonly.scenarios.whowhen.logs import Labelled, read_labelled
from ifonly.scenarios.whowhen.predictions import read_predictions
from ifonly.views.scores import number

app = typer.Typer(add_completion=False)

HELP = (
    "Which step was a failure due to? Attributors and simple rules against what humans said of failed logs.\n\n"
    "Strict: a step counts if its index is the labelled one, as a whole number from 0. What learns never sees the "
    "question that it is scored on. No log is run again.\n\n"
    "ifonly bench whowhen --predictions mine.jsonl\n\n"
    "ifonly bench whowhen --model smollm2 --limit 6"
)
_HERE = Path("../shared/data/who_and_when")
_COLUMNS = {
    "step": "step",
    "agent": "agent",
    "top3": "top-3",
    "reciprocal": "MRR",
    "near": "step±1",
    "log_score": "log score",
}


def _judge(help: str, metavar: str | None = None, *names: str) -> typer.models.OptionInfo:
    least = {"N": 1, "USD": 0, "CALLS": 0}.get(metavar or "")
    return in_panel("A model that is asked", help, metavar, *names, min=least)


@app.command(help=HELP)
def whowhen(  # noqa: PLR0913 -- as many as the command has options
    path: Annotated[
        Path | None, typer.Argument(help=f"Labelled logs; {_HERE}, if left out.", metavar="PATH", show_default=False)
    ] = None,
    *,
    data: Annotated[Path | None, typer.Option("--data", help="The same, as an option.", metavar="PATH")] = None,
    limit: Annotated[
        int | None, typer.Option(help="Score this many logs at most, evenly over the file.", min=1, metavar="N")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Score an attributor of your own: JSONL of log_id, step or ranking, agent.", metavar="FILE"),
    ] = None,
    learn_from: Annotated[
        Path | None,
        typer.Option(help="More labelled logs to learn from; questions that are scored are left out.", metavar="PATH"),
    ] = None,
    with_answer: Annotated[
        bool, typer.Option("--with-answer", help="Let the judge see the right answer: another, easier setting.")
    ] = False,
    model: Annotated[
        str | None, _judge("A model as a judge: smollm2 (on this machine), or any that litellm knows.", "NAME")
    ] = None,
    protocol: Annotated[
        list[Protocol] | None, _judge("How it is asked; may be repeated; all-at-once, if left out.")
    ] = None,
    chars: Annotated[int | None, _judge("Characters of a log that it is shown; if left out, as fits it.", "N")] = None,
    api_base: Annotated[str | None, _judge("Where it is asked; the provider's own place, if left out.", "URL")] = None,
    budget_usd: Annotated[float | None, _judge("Spend this much at most.", "USD", "--budget-usd")] = None,
    max_calls: Annotated[int | None, _judge("Make this many calls at most.", "CALLS")] = None,
    allow_unknown_price: Annotated[
        bool, _judge("With a budget: ask models of unknown price, too.", None, "--allow-unknown-price")
    ] = False,
    cassette: Annotated[
        Path | None, _judge("Keeps each reply and serves it again; one in the cache, if left out.", "FILE")
    ] = None,
    workers: Annotated[int, _judge("Logs at a time.", "N")] = 1,
    json: Json = False,
) -> None:
    """Long because typer reads the options off the signature."""
    started = time.perf_counter()
    every = read_labelled(_where(path, data), answers=with_answer)
    logs, known = spread(every, limit), _known(every, learn_from)
    with bar("learning and scoring", unit="attributors") as told:
        answers = own_answers(logs, known, told)
    if predictions is not None:
        answers[predictions.name] = _predicted(predictions, every, logs)
    asked = list[Asked]()
    if model is not None:
        ways = tuple(dict.fromkeys(protocol or [Protocol.ALL_AT_ONCE]))
        paid = budget_usd, max_calls, allow_unknown_price
        asked = judge_logs(Bench(model, ways, chars, api_base, *paid, cassette, workers), logs)
        for one in asked:
            answers[one.name] = one.hearing.answers
            answers |= shortlisted(one.name, one.hearing.answers, logs)
    rows, seconds = rows_of(answers, logs), time.perf_counter() - started
    if json:
        judges = {"judges": [one.summary() for one in asked]} if asked else {}
        emit({"rows": [row.model_dump(exclude_none=True) for row in rows], **judges, "seconds": seconds})
    else:
        _show(rows, asked, seconds)
    if any(one.hearing.stopped for one in asked):
        raise typer.Exit(Status.NEEDS_LIVE)


def _show(rows: list[Row], asked: list[Asked], seconds: float) -> None:
    console = stdout()
    for world in dict.fromkeys(row.world for row in rows):
        found = [row for row in rows if row.world == world]
        best = next((row.against for row in found if row.against), None)
        told = f"; above: over the best rule, {best}" if best else ""
        console.print(Text(f"{world}: {max(row.logs for row in found)} failed logs{told}", "bold"))
        console.print(_table(found, best))
    for one in asked:
        console.print(Text(one.text()))
        if one.hearing.stopped is not None:
            note(f"stopped: {one.hearing.stopped}")
    console.print(Text(f"Steps count from 0. Intervals hold with 95 %; p is of a sign test. {number(seconds)} s"))


def _where(path: Path | None, data: Path | None) -> Path:
    """Where the logs are.

    Raises:
        InputError: nowhere.
    """
    if path is not None and data is not None:
        raise typer.BadParameter("give the logs once: PATH, or --data PATH")
    found = path or data or _HERE
    if not found.exists():
        fix = "Name a file or folder of Who&When: ifonly bench whowhen PATH."
        raise InputError(str(found), "no such file or folder", fix)
    return found


def _known(every: list[Labelled], more: Path | None) -> list[Labelled]:
    """The logs to learn from, each once."""
    known = {one.log.id: one for one in (read_labelled(more) if more else [])}
    return list((known | {one.log.id: one for one in every}).values())


def _predicted(path: Path, every: list[Labelled], logs: list[Labelled]) -> Answers:
    """The predictions; a log without one counts as wrong."""
    said = read_predictions(path, every)
    missing = [one.log.id for one in logs if one.log.id not in said]
    if missing:
        note(f"{path} says nothing of {len(missing)} of {len(logs)} logs ({missing[0]}, ...): counted as wrong.")
    return {one.log.id: said.get(one.log.id, NOBODY) for one in logs}


def _table(rows: list[Row], best: str | None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("estimator", overflow="fold")
    for title in _COLUMNS.values():
        table.add_column(title, justify="right")
    if best is not None:
        table.add_column("above", no_wrap=True)
        table.add_column("p", justify="right")
    for row in rows:
        cells = [_cell(row, name) for name in _COLUMNS]
        if best is not None:
            other = f" ({row.against})" if row.against not in (None, best) else ""
            cells += [_cell(row, "difference") + other, _cell(row, "p_value")]
        table.add_row(row.estimator, *cells)
    return table


def _cell(row: Row, name: str) -> str:
    value, interval = getattr(row, name), row.estimates.get(name)
    if value is None:
        return ""
    text = f"{value:+.3f}" if name == "difference" else f"{value:.3f}"
    return text if interval is None else f"{text} [{interval.low:.2f}, {interval.high:.2f}]"
