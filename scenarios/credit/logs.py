"""What an attributor may read and do: logged runs, and a bench that executes tools and answers counted questions."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Protocol

from pydantic import ValidationError

from ifonly.agents.errors import InputError
from ifonly.agents.records import Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Bench", "LoggedRun", "LoggedStep", "read_runs"]


class LoggedStep(Record):
    """One choice as it was logged.

    Attributes:
        k: place in the run, from 0.
        name: of the step, the same in all runs.
        model: that chose.
        propensity: of that model under the logging policy.
        menu: the options, in an order that says nothing.
        context: results of all earlier steps.
        action: the option taken.
        logprobs: log-probabilities of the options.
        result: what the tool then returned.
    """

    k: int
    name: str
    model: str
    propensity: float
    menu: tuple[str, ...]
    context: tuple[str, ...]
    action: str
    logprobs: dict[str, float]
    result: str


class LoggedRun(Record):
    """One run as it was logged.

    Attributes:
        run_id: of the run.
        task: of the task.
        repair: whether a step of this workflow can cure; nothing here reads it.
        steps: in order.
        answer: the last result.
        success: 1 or 0.
    """

    run_id: str
    task: str
    repair: bool
    steps: tuple[LoggedStep, ...]
    answer: str
    success: int

    @property
    def results(self) -> tuple[str, ...]:
        """Of all steps."""
        return tuple(step.result for step in self.steps)


class Bench(Protocol):
    """What can be done for one task beside reading its log: tools are deterministic and free, questions are counted."""

    def tool(self, step: int, option: str, results: Sequence[str]) -> str:
        """Execute a step's tool after these results."""

    def success(self, answer: str) -> bool:
        """Say whether a last result solves the task."""

    def log_probabilities(self, step: int, results: Sequence[str], model: str) -> dict[str, float]:
        """Ask a model for its law over a step's options: one model evaluation."""


def read_runs(path: Path) -> list[LoggedRun]:
    """Read the logged runs of a ``runs.jsonl.gz``.

    Raises:
        InputError: the file or a record of it cannot be read.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return [LoggedRun.model_validate_json(line) for line in lines]
    except (OSError, EOFError, ValueError, ValidationError) as error:
        raise InputError(
            str(path), str(error), "Pass a folder as `../shared/data/credit_world` is laid out."
        ) from error
