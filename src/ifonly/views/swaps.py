"""The benchmark of model swaps in words, for the terminal and the page alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.views.grid import Grid
from ifonly.views.scores import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ifonly.scenarios.swaps.bench import Reliability, Row, StepRow, SwapBench

__all__ = ["Part", "SwapsView", "swaps_view"]

_SCORES = {"brier": "Brier", "log_loss": "log-loss", "calibration": "calibration", "covered": "covered (90 %)"}
_STEPS = {
    "step": "step",
    "cells": "swaps",
    "solved": "recorded mean",
    "brier": "Brier",
    "calibration": "calibration",
    "share": "shared noise",
    "low": "low",
    "high": "high",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One table with its title.

    Args:
        title: what it shows.
        grid: the numbers.
        of: the reliability that it shows, where it is one.
    """

    title: str
    grid: Grid
    of: Reliability | None = None


@dataclass(frozen=True, slots=True)
class SwapsView:
    """A whole benchmark.

    Args:
        scores: of every estimator, a table for each outcome and split.
        reliability: a table for each of the same.
        steps: of mid-run swaps, a table for each score.
    """

    scores: tuple[Part, ...]
    reliability: tuple[Part, ...]
    steps: tuple[Part, ...]


def swaps_view(found: SwapBench) -> SwapsView:
    """The benchmark in words."""
    splits = dict.fromkeys((row.world, row.split) for row in found.rows)
    return SwapsView(
        scores=tuple(_scores([row for row in found.rows if (row.world, row.split) == of]) for of in splits),
        reliability=tuple(map(_reliability, found.reliability)),
        steps=tuple(
            _steps(score, [row for row in found.steps if row.world == score])
            for score in dict.fromkeys(row.world for row in found.steps)
        ),
    )


def _scores(rows: Sequence[Row]) -> Part:
    cells = tuple((row.estimator, *_numbers(getattr(row, name) for name in _SCORES), _gain(row)) for row in rows)
    title = f"{rows[0].world}, known: {rows[0].split}; {rows[0].cells:,} hidden"
    return Part(title, Grid(("estimator", *_SCORES.values(), "gain in Brier [95 %]"), cells))


def _gain(row: Row) -> str:
    if row.gain is None or row.gain_low is None or row.gain_high is None:
        return ""
    return f"{row.gain:+.4f} [{row.gain_low:+.4f}, {row.gain_high:+.4f}]"


def _reliability(found: Reliability) -> Part:
    rows = []
    for one in found.bins:
        ends = one.observed_low, one.observed_high
        interval = "" if None in ends else f"[{', '.join(_numbers(ends))}]"
        rows.append((f"{one.low:.1f} to {one.high:.1f}", *_numbers((one.predicted, one.observed)), interval))
        rows[-1] += (f"{one.cells:,}",)
    title = f"{found.world}, known: {found.split}: reliability of {found.estimator}"
    return Part(title, Grid(("predictions", "mean", "came true", "95 %", "cells"), tuple(rows)), found)


def _steps(score: str, rows: Sequence[StepRow]) -> Part:
    cells = tuple((row.estimator, *_numbers(getattr(row, name) for name in _STEPS)) for row in rows)
    return Part(f"{score} after a mid-run swap that is on record", Grid(("estimator", *_STEPS.values()), cells))


def _numbers(values: Iterable[float | None]) -> tuple[str, ...]:
    return tuple("" if value is None else number(value) for value in values)
