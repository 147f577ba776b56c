"""A run, or a list of runs, on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from ifonly.views.injected import injections_of, segments
from ifonly.views.run import saying
from ifonly.views.scores import number, score_text
from ifonly.views.text import one_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from ifonly.agents.records import Message, Trajectory
    from ifonly.views.run import RunLine, RunView, StepView

__all__ = ["MARK", "header", "render_list", "render_run", "scores_table", "steps_table", "whole"]

MARK = "[injected] "
"""Stands before a value that carries words of an attack."""

KIND_STYLE = {"input": "dim", "model": "cyan", "tool": "magenta"}


def render_run(console: Console, run: Trajectory, view: RunView, *, full: bool) -> None:
    """Print a run: header, steps, scores."""
    console.print(header(view.id, {"task": view.task, "model": view.model, "agent": view.agent} | view.labels))
    if view.environment:
        console.print(Text(f"environment {visible(view.environment)}", style="dim"))
    console.print()
    if full:
        _steps_whole(console, run, view)
    else:
        console.print(steps_table(view.steps))
    console.print()
    console.print(scores_table(view))
    if view.error:
        console.print(Text("the run ended with an error: ", style="bold red").append(visible(view.error)))


def header(name: str, facts: dict[str, str]) -> Text:
    """The name of a run and what is known of it, each fact told once."""
    text = Text(visible(name) + "\n", style="bold")
    parts, seen = [], set[str]()
    for label, value in facts.items():
        if value not in seen:
            parts.append(f"{one_line(label, 40)} {one_line(value, 80)}")
        seen.add(value)
    return text.append(" · ".join(parts), style="not bold")


def steps_table(steps: Sequence[StepView]) -> Table:
    """The steps of a run, a line each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    timed = any(step.seconds is not None for step in steps)
    priced = any(step.cost is not None for step in steps)
    table.add_column("site", overflow="fold", max_width=34)
    table.add_column("kind", no_wrap=True)
    table.add_column("value", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("reads", no_wrap=True, overflow="ellipsis", max_width=18)
    for shown, title in ((timed, "seconds"), (priced, "USD")):
        if shown:
            table.add_column(title, justify="right", no_wrap=True)
    for before, step in enumerate(steps):
        value = Text(MARK if step.injected else "", style="bold yellow").append(step.summary, style="not bold default")
        row = [
            Text(visible(step.site)),
            Text(step.kind, KIND_STYLE[step.kind]),
            value,
            Text(_reads(step, before), "dim"),
        ]
        row += [Text("" if step.seconds is None else number(step.seconds))] if timed else []
        row += [Text("" if step.cost is None else f"{step.cost:.4f}")] if priced else []
        table.add_row(*row)
    return table


def scores_table(view: RunView) -> Table:
    """The scores, with what they say."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for score in view.score_views:
        style = "bold" if isinstance(score.value, bool) else ""
        table.add_row(
            Text(visible(score.name)), Text(score_text(score.value), style), Text(score.meaning or "", "italic")
        )
    return table


def render_list(console: Console, lines: Iterable[RunLine]) -> None:
    """Print a list of runs."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("run", "model", "steps", "scores"):
        table.add_column(title, overflow="fold", justify="right" if title == "steps" else "left")
    for line in lines:
        scores = ", ".join(f"{name} {score_text(score)}" for name, score in line.scores.items())
        table.add_row(
            Text(visible(line.id)),
            Text(visible(line.model)),
            Text(str(line.length)),
            Text(visible(scores) + (" (error)" if line.error else "")),
        )
    console.print(table)


def whole(message: Message, injections: tuple[str, ...]) -> Text:
    """A whole value; words that an attack put there stand out, and are named as such."""
    text = Text()
    for part in segments(saying(message), injections):
        shown = visible(part.text)
        text.append(f"[injected: {shown}]" if part.injected else shown, style="bold yellow" if part.injected else "")
    return text


def _steps_whole(console: Console, run: Trajectory, view: RunView) -> None:
    for step in view.steps:
        title = Text(visible(step.site), style="bold").append(f"  {step.kind} ", style=KIND_STYLE[step.kind])
        console.print(title.append(visible(step.name), style="dim"))
        if step.message is not None:
            # A model that failed to answer said nothing: its line tells the error.
            console.print(whole(step.message, injections_of(run)) or Text(visible(step.summary)))
        console.print()


def _reads(step: StepView, before: int) -> str:
    """The sites it reads, or how many; a model step mostly reads all before it."""
    if before > 1 and len(step.reads) == before:
        return "all before"
    return ", ".join(map(visible, step.reads)) if len(step.reads) <= 2 else f"{len(step.reads)} sites"  # noqa: PLR2004
