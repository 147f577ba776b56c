"""``ifonly verify``: do recorded runs happen again, when their tool calls are executed once more?"""

from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ifonly.agents.environments.base import Undetermined
from ifonly.agents.records import ToolResult
from ifonly.agents.verify import Differing, Tally, VerifyReport
from ifonly.agents.verify import verify as check
from ifonly.cli.asking import Environments
from ifonly.cli.inputs import Streamed
from ifonly.cli.options import Format, Json, KeepGoing, Paths, Workers
from ifonly.cli.output import emit, stdout
from ifonly.cli.status import Status
from ifonly.cli.whatif_options import Tools
from ifonly.views.scores import score_text
from ifonly.views.text import content_text, contrast, one_line, visible

app = typer.Typer(add_completion=False)

_OWN = "Give the tools of your agent with --tools tools.py; `ifonly tools RUN` writes a first draft of the file."
_COLUMNS = ("suite", "runs", "left out", "calls", "byte for byte", "equivalent", "scores")


@app.command()
def verify(
    paths: Paths,
    *,
    workers: Workers = None,
    tools: Tools = None,
    limit: Annotated[int, typer.Option(help="How many differing runs are listed; --json has all.", min=0)] = 10,
    json: Json = False,
    format: Format = None,
    keep_going: KeepGoing = False,
) -> None:
    """Execute every recorded tool call again, and say what does not come out as recorded.

    Runs of your own agent need its tools: --tools tools.py.
    """
    with Streamed(paths, format, "executing tool calls again") as runs:
        environments = Environments(tools)
        report = check(map(environments.recorded, runs), workers, environment=environments if tools else None)
    if json:
        emit(report)
    else:
        _render(stdout(), report, limit)
    raise typer.Exit(Status.FAILED if report.differing else runs.status(keep_going=keep_going))


def _render(console: Console, report: VerifyReport, limit: int) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in _COLUMNS:
        table.add_column(title, justify="left" if title == "suite" else "right")
    for group, tally in report.by.items():
        table.add_row(*_row(group, tally))
    table.add_section()
    table.add_row(*_row("total", report.total), style="bold")
    console.print(table)
    total = report.total
    out = {"empty": total.empty, "stopped by an error": total.stopped, "without an environment": total.looked_up}
    told = ", ".join(f"{count:,} {why}" for why, count in out.items() if count)
    if told:
        console.print(Text(f"Left out of all shares: {told}."))
    if total.logged_calls:
        told = f"{total.logged_calls:,} calls of irreversible tools, which are never executed again"
        console.print(Text(f"Not in the shares of calls: {told}."))
    if total.rewritten_calls:
        told = (
            f"{total.rewritten_calls:,} calls, whose results a defence rewrote ({total.redacted_calls:,} were redacted)"
        )
        share = _share(total.calls_equivalent_share_with_rewritten)
        console.print(Text(f"Not in the shares of calls: {told}; with them {share} are equivalent."))
    _differing(console, report.differing, total, limit)


def _row(group: str, tally: Tally) -> tuple[Text, ...]:
    cells = (
        visible(group),
        f"{tally.runs:,}",
        f"{tally.empty + tally.stopped + tally.looked_up:,}",
        f"{tally.calls:,}",
        _share(tally.calls_reproduced_share),
        _share(tally.calls_equivalent_share),
        _share(tally.scores_reproduced_share),
    )
    return tuple(map(Text, cells))


def _share(share: float | None) -> str:
    """A share in per cent; 100 only where it is all."""
    if share is None:
        return "—"
    text = f"{100 * share:.2f} %"
    return "99.99 %" if text == "100.00 %" and share < 1 else text


def _differing(console: Console, differing: tuple[Differing, ...], total: Tally, limit: int) -> None:
    if not differing:
        if total.calls + total.scored_runs:
            console.print(Text("Every run is reproduced.", "bold green"))
        else:
            console.print(Text("No run could be executed again, so nothing is known of them.", "bold yellow"))
            if total.looked_up:
                console.print(Text(_OWN))
        return
    shown = f", the first {limit} of them" if len(differing) > limit else ""
    console.print(Text(f"\n{len(differing):,} runs are not reproduced{shown}:", "bold"))
    for run in differing[:limit]:
        console.print(Text(f"  {visible(run.run)}"))
        if run.site is not None:
            console.print(Text(f"    {visible(run.site)} {run.verdict}", "yellow"))
            recorded, executed = contrast(_told(run.recorded), _told(run.executed))
            console.print(Text(f"      recorded {recorded}\n      executed {executed}", "dim"))
        for score in run.scores:
            now = score.executed.why if isinstance(score.executed, Undetermined) else score_text(score.executed)
            told = f"    {visible(score.name)} was {score_text(score.recorded)}, is judged {one_line(now, 80)}"
            console.print(Text(told, "yellow"))


def _told(result: ToolResult | Undetermined | None) -> str:
    """What a tool gave back, as text."""
    if result is None:
        return ""
    if isinstance(result, Undetermined):
        return f"undetermined: {result.why}"
    return " ".join(filter(None, [f"error: {result.error}" if result.error else "", content_text(result.content)]))
