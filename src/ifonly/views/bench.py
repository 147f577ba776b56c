"""The benchmark of estimators as tables: for the terminal, the page, and Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from ifonly.views.grid import Grid
from ifonly.views.scores import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ifonly.scenarios.bench.contest import Contest
    from ifonly.scenarios.bench.rows import BenchRow

__all__ = ["BenchView", "bench_view", "contests_grid", "markdown"]

_TITLES = ("estimator", "bias", "rmse", "covers", "width", "ms", "calls", "verdict")


@dataclass(frozen=True, slots=True)
class BenchView:
    """One question of one world.

    Args:
        world: its name.
        stage: of the pipeline.
        query: what is asked.
        truth: the answer.
        grid: a row for each estimator.
    """

    world: str
    stage: str
    query: str
    truth: str
    grid: Grid


def bench_view(rows: Sequence[BenchRow]) -> tuple[BenchView, ...]:
    """The rows by world and question, in their order."""
    views = []
    for (world, query), found in groupby(rows, key=lambda row: (row.world, row.query)):
        mine = list(found)
        cells = tuple(_cells(row) for row in mine)
        views.append(BenchView(world, mine[0].stage, query, number(mine[0].truth), Grid(_TITLES, cells)))
    return tuple(views)


def contests_grid(contests: Iterable[Contest]) -> Grid:
    """What there is to be asked."""
    rows = tuple(
        (one.name, one.stage, str(len({entry.query for entry in one.entries})), str(len(one.entries)), one.question)
        for one in contests
    )
    return Grid(("world", "stage", "queries", "entries", "question"), rows)


def markdown(views: Sequence[BenchView], source: str) -> str:
    """All tables as Markdown.

    Args:
        views: of the rows.
        source: how they were made, in a sentence.
    """
    lines = [source, ""]
    for world, found in groupby(views, key=lambda view: view.world):
        mine = list(found)
        lines += [f"## {_plain(world)} ({mine[0].stage})", ""]
        for view in mine:
            lines += [f"**{_plain(view.query)}**, truth {view.truth}", "", *_table(view.grid), ""]
    return "\n".join(lines)


def _cells(row: BenchRow) -> tuple[str, ...]:
    return (
        row.estimator,
        _signed(row.bias),
        _told(row.rmse),
        _told(row.coverage),
        _told(row.width),
        number(1000 * row.seconds),
        number(row.calls) if row.calls else "",
        row.verdict if row.right or not row.why else f"{row.verdict}: {row.why}",
    )


def _told(value: float | None) -> str:
    return "" if value is None else number(value)


def _signed(value: float | None) -> str:
    return "" if value is None else ("+" if value > 0 and number(value) != "0" else "") + number(value)


def _table(grid: Grid) -> list[str]:
    rows = [grid.titles, tuple("---" if n in (0, len(grid.titles) - 1) else "---:" for n in range(len(grid.titles)))]
    return ["| " + " | ".join(map(_plain, cells)) + " |" for cells in (*rows, *grid.rows)]


def _plain(text: str) -> str:
    """A text in which nothing is Markdown's."""
    return text.replace("|", "\\|").replace("\n", " ")
