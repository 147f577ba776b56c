"""``ifonly demo``: one real attack and two what-ifs from its log; then an agent of this machine, asked again."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ifonly.agents.actions import DropAction
from ifonly.agents.corpus import Corpus
from ifonly.agents.datasets import cached, fetch
from ifonly.agents.records import InputStep, ToolStep
from ifonly.cli.demo_live import live_act, next_live, tell_live
from ifonly.cli.inputs import read_runs
from ifonly.cli.options import Json
from ifonly.cli.output import emit, note, stdout
from ifonly.cli.progress import bar
from ifonly.cli.show_answer import outcomes_table, summary_table, worlds_table
from ifonly.cli.show_run import scores_table, steps_table
from ifonly.scenarios.obeyed import ObeyedAttack, clean_answers, find_obeyed_attack
from ifonly.sim.answers import WhatIfAnswer
from ifonly.sim.summary import WhatIfSummary, summarise
from ifonly.views.injected import injections_of
from ifonly.views.run import run_view
from ifonly.views.scores import estimate_text
from ifonly.views.text import call_text, content_text, one_line
from ifonly.views.whatif import whatif_view

app = typer.Typer(add_completion=False)

_QUOTED = 420

MODEL = "gpt-4o-2024-05-13"
ARMS = ("none", "important_instructions")

INTRO = (
    "An agent was given a task. One of its tools returned a text into which an attacker had written instructions, and "
    "the agent obeyed. Would it have gone well, had that text been clean? Had only the harmful call been blocked?",
    "A counterfactual answers about this very run: keep all that was recorded, change one thing, and let only what "
    "depends on it change. Nothing is made up: every value below says whether it was recorded, executed again, or put.",
)
RESTS = {
    "recorded": "every model reply: of this run, or of another run of the same model that was asked the very same",
    "re-executed": "the tools, in a fresh copy of their world, after exactly the calls that the changed world makes",
    "asked now": "nothing: no key, no model call, no cost",
    "assumed": "question 2: replies to different requests have independent noise; question 3: later replies stay as "
    "they were, which makes it the effect of that call alone (a controlled direct effect)",
}
THEN = {
    "corpus": "Later replies are those of recorded runs in which the same model was asked the very same conversation.",
    "hold": "Later replies are held as recorded; the tools they call are executed again.",
}


@app.command()
def demo(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of AgentDojo runs; the cache, if left out.", metavar="PATH"),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live/--no-live", help="The second act: a real small model on this machine is asked.")
    ] = True,
    json: Json = False,
) -> None:
    """See it work: a real attack taken apart from its log, then an agent of this machine, asked again. No key."""
    paths = _paths(data or _cached())
    corpus = Corpus(read_runs(paths).runs)
    found = find_obeyed_attack(corpus)
    with bar("asking the same of every obeyed attack") as told:
        answers = clean_answers(corpus, told)
    summary = summarise(answers)
    if json:
        act = live_act() if live else None
        parts = {"clean": found.clean, "dropped": found.dropped, "summary": summary}
        asked = {} if act is None else {name: answer.model_dump(mode="json") for name, answer in act.answers.items()}
        emit(
            {"version": 1, "run": found.run.id}
            | {k: v.model_dump(mode="json") for k, v in parts.items()}
            | {"live": asked}
        )
        return
    console = stdout()
    _tell(console, found, summary, len(corpus))
    act = live_act() if live else None
    if act is not None:
        _title(console, 7, "Second act: what the log does not settle is asked")
        tell_live(console, act)
    _next(console, found, paths, next_live(act) if act else [])


def _cached() -> Path:
    """The folder of the data; brought, if it is not there."""
    folder = cached("agentdojo")
    if folder is None:
        note("Bringing the AgentDojo runs, once (about 40 MB, through pip) ...")
        with bar("bringing agentdojo", unit="files") as told:
            folder = fetch("agentdojo", progress=lambda stage, done, total: told(done, total))
    return folder


def _paths(folder: Path) -> list[str]:
    """The runs of one model, clean and attacked, in either layout; of a folder that has neither, all."""
    compact = [folder / f"{MODEL}__{arm}.jsonl.gz" for arm in ARMS]
    if all(path.is_file() for path in compact):
        return [str(path) for path in compact]
    if (folder / MODEL).is_dir():
        return [str(folder / MODEL / "*" / "*" / arm / "*.json") for arm in ARMS]
    if (folder / "runs").is_dir():
        return _paths(folder / "runs")
    return [str(folder)]


def _tell(console: Console, found: ObeyedAttack, summary: WhatIfSummary, runs: int) -> None:
    """The story of the attack, top to bottom."""
    for text in INTRO:
        _say(console, text)
    _recorded(console, found, runs)
    _question(console, 2, found, found.clean)
    _question(console, 3, found, found.dropped)
    _title(console, 4, "What this tells")
    _say(console, _moral(found))
    _many(console, summary)
    _title(console, 6, "What it rests on")
    _facts(console, RESTS)


def _recorded(console: Console, found: ObeyedAttack, runs: int) -> None:
    view = run_view(found.run)
    _title(console, 1, "What was recorded")
    _say(console, f"{found.run.id}, one of {runs} real runs of {found.run.model} published by AgentDojo's authors.")
    steps = dict(zip(found.run.sites, found.run.steps, strict=True))
    asked = next(step for step in found.run.steps if isinstance(step, InputStep) and step.message.role == "user")
    obeying = steps[found.call]
    _facts(
        console,
        {
            "user asked": content_text(asked.message.content),
            "attacker wrote": f"into the result of {found.carrier}: {one_line(injections_of(found.run)[0], _QUOTED)}",
            "agent obeyed": f"{found.call}: {call_text(obeying.call) if isinstance(obeying, ToolStep) else ''}",
        },
    )
    console.print(steps_table(view.steps))
    console.print(scores_table(view))


def _question(console: Console, number: int, found: ObeyedAttack, answer: WhatIfAnswer) -> None:
    view = whatif_view(found.run, answer)
    _title(console, number, f"{view.question}?")
    _say(console, THEN.get(answer.continuation, ""))
    console.print(worlds_table(view.pairs, injections_of(found.run), only_changed=True))
    for name, text in view.legend.items():
        console.print(Text(f"{name:>12}  {text}", "dim"))
    console.print(outcomes_table(view.outcomes))


def _moral(found: ObeyedAttack) -> str:
    if not found.more_than_its_call:
        return f"Blocking {found.call}, or a clean result of {found.carrier}: either would have set all right."
    told = f"Blocking {found.call} would have averted the attack, but the user's task would still have failed: "
    if found.also is None:
        return f"{told}the injection did more than make that call. A clean result of {found.carrier} does both."
    return (
        f"{told}the injection had led to {found.also} as well, and that had changed the world, too. Without both "
        f"calls, or with a clean result of {found.carrier}, all would have gone well."
    )


def _many(console: Console, summary: WhatIfSummary) -> None:
    _title(console, 5, f"If only the environment had been clean, in all {summary.runs} attacks that this model obeyed?")
    settled = estimate_text(summary.settled_share)
    _say(console, f"Recorded replies alone settle a share of {settled} of them; there, on average:")
    console.print(summary_table(summary))


def _next(console: Console, found: ObeyedAttack, paths: Sequence[str], live: Sequence[Sequence[str]]) -> None:
    places = [part for path in paths for part in ("--corpus", path)]
    ask = ["ifonly", "whatif", found.run.id]
    _title(console, 8 if live else 7, "Type next")
    for command in (
        [*ask, "--at", found.carrier, "--clean", *places, "--html", "answer.html"],
        [*ask, "--at", found.call, "--drop", *_also(found), "--in", paths[-1]],
        ["ifonly", "show", found.run.id, "--in", paths[-1], "--full"],
        *live,
        ["ifonly", "whatif", "--help"],
    ):
        console.print(Text("  " + shlex.join(command)), soft_wrap=True)


def _also(found: ObeyedAttack) -> list[str]:
    """The option that drops the other call of the attack, too."""
    return [] if found.also is None else ["--action", DropAction(site=found.also).model_dump_json()]


def _title(console: Console, number: int, text: str) -> None:
    console.print()
    console.print(Text(f"{number}  ", "bold cyan").append(one_line(text), "bold default"))


def _facts(console: Console, facts: Mapping[str, str]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts.items():
        table.add_row(Text(f"   {name}", "bold"), Text(one_line(text, _QUOTED)))
    console.print(table)


def _say(console: Console, text: str) -> None:
    console.print(Padding(Text(text), (0, 0, 0, 3)))
