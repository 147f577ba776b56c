"""The second act of ``ifonly demo``: an agent recorded here and now, and asked again with a real model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from ifonly.agents.cassette import Cassette, Mode, Recorded
from ifonly.agents.datasets import cache_folder
from ifonly.agents.errors import ToolEnvironmentError
from ifonly.agents.importers.native_export import write
from ifonly.agents.local.serving import Serving
from ifonly.agents.local.weights import DEFAULT, find_weights, require_engine
from ifonly.agents.provider import Endpoint
from ifonly.cli.output import note
from ifonly.cli.progress import bar
from ifonly.cli.show_answer import outcomes_table
from ifonly.cli.show_run import steps_table
from ifonly.scenarios.errand import AGENT
from ifonly.scenarios.errand.rerun import ErrandRuns, ask_errand, record_errands
from ifonly.views.run import run_view
from ifonly.views.whatif import whatif_view

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from ifonly.sim.answers import WhatIfAnswer

__all__ = ["LiveAct", "live_act", "next_live", "tell_live"]

PARTICLES = 20

INTRO = (
    "Nothing was asked of a model so far. Now an agent is run and recorded here, with a real model of 135 million "
    "parameters on this machine: it must look the weather up before it answers, and often does not. One of its runs "
    "failed. Would another prompt have helped? Another model? Each is asked 20 times from where the worlds part, "
    "beside 20 re-runs of the very same steps unchanged: a failure may well have been bad luck, and luck is no repair."
)


@dataclass(frozen=True)
class LiveAct:
    """What the second act found."""

    recorded: ErrandRuns
    answers: dict[str, WhatIfAnswer]
    file: Path
    seconds: float


def live_act() -> LiveAct | None:
    """Record runs until one fails, and ask two what-ifs of it; None where the local model is not installed."""
    try:
        require_engine()
        find_weights(DEFAULT)
    except ToolEnvironmentError as error:
        note(f"The second act, with a live model, is left out: {error}")
        return None
    began, folder = time.monotonic(), cache_folder() / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with Cassette(folder / "errand-calls.jsonl", Mode.ALL) as cassette, Serving(Endpoint()) as served:
        model = Recorded(cassette, served)
        note("Running an agent with a real small model ...")
        found = record_errands(model, folder)
        write(folder / "errand.jsonl", found.runs)
        with bar("asking the model", unit="re-runs") as told:
            answers = ask_errand(found.failed, model, PARTICLES, told)
    return LiveAct(found, answers, folder / "errand.jsonl", time.monotonic() - began)


def tell_live(console: Console, act: LiveAct) -> None:
    """The whole second act, top to bottom."""
    run = act.recorded.failed
    _say(console, INTRO)
    console.print()
    solved = len(act.recorded.runs) - 1
    _say(console, f"{run.id}, after {solved} that solved it:")
    console.print(steps_table(run_view(run).steps))
    for answer in act.answers.values():
        view = whatif_view(run, answer)
        console.print(Text(f"   {view.question}?", "bold"))
        console.print(outcomes_table([outcome for outcome in view.outcomes if outcome.name == "solved"]))
        _say(console, view.price)
        console.print()
    calls = sum(answer.calls for answer in act.answers.values())
    _say(console, f"The second act took {act.seconds:.0f} seconds and {calls} calls of the local model.")


def next_live(act: LiveAct) -> list[list[str]]:
    """What to type next, with this act's run."""
    run, tools = act.recorded.failed, str(AGENT.with_name("tools.py"))
    ask = ["ifonly", "whatif", run.id, "--in", str(act.file), "--tools", tools, "--continue", "live"]
    return [
        ["ifonly", "run", str(AGENT), "--repeat", "3", "--seed", "100"],
        [*ask, "--at", "agent/0", "--model", "smollm2-28", "--noise", "choice", "--max-calls", "200"],
    ]


def _say(console: Console, text: str) -> None:
    console.print(Padding(Text(text), (0, 0, 0, 3)))
