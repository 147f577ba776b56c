"""Working a batch off for the command line: who does it, how far it is, and what differs from the one before."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

from ifonly.agents.errors import ActionError
from ifonly.cli.lazy import load
from ifonly.cli.output import note
from ifonly.cli.progress import bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ifonly.sim.batch.job import Job
    from ifonly.sim.batch.running import BatchAnswer
    from ifonly.sim.batch.store import Store

__all__ = ["ExecutorName", "work"]

_INTERRUPTED = 130
_EVERY = 30.0
_SHOWN, _WIDTH = 5, 80


class ExecutorName(StrEnum):
    """Who works the chunks off."""

    SERIAL = "serial"
    PROCESS = "process"
    RAY = "ray"


def work(
    job: Job, out: Path, name: ExecutorName, workers: int | None, address: str | None, chunk: int | None
) -> BatchAnswer:
    """Work a job off.

    Args:
        job: what to do.
        out: folder of all results.
        name: who does it.
        workers: processes.
        address: of the Ray cluster.
        chunk: units a partition.

    Raises:
        ActionError: a package is missing.
        Exit: the user's interrupt, with status 130.
    """
    who = _executor(name, workers, address)
    store: Store = _engine("store", "Store")(out, job)
    if not store.folder.exists():
        _tell_differences(job, store.others())
    try:
        with _progress(job.units.count) as told:
            answer: BatchAnswer = _engine("running", "run_batch")(job, out, who, chunk=chunk, progress=told)
    except KeyboardInterrupt:
        note(f"Interrupted; {store.folder} keeps what is done. Go on with the same command.")
        raise typer.Exit(_INTERRUPTED) from None
    if answer.rate is None:
        note("Nothing was left to do: this very batch was done before.")
    return answer


def _engine(module: str, name: str) -> Any:
    """A name of the batch engine, which needs packages that the core does without."""
    try:
        return load(f"ifonly.sim.batch.{module}", name)
    except ModuleNotFoundError as error:
        extra = "ray" if error.name == "ray" else "batch"
        raise ActionError(
            "ifonly batch", f"the package {error.name} is not installed", f"Install ifonly[{extra}]."
        ) from error


def _executor(name: ExecutorName, workers: int | None, address: str | None) -> Any:
    if address is not None and name is not ExecutorName.RAY:
        raise ActionError(f"--address {address}", f"the executor {name}", "Add --executor ray.")
    if name is ExecutorName.RAY:
        return _engine("cluster", "RayCluster")(address, workers)
    return _engine("executors", "Serial")() if name is ExecutorName.SERIAL else _engine("executors", "Process")(workers)


def _tell_differences(job: Job, others: list[Job]) -> None:
    """What differs from the last batch of the same units or questions beside it."""
    like = [other for other in others if other.questions == job.questions or other.units == job.units]
    if not like:
        return
    differences = job.differences(like[0])
    shown = [f"{place}: {_brief(before)} -> {_brief(now)}" for place, (now, before) in differences.items()]
    more = [f"and {len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
    note(f"Another job than {like[0].digest[:8]}: {'; '.join([*shown[:_SHOWN], *more])}.")


def _brief(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}..."


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar in a terminal; else a line now and then, for logs."""
    with bar("asking", unit="units") as shown:
        started = spoken = time.monotonic()
        first: int | None = None

        def told(done: int, total: int) -> None:
            nonlocal first, spoken
            shown(done, total)
            first = done if first is None else first
            now = time.monotonic()
            if not sys.stderr.isatty() and now - spoken >= _EVERY and done > first:
                spoken, rate = now, (done - first) / (now - started)
                note(f"{done:,} of {total:,} units; {rate:,.1f} a second; {(total - done) / rate:,.0f} s left")

        yield told
