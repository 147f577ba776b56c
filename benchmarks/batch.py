"""Batches on this machine: time, memory and processor time a unit, and Ray beside processes.

    python benchmarks/batch.py [worlds|runs|ray] [--units N] [--workers N] [--seed N] [--out FOLDER]

Without a part, each is run small. `worlds`: what-ifs on the ten-step agent fitted to logs, 10^3, 10^4 ... up to N.
`runs`: what-ifs of recorded AgentDojo runs, their environments executed again. `ray`: two local nodes of one processor
each beside two processes. Processor time is that of the driver and all its workers, and does not hang on what else the
machine does; wall time does. What is killed in between stands in `batch_kills.py`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import tempfile
import time
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import ifonly
from ifonly.agents.actions import DropAction, EnvironmentAction, ModelAction
from ifonly.sim.batch.choosing import choose
from ifonly.sim.batch.executors import Process
from ifonly.sim.batch.job import DataFile, Job, KnownUnits, Question, RecordedUnits, file_digest
from ifonly.sim.batch.running import BatchAnswer, run_batch

if TYPE_CHECKING:
    from ifonly.agents.records import Trajectory

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LOGS, RUNS = DATA / "credit_world" / "commit" / "runs.jsonl.gz", DATA / "agentdojo_runs" / "runs"
QUESTIONS = (
    Question(name="clean", actions=(EnvironmentAction(settings={"injections": {}}),)),
    Question(name="no second reply", actions=(DropAction(site="agent/1"),)),
)


def main() -> None:
    """Print the figures as JSON, part by part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=["worlds", "runs", "ray"])
    parser.add_argument("--units", type=int)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where rows go; a temporary folder if left out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = given.out or Path(temporary)
        for part in [given.part] if given.part else ["worlds", "runs", "ray"]:
            needed = RUNS if part == "runs" else LOGS
            if not needed.exists():
                print(f"{part}: skipped, {needed} does not exist")
            elif part == "ray" and not importlib.util.find_spec("ray"):
                print("ray: skipped, the package is not installed")
            else:
                print(part, json.dumps(globals()[part](given, out), indent=1), flush=True)


def worlds(given: argparse.Namespace, out: Path) -> list[dict[str, object]]:
    """Growth over the number of units."""
    sizes = [10**n for n in range(3, 9) if 10**n <= (given.units or 10_000)]
    return [measured(fitted(size, given.seed), out / "worlds", Process(given.workers)) for size in sizes]


def runs(given: argparse.Namespace, out: Path) -> dict[str, object]:
    """Re-executions; as many what-ifs as asked, two a run."""
    job = attacked((given.units or 200) // len(QUESTIONS))
    return measured(job, out / "runs", Process(given.workers))


def ray(given: argparse.Namespace, out: Path) -> dict[str, object]:
    """Two nodes of one processor each beside two processes; the start of the cluster is told apart."""
    # Ray starts workers with niceness 15, which on a busy machine would be all that is measured.
    os.environ.update(RAY_worker_niceness="0")
    from ray.cluster_utils import Cluster  # noqa: PLC0415 -- an extra

    from ifonly.sim.batch.cluster import RayCluster  # noqa: PLC0415

    started = time.perf_counter()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    figures: dict[str, object] = {"cluster_start_seconds": time.perf_counter() - started}
    try:
        jobs = {"world": fitted(given.units or 10_000, given.seed)}
        if RUNS.exists():
            jobs["runs"] = attacked((given.units or 100_000) // 1_000)
        for name, job in jobs.items():
            two = measured(job, out / "ray-process", Process(2))
            many = measured(job, out / "ray-ray", RayCluster(cluster.address))
            figures[name] = {
                "process": two,
                "ray": many,
                "ratio_of_wall_time": many["seconds"] / two["seconds"],  # type: ignore[operator]
                "same_rows": two["rows_digest"] == many["rows_digest"],
            }
    finally:
        cluster.shutdown()
    return figures


def fitted(units: int, seed: int) -> Job:
    """What-ifs on the ten-step agent fitted to its logs: the big model from the check on."""
    logs = (DataFile(path=str(LOGS), digest=file_digest(LOGS)),)
    known = KnownUnits(world="ifonly.scenarios.credit.replayed:commit", files=logs, count=units)
    question = Question(name="big", actions=(ModelAction(site="check/0", model="big"),))
    return Job(ifonly=ifonly.__version__, units=known, questions=(question,), seed=seed)


def attacked(units: int) -> Job:
    """So many attacked runs, asked both questions with later replies held."""
    files = choose(RUNS, wanted=_attacked, limit=units).files
    return Job(ifonly=ifonly.__version__, units=RecordedUnits(files=files), questions=QUESTIONS)


def _attacked(run: Trajectory) -> bool:
    return run.environment is not None and bool(run.environment.settings.get("injections"))


def measured(job: Job, out: Path, executor: object) -> dict[str, object]:
    """A batch with what it took."""
    before, load = _processor_seconds(), os.getloadavg()[0]
    answer: BatchAnswer = run_batch(job, out, executor)  # type: ignore[arg-type]
    asked = (answer.units - answer.before) * len(job.questions)
    seconds = _processor_seconds() - before
    size = sum(path.stat().st_size for path in Path(answer.rows).iterdir())
    return {
        "whatifs": answer.units * len(job.questions),
        "asked_now": asked,
        "seconds": answer.seconds,
        "processor_seconds": seconds,
        "processor_microseconds_a_whatif": 1e6 * seconds / max(asked, 1),
        "whatifs_a_second": asked / answer.seconds,
        "driver_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "largest_worker_peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3,
        "bytes_a_row": size / answer.summary.rows,
        "load_before": load,
        "rows_digest": answer.rows_digest,
        "errors": {error.kind: error.count for error in answer.summary.errors},
        "scores": [
            score.model_dump(mode="json", include={"question", "score", "settled", "change"})
            for score in answer.summary.scores
        ],
    }


def _processor_seconds() -> float:
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(chain.from_iterable((use.ru_utime, use.ru_stime) for use in uses))


if __name__ == "__main__":
    main()
