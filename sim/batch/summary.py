"""A batch in a few numbers: by question and score the means in both worlds, and what went wrong, by kind.

Means are over units whose counterfactual value is settled. Where tasks repeat, units of one task are no independent
draws: the interval is then that of group sums (Cameron and Miller 2015, "A practitioner's guide to cluster-robust
inference"). With n_g units and sum s_g in task g, m = sum s_g / sum n_g, and N units in G tasks, it is the guarded t
interval of `ifonly.scm.intervals` over the G values m + (G / N) (s_g - m n_g), whose mean is m.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ifonly.agents.records import Record
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import guarded_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ifonly.scm.estimate import Rung

__all__ = ["BatchSummary", "ErrorKind", "ScoreSummary", "summarise_rows"]

_BLOCK = 2**16

_PARTS = ("factual", "counterfactual", "change")


class ScoreSummary(Record):
    """One score under one question.

    Attributes:
        question: name of the what-if.
        score: name of the score.
        units: that have it.
        settled: how many of them have a counterfactual value.
        tasks: how many clusters the settled ones fall into; None where units are independent.
        factual: mean of the settled units as they were; None where nothing is settled.
        counterfactual: their mean had the actions been done.
        change: the mean difference, unit by unit.
        bounds: mean over all units, an unsettled one being anything its range allows; None where that is unbounded.
    """

    question: str
    score: str
    units: int
    settled: int
    tasks: int | None
    factual: Estimate | None
    counterfactual: Estimate | None
    change: Estimate | None
    bounds: Estimate | None


class ErrorKind(Record):
    """Errors of one kind: how many rows, and the first of them."""

    kind: str
    count: int
    unit: str
    message: str


class BatchSummary(Record):
    """All rows of a batch, summed up.

    Attributes:
        version: of this layout.
        units: that have rows.
        rows: in all.
        verdicts: how many rows have which.
        scores: by question and score, in the order of the rows.
        errors: by kind, the most frequent first.
    """

    version: Literal[1] = 1
    units: int
    rows: int
    verdicts: dict[str, int]
    scores: tuple[ScoreSummary, ...]
    errors: tuple[ErrorKind, ...]


def summarise_rows(tables: Iterable[pa.Table], level: float = 0.95) -> BatchSummary:
    """Sum rows up, block by block: no more than sums are kept.

    Rows are cut into blocks of one size, so that sums come out the same to the last bit however the tables were cut.

    Args:
        tables: of rows, in the order of the units.
        level: coverage of the intervals.
    """
    units = rows = 0
    last = -1
    verdicts, counts, first = Counter[str](), Counter[str](), dict[str, tuple[str, str]]()
    sums: dict[tuple[str, str], _Sums] = defaultdict(_Sums)
    for table in _blocks(tables):
        numbers = table.column("number").to_numpy()
        units += int((np.diff(numbers, prepend=last) > 0).sum())
        last = int(numbers[-1])
        rows += table.num_rows
        verdicts.update(_counted(table, "verdict"))
        counts.update(_counted(table, "error"))
        wrong = table.filter(pc.is_valid(table.column("error")))
        for kind, unit, message in zip(
            *(wrong.column(c).to_pylist() for c in ("error", "unit", "message")), strict=True
        ):
            first.setdefault(kind, (unit, message))
        scored = table.filter(pc.is_valid(table.column("score")))
        for question, score in _pairs(scored):
            mine = pc.and_(pc.equal(scored.column("question"), question), pc.equal(scored.column("score"), score))
            sums[question, score].add(scored.filter(mine))
    return BatchSummary(
        units=units,
        rows=rows,
        verdicts=dict(sorted(verdicts.items())),
        scores=tuple(found.summary(question, score, level) for (question, score), found in sums.items()),
        errors=tuple(
            ErrorKind(kind=kind, count=count, unit=first[kind][0], message=first[kind][1])
            for kind, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        ),
    )


def _blocks(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of `_BLOCK` rows, the last one shorter."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(one.num_rows for one in waiting) >= _BLOCK:
            whole = pa.concat_tables(waiting)
            cut = whole.num_rows - whole.num_rows % _BLOCK
            yield from (whole.slice(at, _BLOCK) for at in range(0, cut, _BLOCK))
            waiting = [whole.slice(cut)]
    left = pa.concat_tables(waiting) if waiting else None
    if left is not None and left.num_rows:
        yield left


def _counted(table: pa.Table, column: str) -> dict[str, int]:
    return {c["values"]: c["counts"] for c in pc.value_counts(table.column(column)).to_pylist() if c["values"]}


def _pairs(table: pa.Table) -> list[tuple[str, str]]:
    """The questions and scores of a table, in the order of its rows."""
    names = table.select(["question", "score"]).group_by(["question", "score"], use_threads=False).aggregate([])
    return list(zip(names.column("question").to_pylist(), names.column("score").to_pylist(), strict=True))


@dataclass(eq=False)
class _Sums:
    """What one score of one question comes to; by task, where units have one.

    Of each task (None: no task): how many settled units, the sums of `_PARTS`, and of their squares.
    """

    units: int = 0
    low: float = 0.0
    high: float = 0.0
    noise: str | None = None
    least: float = 0.0
    most: float = 1.0
    groups: dict[str | None, np.ndarray] = field(default_factory=lambda: defaultdict(lambda: np.zeros(7)))

    def add(self, table: pa.Table) -> None:
        """Take the rows of one table in."""
        factual, value, low, high = (_floats(table, c) for c in ("factual", "counterfactual", "low", "high"))
        settled = ~np.isnan(value)
        self.units += table.num_rows
        self.low += float(np.where(settled, value, low).sum())
        self.high += float(np.where(settled, value, high).sum())
        self.noise = self.noise or next((n for n in pc.unique(table.column("noise")).to_pylist() if n), None)
        if not settled.any():
            return
        parts = np.stack([factual, value, value - factual])[:, settled]
        self.least, self.most = min(self.least, parts[:2].min()), max(self.most, parts[:2].max())
        tasks = table.column("task").combine_chunks().dictionary_encode()
        codes = tasks.indices.fill_null(len(tasks.dictionary)).to_numpy(zero_copy_only=False)[settled]
        names = [*tasks.dictionary.to_pylist(), None]
        columns = [np.ones(settled.sum()), *parts, *np.square(parts)]
        added = np.stack([np.bincount(codes, column, minlength=len(names)) for column in columns], -1)
        for code in np.flatnonzero(added[:, 0]):
            self.groups[names[code]] += added[code]

    def summary(self, question: str, score: str, level: float) -> ScoreSummary:
        """The numbers of this score."""
        table = np.array(list(self.groups.values())).reshape(-1, 7)
        settled = int(table[:, 0].sum())
        bounded = abs(self.low) < 1e300 and abs(self.high) < 1e300  # noqa: PLR2004 -- half of what a float can hold
        rungs: tuple[Rung, ...] = ("observed", "counterfactual", "counterfactual")
        found = [self._mean(table, part, rung, level) for part, rung in enumerate(rungs)] if settled else [None] * 3
        return ScoreSummary(
            question=question,
            score=score,
            units=self.units,
            settled=settled,
            tasks=None if None in self.groups else len(self.groups),
            factual=found[0],
            counterfactual=found[1],
            change=found[2],
            bounds=_bounds(self.low / self.units, self.high / self.units) if bounded else None,
        )

    def _mean(self, table: np.ndarray, part: int, rung: Rung, level: float) -> Estimate:
        """The mean of a part over units, with its interval over tasks, or over units where they have none."""
        n, total, squares = table[:, 0].sum(), table[:, 1 + part].sum(), table[:, 4 + part].sum()
        mean = total / n
        reach = (self.most - self.least) * (1 + (part == 2))  # noqa: PLR2004 -- a change goes both ways
        if None in self.groups:
            draws, deviation = int(n), max(squares - n * mean**2, 0.0)
        else:
            draws = len(table)
            deviation = float(np.square((table[:, 1 + part] - mean * table[:, 0]) * draws / n).sum())
        low, high = guarded_interval(draws, mean, deviation, reach, level)
        if (self.least, self.most) == (0.0, 1.0):  # shares, and their changes, end where they end
            low, high = max(low, -1.0 if reach > 1.0 else 0.0), min(high, 1.0)
        assumed = self.noise if rung == "counterfactual" else None
        return Estimate(
            value=float(mean),
            low=min(float(low), float(mean)),
            high=max(float(high), float(mean)),
            level=level,
            effective=float(draws),
            rung=rung,
            identified="assumed" if assumed else "point",
            noise=assumed,
        )


def _bounds(low: float, high: float) -> Estimate:
    return Estimate.bounded(low, max(low, high), "counterfactual")


def _floats(table: pa.Table, column: str) -> np.ndarray:
    numbers: np.ndarray = table.column(column).to_numpy()
    return numbers
