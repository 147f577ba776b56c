"""What a policy that chooses at every step of a run would have been worth: whole runs, of several decisions each.

A decision of a run changes what its later decisions meet, so that decisions cannot be valued one by one. Weighting by
the choices of a whole run has next to nothing to go by after a few steps; support says so, and a value is told only
where it does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.scm.draw import Draw
from ifonly.scm.policy.bootstrap import bootstrap
from ifonly.scm.policy.bounds import natural_bounds
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.nuisance import FOLDS, assign_folds, fit_propensities
from ifonly.scm.policy.sequence_estimators import sequence_estimators
from ifonly.scm.policy.sequence_support import sequence_support
from ifonly.scm.policy.sequences import SequenceEvaluation, Sequences
from ifonly.sim.policy.answers import PolicyAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.tables import Table
    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.logged import Floats, Ints
    from ifonly.scm.policy.value import Value
    from ifonly.sim.policy.answers import Intervals, PolicyVerdict, Propensities
    from ifonly.sim.policy.decisions import Decisions
    from ifonly.sim.policy.targets import Target

__all__ = ["STEP", "RunsValuing", "with_steps"]

STEP = "step"
"""The column that tells how many decisions of its run came before."""

_BEST = "sequential dr"
_VERDICTS: Mapping[str, PolicyVerdict] = {"fine": "answered", "thin": "thin support", "none": "bounds only"}
_INSIDE = "What moved a choice and what came later is in the context of its step, or in the propensities."
_LIKE = "Runs to come are like the logged ones."
_RESTS = (
    "sequential dr and the weighted means rest on the propensities; fqe on a ridge regression of what is to come, by "
    "step and arm, on the context."
)


def with_steps(table: Table, run: str) -> Table:
    """The table with a column `STEP`: the place of each row among those of its run, from 0, in the order of the rows.

    Args:
        table: a decision a row.
        run: column of the run.

    Raises:
        UnknownName: there is no such column.
        InputError: a row names no run.
    """
    counts: dict[str, int] = {}
    places = list[float]()
    for row, name in enumerate(table.texts(run), 1):
        if not name:
            found = f"column {run!r} names no run"
            raise InputError(table.name, found, "Drop rows that belong to no run.", record=row)
        counts[name] = counts.get(name, -1) + 1
        places.append(float(counts[name]))
    return replace(table, columns={**table.columns, STEP: places})


@dataclass(frozen=True, eq=False)
class RunsValuing:
    """Values policies on runs of several decisions.

    Attributes:
        decisions: a row a decision, runs in the order of their steps; `time` plays no part.
        table: the same rows, which rules read; of `with_steps`.
        run: column of the run.
        propensities: where they come from; ``fitted`` fits them to the context of each decision, whole runs together.
        level: coverage of intervals.
        seed: of folds and of the bootstrap.
        span: smallest and largest return there can be; those seen, if None.
        discount: of each step over the one before.
        intervals: how they are made.
        repeats: resamples of the bootstrap.
    """

    decisions: Decisions
    table: Table
    run: str
    propensities: Propensities = "logged"
    level: float = 0.95
    seed: int = 0
    span: tuple[float, float] | None = None
    discount: float = 1.0
    intervals: Intervals = "influence"
    repeats: int = 1_000

    @cached_property
    def places(self) -> tuple[Ints, Ints]:
        """The run and the step of each row, shape (n,) both."""
        runs = np.unique(self.table.texts(self.run), return_inverse=True)[1].astype(np.intp)
        return runs, np.array(self.table.numbers(STEP), dtype=np.intp)

    @cached_property
    def log(self) -> Sequences:
        """The runs as arrays.

        Raises:
            NotApplicable: there are no propensities, and none were to be fitted.
            InputError: a run lies in two groups.
        """
        runs, steps = self.places
        rounds, shape = self.decisions.log, (int(runs.max()) + 1, int(steps.max()) + 1)
        features = self.decisions.features
        made = np.zeros(shape, np.intp), np.zeros(shape), np.ones(shape), np.zeros((*shape, features.shape[1]))
        for padded, column in zip(made, (rounds.actions, rounds.rewards, self._chances(runs), features), strict=True):
            padded[runs, steps] = column
        lengths = np.bincount(runs)
        return Sequences(*made[:3], rounds.arms, lengths, made[3], self._groups(runs, len(lengths)))

    def value(self, target: Target) -> PolicyAnswer:
        """Value one policy, followed at every step.

        Args:
            target: the policy; its rule may read `STEP`.

        Raises:
            UnknownName: the table lacks what the rule reads.
            NotApplicable: the log has no propensities, or fewer than two groups of runs.
        """
        runs, steps = self.places
        policy = np.full((*self.log.rewards.shape, len(self.log.arms)), 1 / len(self.log.arms))
        policy[runs, steps] = target.policy(self.table, self.log.arms)
        evaluation = SequenceEvaluation(self.log, policy, self.discount)
        knows = sequence_support(evaluation)
        found = sequence_estimators(evaluation, Draw(self.seed))
        bounds = {"nothing": self._bounds(evaluation)}
        settled = knows.verdict != "none" and _BEST in found.values
        told, change = self._intervals(found.values, resample=settled)
        return PolicyAnswer(
            target=target,
            logging=found.values["naive"].estimate(self.level),
            value=told[_BEST] if settled else bounds["nothing"],
            estimator=_BEST if settled else "bounds",
            estimates=told,
            change=change if settled else None,
            support=knows,
            bounds=bounds,
            verdict=_VERDICTS[knows.verdict] if settled else "bounds only",
            assumes=self._assumes,
            refused=dict(found.refused),
            intervals=self.intervals if settled else "influence",
        )

    def _intervals(self, found: Mapping[str, Value], *, resample: bool) -> tuple[dict[str, Estimate], Estimate | None]:
        """Of every estimator, and of what the best one says beyond what was done."""
        told = {name: one.estimate(self.level) for name, one in found.items()}
        if _BEST not in found:
            return told, None
        change = found[_BEST].less(found["naive"]).estimate(self.level)
        if self.intervals == "influence" or not resample:
            return told, change
        # fqe has a jackknife of its own: its influence values are not those of runs.
        plain = {name: one for name, one in found.items() if name != "fqe"}
        drawn = dict(zip(plain, bootstrap(list(plain.values()), Draw(self.seed), self.repeats), strict=True))
        paired = drawn[_BEST].less(drawn["naive"]).estimate(self.level)
        return told | {name: one.estimate(self.level) for name, one in drawn.items()}, paired

    def _bounds(self, evaluation: SequenceEvaluation) -> Estimate:
        """What is left if nothing is assumed of how choices were made.

        A run in which the policy does at every step what was logged comes to what was logged; any other to anything.
        That is the bound of single decisions, of runs as rounds with two arms: as logged, and otherwise.
        """
        log = evaluation.log
        same = np.where(log.mask, evaluation.taken(evaluation.policy), 1.0).prod(1)
        returns = log.rewards @ evaluation.discounts
        rounds = Logged(np.zeros(len(log), np.intp), returns, ("as logged", "otherwise"), clusters=log.clusters)
        low, high = self.span or (float(returns.min()), float(returns.max()))
        return natural_bounds(Evaluation.of(rounds, np.stack([same, 1 - same], 1)), low, high, self.level)

    def _chances(self, runs: Ints) -> Floats:
        """Of the actions taken, a row a decision."""
        log = self.decisions.log
        if self.propensities != "fitted":
            return log.chances
        clusters = runs if log.clusters is None else log.clusters
        grouped = replace(log, clusters=clusters)
        folds = assign_folds(grouped, min(FOLDS, len(np.unique(clusters))), Draw(self.seed))
        return replace(grouped, propensities=None, behaviour=fit_propensities(grouped, folds)).chances

    def _groups(self, runs: Ints, number: int) -> Ints | None:
        """The group of each run."""
        rows = self.decisions.log.clusters
        if rows is None:
            return None
        groups = np.zeros(number, np.intp)
        groups[runs] = rows
        if (groups[runs] != rows).any():
            names = self.table.texts(self.run)
            first = names[int(np.flatnonzero(groups[runs] != rows)[0])]
            fix = "Name a column that is the same in all rows of a run, such as its task."
            raise InputError(self.table.name, f"run {first!r} lies in two groups of --cluster", fix)
        return groups

    @property
    def _assumes(self) -> tuple[str, ...]:
        told = {
            "logged": "The logged propensities are those by which arms were taken at each step.",
            "declared": "Arms were taken with the declared probabilities at every step, whatever the context.",
            "fitted": "Propensities are fitted: choices followed the context of their step alone.",
        }[self.propensities]
        return (told, _INSIDE, _LIKE, _RESTS)
