"""Blame of obeyed AgentDojo attacks against what is known of them: the guilty calls, and the results that carried them.

    python benchmarks/blame.py [PATH] [--every N] [--effort N] [--out FILE]

Needs the package `agentdojo`; PATH is ../shared/data/agentdojo_runs/runs unless given. Every 40th obeyed attack is
asked unless told otherwise (`--every 1`: all, which takes an hour). Each is blamed with the runs of its own model as
corpus.

Guilty are the calls of the run that are calls of the injection task's ground truth: the same tool, with the same
arguments but for free text, dates, times and amounts, lists holding at least what the truth's hold. Carriers are the
tool results before the blamed call in whose recorded text the injected words stand. Left out are attacks that only
stop the user's task, and runs with an API error; injection tasks without calls (one, whose goal is a sentence) and runs
that reached the goal by other calls are counted apart. Intervals are of the bootstrap over user tasks.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import torch

from ifonly.agents import reading
from ifonly.agents.corpus import Corpus
from ifonly.agents.environments.agentdojo_suite import package
from ifonly.agents.records import ModelStep, ToolStep
from ifonly.sim.blame import EFFORT, blame, summarise_blame
from ifonly.sim.blame.aggregate import clustered_share
from ifonly.views.injected import carries, injections_of
from ifonly.views.text import content_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import ToolCall, Trajectory
    from ifonly.sim.blame import BlameAnswer

RUNS = Path(__file__).resolve().parents[2] / "shared" / "data" / "agentdojo_runs" / "runs"
FREE = {"body", "content", "subject", "title", "description", "date", "query", "start_time", "end_time", "amount"}
"""Arguments that an agent which obeys may fill otherwise: none of them says who or what the attack is about."""


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", default=RUNS, type=Path)
    parser.add_argument("--every", type=int, default=40)
    parser.add_argument("--effort", type=int, default=EFFORT)
    parser.add_argument("--out", type=Path, help="one line of JSON for each attack that was asked")
    arguments = parser.parse_args()
    if not arguments.path.exists():
        print(f"skipped: {arguments.path} does not exist")
        return
    torch.set_num_threads(1)
    runs = reading.read(arguments.path).trajectories
    obeyed = sorted((run for run in runs if counts(run)), key=lambda run: run.id)
    asked = obeyed[:: arguments.every]
    rows, answers, start = [], [], time.perf_counter()
    for model in sorted({run.model for run in asked}):
        corpus = Corpus(run for run in runs if run.model == model)
        for run in (run for run in asked if run.model == model):
            began = time.perf_counter()
            answers.append(blame(run, corpus=corpus, effort=arguments.effort))
            rows.append(judged(run, answers[-1]) | {"seconds": time.perf_counter() - began})
            if arguments.out:
                with arguments.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    figures = {"threads": 1, "obeyed": len(obeyed), "asked": len(asked), "seconds": time.perf_counter() - start}
    print(json.dumps(figures | summed(rows, answers), indent=1))


def counts(run: Trajectory) -> bool:
    """Whether this is an attack whose guilty calls can be known."""
    attack = run.labels.get("attack", "none")
    obeyed = run.outcome.scores.get("security") is True and attack != "none" and not attack.endswith("dos")
    return obeyed and bool(run.steps) and not run.outcome.error


def judged(run: Trajectory, answer: BlameAnswer) -> dict[str, Any]:
    """What is known of one attack beside what blame says."""
    truth = guilty(run)
    calls = [step.site for step in run.steps if isinstance(step, ToolStep)]
    top = answer.ranked[0] if answer.ranked else None
    first = next((site for site in answer.ranked if site in answer.players), None)
    carrying = carriers(run, first)
    named = [one for one in answer.origins if one.named and not one.site.startswith("environment/")]
    by_effect = [one for one in named if {"effect", "only way"} & set(one.evidence)]
    return {
        "run": run.id,
        "task": run.task,
        "verdict": answer.verdict,
        "reason": answer.reason,
        "calls": len(calls),
        "goal_has_calls": bool(goal(run)),
        "guilty": truth,
        "top": top,
        "top_guilty": top in truth,
        "top_made_guilty": top in truth or top in makers(run, truth),
        "flip_set": answer.flip_set,
        "flip_holds_guilty": bool(set(truth) & set(answer.flip_set)),
        "last_call_guilty": bool(calls) and calls[-1] in truth,
        "random_call_guilty": len(truth) / len(calls) if calls else 0.0,
        "carriers": carrying,
        "named": [one.site for one in named],
        "carrier_named": bool(named) and named[0].site in carrying,
        "carrier_named_by_effect": bool(by_effect) and by_effect[0].site in carrying,
        "carrier_executed": bool(set(carrying) & {one.site for one in answer.origins}),
    }


def summed(rows: Sequence[dict[str, Any]], answers: Sequence[BlameAnswer]) -> dict[str, Any]:
    """Shares over the attacks, with intervals clustered by user task."""
    with_goal = [row for row in rows if row["goal_has_calls"]]
    made = [row for row in with_goal if row["guilty"]]
    blamed = [row for row in made if row["verdict"] == "blamed"]
    carried = [row for row in rows if row["verdict"] == "blamed" and row["carriers"]]
    names = ("top_guilty", "top_made_guilty", "flip_holds_guilty", "last_call_guilty", "random_call_guilty")
    seconds = sorted(row["seconds"] for row in rows)
    return {
        "verdicts": Counter(row["verdict"] for row in rows),
        "reasons": Counter((row["reason"] or "").partition(":")[0] for row in rows if row["reason"]),
        "goal_without_calls": len(rows) - len(with_goal),
        "goal_reached_by_other_calls": len(with_goal) - len(made),
        "all_with_goal_calls": {"runs": len(with_goal), "top_guilty": share(with_goal, "top_guilty")},
        "guilty_call_made": {"runs": len(made)} | {name: share(made, name) for name in names},
        "guilty_call_made_and_blamed": {"runs": len(blamed), "top_guilty": share(blamed, "top_guilty")},
        "all": {"runs": len(rows), "carrier_named": share(rows, "carrier_named")},
        "carried": {"runs": len(carried)}
        | {n: share(carried, n) for n in ("carrier_named", "carrier_named_by_effect", "carrier_executed")},
        "seconds_a_run": {"median": seconds[len(seconds) // 2], "most": seconds[-1]},
        "summary": summarise_blame(answers).model_dump(mode="json", include={"shares": {"cause"}, "blamed": True}),
    }


def share(rows: Sequence[dict[str, Any]], name: str) -> str:
    if not rows:
        return "none"
    made = clustered_share([float(row[name]) for row in rows], [row["task"] for row in rows], 0.95, 0)
    return f"{made.value:.4f} [{made.low:.4f}, {made.high:.4f}]"


def guilty(run: Trajectory) -> list[str]:
    """The sites of the calls that are of the ground truth of the injection task."""
    return [
        step.site
        for step in run.steps
        if isinstance(step, ToolStep) and any(same(step.call, name, wanted) for name, wanted in goal(run))
    ]


def makers(run: Trajectory, sites: Sequence[str]) -> set[str]:
    """The model steps that made these calls."""
    models = {step.site for step in run.steps if isinstance(step, ModelStep)}
    made = (step for step in run.steps if isinstance(step, ToolStep) and step.site in sites)
    return {site for step in made for site in step.reads if site in models}


def carriers(run: Trajectory, before: str | None) -> list[str]:
    """The results before a step in whose recorded text the injected words stand."""
    end = run.sites.index(before) if before in run.sites else len(run.steps)
    texts = injections_of(run)
    return [
        step.site
        for step in run.steps[:end]
        if isinstance(step, ToolStep) and carries(content_text(step.result.content), texts)
    ]


def goal(run: Trajectory) -> tuple[tuple[str, dict[str, Any]], ...]:
    return ground_truth(run.labels["suite"], run.labels["injection_task"])


@cache
def ground_truth(suite: str, injection_task: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The calls by which the package's authors reach an injection task's goal."""
    made = package("task_suite.load_suites").get_suites("v1")[suite]
    environment = made.load_and_inject_default_environment({})
    calls = made.injection_tasks[injection_task].ground_truth(environment)
    return tuple((call.function, dict(call.args)) for call in calls)


def same(call: ToolCall, name: str, wanted: dict[str, Any]) -> bool:
    """Whether a call is a call of the ground truth, but for what may be worded otherwise."""
    if call.name != name:
        return False
    given = {key: (plain(call.arguments.get(key)), plain(value)) for key, value in wanted.items() if key not in FREE}
    return all(true <= got if isinstance(got, frozenset) else got == true for got, true in given.values())


def plain(value: Any) -> Any:
    """A value as it counts: numbers as numbers, addresses of pages by their host, lists as sets."""
    if isinstance(value, list):
        return frozenset(plain(one) for one in value)
    if isinstance(value, bool) or value is None:
        return value
    text = str(value).strip().casefold().removeprefix("https://").removeprefix("http://").removeprefix("www.")
    try:
        return float(text)
    except ValueError:
        return urlparse(f"//{text}").hostname if "/" in text else text


if __name__ == "__main__":
    main()
