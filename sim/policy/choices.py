"""From runs to a table of choices: the model of a run, or the tool or model that was chosen at one of its steps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ifonly.agents.errors import ActionError, UnknownName
from ifonly.agents.records import InputStep, ModelStep, ToolStep
from ifonly.agents.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import Step, Trajectory
    from ifonly.agents.tables import Cell

__all__ = ["ACTION", "EVERY", "PROPENSITY", "Choice", "choices_table", "parse_choice"]

# The column of what was chosen.
ACTION = "chosen"
# The column of the probability with which it was, where a router logged it.
PROPENSITY = "propensity"
EVERY = "*"
"""Stands for every model step of a run."""

_NONE = "(no tool)"
_SPEC = re.compile(r"(model|tool)(?:@(.+))?")


@dataclass(frozen=True)
class Choice:
    """What was chosen, and where.

    Attributes:
        what: the model, or the first tool that is called.
        site: of the model step; `EVERY`: of each one; None: of the whole run (models only).
    """

    what: Literal["model", "tool"]
    site: str | None = None

    @property
    def text(self) -> str:
        """As it is typed: ``model``, ``model@agent/2``, ``tool@agent/0``."""
        return self.what if self.site is None else f"{self.what}@{self.site}"


def parse_choice(text: str) -> Choice:
    """From ``model``, ``model@SITE`` or ``tool@SITE``; ``*`` as SITE stands for every model step.

    Raises:
        ActionError: the text says none of these.
    """
    match = _SPEC.fullmatch(text)
    if match is None or (match[1] == "tool" and match[2] is None):
        fix = "Write model (of the whole run), model@agent/2, tool@agent/0, or model@* for every step."
        raise ActionError(f"--choice {text}", "no choice that runs make", fix)
    return Choice("tool" if match[1] == "tool" else "model", match[2])


def choices_table(runs: Sequence[Trajectory], choice: Choice, name: str) -> tuple[Table, int]:
    """One row a choice, and how many runs are left out since they make none such, or have an error or no steps.

    A run is one row; where every step is a choice, one row a model step, and scores stand in the last one of a run, 0
    before it: they are what came of all its choices.

    Columns: ``run``, ``task``, ``agent``, ``model``, ``label.*`` of each label, ``score.*`` of each score, ``cost``
    (sum of what the steps cost), ``seconds``, `ACTION`, `PROPENSITY` where a router logged it; and what was known
    before the choice: ``prompt`` (what the user said first), ``calls`` (tool calls made), ``errors`` (of them,
    failed), ``chars`` (of the conversation).

    Args:
        runs: recorded.
        choice: that they make.
        name: of the table, for errors.

    Raises:
        UnknownName: no run has the site.
    """
    rows: list[dict[str, Cell]] = []
    without = 0
    for run in runs:
        made = [] if run.outcome.error or not run.steps else _rows(run, choice)
        without += not made
        rows += made
    if not rows:
        sites = sorted({s.site for run in runs for s in run.steps if isinstance(s, ModelStep)})
        raise UnknownName("model step", choice.site or "(any)", sites, "`ifonly show` lists a run's sites.")
    names = dict.fromkeys(name for row in rows for name in row)
    return Table(name, {column: [row.get(column) for row in rows] for column in names}), without


def _rows(run: Trajectory, choice: Choice) -> list[dict[str, Cell]]:
    if choice.site != EVERY:
        at = _at(run, choice)
        return [] if at is None else [_row(run, choice, *at)]
    places = [index for index, step in enumerate(run.steps) if isinstance(step, ModelStep)]
    rows = [_row(run, choice, step, run.steps[:i]) for i in places if isinstance(step := run.steps[i], ModelStep)]
    for row in rows[:-1]:
        row |= {name: 0.0 for name in row if name.startswith("score.")}
    return rows


def _row(run: Trajectory, choice: Choice, step: ModelStep | None, before: Sequence[Step]) -> dict[str, Cell]:
    costs = [one.cost for one in run.steps if not isinstance(one, InputStep) and one.cost is not None]
    row: dict[str, Cell] = {"run": run.id, "task": run.task, "agent": run.agent, "model": run.model}
    row |= {f"label.{name}": value for name, value in run.labels.items()}
    row |= {f"score.{name}": float(score) for name, score in run.outcome.scores.items()}
    row |= {"cost": sum(costs) if costs else None, "seconds": run.seconds}
    calls = [one for one in before if isinstance(one, ToolStep)]
    said = next((one.message.content for one in run.steps if isinstance(one, InputStep) and _asks(one)), None)
    row |= {
        ACTION: _chosen(run, step, choice),
        "prompt": said if isinstance(said, str) else str(said or ""),
        "calls": float(len(calls)),
        "errors": float(sum(one.result.error is not None for one in calls)),
        "chars": float(sum(map(_length, before))),
    }
    if choice.what == "model" and step is not None and step.routing is not None:
        row[PROPENSITY] = step.routing.propensity
    return row


def _at(run: Trajectory, choice: Choice) -> tuple[ModelStep | None, tuple[Step, ...]] | None:
    """The model step that chooses, and what came before it; None if the run has none."""
    for index, step in enumerate(run.steps):
        if isinstance(step, ModelStep) and choice.site in (None, step.site):
            return step, run.steps[:index]
    return (None, ()) if choice.site is None else None


def _chosen(run: Trajectory, step: ModelStep | None, choice: Choice) -> str:
    if choice.what == "tool":
        calls = step.reply.tool_calls if step else ()
        return calls[0].name if calls else _NONE
    return run.model if choice.site is None or step is None else step.request.model


def _asks(step: InputStep) -> bool:
    return step.message.role == "user"


def _length(step: Step) -> int:
    match step:
        case InputStep():
            return len(str(step.message.content or ""))
        case ModelStep():
            return len(str(step.reply.content or ""))
        case ToolStep():
            return len(str(step.result.content or ""))
