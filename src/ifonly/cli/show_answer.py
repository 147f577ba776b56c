"""Answers to what-ifs on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ifonly.views.injected import injections_of, segments
from ifonly.views.run import saying
from ifonly.views.scores import estimate_text, number, score_text, value_text
from ifonly.views.text import cut, one_line, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ifonly.agents.records import Message, Trajectory
    from ifonly.sim.answers import OutcomeAnswer, WhatIfAnswer
    from ifonly.sim.summary import WhatIfSummary
    from ifonly.views.whatif import OutcomeView, PairView, WhatIfView

__all__ = [
    "PROVENANCE_STYLE",
    "outcomes_table",
    "render_answer",
    "render_answers",
    "summary_table",
    "worlds_table",
]

# Colours beside the label, never in its place.
PROVENANCE_STYLE = {
    "recorded": "blue",
    "edited": "magenta",
    "put": "bold magenta",
    "held": "cyan",
    "re-executed": "green",
    "simulated": "yellow",
    "live": "bold green",
    "dropped": "red",
    "undetermined": "bold red",
    "not reached": "dim",
}
VERDICT_STYLE = {"answered": "bold green", "partly answered": "bold yellow"}
_SIDE = 400
_ROWS = 20


def render_answer(console: Console, run: Trajectory, view: WhatIfView) -> None:
    """Print one answer: question, headline, outcomes, both worlds, and what it rests on."""
    console.print(Text(f"{visible(view.question)}?", style="bold"))
    console.print(
        Text(f"run {visible(view.run)} · model {visible(view.model)} · later replies: {view.continuation}", "dim")
    )
    console.print()
    console.print(Text(f"{view.verdict}", style=VERDICT_STYLE.get(view.verdict, "bold red")))
    for line in (*view.headline, view.divergence):
        if line:
            console.print(Text("  " + visible(line)))
    console.print()
    console.print(outcomes_table(view.outcomes))
    console.print(worlds_table(view.pairs, injections_of(run)))
    if view.path:
        console.print(Text(view.path))
    _list(console, "why not settled", view.reasons)
    _list(console, "fitted item-response world", view.fitted)
    _list(console, "assumes", view.assumes)
    _list(console, "provenance", [f"{name}: {text}" for name, text in view.legend.items()], style="dim")
    console.print(Text(view.price, style="dim"))


def render_answers(console: Console, answers: Sequence[WhatIfAnswer], summary: WhatIfSummary) -> None:
    """Print the answers of many runs, the first of them a line each, and their summary."""
    names = list(dict.fromkeys(name for answer in answers for name in answer.outcomes))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("run", "verdict", *names):
        table.add_column(Text(visible(title)), overflow="fold")
    for answer in answers[:_ROWS]:
        cells = [Text(visible(answer.run)), Text(answer.verdict, VERDICT_STYLE.get(answer.verdict, "bold red"))]
        for name in names:
            outcome = answer.outcomes.get(name)
            cells.append(Text("" if outcome is None else _arrow(outcome)))
        table.add_row(*cells)
    console.print(table)
    if len(answers) > _ROWS:
        console.print(Text(f"... and {len(answers) - _ROWS:,} more; --json has all.", "dim"))
    _summary(console, summary)


def _arrow(outcome: OutcomeAnswer) -> str:
    estimate = outcome.counterfactual
    value = value_text(estimate, boolean=isinstance(outcome.factual, bool))
    interval = "" if estimate.low == estimate.high else f" [{number(estimate.low)}, {number(estimate.high)}]"
    return f"{score_text(outcome.factual)} → {value}{interval}"


def _summary(console: Console, summary: WhatIfSummary) -> None:
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in summary.verdicts.items())
    console.print(Text(f"{summary.runs} runs of {summary.tasks} tasks: {verdicts}", style="bold"))
    console.print(Text(f"share answered {estimate_text(summary.settled_share)}"))
    console.print(summary_table(summary))
    _list(console, "assumes", summary.assumes)


def summary_table(summary: WhatIfSummary) -> Table:
    """Means over runs, with intervals over tasks."""
    level = number(100 * summary.settled_share.level)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption_justify="left")
    table.caption = f"[low, high]: {level} % intervals, clustered by task"
    asked = any(row.control is not None for row in summary.outcomes.values())
    control = ("unchanged re-runs",) if asked else ()
    for title in ("mean score", "settled", "recorded", "counterfactual", *control, "change", "bounds over all runs"):
        table.add_column(title, overflow="fold")
    for name, row in summary.outcomes.items():
        shown = (row.factual, row.counterfactual, *((row.control,) if asked else ()), row.change)
        means = [Text("—" if mean is None else estimate_text(mean)) for mean in shown]
        table.add_row(
            Text(visible(name)), Text(f"{row.settled} of {row.runs}"), *means, Text(estimate_text(row.bounds))
        )
    return table


def outcomes_table(outcomes: Sequence[OutcomeView]) -> Table:
    """The scores in both worlds, with intervals and what they rest on."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    for title, ratio in (("score", 2), ("recorded", 4), ("counterfactual", 5), ("change", 2), ("how it is known", 4)):
        table.add_column(title, ratio=ratio, overflow="fold")
    for row in outcomes:
        value = _valued(row.counterfactual, row.counterfactual_meaning, "bold" if row.flips else "")
        if row.interval:
            value.append(f"\n{row.interval}")
        table.add_row(
            Text(visible(row.name), "bold"),
            _valued(row.factual, row.factual_meaning),
            value,
            Text(row.change),
            Text(visible(row.status) + (f"\nunchanged re-run: {row.control}" if row.control else "")),
        )
    return table


