"""``ifonly bench``: estimators held against worlds and labels whose truth is known."""

from typing import ClassVar

import typer

from ifonly.cli.lazy import LazyGroup, later

COMMANDS = {
    "estimators": "Every estimator against every world: bias, error, coverage, width and cost.",
    "routing": "What would another routing have been worth? Estimators of policy values against full information.",
    "sequences": "What would another model at each step have been worth? Runs of ten decisions whose truth is known.",
    "credit": "Which step was a failure due to? Attributors and simple rules against worlds whose truth is known.",
    "whowhen": "Which step was a failure due to? Attributors and simple rules against what humans said (Who&When).",
    "trail": "Which spans are at fault? Rules and an attributor without a model, against TRAIL's labels.",
    "swaps": "Would another model have solved it? An item-response world against recorded potential outcomes.",
    "worlds": "Every world whose answers are known: ifonly's answer and the naive one beside the truth.",
}


class _Benches(LazyGroup):
    """The benchmarks of this package."""

    later: ClassVar = {name: later(f"ifonly.cli.bench.{name}", text) for name, text in COMMANDS.items()}


app = typer.Typer(
    cls=_Benches, add_completion=False, no_args_is_help=True, help="Hold estimators against what is known to be true."
)


@app.callback()
def _group() -> None:
    """Hold estimators against what is known to be true."""
