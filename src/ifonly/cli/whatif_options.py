"""The options of ``ifonly whatif``."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ifonly.agents.canonical import Equality
from ifonly.cli.options import in_panel

_ACTION, _THEN, _MANY = "What had been otherwise", "What happens after", "Many runs"
_LIVE = "Models asked now (--continue live)"


class Continue(StrEnum):
    """Where replies come from after the worlds part."""

    HOLD = "hold"
    CORPUS = "corpus"
    BOUNDS = "bounds"
    LIVE = "live"
    MODEL = "model"


class NoiseKind(StrEnum):
    """The noise of live replies."""

    FRESH = "fresh"
    CHOICE = "choice"
    TOKEN = "token"


# Options that only live calls need.
live_option = partial(in_panel, _LIVE)
_action = partial(in_panel, _ACTION)

Runs = Annotated[list[str], typer.Argument(help="Files or folders of runs, or ids (with --in).", metavar="RUN...")]
Within = Annotated[
    list[str] | None, typer.Option("--in", help="Where to look for ids; the corpus, if left out.", metavar="PATH")
]

At = Annotated[str | None, _action("Site of the step.", "SITE")]
Result = Annotated[str | None, _action("The tool gives this back (TEXT or @FILE).", "TEXT")]
Reply = Annotated[str | None, _action("The model says this: text, or JSON with tool_calls (or @FILE).", "TEXT")]
Call = Annotated[str | None, _action("Another call is made.", "TOOL")]
Arguments = Annotated[str | None, _action("The arguments of --call (or @FILE).", "JSON")]
Drop = Annotated[bool, _action("The call is not made.", None, "--drop")]
Redraw = Annotated[bool, _action("The model is asked the same once more.", None, "--redraw")]
Model = Annotated[str | None, _action("Another model answers, from here on.", "NAME")]
OnlyHere = Annotated[bool, _action("... at this step alone.", None, "--only-here")]
Prompt = Annotated[str | None, _action("Another prompt stands there (TEXT or @FILE).", "TEXT")]
Clean = Annotated[
    bool,
    _action(
        "The attack's text is taken out: of the result at SITE, or of the whole environment without --at.",
        None,
        "--clean",
    ),
]
Action = Annotated[list[str] | None, _action("An action as JSON, or @FILE; may be repeated.", "JSON")]

Then = Annotated[
    Continue | None,
    typer.Option(
        "--continue",
        help="Later replies: hold = as recorded; corpus = those that recorded runs of the same model gave to the "
        "equal request; bounds = left open; live = the model is asked; model = as corpus, and where that leaves a "
        "swap of the model open, a world fitted to the corpus tells the scores. If left out: corpus with --corpus, "
        "else hold.",
        rich_help_panel=_THEN,
    ),
]
Corpora = Annotated[
    list[str] | None,
    typer.Option("--corpus", help="Runs to take replies from; may be repeated.", metavar="PATH", rich_help_panel=_THEN),
]
Equal = Annotated[
    Equality,
    typer.Option(
        help="When requests count as equal: word for word; but for clock stamps and the order of sets in results; or "
        "by their calls alone. The last two are assumptions, and answers say so.",
        rich_help_panel=_THEN,
    ),
]

Noise = Annotated[
    NoiseKind,
    live_option(
        "fresh: drawn anew, beside an unchanged control; choice: the recorded choice among options keeps its "
        "noise; token: that of every recorded token is kept (a local model, of `ifonly serve-model`)."
    ),
]
Particles = Annotated[int, live_option("Re-runs in each arm, at most.", min=1)]
Workers = Annotated[int, live_option("Model calls at a time.", min=1)]
Width = Annotated[float | None, live_option("Stop early once the interval of every change is this narrow.", "W")]
MaxSteps = Annotated[
    int | None, live_option("Model steps after which a re-run is stopped; as the harness, if left out.", min=1)
]
BudgetUsd = Annotated[float | None, live_option("Spend this much at most.", "USD", "--budget-usd", min=0)]
MaxCalls = Annotated[int | None, live_option("Make this many calls at most.", min=0)]
DryRun = Annotated[bool, live_option("Only tell the number of calls and their price.", None, "--dry-run")]
UnknownPrice = Annotated[bool, live_option("Ask models of unknown price, too.", None, "--allow-unknown-price")]
ApiBase = Annotated[str | None, live_option("Where models are asked; the provider's own place, if left out.", "URL")]
Alias = Annotated[
    list[str] | None, live_option("Ask litellm's model TO where a run names FROM; may be repeated.", "FROM=TO")
]
Set = Annotated[
    list[str] | None,
    live_option("A sampling setting where the recorded request names none; may be repeated.", "NAME=VALUE", "--set"),
]
Tape = Annotated[
    Path | None,
    live_option(
        "Cassette that keeps each paid reply and serves it again; one in the cache, if left out.", "FILE", "--cassette"
    ),
]
Resume = Annotated[bool, live_option("Go on with what an interrupted attempt paid for.", None, "--resume")]
Tools = Annotated[
    str | None,
    typer.Option(
        help="Python file or module of the tools, for runs of your own agent; irreversible ones are never executed.",
        metavar="MODULE",
        rich_help_panel=_THEN,
    ),
]

Wheres = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        help="Only runs with this label, score, model or task; may be repeated.",
        metavar="KEY=VALUE",
        rich_help_panel=_MANY,
    ),
]
Limit = Annotated[int | None, typer.Option(help="Ask of this many runs at most.", min=1, rich_help_panel=_MANY)]
Seed = Annotated[int, typer.Option(help="Of live replies, and of the bootstrap over tasks.")]
Save = Annotated[
    Path | None,
    typer.Option(help="Write the counterfactual run, or all live re-runs, as JSONL of ifonly.", metavar="FILE"),
]
