"""The page of the benchmark: every estimator against every world, with the coverage of its intervals as a picture."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from ifonly.report.charts import forest_of
from ifonly.report.pages import write_page
from ifonly.report.rendering import render_page
from ifonly.scenarios.bench.contest import LEVEL
from ifonly.scenarios.study import Finding
from ifonly.scm.estimate import Estimate
from ifonly.views.bench import bench_view

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ifonly.report.charts import Forest
    from ifonly.scenarios.bench.rows import BenchRow

__all__ = ["write_bench"]


def write_bench(path: Path, rows: Sequence[BenchRow], source: str, command: str) -> None:
    """Write the page.

    Args:
        path: of the page.
        rows: of the benchmark.
        source: how they were made, in a sentence.
        command: that makes them again.
    """
    views = bench_view(rows)
    worlds = [
        {
            "name": world,
            "stage": mine[0].stage,
            "forest": _coverage(mine),
            "views": [view for view in views if view.world == world],
        }
        for world, mine in ((world, list(found)) for world, found in groupby(rows, key=lambda row: row.world))
    ]
    text = render_page(
        "bench.html", ("report.css", "policy.css", "scenario.css"), worlds=worlds, source=source, command=command
    )
    write_page(path, text)


def _coverage(rows: Sequence[BenchRow]) -> Forest | None:
    """The share of rounds whose interval held the truth, with its own interval; the dashed line is the level."""
    groups = [
        (query, LEVEL, [_finding(row) for row in found if row.coverage is not None])
        for query, found in groupby(rows, key=lambda row: row.query)
    ]
    kept = [group for group in groups if group[2]]
    return forest_of(kept) if kept and max(row.rounds for row in rows) > 1 else None


def _finding(row: BenchRow) -> Finding:
    assert row.coverage is not None
    assert row.coverage_low is not None
    assert row.coverage_high is not None
    share = Estimate(
        value=row.coverage,
        low=row.coverage_low,
        high=row.coverage_high,
        level=LEVEL,
        effective=float(row.answered),
        rung="observed",
        identified="point",
    )
    return Finding(name=row.estimator, estimate=share, why=row.why, right=row.right)
