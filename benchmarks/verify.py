"""`ifonly verify` over the authors' AgentDojo runs: shares, causes, and where the time goes.

    python benchmarks/verify.py [PATH] [--every N] [--workers N] [--profile]

Needs the package `agentdojo`; PATH is ../shared/data/agentdojo_runs/runs unless given.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ifonly.agents import reading, verify
from ifonly.agents.checks import check_run
from ifonly.agents.environments.registry import environment_of
from ifonly.agents.records import ToolStep, Trajectory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RUNS = Path(__file__).resolve().parents[2] / "shared" / "data" / "agentdojo_runs" / "runs"


def main() -> None:
    """Print the report as JSON, then seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", default=RUNS)
    parser.add_argument("--every", type=int, default=10, help="check every n-th run; 1 for all")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--profile", action="store_true", help="milliseconds of open, call and score, in one process")
    parser.add_argument("--json", type=Path, help="where the whole report goes")
    arguments = parser.parse_args()
    if arguments.profile:
        print(json.dumps(profile(_runs(arguments.path, arguments.every)), indent=1))
        return
    start = time.perf_counter()
    report = verify.verify(_runs(arguments.path, arguments.every), arguments.workers)
    seconds = time.perf_counter() - start
    shown = report.model_dump(mode="json")
    if arguments.json:
        arguments.json.write_text(json.dumps(shown, indent=1))
    print(json.dumps({"total": shown["total"], "by": shown["by"], "seconds": seconds}, indent=1))
    tools = Counter(run.site.partition("/")[0] for run in report.differing if run.site)
    print("first differing calls by tool:", tools.most_common())
    print("differing scores by task:", Counter(_scores_of(report.differing)).most_common(20))


def profile(runs: Iterable[Trajectory]) -> dict[str, float]:
    """Mean milliseconds of each part of checking one run, and of reading it."""
    runs = iter(runs)
    check_run(run := next(runs), environment_of(run))  # loads the package
    spent, count, calls, before = Counter[str](), 0, 0, time.perf_counter()
    for run in runs:
        clock = [before, time.perf_counter()]
        environment = environment_of(run)
        if not run.steps or run.environment is None:
            continue
        session = environment.open(run.environment)
        clock.append(time.perf_counter())
        for step in run.steps:
            if isinstance(step, ToolStep):
                session.call(step.call)
                calls += 1
        clock.append(time.perf_counter())
        session.score(run.messages)
        clock.append(time.perf_counter())
        count += 1
        for part, start, end in zip(("read", "open", "calls", "score"), clock, clock[1:], strict=False):
            spent[part] += end - start
        before = time.perf_counter()
    return {part: 1000 * seconds / count for part, seconds in spent.items()} | {"calls_per_run": calls / count}


def _runs(path: Path, every: int) -> Iterator[Trajectory]:
    return islice((run for run in reading.stream(path) if isinstance(run, Trajectory)), 0, None, every)


def _scores_of(differing: Iterable[verify.Differing]) -> Iterator[str]:
    for run in differing:
        _, suite, task, *_ = run.run.split("/")
        for score in run.scores:
            yield f"{score.name} of {suite}/{task}"


if __name__ == "__main__":
    main()