def _valued(value: str, meaning: str | None, style: str = "") -> Text:
    text = Text(value, style)
    return text.append(f"\n{meaning}", style="dim") if meaning else text


def worlds_table(pairs: Sequence[PairView], injections: tuple[str, ...], *, only_changed: bool = False) -> Table:
    """Both worlds, site by site.

    Args:
        pairs: the sites.
        injections: texts of the attack, to be marked.
        only_changed: whether the sites before the worlds part are told in one line.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("site", overflow="fold", max_width=32)
    table.add_column("provenance", no_wrap=True)
    table.add_column("recorded world", ratio=1, overflow="fold")
    table.add_column("counterfactual world", ratio=1, overflow="fold")
    parted = next((index for index, pair in enumerate(pairs) if pair.divergence), len(pairs))
    if only_changed and parted:
        table.add_row(Text(f"  {parted} sites before", "dim"), "", Text("the same in both worlds", "dim"), "")
    for pair in pairs[parted if only_changed else 0 :]:
        table.add_row(*_row(pair, injections))
    return table


def _row(pair: PairView, injections: tuple[str, ...]) -> tuple[Text, Text, Text, Text]:
    site = Text(("» " if pair.divergence else "  ") + visible(pair.site), "bold" if pair.divergence else "")
    badge = Text(pair.provenance, PROVENANCE_STYLE[pair.provenance])
    short = pair.same or pair.counterfactual is None
    left = _said(pair.factual, injections, 1 if short else 3)
    if short:
        left.no_wrap, left.overflow = True, "ellipsis"
    right = Text("the same", "dim") if pair.same else _said(pair.counterfactual, injections, 3)
    for line in pair.notes:
        right.append(f"\n({visible(line)})", style="dim")
    return site, badge, left, right


def _said(message: Message | None, injections: tuple[str, ...], lines: int) -> Text:
    """A short value; where it carries an injection, the excerpt shows that."""
    if message is None:
        return Text("—", "dim")
    text, width = saying(message), 60 * lines
    parts = segments(text, injections)
    marked = next((part for part in parts if part.injected), None)
    if marked is None:
        return Text(one_line(text, width)) if text.strip() else Text("(says nothing)", "dim")
    before = one_line(parts[0].text, width // 4) if not parts[0].injected else ""
    return Text(before + " ").append(f"[injected: {one_line(marked.text, width)}]", "bold yellow")


def _list(console: Console, title: str, lines: Sequence[str], style: str = "") -> None:
    if not lines:
        return
    console.print()
    console.print(Text(title, style="bold"))
    for line in lines:
        console.print(Padding(Text("- " + cut(visible(line), _SIDE), style), (0, 0, 0, 2)))
