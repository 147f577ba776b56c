"""``ifonly corpus``: how many what-ifs a folder of recorded runs settles without a model call."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ifonly.cli.inputs import read_runs
from ifonly.cli.options import Format, Json, KeepGoing, Paths
from ifonly.cli.output import emit, stdout
from ifonly.sim.coverage import CoverageAnswer, CoverageRow, FreeTextTest, coverage
from ifonly.views.scores import estimate_text, number

app = typer.Typer(add_completion=False)

_SWAPS = {
    "model": ("Another model, asked the very same", "other models"),
    "result": ("Another result of the same call, in the same conversation", "other results"),
}
_EQUAL = {"exact": "word for word", "equivalent": "but for clock stamps", "calls_only": "by calls alone"}


@app.command()
def corpus(
    paths: Paths,
    steps: Annotated[int, typer.Option(help="How many steps of each kind to report.", min=1)] = 5,
    json: Json = False,
    format: Format = None,
    keep_going: KeepGoing = False,
) -> None:
    """Say, by step, how many what-ifs a folder of runs settles without a model call."""
    found = read_runs(paths, format)
    answer = coverage(found.runs, steps)
    if json:
        emit(answer)
    else:
        _render(stdout(), answer)
    raise typer.Exit(found.status(keep_going=keep_going))


def _render(console: Console, answer: CoverageAnswer) -> None:
    counts = {"run": answer.runs, "model": answer.models, "task": answer.tasks}
    runs, models, tasks = (f"{n:,} {what}{'' if n == 1 else 's'}" for what, n in counts.items())
    console.print(Text(f"{runs} of {models} on {tasks}", "bold"))
    for swap, (title, others) in _SWAPS.items():
        console.print()
        console.print(Text(title, "bold"))
        console.print(_table([row for row in answer.rows if row.swap == swap], others))
    console.print(Text("Does earlier free text move later replies?", "bold"))
    console.print(Text(_free_text(answer.free_text)))


def _table(rows: Iterable[CoverageRow], others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("step", "requests equal", "asked", "settled", "share", f"mean {others}"):
        table.add_column(title, justify="left" if title == "requests equal" else "right")
    order = list(_EQUAL)
    for row in sorted(rows, key=lambda row: (row.step, order.index(row.equality))):
        table.add_row(
            str(row.step),
            _EQUAL[row.equality],
            f"{row.asked:,}",
            f"{row.settled:,}",
            f"{row.share:.1%}",
            f"{row.alternatives:.2f}",
        )
    return table


def _free_text(test: FreeTextTest) -> str:
    if test.same_text is None or test.other_text is None:
        return "The corpus cannot say: it holds no conversations with equal calls and both equal and other text."
    told = (
        f"Next calls differ in {number(test.same_text)} of pairs with equal text (chance alone), and in "
        f"{number(test.other_text)} of pairs with other text and equal calls, over {test.conversations} conversations."
    )
    if test.difference is None:
        return told
    clear = test.difference.low > 0
    verdict = "So it does: answers under calls-only equality are assumed." if clear else "No effect is seen."
    return f"{told} Difference {estimate_text(test.difference)}, 95 % interval clustered by task. {verdict}"
