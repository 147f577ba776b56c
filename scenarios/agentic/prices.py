"""What AgentDojo's runs cost under a price table: every model turn reads the whole conversation and writes its reply.

Prices: US dollars per million tokens of input and output, as listed in litellm 1.101.6 (its
``model_prices_and_context_window_backup.json``; Claude 3.5 Sonnet under its Bedrock name). Of AgentDojo's seventeen
models these eleven are listed there; Command R's prices have fallen since the runs were made.

Tokens are taken as 4 characters each: of system prompt, messages, and names and arguments of tool calls. The
description of the tools, which every request carries too, is not recorded and not counted, nor is a discount for cached
prompts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ifonly.agents.errors import InputError
from ifonly.agents.records import ModelStep
from ifonly.scenarios.swaps.cells import BRING, recorded
from ifonly.sim.swaps.cells import cell_of
from ifonly.sim.timing.prompts import CHARACTERS_A_TOKEN, characters

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ifonly.agents.records import Trajectory

__all__ = ["PRICES", "run_costs", "run_tokens"]

# US dollars per million tokens, input and output.
PRICES: Final[Mapping[str, tuple[float, float]]] = {
    "claude-3-5-sonnet-20240620": (3.0, 15.0),
    "claude-3-5-sonnet-20241022": (3.0, 15.0),
    "claude-3-haiku-20240307": (0.25, 1.25),
    "claude-3-opus-20240229": (15.0, 75.0),
    "command-r": (0.15, 0.6),
    "command-r-plus": (2.5, 10.0),
    "gpt-3.5-turbo-0125": (0.5, 1.5),
    "gpt-4-0125-preview": (10.0, 30.0),
    "gpt-4-turbo-2024-04-09": (10.0, 30.0),
    "gpt-4o-2024-05-13": (5.0, 15.0),
    "gpt-4o-mini-2024-07-18": (0.15, 0.6),
}

_MILLION = 1e6

_CLEAN: Final = ("{model}.jsonl.gz", "{model}__none.jsonl.gz", "{model}/*/user_task_*/none/none.json")
"""Where the clean runs of a model are: in one file with others or alone, or each in its own."""


def run_costs(folder: Path, prices: Mapping[str, tuple[float, float]] = PRICES) -> dict[str, float]:
    """Return the cost of every clean run of a user task by the priced models, in US dollars, by run id.

    Args:
        folder: of the runs, as for `recorded`.
        prices: by model.

    Raises:
        InputError: the folder lacks the runs of a model, or one of them cannot be read.
    """
    made: dict[str, float] = {}
    for model, (asked, said) in prices.items():
        clean = [run for pattern in _CLEAN for run in recorded(folder, pattern.format(model=model)) if _counts(run)]
        if not clean:
            raise InputError(str(folder), f"no clean runs of {model}", BRING)
        for run in clean:
            read, written = run_tokens(run)
            made[run.id] = (asked * read + said * written) / _MILLION
    return made


def run_tokens(run: Trajectory) -> tuple[float, float]:
    """Return tokens read and written by the model over a run."""
    steps = [step for step in run.steps if isinstance(step, ModelStep)]
    read, written = (sum(characters(step, reply=reply) for step in steps) for reply in (False, True))
    return read / CHARACTERS_A_TOKEN, written / CHARACTERS_A_TOKEN


def _counts(run: Trajectory) -> bool:
    cell = cell_of(run)
    return cell.attack is None and cell.task.startswith(f"{cell.suite}/user_task")
