"""Worker processes that may be killed at any moment.

Each worker has a pipe of its own: one that is killed can leave no lock and no half message that others wait for, and
the driver knows which chunk it was at. The chunk is given to a new worker. A chunk that has cost several workers is
taken unit by unit, so that a unit that kills its worker is found, and becomes a row with an error.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context, parent_process
from typing import TYPE_CHECKING, Any

from ifonly.sim.batch.store import Written
from ifonly.sim.batch.work import Task, WorkFailed, perform, told
from ifonly.sim.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

__all__ = ["work_off"]

_PATIENCE = 3
"""Workers that a chunk, and then a unit of it, may cost before it is looked at more closely."""

_STILLBORN = 20
"""Workers in a row that end before they say anything, until the fault is looked for elsewhere."""


@dataclass(eq=False)
class _Chunk:
    """A chunk on its way: how many workers it has cost, and each of its units once it is taken unit by unit."""

    units: range
    killed: int = 0
    at: Counter[int] = field(default_factory=Counter)

    @property
    def lost(self) -> frozenset[int]:
        """The units that are given up."""
        return frozenset(index for index, times in self.at.items() if times >= _PATIENCE)

    @property
    def closely(self) -> bool:
        """Whether it is taken unit by unit."""
        return self.killed >= _PATIENCE


@dataclass(eq=False)
class _Worker:
    """A process, the driver's end of its pipe, what it is at, and whether it has ever said anything."""

    process: BaseProcess
    pipe: Connection
    chunk: _Chunk | None = None
    at: int | None = None
    heard: bool = False


def work_off(task: Task, chunks: Sequence[range], workers: int) -> Generator[Written]:
    """Work chunks off in processes of one thread each, and give each partition as it is there.

    Processes are spawned: a script calls this under ``if __name__ == "__main__"``. They end when the iteration is
    closed, and when the driver is killed.

    Args:
        task: what to do.
        chunks: units, each once.
        workers: how many processes.

    Raises:
        WorkFailed: the job cannot be worked on, a partition cannot be written, or no worker gets as far as starting.
    """
    team = _Team(task, workers, deque(_Chunk(units) for units in chunks))
    try:
        while team.busy:
            team.give()
            for worker in team.ready():
                written = team.hear(worker)
                if written is not None:
                    yield written
    finally:
        team.end()


@dataclass(eq=False)
class _Team:
    """The workers, and the chunks that none of them has."""

    task: Task
    size: int
    waiting: deque[_Chunk]
    workers: list[_Worker] = field(default_factory=list)
    stillborn: int = 0

    @property
    def busy(self) -> bool:
        """Whether anything is left to do."""
        return bool(self.waiting) or any(worker.chunk for worker in self.workers)

    def give(self) -> None:
        """Hire as many workers as there is work for, and give each idle one a chunk."""
        idle = sum(worker.chunk is None for worker in self.workers)
        for _ in range(min(self.size - len(self.workers), len(self.waiting) - idle)):
            self.workers.append(_hired(self.task))
        for worker in self.workers:
            if worker.chunk is None and self.waiting:
                worker.chunk, worker.at = self.waiting.popleft(), None
                # Where it was killed while idle, its end is heard next.
                with suppress(OSError):
                    worker.pipe.send((worker.chunk.units, worker.chunk.lost, worker.chunk.closely))

    def ready(self) -> list[_Worker]:
        """Wait until some workers have said something, or have ended: then their pipes have."""
        said = set(connection.wait([worker.pipe for worker in self.workers]))
        return [worker for worker in self.workers if worker.pipe in said]

    def hear(self, worker: _Worker) -> Written | None:
        """What a worker has said: a partition that is there, or None.

        Raises:
            WorkFailed: that it cannot go on.
        """
        try:
            kind, news = worker.pipe.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return None
        worker.heard, self.stillborn = True, 0
        if kind == "at":
            worker.at = news
        elif kind == "failed":
            raise WorkFailed(*news)
        elif kind == "written":
            worker.chunk = worker.at = None
            return Written(*news)
        return None

    def _bury(self, worker: _Worker) -> None:
        """Take a worker that has ended off the team; its chunk is the next to be given out."""
        self.workers.remove(worker)
        worker.process.join()
        worker.pipe.close()
        self.stillborn += not worker.heard
        if self.stillborn >= _STILLBORN:
            found = f"{self.stillborn} workers in a row ended (exit code {worker.process.exitcode}) before they began"
            raise WorkFailed(
                "a worker", found, 'Call this under `if __name__ == "__main__"`, or take --executor serial.'
            )
        if worker.chunk is not None:
            worker.chunk.killed += worker.heard
            if worker.at is not None:
                worker.chunk.at[worker.at] += 1
            self.waiting.appendleft(worker.chunk)

    def end(self) -> None:
        """End all workers, whatever they are at."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
            worker.pipe.close()


def _hired(task: Task) -> _Worker:
    # Not fork: the caller may hold threads (torch, a progress bar), which a forked process inherits broken.
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, task), daemon=True, name="ifonly batch")
    with one_thread():
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(pipe: Connection, task: Task) -> None:
    """The life of a worker; a pipe that breaks says that the driver has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    with suppress(EOFError, ConnectionError):
        pipe.send(("ready", None))
        while _served(pipe, task):
            pass


def _served(pipe: Connection, task: Task) -> bool:
    """Work one chunk off, and say so; False where the batch cannot go on."""
    units, lost, closely = pipe.recv()
    try:
        written = perform(task, units, lost, _teller(pipe) if closely else None)
    except ConnectionError:
        raise
    except Exception as error:
        pipe.send(("failed", told(error)))
        return False
    pipe.send(("written", tuple(written)))
    return True


def _teller(pipe: Connection) -> Any:
    return lambda index: pipe.send(("at", index))


def _end_with_driver() -> None:
    """End this process as soon as the driver has ended, however that came about."""
    driver = parent_process()
    if driver is not None:
        connection.wait([driver.sentinel])
        os._exit(1)
