"""How fast runs are read: `python benchmarks/reading.py [PATH] [--json]`; AgentDojo's runs unless told."""

from __future__ import annotations

import gzip
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from ifonly.agents import datasets
from ifonly.agents.importers.native_export import write
from ifonly.agents.reading import find_run, read

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data" / "agentdojo_runs" / "runs"


def timed(act):
    """What the act gives, with its CPU seconds."""
    start = time.process_time()
    given = act()
    return given, round(time.process_time() - start, 3)


def bare(path):
    """The least that reading costs: unpacking and Python's own JSON, with nothing checked or kept."""
    records = 0
    for file in sorted(path.rglob("*.json*")) if path.is_dir() else [path]:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            if ".jsonl" in file.name:
                for line in lines:
                    json.loads(line)
                    records += 1
            else:
                json.load(lines)
                records += 1
    return records


def measured(path):
    _, bare_seconds = timed(lambda: bare(path))
    reading, seconds = timed(lambda: read(path))
    runs = reading.trajectories
    steps = sum(len(run.steps) for run in runs)
    _, find_seconds = timed(lambda: find_run(path, runs[-1].id))
    with tempfile.TemporaryDirectory() as folder:
        native = Path(folder, "runs.jsonl")
        _, write_seconds = timed(lambda: write(native, runs))
        again, native_seconds = timed(lambda: read(native))
        size = native.stat().st_size
    return {
        "runs": len(runs),
        "steps": steps,
        "problems": reading.left_out,
        "same_after_native": again.trajectories == runs,
        "bare_json_seconds": bare_seconds,
        "read_seconds": seconds,
        "steps_per_second": round(steps / seconds),
        "find_seconds": find_seconds,
        "native_write_seconds": write_seconds,
        "native_read_seconds": native_seconds,
        "native_mib": round(size / 2**20, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main(arguments: list[str]) -> None:
    named = [Path(argument) for argument in arguments if not argument.startswith("--")]
    path = named[0] if named else BESIDE if BESIDE.is_dir() else datasets.cached("agentdojo")
    if path is None:
        print("skipped: no AgentDojo runs; `ifonly data get agentdojo` brings them")
        return
    figures = measured(path)
    if "--json" in arguments:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main(sys.argv[1:])
