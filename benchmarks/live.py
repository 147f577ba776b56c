"""How many live calls an effect of a prompt takes for the same width of its interval, on an agent of known truth.

The effect of the clerk's care (`ifonly.scenarios.desks`) on success, from the same recorded runs, three ways:

- plain re-run: the agent is run anew under both prompts, from the start;
- fresh noise: each recorded run is asked again under the changed prompt, and subtracted from its recorded outcome;
- abducted noise: the same, with the choice at each step keeping the noise that the recorded one shows.

All three are unbiased for the same effect. The width of an interval goes with the root of variance over runs, so the
calls for equal width go with variance times calls a run: `calls` below, as a multiple of those of abducted noise.
"""

import argparse
import asyncio
import time

import numpy as np

from ifonly.agents.actions import PromptAction
from ifonly.agents.rerun import Rerun
from ifonly.scenarios.desks import Desks, law, record, success
from ifonly.scenarios.scripted import ScriptedModel
from ifonly.sim.choice import Choice
from ifonly.sim.live import Counted, Fresh
from ifonly.sim.rollout import Effort, rollouts

FROM = 0.7
TO = (0.72, 0.75, 0.8, 0.9)


def plain(to: float, runs: int) -> tuple[list[float], int]:
    changes, calls = [], 0
    for seed in range(runs):
        both = [record(to, 10**6 + seed), record(FROM, 2 * 10**6 + seed)]
        calls += sum(step.kind == "model" for run in both for step in run.steps)
        changes.append(float(both[0].outcome.scores["success"]) - float(both[1].outcome.scores["success"]))
    return changes, calls


def replayed(to: float, runs: int, *, abducted: bool) -> tuple[list[float], int]:
    rerun, changes, calls = Rerun(Desks()), [], 0
    for seed in range(runs):
        run, counted = record(FROM, seed), Counted(ScriptedModel(law, tells=True))
        replies = Choice(counted, seed) if abducted else Fresh(counted, 10**7 + seed)
        action = PromptAction(site="system/0", content=f"care {to}")
        found = asyncio.run(rollouts(run, [action], replies, rerun, Effort(particles=1, workers=1)))
        # The unchanged arm of fresh noise is not needed here: the recorded outcome is its draw.
        calls += counted.live if abducted else sum(len(particle.asked) for particle in found.changed)
        changes.append(float(found.changed[0].walk.scores["success"]) - float(run.outcome.scores["success"]))
    return changes, calls


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=400)
    runs = arguments.parse_args().runs
    print(f"{runs} recorded runs at care {FROM}; calls: for the same width, as a multiple of abducted noise\n")
    print(
        f"{'care':>5} {'truth':>7}  {'method':<14} {'effect':>7} {'sd':>6} {'calls/run':>9} {'calls':>6} {'seconds':>8}"
    )
    for to in TO:
        rows = {}
        for name, method in (
            ("abducted noise", lambda to=to: replayed(to, runs, abducted=True)),
            ("fresh noise", lambda to=to: replayed(to, runs, abducted=False)),
            ("plain re-run", lambda to=to: plain(to, runs)),
        ):
            began = time.perf_counter()
            changes, calls = method()
            rows[name] = (np.mean(changes), np.std(changes, ddof=1), calls / runs, time.perf_counter() - began)
        base = rows["abducted noise"][1] ** 2 * rows["abducted noise"][2]
        for name, (mean, sd, calls, seconds) in rows.items():
            ratio = sd**2 * calls / base
            truth = success(to) - success(FROM)
            print(
                f"{to:>5} {truth:>7.3f}  {name:<14} {mean:>7.3f} {sd:>6.3f} {calls:>9.2f} {ratio:>6.1f} {seconds:>8.1f}"
            )


if __name__ == "__main__":
    main()
