"""Asking a judge about many logs: several at a time, until the budget is spent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ifonly.agents.errors import BudgetSpent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scenarios.whowhen.bench import Answers
    from ifonly.scenarios.whowhen.judge import Judge, Judged
    from ifonly.scenarios.whowhen.logs import Labelled, Log

__all__ = ["Hearing", "hear"]


@dataclass
class Hearing:
    """What a judge said of logs, by their ids; and why it stopped, if it did before the end."""

    found: dict[str, Judged] = field(default_factory=dict)
    stopped: BudgetSpent | None = None

    @property
    def answers(self) -> Answers:
        """The rankings."""
        return {id: judged.blame for id, judged in self.found.items()}

    @property
    def calls(self) -> int:
        """Requests, recorded ones too."""
        return sum(judged.calls for judged in self.found.values())

    @property
    def cut(self) -> float:
        """Mean share of a log that was not shown."""
        return sum(judged.cut for judged in self.found.values()) / max(1, len(self.found))


def hear(
    judge: Judge,
    logs: Sequence[Labelled],
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Hearing:
    """Ask about the logs, which go to the judge without their labels.

    Args:
        judge: who is asked.
        logs: in order.
        workers: how many at a time.
        progress: told how many are done, and of how many.

    Raises:
        IfonlyError: the model could not be asked. A spent budget ends the hearing, and is told in it.
    """
    hearing = Hearing()

    async def one(log: Log, gate: asyncio.Semaphore) -> None:
        async with gate:
            if hearing.stopped is not None:
                return
            try:
                hearing.found[log.id] = await judge.judge(log)
            except BudgetSpent as error:
                hearing.stopped = error
            progress(len(hearing.found), len(logs))

    async def every() -> None:
        gate = asyncio.Semaphore(workers)
        await asyncio.gather(*(one(labelled.log, gate) for labelled in logs))

    asyncio.run(every())
    return hearing
