"""Chunks as tasks of a Ray cluster: the only module that imports ray.

Every node has ifonly installed, and sees the job's files and the folder of results under the same paths (a shared file
system): rows never pass through the driver. Ray starts a task again whose worker or node was lost. Of a chunk that has
cost several workers the driver tells; take it with the executor ``process``, which finds the unit that kills them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray

from ifonly.sim.batch.store import Written
from ifonly.sim.batch.work import Task, WorkFailed, perform, told

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

__all__ = ["RayCluster"]

_RETRIES = 5
_AHEAD = 2
"""Tasks that wait for each processor, so that none is idle while the driver writes its log."""


@dataclass(frozen=True)
class RayCluster:
    """Tasks of a Ray cluster, one processor each.

    Args:
        address: of the cluster; the environment variable RAY_ADDRESS if None, and where there is none either, a new
            cluster on this machine.
        workers: processors of that new cluster, or how many tasks are under way at a time in another; all, if None.
        name: on the command line.
    """

    address: str | None = None
    workers: int | None = None
    name: str = "ray"

    def work_off(self, task: Task, chunks: Sequence[range]) -> Generator[Written]:
        """See `ifonly.sim.batch.executors.Executor`."""
        ours = not ray.is_initialized()
        if ours:
            self._join()
        under_way: dict[Any, range] = {}
        try:
            remote, shared, waiting = ray.remote(num_cpus=1, max_retries=_RETRIES)(_perform), ray.put(task), [*chunks]
            waiting.reverse()
            while waiting or under_way:
                while waiting and len(under_way) < self._most():
                    units = waiting.pop()
                    under_way[remote.remote(shared, units.start, units.stop)] = units
                ready, _ = ray.wait(list(under_way), num_returns=1)
                for one in ready:
                    yield _got(one, under_way.pop(one))
        finally:
            for one in under_way:
                ray.cancel(one, force=True)
            if ours:
                ray.shutdown()

    def _join(self) -> None:
        quiet = {"log_to_driver": False, "logging_level": "warning"}
        if self.address or "RAY_ADDRESS" in os.environ:
            ray.init(address=self.address, **quiet)
        else:
            ray.init(address="local", num_cpus=self.workers, include_dashboard=False, **quiet)

    def _most(self) -> int:
        """Tasks under way; asked anew each time, for a cluster may grow."""
        return self.workers or _AHEAD * max(int(ray.cluster_resources().get("CPU", 1)), 1)


def _perform(task: Task, start: int, stop: int) -> tuple[str, tuple[Any, ...]]:
    """A task: what it wrote, or why the batch cannot go on, in words: errors of ours do not survive pickle."""
    try:
        return "written", tuple(perform(task, range(start, stop)))
    except Exception as error:
        return "failed", told(error)


def _got(one: Any, units: range) -> Written:
    """The partition that a task has written.

    Raises:
        WorkFailed: it cannot go on, or all its workers were lost.
    """
    try:
        kind, news = ray.get(one)
    except ray.exceptions.RayError as error:
        found = f"lost {_RETRIES + 1} workers ({type(error).__name__})"
        fix = "Run the batch again with --executor process, which finds the unit."
        raise WorkFailed(f"units {units.start} to {units.stop - 1}", found, fix) from error
    if kind == "failed":
        raise WorkFailed(*news)
    return Written(*news)
