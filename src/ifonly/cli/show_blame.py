"""Blame on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ifonly.views.blame import NOTHING
from ifonly.views.scores import estimate_text, number
from ifonly.views.text import cut, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ifonly.scm.estimate import Estimate
    from ifonly.sim.blame import BlameAnswer, BlameSummary
    from ifonly.views.blame import BarView, BlameView, CreditView

__all__ = ["render_blame", "render_blames"]

# Colours beside the word, never in its place.
FLIPS_STYLE = {"certain": "bold red", "jointly": "bold magenta", "likely": "yellow", "no": "dim", "open": "cyan"}
_WIDTH = 10
_LINE = 400
_ROWS = 20
_LONG = 12
# Columns and their greatest widths; the one without takes what is left.
_COLUMNS = {
    "step": 20,
    "changed": 9,
    "averts": 7,
    "if only": None,
    "in this run": 9,
    "with fresh noise": 9,
    "PN": 9,
    "PS": 9,
    "share": _WIDTH,
}
# How wide a terminal must be for some of them.
_NEEDS = {"with fresh noise": 100, "PN": 100, "PS": 100, "share": 76}
_NARROW_STEP = 12


def render_blame(console: Console, view: BlameView) -> None:
    """Print one answer: headline, steps with bars, what worked together, fixes, baselines, and what it rests on."""
    console.print(Text(visible(view.question), style="bold"))
    console.print(Text(f"run {visible(view.run)} · model {visible(view.model)} · {view.spent}", "dim"))
    console.print()
    console.print(Text(view.verdict, "bold green" if view.verdict == "blamed" else "bold yellow"))
    for line in view.headline:
        console.print(Text("  " + visible(line)))
    if view.credits:
        console.print()
        shown = [row for row in view.credits if row.rank or row.change != NOTHING]
        console.print(_table(shown, console.width))
        unknown = [row.site for row in view.credits if not row.rank and row.change == NOTHING]
        if unknown:
            console.print(Text(f"no alternative is known of: {visible(', '.join(unknown))}", "dim"))
    _list(console, "flip set", [", ".join(view.flip_set)] if view.flip_set else [])
    _list(console, "likely, not certain", [", ".join(view.likely)] if view.likely else [])
    _list(console, "together", view.together)
    _list(console, "interactions", view.interactions)
    _list(console, "where it came from", view.origins)
    _list(console, "shares", [f"{by}: {', '.join(sums)}" for by, sums in view.rollup.items() if sums])
    _fixes(console, view)
    _list(console, "simpler rules", view.baselines)
    _list(console, "asked of models", view.live)
    _list(console, "assumes", view.assumes)
    _list(console, "legend", [f"{name}: {text}" for name, text in view.legend.items()], style="dim")


def render_blames(console: Console, answers: Sequence[BlameAnswer], summary: BlameSummary) -> None:
    """Print the answers of many runs, the first of them a line each, and their summary."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("run", "verdict", "most to blame", "flip set"):
        table.add_column(title, overflow="fold")
    for answer in answers[:_ROWS]:
        first = answer.ranked[0] if answer.ranked else cut(visible(answer.reason or ""), 60)
        style = "bold green" if answer.verdict == "blamed" else "bold yellow"
        table.add_row(
            Text(visible(answer.run)),
            Text(answer.verdict, style),
            Text(visible(first)),
            Text(visible(", ".join(answer.flip_set))),
        )
    console.print(table)
    if len(answers) > _ROWS:
        console.print(Text(f"... and {len(answers) - _ROWS:,} more; --json has all.", "dim"))
    told = f"{summary.failed:,} of {summary.runs:,} runs failed"
    asked = "" if summary.asked == summary.failed else f"; asked of {summary.asked:,} of them"
    console.print(Text(f"{told}{asked}, of {summary.tasks} tasks", "bold"))
    console.print(Text(f"share blamed {estimate_text(summary.blamed)}; mean flip set {number(summary.flips)} steps"))
    for by, shares in summary.shares.items():
        console.print(_shares(f"share of failures by {by}", shares, summary.blamed.level))


def _table(credits: Sequence[CreditView], room: int) -> Table:
    """The blamed first, by rank; then the rest, in the order of the run. What has no room is named below."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True, caption_justify="left")
    left_out = [title for title, needed in _NEEDS.items() if room < needed]
    titles = [title for title in _COLUMNS if title not in left_out]
    if left_out:
        table.caption = f"a wider terminal, --html and --json show {', '.join(left_out)}"
    for title in titles:
        width = _NARROW_STEP if left_out and title == "step" else _COLUMNS[title]
        table.add_column(title, max_width=width, ratio=None if width else 1, overflow="fold")
    order = sorted(range(len(credits)), key=lambda i: (credits[i].rank is None, credits[i].rank or 0, i))
    for row in (credits[index] for index in order):
        cells = _row(row)
        table.add_row(*(cells[title] for title in titles))
    return table


def _row(row: CreditView) -> dict[str, Text]:
    quiet = "" if row.rank else "dim"
    change = Text(cut(visible(row.change), 90), quiet)
    for note in row.notes:
        change.append(f"\n({cut(visible(note), 160)})", style="dim")
    share = Text(row.shapley, quiet)
    if row.bar is not None:
        share.append(f"\n{_drawn(row.bar)}", style=FLIPS_STYLE[row.flips])
    return {
        "step": Text(f"{f'{row.rank}. ' if row.rank else ''}{visible(row.site)}", "bold" if row.rank else ""),
        "changed": Text(row.part, quiet),
        "averts": Text(row.flips, FLIPS_STYLE[row.flips]),
        "if only": change,
        "in this run": Text(row.effect, quiet),
        "with fresh noise": Text(row.fresh, quiet),
        "PN": Text(row.necessity, quiet),
        "PS": Text(row.sufficiency, quiet),
        "share": share,
    }


def _drawn(bar: BarView) -> str:
    left, right = sorted((round(bar.zero * _WIDTH), round(bar.value * _WIDTH)))
    return "·" * left + "█" * (right - left) + "·" * (_WIDTH - right)


def _fixes(console: Console, view: BlameView) -> None:
    if not view.fixes:
        return
    console.print()
    console.print(Text("fixes, least change first; each was asked as it stands", "bold"))
    for fix in view.fixes:
        told = "; ".join((fix.necessity, *fix.others, fix.cost))
        console.print(Padding(Text(f"- {cut(visible(fix.question), _LINE)}: {visible(told)}"), (0, 0, 0, 2)))
        console.print(Text("    " + visible(fix.command), "cyan"), soft_wrap=True)


def _shares(title: str, shares: dict[str, Estimate], level: float) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption_justify="left")
    table.caption = f"[low, high]: {number(100 * level)} % intervals, clustered by task"
    table.add_column(title, overflow="fold")
    table.add_column("share", overflow="fold")
    table.add_column("", no_wrap=True)
    for name, share in list(shares.items())[:_LONG]:
        bar = "█" * round((share.value or 0.0) * 2 * _WIDTH)
        table.add_row(Text(visible(name)), Text(estimate_text(share)), Text(bar, "red"))
    if len(shares) > _LONG:
        table.add_row(Text(f"... and {len(shares) - _LONG} more", "dim"), "", "")
    return table


def _list(console: Console, title: str, lines: Sequence[str], style: str = "") -> None:
    if not lines:
        return
    console.print()
    console.print(Text(title, style="bold"))
    for line in lines:
        console.print(Padding(Text("- " + cut(visible(line), _LINE), style), (0, 0, 0, 2)))
