"""What AgentDojo's runs cost under a price table: every model turn reads the whole conversation and writes its reply.

Prices: US dollars per million tokens of input and output, as listed in litellm 1.101.6 (its
``model_prices_and_context_window_backup.json``; Claude 3.5 Sonnet under its Bedrock name). Of AgentDojo's seventeen
models these eleven are listed there; Command R's prices have fallen since the runs were made.

Tokens are taken as 4 characters each: of system prompt, messages and tool calls. The description of the tools, which
every request carries too, is not recorded and not counted, nor is a discount for cached prompts.
"""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any, Final

from ifonly.agents.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

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

_TOKEN = 4.0
_MILLION = 1e6


def run_costs(folder: Path, prices: Mapping[str, tuple[float, float]] = PRICES) -> dict[str, float]:
    """Return the cost of every clean run of a user task by the priced models, in US dollars, by run id.

    Args:
        folder: of agentdojo_runs.
        prices: by model.

    Raises:
        InputError: the folder lacks the runs of a model, or a line of them cannot be read.
    """
    prompts = _system_prompts(folder / "system_prompts.json")
    made: dict[str, float] = {}
    for model, (asked, said) in prices.items():
        for run in _runs(folder, model):
            if run["attack_type"] in (None, "none") and run["user_task_id"].startswith("user_task"):
                read, written = run_tokens(run["messages"], prompts)
                made[run["run_id"]] = (asked * read + said * written) / _MILLION
    return made


def run_tokens(messages: list[dict[str, Any]], prompts: Mapping[str, str]) -> tuple[float, float]:
    """Return tokens read and written by the model over a run.

    Args:
        messages: of the run.
        prompts: system prompts by the reference that stands in their place.
    """
    so_far = read = written = 0.0
    for message in messages:
        size = len(message.get("content") or prompts.get(message.get("ref") or "", ""))
        size += len(json.dumps(message["tool_calls"])) if message.get("tool_calls") else 0
        if message["role"] == "assistant":
            read, written = read + so_far, written + size
        so_far += size
    return read / _TOKEN, written / _TOKEN


def _system_prompts(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise InputError(str(path), "no such file", "Name the folder agentdojo_runs, with all that it holds.")
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _runs(folder: Path, model: str) -> Iterator[dict[str, Any]]:
    """Runs of a model, from the file of its clean runs."""
    paths = [folder / "runs" / f"{model}{ending}.jsonl.gz" for ending in ("", "__none")]
    path = next((one for one in paths if one.is_file()), None)
    if path is None:
        raise InputError(str(paths[0]), "no such file", "Name the folder agentdojo_runs, with its folder runs.")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                fix = "Fetch the data again; compare its size with that in SOURCE.md."
                raise InputError(str(path), f"is no JSON: {error}", fix, record=number) from error
