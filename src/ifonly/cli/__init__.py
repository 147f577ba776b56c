"""The command line of ifonly.

Each command stands in its own module, calls one library function and renders one view model. Data goes to standard
output, progress and problems to standard error. Exit status: 0 answered; 1 answered with a verdict of failure, or with
records left out; 2 usage; 3 input unreadable; 4 needs live calls or a budget; 130 interrupted.
"""

import sys
from typing import Annotated, ClassVar

import typer

import ifonly
from ifonly.agents.errors import IfonlyError
from ifonly.cli.lazy import LazyGroup, later
from ifonly.cli.output import complain, prepare_streams
from ifonly.cli.status import status_of

__all__ = ["app", "main"]

COMMANDS = {
    "demo": "See it work: a real attack taken apart from its log, then an agent of this machine, asked again. No key.",
    "show": "Show a recorded run, step by step; or list the runs of a file or folder.",
    "whatif": "Ask what would have happened, had a step been otherwise.",
    "batch": "Ask what-ifs of very many units, on all processors or a cluster; an interrupted batch goes on.",
    "policy": "Say what another way to choose tools or models would have been worth, from a log alone.",
    "scenario": "Answer a practitioner's question on a world whose truth is known, and on real data.",
    "simulate": "Say what would have become of time, cost and load, had services been otherwise.",
    "blame": "Say which steps the failure of a run is due to, and what would have averted it.",
    "run": "Run an agent of your own, and record it: a model, a prompt, and tools from a Python file.",
    "record": "Record the calls of any client of OpenAI's chat completions, in any language.",
    "serve-model": "Serve a small real model on this machine, without network and without a key.",
    "tools": "Write a first draft of the tools file that re-runs of your own agent need.",
    "verify": "Execute every recorded tool call again, and say what does not come out as recorded.",
    "corpus": "Say, by step, how many what-ifs a folder of runs settles without a model call.",
    "bench": "Hold estimators against what is known to be true.",
    "data": "Bring recorded runs that others publish into the cache.",
}


class _Commands(LazyGroup):
    """The commands of this package."""

    later: ClassVar = {name: later(f"ifonly.cli.{name.replace('-', '_')}", text) for name, text in COMMANDS.items()}


# The program: its commands are imported when they are called.
app = typer.Typer(
    cls=_Commands,
    name="ifonly",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "What would have happened otherwise, in recorded runs of LLM agents.\n\n"
        "A run is modelled as a structural causal model whose nodes are the model steps and the tool calls. Change one "
        "of them, and see the rest: replies from recorded runs, tools really executed again, and each value labelled "
        "by where it comes from."
    ),
    epilog="Start with: ifonly demo",
)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"ifonly {ifonly.__version__}\n")
        raise typer.Exit


@app.callback()
def _group(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The options of the program itself."""


def main() -> None:
    """The entry point of ``ifonly``."""
    prepare_streams()
    try:
        app(prog_name="ifonly")
    except IfonlyError as error:
        complain(error)
        sys.exit(status_of(error))
