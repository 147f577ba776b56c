"""How often 95 % intervals hold the truth and null sites are flagged: `python benchmarks/coverage.py [--json]`.

Over 1,000 drawn workflows, or as many as `--worlds N` says: some 0.4 s of CPU each. Set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import json
import sys

from ifonly.scenarios.coverage.intervals import coverage
from ifonly.scenarios.coverage.nulls import null_flags

SEED = 0


def main() -> None:
    worlds = int(sys.argv[sys.argv.index("--worlds") + 1]) if "--worlds" in sys.argv else 1_000
    covered, flagged = coverage(worlds, SEED), null_flags(worlds, SEED)
    if "--json" in sys.argv:
        print(json.dumps({"rows": [row.model_dump() for row in (*covered, *flagged)]}))
        return
    print(f"95 % intervals over {worlds} drawn worlds")
    for row in covered:
        kind = "at least" if row.conservative else "about"
        print(
            f"  {row.estimator:<58} {row.covered:6.1%} ({kind} 95 %)   mean width {row.width:.3f}, bias {row.bias:+.4f}"
        )
    print("sites flagged, corrected for all sites of a run at 5 %")
    for site in flagged:
        kind = "null" if site.null else "not null"
        print(f"  {site.rule:<12} {kind:<10} {site.flagged:6.1%} of {site.sites}")


if __name__ == "__main__":
    main()
