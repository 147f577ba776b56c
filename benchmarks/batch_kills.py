"""`kill -9` of a batch's workers and drivers at random moments: what was acknowledged must stay.

    python benchmarks/batch_kills.py [--kills N] [--seed N]

A driver is started on a job whose units are coins of a `Draw`; workers and drivers are killed in turn, at moments drawn
from the seed, and a killed driver is started again. Before each kill the log is read: every partition that it names
must be there, whole, ever after. In the end the rows must be those of an undisturbed run, to the last bit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ifonly.sim.batch.executors import Process, Serial
from ifonly.sim.batch.job import Job, KnownUnits, Question
from ifonly.sim.batch.running import run_batch
from ifonly.sim.batch.store import Store
from ifonly.sim.batch.worlds import Both

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue

    from ifonly.agents.actions import Action
    from ifonly.scm.draw import Draw

CHUNK, CHUNKS_A_KILL = 100, 40
PAUSE = 0.03
DRIVE = "import sys; from batch_kills import drive; drive(sys.argv[1], sys.argv[2])"


class Coins:
    """Two coins a unit; a chunk takes a while, so that kills meet it."""

    noise = None

    def check(self, actions: Sequence[Action]) -> None:
        """All is allowed."""

    def names(self, units: range) -> list[str]:
        """Numbers."""
        return [str(unit) for unit in units]

    def tasks(self, units: range) -> None:
        """None: coins are independent."""

    def replay(self, units: range, actions: Sequence[Action], draw: Draw) -> dict[str, Both]:
        """A throw in each world."""
        time.sleep(PAUSE)
        throws = draw.rows("coin", units.start, len(units), 2)
        return {"heads": Both(throws[:, 0], throws[:, 1])}


def coins(settings: Mapping[str, JsonValue], files: Sequence[Path]) -> Coins:
    """The world of the job."""
    return Coins()


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(kills(given.kills, given.seed, Path(folder)), indent=1))


def kills(count: int, seed: int, folder: Path) -> dict[str, object]:
    """Kill until enough have been killed, and compare."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    sys.path.insert(0, os.environ["PYTHONPATH"])
    chance, started = random.Random(seed), time.perf_counter()
    units = KnownUnits(world="batch_kills:coins", count=count * CHUNKS_A_KILL * CHUNK)
    job = Job(ifonly="0", units=units, questions=(Question(name="none", actions=()),), seed=seed)
    path = folder / "job.json"
    path.write_text(job.model_dump_json())
    store, known, killed = Store(folder / "killed", job), set[tuple[int, ...]](), {"worker": 0, "driver": 0}
    driver, lost, starts, restored = _driver(path, folder), 0, 1, 0
    while sum(killed.values()) < count and _at_work(store, known, driver):
        time.sleep(chance.expovariate(4.0))
        what = "driver" if sum(killed.values()) % 2 else "worker"
        victims = _workers(driver.pid) if what == "worker" else [driver.pid]
        known |= acknowledged(store)
        if not victims or driver.poll() is not None:
            continue
        os.kill(chance.choice(victims), signal.SIGKILL)
        killed[what] += 1
        if sum(killed.values()) % 50 == 0:
            print(f"{killed} after {time.perf_counter() - started:.0f} s", file=sys.stderr)
        if what == "driver":
            driver.wait()
            lost += len(known - acknowledged(store))
            restored = max(restored, len(known))
            driver, starts = _driver(path, folder), starts + 1
    ended = driver.wait()
    answer = run_batch(job, folder / "killed", Serial())
    whole = run_batch(job, folder / "whole", Serial())
    return {
        "kills": killed,
        "starts_of_the_driver": starts,
        "last_driver_ended_with": ended,
        "partitions": answer.partitions,
        "left_for_the_comparison": answer.units - answer.before,
        "acknowledged_at_the_last_kill": restored,
        "acknowledged_and_lost": lost + len(known - acknowledged(store)),
        "same_rows": answer.rows_digest == whole.rows_digest,
        "same_summary": answer.summary == whole.summary,
        "seconds": time.perf_counter() - started,
    }


def drive(job: str, out: str) -> None:
    """The driver that is killed."""
    run_batch(Job.model_validate_json(Path(job).read_bytes()), Path(out), Process(2), chunk=CHUNK)


def acknowledged(store: Store) -> set[tuple[int, ...]]:
    """The partitions that the log names, and whose file is there whole."""
    return {tuple(written) for written in store.acknowledged().values()}


def _driver(job: Path, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", DRIVE, str(job), str(folder / "killed")])


def _at_work(store: Store, known: set[tuple[int, ...]], driver: subprocess.Popen[bytes]) -> bool:
    """Wait until a driver has acknowledged something new; False where it has ended instead."""
    log, size = store.folder / "log.jsonl", -1
    while driver.poll() is None:
        now = log.stat().st_size if log.exists() else -1
        if now != size and acknowledged(store) - known:
            return True
        size = now
        time.sleep(0.01)
    return False


def _workers(driver: int) -> list[int]:
    """The workers of a driver: its children but the one that tracks resources."""
    try:
        children = Path(f"/proc/{driver}/task/{driver}/children").read_text().split()
        return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]
    except OSError:
        return []


if __name__ == "__main__":
    main()
