"""Who works the chunks of a batch off: this process, processes of this machine, or a Ray cluster."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ifonly.sim.batch.pool import work_off
from ifonly.sim.batch.work import perform

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ifonly.sim.batch.store import Written
    from ifonly.sim.batch.work import Task

__all__ = ["Executor", "Process", "Serial"]


class Executor(Protocol):
    """Works chunks off. Which one it is, and how many workers it has, moves no row."""

    @property
    def name(self) -> str:
        """Its name on the command line."""
        ...

    def work_off(self, task: Task, chunks: Sequence[range]) -> Generator[Written]:
        """Give each partition as it is there, in any order.

        Args:
            task: what to do.
            chunks: units, each once.

        Raises:
            IfonlyError: the batch cannot go on.
        """
        ...


@dataclass(frozen=True)
class Serial:
    """One chunk after the other, in this process."""

    name: str = "serial"

    def work_off(self, task: Task, chunks: Sequence[range]) -> Generator[Written]:
        """See `Executor`."""
        for chunk in chunks:
            yield perform(task, chunk)


@dataclass(frozen=True)
class Process:
    """Processes of one thread each; `workers` of them, as many as there are processors if None."""

    workers: int | None = None
    name: str = "process"

    def work_off(self, task: Task, chunks: Sequence[range]) -> Generator[Written]:
        """See `Executor`."""
        return work_off(task, chunks, self.workers or os.cpu_count() or 1)
