"""Whole runs replayed in a world that their user states: each is abducted, and then its choices are the policy's.

The world is a function without arguments that calls `endogenous` (`ifonly.scm.kernel`). A site ``COLUMN/STEP`` is what
that column of the log holds at that step of the run, from 0; a site ``COLUMN`` is what it holds for the whole run; any
other site is hidden. Values are numbers; arms are numbered in the order of their names, from 0. All sites that the log
tells are facts. With the noise that they leave, the run is played again, each choice made by the policy from what the
world lets it read: the parents of its site. By the law of total probability the mean over logged runs is V(pi), whoever
made the choices and whatever they knew, if the world is right (Oberst and Sontag 2019, arXiv 1905.05824, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from ifonly.agents.errors import ActionError, UnknownName
from ifonly.agents.tables import Table
from ifonly.scm.errors import ImpossibleEvidence, NeverReached, NotApplicable
from ifonly.scm.fixed import Function
from ifonly.scm.policy.value import Value
from ifonly.scm.queries import counterfactual, observe
from ifonly.sim.policy.trajectories import STEP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.answers import Twin
    from ifonly.scm.kernel import Equation
    from ifonly.scm.policy.logged import Floats
    from ifonly.scm.steps import World
    from ifonly.sim.policy.answers import PolicyAnswer
    from ifonly.sim.policy.targets import Target
    from ifonly.sim.policy.trajectories import RunsValuing

__all__ = ["REPLAYED", "RunsInWorld"]

REPLAYED: Final = "abduction (stated world)"
"""Name of the estimator."""

_RESTS = f"{REPLAYED} rests on the world that was stated, its laws and its couplings, and on no propensity."


@dataclass(frozen=True, eq=False)
class RunsInWorld:
    """Logged runs and the world that they are replayed in.

    Attributes:
        name: of the world, as the user wrote it.
        world: the program.
        valuing: of the runs.
        action: column of what was chosen.
        reward: column of what came of it.
        particles: draws, for each run, of what the log does not show.
    """

    name: str
    world: World
    valuing: RunsValuing
    action: str
    reward: str
    particles: int = 200

    @cached_property
    def sites(self) -> tuple[str, ...]:
        """The sites of the world.

        Raises:
            ActionError: it does not run.
        """
        try:
            return observe(self.world).run.sites
        except Exception as error:
            fix = "Run it by itself: ifonly.scm.queries.observe(world)."
            raise ActionError(self.name, f"running it failed: {type(error).__name__}: {error}", fix) from error

    @cached_property
    def facts(self) -> dict[str, torch.Tensor]:
        """What the log tells of each site, a number for each run, shape (runs,).

        Raises:
            UnknownName: no site of the world is a choice, or none is a reward.
            ActionError: a run has another number of steps, or a column of a whole run changes within it.
            InputError: a cell of a column that the world has a site for is no number.
        """
        self._check()
        table, (runs, steps) = self.valuing.table, self.valuing.places
        found: dict[str, torch.Tensor] = {}
        columns = dict.fromkeys(_place(site)[0] for site in self.sites)
        told = {column: self._numbers(column) for column in columns if column in table.columns}
        for site in self.sites:
            column, step = _place(site)
            if column not in told:
                continue
            cells = told[column]
            rows = np.arange(len(steps)) if step is None else np.flatnonzero(steps == step)
            values = np.zeros(int(runs.max()) + 1)
            values[runs[rows]] = cells[rows]
            if step is None and (values[runs] != cells).any():
                fix = f"Name the site {site}/STEP, or give each run one value."
                raise ActionError(self.name, f"site {site}: column {column} changes within a run", fix)
            found[site] = torch.as_tensor(values)
        return found

    def value(self, target: Target) -> Value:
        """The mean over logged runs of what each would have come to.

        Args:
            target: the policy, followed at every step.

        Raises:
            NotApplicable: the world cannot take the log, too few draws weigh, or the policy draws arms at random.
            UnknownName: its rule reads what is no parent of the choice.
            ActionError, InputError: as `facts`.
        """
        arms, choices = self.valuing.log.arms, self._sites_of(self.action)
        told = {site: _Follow(target, arms, self.action, step) for step, site in choices.items()}
        number = len(self.valuing.log)
        try:
            twin = counterfactual(
                self.world, self.facts, told, particles=self.particles, rows=number, seed=self.valuing.seed
            )
        except (ImpossibleEvidence, NeverReached) as error:
            raise NotApplicable(f"{self.name} and the log do not agree: {error}") from error
        if twin.verdict == "low":
            raise NotApplicable(
                f"of {self.particles:,} draws of what the log does not show, {twin.effective:.0f} weigh in the run "
                "that they fit least: draw more (--particles), or state a law that is nearer to the log"
            )
        worth = twin.mean(self._total).expand(number).numpy().astype(float)
        mean = float(worth.mean())
        return Value(REPLAYED, mean, worth - mean, None, self.valuing.log.clusters)

    def beside(self, answer: PolicyAnswer) -> PolicyAnswer:
        """The answer with this estimator beside the others, or with the reason why it says nothing.

        Args:
            answer: of `valuing`, on a policy.

        Raises:
            UnknownName, ActionError, InputError: as `value`.
        """
        try:
            estimate = self.value(answer.target).estimate(self.valuing.level)
        except NotApplicable as error:
            return answer.refusing(REPLAYED, error)
        counted = estimate.model_copy(update={"rung": "counterfactual", "identified": "assumed", "noise": self.name})
        return answer.beside(REPLAYED, counted, _RESTS)

    def _total(self, twin: Twin) -> torch.Tensor:
        """What a run comes to, discounted."""
        rewards = self._sites_of(self.reward).items()
        total: torch.Tensor = sum(twin[site] * self.valuing.discount**step for step, site in rewards)
        return total

    def _check(self) -> None:
        """See that world and log speak of the same steps."""
        choices, rewards = self._sites_of(self.action), self._sites_of(self.reward)
        for name, sites in ((self.action, choices), (self.reward, rewards)):
            if not sites:
                fix = f"{self.name} needs sites {name}/0, {name}/1, ...: it has {', '.join(self.sites)}."
                raise UnknownName("site", f"{name}/0", self.sites, fix)
        runs, steps = self.valuing.places
        stated = 1 + max(choices)
        lengths = np.bincount(runs)
        if (other := lengths[lengths != stated]).size:
            raise ActionError(
                self.name,
                f"{other.size:,} of {lengths.size:,} runs have another number of steps than its {stated}, "
                f"for instance {other[0]}",
                f"Keep the runs of {stated} steps, or state a world for each length.",
            )
        paid = self._numbers(self.reward) != 0
        if lost := sorted(set(steps[paid].tolist()) - rewards.keys()):
            fix = f"State what is earned there: a site {self.reward}/{lost[0]}."
            raise ActionError(self.name, f"the log has rewards at step {lost[0]}, and the world has none there", fix)

    def _numbers(self, column: str) -> Floats:
        if column == self.action:
            return self.valuing.decisions.log.actions.astype(float)
        return np.array(self.valuing.table.numbers(column))

    def _sites_of(self, column: str) -> dict[int, str]:
        """The sites that are this column's, by step."""
        places = ((site, *_place(site)) for site in self.sites)
        return {step: site for site, named, step in places if named == column and step is not None}


