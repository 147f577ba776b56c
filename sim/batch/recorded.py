"""Units that are recorded runs: each answered as `ifonly whatif` answers it, by executing its environment again."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING

from ifonly.agents.corpus import Corpus
from ifonly.agents.errors import InputError
from ifonly.agents.reading import read_at
from ifonly.sim.batch.job import RecordedUnits
from ifonly.sim.batch.rows import Row, failed, table_of
from ifonly.sim.continuations import Bounds, FromCorpus, Hold
from ifonly.sim.whatif import whatif

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from ifonly.agents.records import Trajectory
    from ifonly.sim.answers import WhatIfAnswer
    from ifonly.sim.batch.job import Job, Question, RunFile
    from ifonly.sim.continuations import Continuation

__all__ = ["RecordedBench"]


class RecordedBench:
    """Answers what-ifs of recorded runs.

    Args:
        job: of recorded units.

    Raises:
        InputError: a run of the corpus cannot be read.
    """

    def __init__(self, job: Job) -> None:
        if not isinstance(job.units, RecordedUnits):
            raise TypeError(f"units of kind {job.units.kind!r} are no recorded runs")
        self._job, self._units = job, job.units
        self._continuation = _continuation(job.units)

    def table(self, chunk: range) -> pa.Table:
        """The rows of the units in a range."""
        rows: list[Row] = []
        for index, run in self._runs(chunk):
            if isinstance(run, InputError):
                rows.append(failed(index, self._place(index), run))
            else:
                for question in self._job.questions:
                    rows += self._answered(index, run, question)
        return table_of(rows)

    def _answered(self, index: int, run: Trajectory, question: Question) -> list[Row]:
        try:
            answer = whatif(run, question.actions, continuation=self._continuation, level=self._job.level)
        except Exception as error:
            return [failed(index, run.id, error, run.task, question.name)]
        return _rows(index, answer, question)

    def _runs(self, chunk: range) -> Iterator[tuple[int, Trajectory | InputError]]:
        """The units of a range, each with its index; every file is opened once."""
        for file, first, numbers in self._parts(chunk):
            found = dict(read_at(Path(file.path), frozenset(numbers), file.format))
            for index, number in enumerate(numbers, first):
                lost = InputError(file.path, "the record is gone", "Bring the file back as it was.", record=number)
                yield index, found.get(number, lost)

    def _parts(self, chunk: range) -> Iterator[tuple[RunFile, int, Sequence[int]]]:
        """The files that a range touches, each with the index of its first unit there and their record numbers."""
        ends, start = self._job.ends, chunk.start
        while start < chunk.stop:
            place = bisect_right(ends, start)
            file, end = self._units.files[place], min(ends[place], chunk.stop)
            offset = ends[place] - len(file.records)
            yield file, start, file.records[start - offset : end - offset]
            start = end

    def _place(self, index: int) -> str:
        """What a unit is called whose id cannot be read."""
        file, _, numbers = next(self._parts(range(index, index + 1)))
        return f"{file.path}, record {numbers[0]}"


def _continuation(units: RecordedUnits) -> Continuation:
    if units.continuation == "corpus":
        return FromCorpus(Corpus(_all(units.corpus), units.equality))
    return Hold() if units.continuation == "hold" else Bounds()


def _all(files: Sequence[RunFile]) -> Iterator[Trajectory]:
    for file in files:
        for _, run in read_at(Path(file.path), frozenset(file.records), file.format):
            if isinstance(run, InputError):
                raise run
            yield run


def _rows(index: int, answer: WhatIfAnswer, question: Question) -> list[Row]:
    site = answer.first_divergence.site if answer.first_divergence else None
    bare = Row(index, answer.run, answer.task, question.name, verdict=answer.verdict, diverges=site)
    return [
        bare._replace(
            score=name,
            factual=float(outcome.factual),
            counterfactual=outcome.counterfactual.value,
            low=outcome.counterfactual.low,
            high=outcome.counterfactual.high,
            identified=outcome.counterfactual.identified,
            noise=outcome.counterfactual.noise,
        )
        for name, outcome in answer.outcomes.items()
    ] or [bare]
