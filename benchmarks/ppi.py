"""Prediction-powered means beside ppi-python 0.2.3: `python benchmarks/ppi.py [--json]`.

The same arrays, one thread, CPU time, 1,000 labelled and 1,000,000 unlabelled scores. Where ppi-python is not installed
(`pip install ppi-python==0.2.3`; it brings statsmodels and numba, so it is no dependency of ours) ours alone is timed.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from importlib import import_module
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from ifonly.scm.evaluation.powered import powered_mean

if TYPE_CHECKING:
    from collections.abc import Callable

LABELLED, UNLABELLED = 1_000, 1_000_000
OURS, THEIRS = 50, 10
"""How often each is timed."""
TUNINGS = (None, 0.0, 0.5, 1.0)
LEVEL = 0.95


def peer() -> Any:
    """ppi-python, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return import_module("ppi_py")
        except ModuleNotFoundError:
            return None


def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A judge that follows the human with noise and leans to the mild side."""
    generator = np.random.default_rng(0)
    quality = generator.normal(size=LABELLED + UNLABELLED)
    judge = 0.2 + 0.8 * quality + 0.6 * generator.normal(size=len(quality))
    human = quality[:LABELLED] + 0.3 * generator.normal(size=LABELLED)
    return human, judge[:LABELLED].copy(), judge[LABELLED:].copy()


def milliseconds(call: Callable[[], object], times: int) -> float:
    """Median CPU time: others may be at work on this machine."""
    found = []
    for _ in range(times):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return 1e3 * median(found)


def main() -> None:
    human, judge, others = arrays()
    rows: dict[str, float] = {
        "ours_ms": milliseconds(lambda: powered_mean(human, judge, others).normal_interval(LEVEL), OURS)
    }
    theirs = peer()
    if theirs is not None:
        interval = theirs.ppi_mean_ci
        rows["ppi_python_ms"] = milliseconds(lambda: interval(human, judge, others, alpha=1 - LEVEL), THEIRS)
        rows["times_faster"] = rows["ppi_python_ms"] / rows["ours_ms"]
        gaps = []
        for tuning in TUNINGS:
            ends = interval(human, judge, others, alpha=1 - LEVEL, lam=tuning)
            ours = powered_mean(human, judge, others, tuning).normal_interval(LEVEL)
            gaps += [abs(end - float(np.squeeze(other))) for end, other in zip(ours, ends, strict=True)]
        rows["largest_difference"] = max(gaps)
    alone, found = powered_mean(human, judge, others, 0.0), powered_mean(human, judge, others)
    rows["width_ratio"] = (found.plain / alone.plain) ** 0.5
    if "--json" in sys.argv[1:]:
        print(json.dumps(rows))
        return
    print(f"{LABELLED:,} labelled and {UNLABELLED:,} unlabelled scores, tuned, one thread, CPU time")
    for name, value in rows.items():
        print(f"  {name:20} {value:.4g}")
    if theirs is None:
        print("  ppi-python is not installed: pip install ppi-python==0.2.3")


if __name__ == "__main__":
    main()