def _place(site: str) -> tuple[str, int | None]:
    """Column and step of a site; a step of None: of the whole run."""
    column, _, step = site.rpartition("/")
    return (column, int(step)) if column and step.isdecimal() else (site, None)


@dataclass(frozen=True)
class _Follow:
    """Do what the policy does, given the parents of the choice.

    Attributes:
        target: the policy.
        arms: of the log.
        action: column of choices, whose numbers are read as arms.
        step: of the run.
    """

    target: Target
    arms: Sequence[str]
    action: str
    step: int

    def rewrite(self, equation: Equation[Any]) -> Equation[Any]:
        """Return choice = policy(parents)."""
        mechanism = Function(partial(self._chosen, [parent.site for parent in equation.parents], equation.site))
        return replace(equation, mechanism=mechanism, noise=f"{equation.site}.policy", intervened=True)

    def _chosen(self, parents: Sequence[str], site: str, *values: Any) -> torch.Tensor:
        needed = {one.column for one in self.target.encoding.columns}
        read = {column: value for name, value in zip(parents, values, strict=True)
                if (column := self._read_as(name)) in needed}  # fmt: skip
        # Torch's own types leave it open.
        spread: Any = torch.broadcast_tensors
        tensors = spread(*map(torch.as_tensor, read.values())) if read else ()
        shape = tensors[0].shape if tensors else torch.Size()
        cells = np.stack([one.reshape(-1).numpy() for one in tensors]) if tensors else np.zeros((0, 1))
        met, back = np.unique(cells, axis=1, return_inverse=True)
        columns = {name: self._cells(name, row) for name, row in zip(read, met.tolist(), strict=True)}
        table = Table(f"what {site} reads in the world", {**columns, STEP: [float(self.step)] * met.shape[1]})
        policy = self.target.policy(table, self.arms)
        if not np.isin(policy, (0.0, 1.0)).all():
            raise NotApplicable(f"{self.target.name} draws arms at random: a replay follows policies that do not")
        return torch.as_tensor(policy.argmax(1)[back.reshape(-1)]).reshape(shape)

    def _read_as(self, site: str) -> str:
        """The column that a parent is to the policy: of this step or the whole run."""
        column, step = _place(site)
        return column if step in (None, self.step) else site

    def _cells(self, column: str, values: Sequence[float]) -> list[str | float]:
        return [self.arms[int(value)] for value in values] if _place(column)[0] == self.action else [*values]
