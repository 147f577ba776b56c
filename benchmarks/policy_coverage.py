"""How often 95 % intervals of policy values hold the truth: `python benchmarks/policy_coverage.py [--json]`.

Over 1,000 logs of 1,000 rounds, or as many logs as `--logs N` says; some 0.1 s of CPU each. Set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import json
import sys

from ifonly.scenarios.coverage.policies import CASES, FITTED, policy_coverage

TITLES = {True: "assumptions hold", False: "assumptions fail", None: "nothing is promised"}


def main() -> None:
    logs = int(sys.argv[sys.argv.index("--logs") + 1]) if "--logs" in sys.argv else 1_000
    rows = policy_coverage(logs, cases={**CASES, **FITTED})
    if "--json" in sys.argv:
        print(json.dumps({"rows": [row.model_dump() for row in rows]}))
        return
    print(f"95 % intervals of a policy's value, {logs} logs of 1,000 rounds")
    for holds, title in TITLES.items():
        print(title)
        for row in rows:
            if row.holds is holds:
                told = f"{row.covered:6.1%}   mean width {row.width:.3f}, bias {row.bias:+.4f}"
                print(f"  {row.estimator:<10} {row.case:<42} {told}")


if __name__ == "__main__":
    main()
