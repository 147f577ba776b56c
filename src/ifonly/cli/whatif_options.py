"""The options of ``ifonly whatif``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ifonly.agents.canonical import Equality

_ACTION, _THEN, _MANY = "What had been otherwise", "What happens after", "Many runs"


class Continue(StrEnum):
    """Where replies come from after the worlds part."""

    HOLD = "hold"
    CORPUS = "corpus"
    BOUNDS = "bounds"


def _action(help: str, metavar: str | None = None, *names: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(*names, help=help, metavar=metavar, rich_help_panel=_ACTION)
    return option


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
        help="Later replies: hold = as recorded; corpus = those that recorded runs of the same model gave to the equal "
        "request; bounds = left open. If left out: corpus where --corpus is given, else hold.",
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
Seed = Annotated[int, typer.Option(help="Of the bootstrap over tasks.", rich_help_panel=_MANY)]
Save = Annotated[Path | None, typer.Option(help="Write the counterfactual run as JSONL of ifonly.", metavar="FILE")]
