"""AgentDojo's models as arms under a price table: alone, and a cheap one before a dear one.

Every task met every model, so that what a cascade would have done is known: the cheap model's outcome where it solved
the task, else the dear one's, at the cost of both. Clean runs of user tasks; a task is the unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.scenarios.agentic.prices import PRICES, run_costs
from ifonly.scenarios.study import Asked, Figures, Finding, SensitivityRow, Study
from ifonly.scenarios.swaps.cells import BRING, tables
from ifonly.scm.clustered import clustered_mean
from ifonly.scm.policy.front import dominated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ifonly.scm.clustered import Floats
    from ifonly.scm.estimate import Estimate

__all__ = ["Arms", "Choice", "choices", "read_arms", "real_study"]

_CHEAP: Final = "gpt-4o-mini-2024-07-18"
_DEAR: Final = "claude-3-5-sonnet-20240620"
_MISSED: Final = (0.1, 0.3)
"""Shares of the cheap model's failures that nobody notices."""
_FEW: Final = 10


@dataclass(frozen=True, eq=False)
class Arms:
    """Outcomes and costs of models on the same tasks.

    Attributes:
        models: names.
        tasks: user tasks that all of them met.
        solved: 0 or 1, shape (models, tasks).
        costs: US dollars a task, shape (models, tasks).
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    solved: Floats
    costs: Floats

    def of(self, model: str) -> tuple[Floats, Floats]:
        """Outcomes and costs of one model."""
        place = self.models.index(model)
        return self.solved[place], self.costs[place]

    def cascade(self, cheap: str, dear: str, missed: float = 0.0) -> tuple[Floats, Floats]:
        """Outcomes and costs of the dear model after the cheap one's failures.

        Args:
            cheap: asked first.
            dear: asked where the first failed.
            missed: share of these failures that is not noticed: there nothing more is asked.
        """
        (first, price), (second, more) = self.of(cheap), self.of(dear)
        noticed = (1 - first) * (1 - missed)
        return first + noticed * second, price + noticed * more


@dataclass(frozen=True, eq=False)
class Choice:
    """One way to answer.

    Attributes:
        name: the model, or the two of a cascade.
        solved: share of tasks, of each task, shape (tasks,).
        cost: US dollars a thousand tasks.
    """

    name: str
    solved: Floats
    cost: float

    @property
    def estimate(self) -> Estimate:
        """Share of tasks solved, with the interval of other tasks like these."""
        return clustered_mean(self.solved).estimate()


def read_arms(folder: Path, prices: Mapping[str, tuple[float, float]] = PRICES) -> Arms:
    """Read the models that have a price.

    Args:
        folder: of the runs, as for `tables`.
        prices: by model, US dollars per million tokens of input and output.

    Raises:
        InputError: the folder lacks runs of a model, or the models share fewer than ten tasks.
    """
    table, costs = tables(folder)["utility"], run_costs(folder, prices)
    found: dict[str, dict[str, tuple[float, float]]] = {model: {} for model in prices}
    for name, cell, outcome in zip(table.ids, table.cells, table.outcomes.tolist(), strict=True):
        if name in costs and cell.attack is None and cell.agent == "agentdojo":
            found[cell.model][cell.task] = (outcome, costs[name])
    tasks = sorted(set.intersection(*(set(mine) for mine in found.values())))
    if len(tasks) < _FEW:
        what = f"{len(found)} models share {len(tasks)} of at least {_FEW} tasks"
        raise InputError(str(folder), what, f"Name the whole folder. {BRING}")
    both = np.array([[found[model][task] for task in tasks] for model in found])
    return Arms(tuple(found), tuple(tasks), both[..., 0], both[..., 1])


def choices(arms: Arms) -> tuple[Choice, ...]:
    """Every model alone, and every cascade of a model and a dearer one.

    Args:
        arms: the models.
    """
    mean = dict(zip(arms.models, arms.costs.mean(1).tolist(), strict=True))
    alone = [Choice(model, arms.of(model)[0], 1_000 * mean[model]) for model in arms.models]
    made = []
    for cheap, dear in permutations(arms.models, 2):
        if mean[cheap] < mean[dear]:
            solved, costs = arms.cascade(cheap, dear)
            made.append(Choice(f"{cheap}, then {dear}", solved, 1_000 * float(costs.mean())))
    return (*alone, *made)


def real_study(folder: Path, seed: int) -> Study:
    """What AgentDojo's models say.

    Args:
        folder: of agentdojo_runs.
        seed: not used: nothing is drawn.

    Raises:
        InputError: as `read_arms`.
    """
    del seed
    arms = read_arms(folder)
    every = choices(arms)
    return Study(
        source=f"AgentDojo: {len(arms.models)} models with a listed price, the same {len(arms.tasks)} user tasks each",
        asked=_asked(arms),
        sensitivity=tuple(
            SensitivityRow(
                assumption=f"every failure of {_CHEAP} is noticed",
                failing=f"{missed:.0%} of them are not",
                estimate=clustered_mean(arms.cascade(_CHEAP, _DEAR, missed)[0]).estimate(),
            )
            for missed in _MISSED
        ),
        figures=(_alone(arms), _front(every)),
        decision=_decision(every, len(arms.models)),
        notes=(
            "Prices: US dollars per million tokens in and out, as litellm 1.101.6 lists them; 4 characters a token. "
            "Tool descriptions, which every request carries, are not recorded and not counted.",
            "A cascade is credited with a second attempt on a clean environment, and with noticing every failure: both "
            "favour it.",
        ),
    )


def _asked(arms: Arms) -> tuple[Asked, ...]:
    (first, _), (second, _) = arms.of(_CHEAP), arms.of(_DEAR)
    both, _ = arms.cascade(_CHEAP, _DEAR)
    failed = clustered_mean(second[first == 0])
    alone = 1 - (1 - float(first.mean())) * (1 - float(second.mean()))
    independent = clustered_mean(both + (alone - float(both.mean())))
    return (
        Asked(
            name=f"{_DEAR} first",
            naive=Finding(
                name="on what was escalated",
                estimate=failed.naive_estimate(),
                why=f"its record on the {len(failed.parts)} tasks that {_CHEAP} failed at",
            ),
            answers=(Finding(name="on all tasks", estimate=_mean(second), why="every task was put to it"),),
        ),
        Asked(
            name=f"{_CHEAP}, then {_DEAR}",
            naive=Finding(
                name="as if independent",
                estimate=independent.naive_estimate(),
                why="from both records; models fail at the same tasks",
            ),
            answers=(Finding(name="task by task", estimate=_mean(both), why="a failure is noticed, and undone"),),
        ),
        Asked(
            name=f"the cascade less {_DEAR} first",
            naive=Finding(
                name="as if independent",
                estimate=clustered_mean(both - second + (alone - float(both.mean()))).naive_estimate(),
                why="from both records; models fail at the same tasks",
            ),
            answers=(Finding(name="task by task", estimate=_mean(both - second), why="paired by task"),),
        ),
    )


def _mean(values: Floats) -> Estimate:
    return clustered_mean(values).estimate()


def _alone(arms: Arms) -> Figures:
    order = np.argsort(arms.costs.mean(1))
    return Figures(
        title="models alone: US dollars a thousand tasks, and share of tasks solved",
        titles=("model", "price in, out", "cost", "solved", "low", "high"),
        rows=tuple(
            (model, f"{PRICES[model][0]:g}, {PRICES[model][1]:g}", cost, found.value or 0.0, found.low, found.high)
            for place in order
            for model, cost in ((arms.models[place], 1_000 * float(arms.costs[place].mean())),)
            for found in (_mean(arms.solved[place]),)
        ),
    )


def _front(every: tuple[Choice, ...]) -> Figures:
    """What no other choice beats in both, from the cheapest on."""
    beaten = dominated([(-float(one.solved.mean()), one.cost) for one in every])
    kept = sorted((one for one, out in zip(every, beaten, strict=True) if not out), key=lambda one: one.cost)
    return Figures(
        title=f"of {len(every)} choices those that none beats in both; the best of many is luckier than it is good",
        titles=("choice", "cost", "solved", "low", "high"),
        rows=tuple(
            (one.name, one.cost, found.value or 0.0, found.low, found.high) for one in kept for found in (one.estimate,)
        ),
    )


def _decision(every: tuple[Choice, ...], models: int) -> str:
    """The cheapest choice that solves as much as the best model alone."""
    best = max(every[:models], key=lambda one: float(one.solved.mean()))
    enough = [one for one in every if one.solved.mean() >= best.solved.mean()]
    cheapest = min(enough, key=lambda one: one.cost)
    if cheapest is best:
        return f"Ask {best.name} alone: no cheaper choice solves as much."
    less = clustered_mean(cheapest.solved - best.solved).estimate()
    return (
        f"Ask {cheapest.name}: ${cheapest.cost:.2f} a thousand tasks against ${best.cost:.2f} for {best.name} alone, "
        f"the best single model, and {less.value or 0:+.2f} [{less.low:+.2f}, {less.high:+.2f}] of tasks solved. It "
        "holds as far as failures are noticed and undone."
    )
