"""The identity law and the clean twin over the authors' AgentDojo runs: shares, answers, and wall time a run.

    python benchmarks/whatif.py [PATH] [--every N]

Needs the package `agentdojo`; PATH is ../shared/data/agentdojo_runs/runs unless given. Every 40th run is asked unless
told otherwise (`--every 1`: all). The corpus always holds all clean runs.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ifonly.agents import reading
from ifonly.agents.corpus import Corpus
from ifonly.agents.environments.registry import environment_of
from ifonly.agents.rerun import Rerun
from ifonly.sim.clean import clean_environment
from ifonly.sim.continuations import FromCorpus
from ifonly.sim.summary import summarise
from ifonly.sim.twin import identical
from ifonly.sim.whatif import whatif

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import Trajectory

RUNS = Path(__file__).resolve().parents[2] / "shared" / "data" / "agentdojo_runs" / "runs"


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", default=RUNS, type=Path)
    parser.add_argument("--every", type=int, default=40)
    arguments = parser.parse_args()
    if not arguments.path.exists():
        print(f"skipped: {arguments.path} does not exist")
        return
    torch.set_num_threads(1)
    start = time.perf_counter()
    runs = reading.read(arguments.path).trajectories
    figures: dict[str, object] = {"threads": 1, "runs": len(runs), "reading_seconds": time.perf_counter() - start}
    gc.freeze()
    figures["identity"] = identity(runs[:: arguments.every])
    figures["clean"] = clean(runs, arguments.every)
    print(json.dumps(figures, indent=1))


def identity(runs: Sequence[Trajectory]) -> dict[str, object]:
    """The share of runs whose twin, every site computed again from its noise, is the run byte for byte."""
    identical(runs[0], Rerun(environment_of(runs[0])))  # loads the package
    start = time.perf_counter()
    verdicts = Counter(identical(run, Rerun(environment_of(run))) for run in runs)
    seconds = time.perf_counter() - start
    return {"asked": len(runs), "share": verdicts[True] / len(runs), "seconds_a_run": seconds / len(runs)}


def clean(runs: Sequence[Trajectory], every: int) -> dict[str, object]:
    """Had the environment of an obeyed attack been clean: what recorded replies alone say."""
    start = time.perf_counter()
    corpus = FromCorpus(Corpus(run for run in runs if run.labels["attack"] == "none"))
    built = time.perf_counter() - start
    obeyed = [run for run in runs if run.outcome.scores.get("security") and not run.outcome.error and _targeted(run)]
    start = time.perf_counter()
    answers = [whatif(run, [clean_environment(run)], continuation=corpus) for run in obeyed[::every]]
    seconds = time.perf_counter() - start
    summary = summarise(answers).model_dump(mode="json")
    return {"corpus_seconds": built, "obeyed": len(obeyed), "seconds_a_run": seconds / len(answers), "summary": summary}


def _targeted(run: Trajectory) -> bool:
    return bool(run.steps) and not run.labels["attack"].endswith("dos")


if __name__ == "__main__":
    main()
