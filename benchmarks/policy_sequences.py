"""Routing policies valued from 200 runs of ten steps, held to the truth.

    python benchmarks/policy_sequences.py [--json]

Both worlds of ../shared/data/credit_world. `match` counts the runs that took the policy's model at every step;
`support` is the verdict on weighting (none: not to be quoted). `asked` counts model evaluations a run, for all four
policies together; `ms` is processor time a run (of replays: for all four together). Set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ifonly.scenarios.credit.bench import REGIMES, shipped_world
from ifonly.scenarios.credit.routing import RoutingRow, routing_rows

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "credit_world"


def main() -> None:
    """Print the rows as a table, or as JSON."""
    if not FOLDER.exists():
        print(f"skipped: {FOLDER} does not exist")
        return
    rows = [row for regime in REGIMES for row in routing_rows(shipped_world(FOLDER, regime))]
    if "--json" in sys.argv:
        print(json.dumps([row.model_dump(mode="json") for row in rows], indent=1))
        return
    names = f"{'world':7} {'policy':13} {'estimator':30} {'truth':>6} {'value':>6}  {'95 %':16}"
    print(f"{names} {'error':>6} match support asked    ms")
    for row in sorted(rows, key=lambda row: (row.world, row.policy)):
        print(line(row))


def line(row: RoutingRow) -> str:
    """Return a row of the table."""
    found = row.value
    value = row.truth if found.value is None else found.value
    told = f"{value:6.3f}  {f'[{found.low:.3f}, {found.high:.3f}]':16} {abs(value - row.truth):6.3f}"
    head = f"{row.world:7} {row.policy:13} {row.estimator:30} {row.truth:6.3f} "
    return f"{head}{told} {row.matching:5} {row.support:7} {row.asked:5.1f} {row.cpu_ms:5.1f}"


if __name__ == "__main__":
    main()
