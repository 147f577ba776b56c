"""Attributors held against TRAIL's labels: `ifonly bench trail`. What the numbers mean stands in `metrics`.

Every number is observed: a mean over traces, with a bootstrap interval that resamples whole traces (percentiles of
1,000 resamples; Davison and Hinkley 1997, sec. 3.8). It tells how an attributor would do on other traces of the same
agents. What needs labels to learn (`fitted`, and the category that every rule names: the most frequent one) learned
from other folds of traces.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.agents.records import Record
from ifonly.scenarios.trail.fitted import cross_validated, folds, usual_category
from ifonly.scenarios.trail.metrics import (
    average_precision,
    category_tables,
    expected_recall,
    joint,
    location,
    named_categories,
    precision,
    weighted_f1,
)
from ifonly.scenarios.trail.predictions import read_predictions
from ifonly.scenarios.trail.rules import RULES
from ifonly.scm.draw import Draw
from ifonly.scm.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ifonly.scenarios.trail.labels import Labelled
    from ifonly.scenarios.trail.metrics import Verdict

__all__ = ["FITTED", "METRICS", "Row", "trail_rows"]

FITTED = "fitted (cross-validated)"
"""What the attributor of `fitted` is called."""

METRICS = (
    "location",
    "precision",
    "joint",
    "category",
    "top1",
    "recall3",
    "recall5",
    "average",
    "top1_high",
    "average_high",
)
"""The numbers of a row; those ending in ``high`` count only labels of high impact, over traces that have one."""

_LEVEL = 0.95
_REPEATS = 1_000

# A number of traces, and what it is over each of many resamples of them, shape (resamples, traces).
_Statistic = tuple[int, "Callable[[NDArray[np.intp]], NDArray[np.float64]]"]


class Row(Record):
    """One attributor on the traces of one benchmark (`world`), or on all.

    Attributes:
        estimator: the attributor.
        world: subset of the traces; "all".
        traces: how many.
        labelled: how many of them have labels.
        named: mean number of spans named in a trace.
        intervals: each number of the row with its interval.
    """

    estimator: str
    world: str
    traces: int
    labelled: int
    named: float
    location: float
    precision: float
    joint: float
    category: float
    top1: float
    recall3: float
    recall5: float
    average: float
    top1_high: float
    average_high: float
    intervals: dict[str, Estimate]


def trail_rows(traces: Sequence[Labelled], predictions: Path | None = None, seed: int = 0) -> Iterator[Row]:
    """Score every attributor, on all traces and on each subset.

    Args:
        traces: with their labels.
        predictions: what another attributor said (see `predictions`), to be scored too.
        seed: of the folds and of the bootstrap.

    Raises:
        InputError: fewer than two traces have a label of high impact; the predictions cannot be read.
    """
    if sum(bool(trace.grave) for trace in traces) <= 1:
        found = f"{sum(bool(trace.grave) for trace in traces)} with a label of high impact"
        raise InputError("traces to score on", found, "Give at least two: intervals are over traces.")
    draw = Draw(seed)
    fold = folds(len(traces), draw)
    usual = [usual_category([t for t, f in zip(traces, fold, strict=True) if f != own]) for own in fold]
    said: dict[str, list[Verdict]] = {}
    for name, rule in RULES.items():
        said[name] = [_with(rule(trace), category) for trace, category in zip(traces, usual, strict=True)]
    said[FITTED] = cross_validated(traces, fold)
    if predictions is not None:
        said[predictions.name] = read_predictions(predictions, traces)
    for world, rows in _worlds(traces).items():
        for name, verdicts in said.items():
            yield _row(name, world, [traces[i] for i in rows], [verdicts[i] for i in rows], draw)


def _with(verdict: Verdict, category: frozenset[str]) -> Verdict:
    return replace(verdict, categories=dict.fromkeys(verdict.scores, category))


def _worlds(traces: Sequence[Labelled]) -> dict[str, list[int]]:
    """All traces, then each subset in which an interval can be had."""
    found = {"all": list(range(len(traces)))}
    for subset in sorted({trace.subset for trace in traces}):
        rows = [i for i, trace in enumerate(traces) if trace.subset == subset]
        if len(rows) < len(traces) and sum(bool(traces[i].grave) for i in rows) > 1:
            found[subset] = rows
    return found


def _row(name: str, world: str, traces: Sequence[Labelled], verdicts: Sequence[Verdict], draw: Draw) -> Row:
    pairs = list(zip(traces, verdicts, strict=True))
    some = [(t, v) for t, v in pairs if t.wanted]
    high = [(t, v) for t, v in pairs if t.grave]
    wanted = [{label.category for label in t.labels} for t in traces]
    true, said = category_tables(wanted, [named_categories(v) for v in verdicts])
    parts: dict[str, _Statistic] = {
        "location": _mean([location(v, t.wanted) for t, v in pairs]),
        "precision": _mean([precision(v, t.wanted) for t, v in some]),
        "joint": _mean([joint(v, {(label.span, label.category) for label in t.labels}) for t, v in pairs]),
        "category": (len(pairs), lambda rows: weighted_f1(true[rows], said[rows])),
        "top1": _mean([precision(replace(v, take=1), t.wanted) for t, v in some]),
        "recall3": _mean([expected_recall(v, t.wanted, 3) for t, v in some]),
        "recall5": _mean([expected_recall(v, t.wanted, 5) for t, v in some]),
        "average": _mean([average_precision(v, t.wanted) for t, v in some]),
        "top1_high": _mean([precision(replace(v, take=1), t.grave) for t, v in high]),
        "average_high": _mean([average_precision(v, t.grave) for t, v in high]),
    }
    intervals = {metric: _estimate(count, statistic, draw) for metric, (count, statistic) in parts.items()}
    return Row(
        estimator=name,
        world=world,
        traces=len(traces),
        labelled=len(some),
        named=float(np.mean([min(v.take, len(v.scores)) for v in verdicts])),
        intervals=intervals,
        **{metric: float(estimate.value or 0.0) for metric, estimate in intervals.items()},
    )


def _mean(values: Sequence[float]) -> _Statistic:
    told = np.asarray(values, dtype=float)
    return len(told), lambda rows: np.asarray(told[rows].mean(axis=-1))


def _estimate(count: int, statistic: Callable[[NDArray[np.intp]], NDArray[np.float64]], draw: Draw) -> Estimate:
    """A statistic over traces, and the percentiles of what it is when traces are drawn with repetition."""
    value = float(statistic(np.arange(count)[None])[0])
    again = statistic(draw.generator("trail/resampled").integers(count, size=(_REPEATS, count)))
    low, high = np.quantile(again, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Estimate(
        value=value,
        low=min(float(low), value),
        high=max(float(high), value),
        level=_LEVEL,
        effective=float(count),
        rung="observed",
        identified="point",
    )
