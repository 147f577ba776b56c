"""Off-policy estimators beside Open Bandit Pipeline 0.5.7 and bare numpy: the same arrays, the same run, one thread.

`python benchmarks/ope.py [--json] [--python PATH]`. Open Bandit Pipeline pins packages that this Python has outgrown:
pip installs it without them into an environment of its own in the user's cache, once; PATH is the interpreter of an
environment that has it already.

The log has 10 arms, behaviour and target policies that differ from round to round, rewards of 0 and 1, and a reward
model that is off by noise. Intervals are for the same 100,000 rounds; what SNIPW's should be is seen from fresh logs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from ifonly.agents.datasets import cache_folder
from ifonly.scm.draw import Draw
from ifonly.scm.policy.bootstrap import bootstrap
from ifonly.scm.policy.doubly_robust import dm, dr, dr_os, sndr, switch_dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.weighting import ipw, snipw

OBP = "obp==0.5.7"
NEEDS = ("matplotlib", "numpy", "pandas", "pyyaml", "scikit-learn", "scipy", "seaborn", "torch==2.13.0", "tqdm")
"""What `import obp` reaches."""
ARMS, LAMBDA, RESAMPLES, FRESH, FRESH_ROUNDS = 10, 5.0, 1_000, 1_000, 10_000
SIZES = {100_000: 15, 1_000_000: 5}
"""Rounds, and how often each is timed."""
TOLERANCE = 1e-9


def interpreter() -> Path:
    """The Python of an environment that has Open Bandit Pipeline, made if there is none."""
    arguments = sys.argv[1:]
    if "--python" in arguments:
        return Path(arguments[arguments.index("--python") + 1])
    home = cache_folder() / "benchmark-ope" / OBP.replace("==", "-")
    if home.exists():
        return home / "bin" / "python"
    print(f"installing {OBP} into {home}", file=sys.stderr)
    home.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place, then renamed: a folder that stands there is whole, and nothing of others is cleared.
    making = Path(tempfile.mkdtemp(prefix="making-", dir=home.parent))
    venv.create(making, with_pip=True)
    python = making / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--ignore-requires-python", "--no-deps", OBP], check=True, stdout=sys.stderr)
    subprocess.run([*pip, *NEEDS], check=True, stdout=sys.stderr)
    subprocess.run([str(python), "-c", "import obp.ope"], check=True)
    making.rename(home)
    return home / "bin" / "python"


def arrays(rounds: int, seed: int) -> dict[str, np.ndarray]:
    """Draw a log with its target policy and reward model."""
    rng = np.random.default_rng(seed)
    behaviour, policy = (softmax(spread * rng.normal(size=(rounds, ARMS))) for spread in (0.7, 0.7))
    actions = np.minimum((behaviour.cumsum(1) < rng.random((rounds, 1))).sum(1), ARMS - 1)
    rows = np.arange(rounds)
    expected = 0.7 + 0.25 * np.tanh(rng.normal(size=(rounds, ARMS)))
    return {
        "actions": actions,
        "rewards": (rng.random(rounds) < expected[rows, actions]).astype(float),
        "propensities": behaviour[rows, actions],
        "policy": policy,
        "model": np.clip(expected + 0.1 * rng.normal(size=(rounds, ARMS)), 0, 1),
    }


def softmax(logits: np.ndarray) -> np.ndarray:
    chances = np.exp(logits - logits.max(1, keepdims=True))
    return chances / chances.sum(1, keepdims=True)


def evaluation(drawn: dict[str, np.ndarray], log: Logged) -> Evaluation:
    return Evaluation.of(log, drawn["policy"], drawn["model"])


def logged(drawn: dict[str, np.ndarray]) -> Logged:
    names = tuple(f"arm {a}" for a in range(ARMS))
    return Logged(drawn["actions"], drawn["rewards"], names, drawn["propensities"])


def ours(drawn: dict[str, np.ndarray], log: Logged) -> dict[str, float]:
    """The seven, with their influence functions; shapes and distributions checked."""
    e = evaluation(drawn, log)
    made = ipw(e), snipw(e), dm(e), dr(e), sndr(e), switch_dr(e, LAMBDA), dr_os(e, LAMBDA)
    return {value.estimator: value.value for value in made}


def bare(drawn: dict[str, np.ndarray]) -> dict[str, float]:
    """The seven values alone, nothing checked, nothing computed twice."""
    rows, r = np.arange(len(drawn["rewards"])), drawn["rewards"]
    w = drawn["policy"][rows, drawn["actions"]] / drawn["propensities"]
    x = np.einsum("nk,nk->n", drawn["policy"], drawn["model"])
    d = r - drawn["model"][rows, drawn["actions"]]
    wr, wd, mean, direct = w * r, w * d, w.mean(), x.mean()
    return {
        "ipw": wr.mean(),
        "snipw": wr.mean() / mean,
        "dm": direct,
        "dr": (x + wd).mean(),
        "sndr": direct + wd.mean() / mean,
        "switch-dr": (x + wd * (w <= LAMBDA)).mean(),
        "dr-os": (x + LAMBDA * w / (w * w + LAMBDA) * d).mean(),
    }


def theirs(python: Path, path: Path, repeats: int, resamples: int):
    """The seven by Open Bandit Pipeline, in its own process."""
    script = Path(__file__).parent / "obp" / "theirs.py"
    command = [str(python), str(script), str(path), str(LAMBDA), str(repeats), str(resamples)]
    # numpy 2 warns of what Open Bandit Pipeline was written with.
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    return json.loads(done.stdout.splitlines()[-1])


def timed(contestants, repeats: int) -> dict[str, float]:
    """Median CPU milliseconds; they take turns, after one unmeasured turn."""
    spent: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            if turn:
                spent[name].append(1e3 * (time.process_time() - start))
    return {name: median(times) for name, times in spent.items()}


def compared(python: Path, rounds: int, repeats: int, folder: Path):
    """Agreement and times of one size; intervals too on the smaller."""
    drawn = arrays(rounds, rounds)
    path = folder / f"{rounds}.npz"
    np.savez(path, **drawn)
    log = logged(drawn)
    resamples = RESAMPLES if rounds == min(SIZES) else 0
    other = theirs(python, path, repeats, resamples)
    if resamples:
        raised = folder / "raised.npz"
        np.savez(raised, **drawn | {"rewards": drawn["rewards"] + 1})
        other["intervals"]["raised"] = theirs(python, raised, 1, resamples)["intervals"]["snipw"]
    e = evaluation(drawn, log)
    mine = ours(drawn, log) | {"ipw clipped": ipw(e, LAMBDA).value, "dr clipped": dr(e, LAMBDA).value}
    apart = {name: abs(mine[name] - value) for name, value in other["values"].items()}
    if max(apart.values()) > TOLERANCE:
        raise AssertionError(f"ifonly and Open Bandit Pipeline differ by {apart}")
    times = timed(
        {
            "bare numpy, values alone": lambda: bare(drawn),
            "ifonly, with influence functions": lambda: ours(drawn, log),
            "ifonly, and the log built and checked": lambda: ours(drawn, logged(drawn)),
        },
        repeats,
    )
    found = {"apart": apart, "milliseconds": times | {"Open Bandit Pipeline": other["milliseconds"]}}
    return found | ({"intervals": intervals(e, other["intervals"])} if resamples else {})


def intervals(e: Evaluation, other):
    """Bootstrap times, and how wide the intervals are against the spread of the estimate over fresh logs."""
    spent = timed({"dr": lambda: bootstrap([dr(e)], Draw(0), RESAMPLES)}, 5)["dr"] / 1e3
    fresh = []
    for seed in range(FRESH):
        drawn = arrays(FRESH_ROUNDS, seed)
        fresh.append(snipw(evaluation(drawn, logged(drawn))).value)
    true = 2 * 1.959964 * float(np.std(fresh, ddof=1)) * np.sqrt(FRESH_ROUNDS / len(e.log))
    return {
        "1,000 resamples of DR, CPU seconds": {"ifonly": spent, "Open Bandit Pipeline": other["dr"]["seconds"]},
        "width of SNIPW's 95 % interval, rewards of 0 and 1": widths(e, true, other["snipw"]),
        "the same with 1 added to every reward, which moves the value by 1 and changes nothing else": widths(
            Evaluation.of(replace(e.log, rewards=e.log.rewards + 1), e.policy), true, other["raised"]
        ),
    }


def widths(e: Evaluation, true: float, other) -> dict[str, float]:
    """Of SNIPW's interval."""
    known, resampled = snipw(e).estimate(), bootstrap([snipw(e)], Draw(1), RESAMPLES)[0].estimate()
    return {
        f"true (spread over {FRESH:,} fresh logs)": true,
        "ifonly, influence function": known.high - known.low,
        "ifonly, bootstrap": resampled.high - resampled.low,
        "Open Bandit Pipeline, bootstrap": other["high"] - other["low"],
    }


def main() -> None:
    python = interpreter()
    with tempfile.TemporaryDirectory() as folder:
        found = {rounds: compared(python, rounds, repeats, Path(folder)) for rounds, repeats in SIZES.items()}
    if "--json" in sys.argv[1:]:
        print(json.dumps(found))
        return
    for rounds, one in found.items():
        print(f"\n{rounds:,} rounds, {ARMS} arms")
        print("  largest difference to Open Bandit Pipeline")
        for name, apart in one["apart"].items():
            print(f"    {apart:9.1e}  {name}")
        print("  seven estimators, CPU milliseconds, times bare numpy")
        base = one["milliseconds"]["bare numpy, values alone"]
        for name, spent in one["milliseconds"].items():
            print(f"    {spent:9.2f}  {spent / base:6.2f}  {name}")
        for title, table in one.get("intervals", {}).items():
            print(f"  {title}")
            first = next(iter(table.values()))
            for name, number in table.items():
                print(f"    {number:9.5f}  {number / first:6.2f}  {name}")


if __name__ == "__main__":
    main()
