"""A run as a cell of an item-response world. Imports no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ifonly.agents.actions import ModelAction
from ifonly.agents.records import ModelStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.actions import Action
    from ifonly.agents.records import Trajectory

__all__ = ["Cell", "cell_of", "family_of", "step_of", "swapped_in"]

_VERSION = re.compile(
    r"[-@:.](?:\d{8}|\d{4}(?:-\d\d){1,2}|\d{3,4}|v\d+|latest|preview|turbo|instruct|chat|hf|exp|beta)(?=$|[-@:])"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """Who met what: a model in an agent, on a task, perhaps under an attack.

    Attributes:
        model: that was asked.
        agent: the harness around it, with its defence.
        task: the user's task.
        suite: group of tasks; None where the run names none.
        attack: name of the attack; None where there was none.
        injection: what the attacker wanted; None where there was no attack.
    """

    model: str
    agent: str
    task: str
    suite: str | None = None
    attack: str | None = None
    injection: str | None = None

    @property
    def family(self) -> str:
        """The model's family: see `family_of`."""
        return family_of(self.model)

    @property
    def item(self) -> tuple[str, str | None, str | None]:
        """What was met: task, attack, injection."""
        return self.task, self.attack, self.injection

    def under(self, model: str) -> Cell:
        """The same with another model."""
        return replace(self, model=model)


def cell_of(run: Trajectory) -> Cell:
    """The cell of a run, from its model, agent and task and the labels ``suite``, ``attack`` and ``injection_task``."""
    attack = run.labels.get("attack")
    attack = None if attack in (None, "none") else attack
    return Cell(
        model=run.model,
        agent=run.agent,
        task=run.task,
        suite=run.labels.get("suite"),
        attack=attack,
        injection=run.labels.get("injection_task") if attack else None,
    )


def family_of(model: str) -> str:
    """The name of a model without provider, dates, versions and words of tuning.

    A convention, not knowledge: ``gpt-4o-2024-05-13`` is of ``gpt-4o``, ``gpt-4-turbo-2024-04-09`` of ``gpt-4``,
    ``claude-3-5-sonnet-20241022`` of ``claude-3-5-sonnet``, ``gemini-1.5-pro-002`` of ``gemini-1.5-pro``. A wrong
    family costs accuracy, not validity: the scale of the effects of families is learned.
    """
    return _VERSION.sub("", model.rpartition("/")[2])


def swapped_in(actions: Sequence[Action]) -> str | None:
    """The model, where the actions are one swap of the model from a step onward; None for any other question."""
    match tuple(actions):
        case (ModelAction(scope="onward", model=model),):
            return model
    return None


def step_of(run: Trajectory, actions: Sequence[Action]) -> int:
    """The index of the first swapped step among the model steps of the run; 0 where nothing is swapped there."""
    sites = {action.site for action in actions if isinstance(action, ModelAction)}
    order = [step.site for step in run.steps if isinstance(step, ModelStep)]
    return next((index for index, site in enumerate(order) if site in sites), 0)
