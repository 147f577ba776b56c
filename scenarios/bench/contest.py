"""Estimators that answer the same questions from the same draws, round by round."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ifonly.agents.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from ifonly.scenarios.study import Stage
    from ifonly.scm.estimate import Estimate

__all__ = ["LEVEL", "Answer", "Contest", "Entry", "answer_of", "timed"]

LEVEL = 0.95
"""Of all intervals that the benchmark asks for."""

T = TypeVar("T")


class Entry(Record):
    """One estimator on one question of a contest.

    Attributes:
        query: what is asked.
        estimator: name of the analysis.
        right: whether the assumptions that it makes hold in this world.
        why: what it assumes, or which assumption the world breaks.
        conservative: whether its interval covers with at least its level by construction, and so may cover more.
        exact: whether it enumerates: one round tells all.
    """

    query: str
    estimator: str
    right: bool
    why: str = ""
    conservative: bool = False
    exact: bool = False


class Answer(Record):
    """What an entry said in one round.

    Attributes:
        truth: of the round.
        value: the answer; None where it gave bounds, or abstained.
        low: lower end of its interval; None where it has none, or abstained.
        high: upper end.
        seconds: that it took, the draw of the data not counted.
        calls: of a model, if it asked one: evaluations of the law of its options.
        refused: why it gave no answer; None where it gave one.
    """

    truth: float
    value: float | None = None
    low: float | None = None
    high: float | None = None
    seconds: float = 0.0
    calls: int = 0
    refused: str | None = None


@dataclass(frozen=True, eq=False)
class Contest:
    """Estimators on the questions of one world.

    Attributes:
        name: of the world, unique.
        stage: of the pipeline.
        question: what the world is there to ask.
        entries: who answers what.
        play: one round, from its seed: an answer for each entry, in their order.
    """

    name: str
    stage: Stage
    question: str
    entries: tuple[Entry, ...]
    play: Callable[[int], tuple[Answer, ...]]

    @property
    def exact(self) -> bool:
        """Whether one round tells all."""
        return all(entry.exact for entry in self.entries)


def answer_of(estimate: Estimate, truth: float, seconds: float, calls: int = 0) -> Answer:
    """An estimate as an answer; an exact value is its own interval."""
    return Answer(truth=truth, value=estimate.value, low=estimate.low, high=estimate.high, seconds=seconds, calls=calls)


def timed(of: Callable[[], T]) -> tuple[T, float]:
    """A result, and the seconds it took."""
    start = time.perf_counter()
    made = of()
    return made, time.perf_counter() - start
