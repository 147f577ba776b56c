"""CPU seconds of the commands that must feel instant; the limit is 0.5 s each.

The least of several runs is reported: it is the one that the rest of the machine disturbed least.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

LIMIT_SECONDS = 0.5
REPEATS = 5
IFONLY = str(Path(sysconfig.get_path("scripts"), "ifonly"))
RUNS = Path(__file__).resolve().parents[2] / "shared" / "data" / "agentdojo_runs" / "runs"


def cpu_seconds(command: list[str]) -> float:
    """User and system time of a child process, in seconds."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> int:
    """Prints a line a command; 1 if one is over the limit."""
    commands = {
        "python (floor)": [sys.executable, "-c", "pass"],
        "import ifonly": [sys.executable, "-P", "-c", "import ifonly"],
        "ifonly --help": [IFONLY, "--help"],
    }
    if RUNS.is_dir():
        commands["ifonly show"] = [IFONLY, "show", str(min(RUNS.glob("*.jsonl.gz"), key=os.path.getsize))]
    over = False
    for name, command in commands.items():
        seconds = min(cpu_seconds(command) for _ in range(REPEATS))
        over |= seconds > LIMIT_SECONDS
        print(f"{name:16} {seconds:6.3f} s CPU (limit {LIMIT_SECONDS} s){'  OVER' * (seconds > LIMIT_SECONDS)}")
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
