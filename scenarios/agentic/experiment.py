"""AgentDojo as the experiment that it is: attack, defence and model were assigned, and every task met every arm.

    user task, injection task ---> utility, attack success <--- model, defence, attack (set by the experimenter)

So an effect is the mean of differences of runs of the same user task (and the same injection task), and needs no
adjustment. What it needs is an honest standard error: a user task comes with each of its suite's injection tasks, and
an injection task with each user task, so that runs are dependent in two ways that cross.

Data: ``agentdojo_runs`` (../shared/data, SOURCE.md). Its ``security`` is true where the injection succeeded; here that
is *attack success*, and it is defined under attack alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import ttest_ind

from ifonly.agents.errors import InputError
from ifonly.scenarios.swaps.cells import BRING, MAIN_ATTACK, tables
from ifonly.scm.clustered import Clustered
from ifonly.scm.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["BASE", "DEFENCES", "SUCCESS", "UTILITY", "Arm", "Experiment", "mixed", "read_experiment"]

BASE: Final = "gpt-4o-2024-05-13"
"""The model that all defences and all attacks were run with."""

# The defences that AgentDojo was run with.
DEFENCES: Final = (
    "tool_filter",
    "repeat_user_prompt",
    "spotlighting_with_delimiting",
    "transformers_pi_detector",
)

# The two scores.
UTILITY: Final = "utility"
# Whether the injection was obeyed.
SUCCESS: Final = "attack success"

_FEW = 10
"""Pairs that a comparison takes at least."""


@dataclass(frozen=True, slots=True)
class Arm:
    """What was assigned to a run.

    Attributes:
        model: that answered.
        defence: between tools and model; None without.
        attack: None without.
    """

    model: str = BASE
    defence: str | None = None
    attack: str | None = None

    @property
    def attacked(self) -> Arm:
        """The same under the main attack."""
        return Arm(self.model, self.defence, MAIN_ATTACK)


Key = tuple[str, str]
"""User task and injection task, both with their suite; the injection is empty where there was no attack."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """Outcomes of all runs by what was assigned.

    Attributes:
        outcomes: by score and arm, the outcome of each pair of tasks, 0 or 1.
        suites: of the user tasks.
    """

    outcomes: Mapping[str, Mapping[Arm, Mapping[Key, float]]]
    suites: Mapping[str, str]

    @property
    def models(self) -> tuple[str, ...]:
        """Models that were run both clean and under the main attack, the base model first."""
        arms = self.outcomes[UTILITY]
        found = {arm.model for arm in arms if arm.defence is None and arm.attack is None and arm.attacked in arms}
        return (BASE, *sorted(found - {BASE}))

    @property
    def attacks(self) -> tuple[str, ...]:
        """Attacks that the base model met, the main one first."""
        found = {arm.attack for arm in self.outcomes[UTILITY] if arm.model == BASE and arm.defence is None}
        return (MAIN_ATTACK, *sorted({one for one in found if one} - {MAIN_ATTACK}))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the suites."""
        return tuple(sorted(set(self.suites.values())))

    def mean(self, score: str, arm: Arm, suite: str | None = None) -> float:
        """The mean outcome of an arm.

        Args:
            score: `UTILITY` or `SUCCESS`.
            arm: which.
            suite: of the tasks; all if None.
        """
        return float(np.mean([y for key, y in self._of(score, arm).items() if self._inside(key, suite)]))

    def effect(self, score: str, treated: Arm, control: Arm, suite: str | None = None) -> Clustered:
        """What one arm does instead of another: the mean of paired differences.

        Runs are paired by user task and injection task; with an unattacked control by user task alone. Clusters are
        user tasks and, where these meet several injection tasks each, injection tasks. The numbers of user tasks are
        the same in all effects, so that `mixed` can join them.

        Args:
            score: `UTILITY` or `SUCCESS`.
            treated: one arm.
            control: the other.
            suite: of the tasks; all if None.

        Raises:
            InputError: the arms share fewer than ten pairs.
        """
        on, off = self._of(score, treated), self._of(score, control)
        pairs = [(key, key if control.attack else (key[0], "")) for key in sorted(on) if self._inside(key, suite)]
        pairs = [(key, other) for key, other in pairs if other in off]
        if len(pairs) < _FEW:
            found = f"{treated} and {control} share {len(pairs)} of at least {_FEW} runs of the same tasks"
            raise InputError("agentdojo_runs", found, f"Name a folder that has runs of both. {BRING}")
        differences = np.array([on[key] - off[other] for key, other in pairs])
        clusters = [_numbers(self.tasks, (key[0] for key, _ in pairs))]
        if len(np.unique(clusters[0])) < len(pairs):
            clusters.append(_numbers(self.injections, (key[1] for key, _ in pairs)))
        value = float(differences.mean())
        return Clustered(value, (differences - value) / len(pairs), tuple(clusters))

    def unpaired(self, score: str, treated: Arm, control: Arm) -> Estimate:
        """The same effect as if the two arms had met other tasks: Welch's interval of two independent means."""
        on, off = (np.array(list(self._of(score, arm).values())) for arm in (treated, control))
        apart = ttest_ind(on, off, equal_var=False).confidence_interval(0.95)
        return Estimate(
            value=float(on.mean() - off.mean()),
            low=float(apart.low),
            high=float(apart.high),
            level=0.95,
            effective=float(len(on) + len(off)),
            rung="observed",
            identified="point",
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """User tasks, in the order of their numbers."""
        return tuple(sorted(self.suites))

    @property
    def injections(self) -> tuple[str, ...]:
        """Injection tasks, in the order of their numbers."""
        return tuple(sorted({key[1] for arms in self.outcomes[SUCCESS].values() for key in arms}))

    def _of(self, score: str, arm: Arm) -> Mapping[Key, float]:
        found = self.outcomes[score].get(arm)
        if found is None:
            raise InputError("agentdojo_runs", f"no runs of {arm}", f"Name the whole folder. {BRING}")
        return found

    def _inside(self, key: Key, suite: str | None) -> bool:
        return suite is None or self.suites[key[0]] == suite


def read_experiment(folder: Path) -> Experiment:
    """Read the experiment.

    Args:
        folder: of the runs, as for `tables`. Empty runs and those with an API error are left out, so that their pairs
            are too.

    Raises:
        InputError: there are no runs, or one cannot be read.
    """
    found = tables(folder)
    outcomes: dict[str, dict[Arm, dict[Key, float]]] = {}
    suites: dict[str, str] = {}
    for score, table in ((UTILITY, found["utility"]), (SUCCESS, found["security"])):
        arms = outcomes.setdefault(score, {})
        for cell, outcome in zip(table.cells, table.outcomes.tolist(), strict=True):
            defence = cell.agent.partition("/")[2] or None
            injection = f"{cell.suite}/{cell.injection}" if cell.injection else ""
            arms.setdefault(Arm(cell.model, defence, cell.attack), {})[cell.task, injection] = outcome
            suites[cell.task] = str(cell.suite)
    return Experiment(outcomes, suites)


def mixed(parts: Sequence[tuple[float, Clustered]]) -> Clustered:
    """Return a weighted sum of effects on the same user tasks, clustered by these.

    Args:
        parts: weight and effect of each.
    """
    return Clustered(
        sum(weight * one.value for weight, one in parts),
        np.concatenate([weight * one.parts for weight, one in parts]),
        (np.concatenate([one.clusters[0] for _, one in parts]),),
    )


def _numbers(known: Sequence[str], names: Iterable[str]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.searchsorted(known, list(names)).astype(np.intp)
