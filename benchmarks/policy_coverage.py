"""Coverage of 95 % intervals of off-policy values: `python benchmarks/policy_coverage.py [--json] [LOGS [FITTED]]`.

Logs of 1,000 rounds of a world whose values are known exactly (`ifonly.scenarios.bandit`); 2,500 logs, and 200 where
the nuisances are fitted on each. Failures stand beside their remedies: rare arms, whose weights have heavy tails,
beside Switch-DR with a right reward model (clipping alone trades variance for bias); groups of rounds that were ignored
beside groups that were told, or resampled whole. A coverage of 95 % seen over so many logs has a standard error of .4
and 1.5 points.

Then, where ../shared/data has AgentDojo's outcomes, 40 confounded logs of real models
(`ifonly.scenarios.swaps.policies`): weighting beside abduction of each run, which sees no propensity.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ifonly.scenarios.bandit_bench import CASES, FITTED, coverage
from ifonly.scenarios.swaps.cells import tables
from ifonly.scenarios.swaps.policies import PolicyRow, policy_rows

ROUNDS, REAL_LOGS = 1_000, 40
RUNS = Path(__file__).resolve().parents[2] / "shared" / "data" / "agentdojo_runs"


def real() -> list[PolicyRow]:
    """Confounded logs of real models; none where the data are not there."""
    return [*policy_rows(tables(RUNS)["utility"], REAL_LOGS)] if RUNS.exists() else []


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    logs, fewer = [*numbers, *(2_500, 200)[len(numbers) :]][:2]
    found = [*coverage(CASES, logs, ROUNDS), *coverage(FITTED, fewer, ROUNDS)]
    if "--json" in sys.argv[1:]:
        rows = [
            {"estimator": one.case.name, "given": one.case.given, "holds": one.case.holds, "coverage": one.share}
            | {"bias": one.bias, "spread": one.spread, "told": one.told}
            for one in found
        ]
        rows += [row.model_dump(mode="json") for row in real()]
        print(json.dumps(rows))
        return
    print(f"{logs:,} logs ({fewer} where nuisances are fitted) of {ROUNDS:,} rounds; 95 % intervals")
    for holds in (True, False):
        print("\nassumptions hold" if holds else "\nassumptions do not hold")
        print("  coverage      bias    spread  told s.e.")
        for one in (row for row in found if row.case.holds == holds):
            seen = f"{100 * one.share:7.1f}%  {one.bias:+.5f}   {one.spread:.5f}    {one.told:.5f}"
            print(f"  {seen}  {one.case.name}: {one.case.given}")
    print(f"\n{REAL_LOGS} confounded logs of AgentDojo" if RUNS.exists() else f"\nskipped: {RUNS} does not exist")
    for row in real():
        seen = f"{100 * row.coverage:7.1f}%  {row.bias:+.3f}  rmse {row.rmse:.3f}  width {row.width:.3f}"
        print(f"  {seen}  {row.policy} ({row.truth:.3f}): {row.estimator}")


if __name__ == "__main__":
    main()
