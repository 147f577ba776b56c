"""What a policy would have been worth by abduction: each recorded run replayed under the model that it would have met.

The difficulty of a run's task is abducted from what came of it, of other runs of the task, and of runs like it, in an
item-response world (`ifonly.sim.swaps`); what the policy's model would have made of that task follows. No propensity is
needed: what moved the choice may be hidden, as far as it shows in how runs of the task ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.item_response.replay import connected, mean_of_replays
from ifonly.sim.policy.answers import Replayed
from ifonly.sim.swaps.layout import met_by
from ifonly.sim.swaps.world import SwapWorld, observed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import Trajectory
    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.logged import Floats, Ints
    from ifonly.sim.policy.answers import PolicyAnswer
    from ifonly.sim.policy.evaluate import Valuing
    from ifonly.sim.swaps.cells import Cell
    from ifonly.sim.swaps.world import Observed

__all__ = ["ABDUCTION", "RunsReplayed", "replay_runs"]

ABDUCTION: Final = "abduction (item response)"
"""Name of the estimator."""

_APART = 0.05
"""Share of the runs to be replayed that may have nothing in common with the policy's model: as for untried mass."""
_RESTS = (
    f"{ABDUCTION} rests on an item-response world, and on no propensity: how hard a task is bore on which model met it "
    "only as far as the recorded runs of the task tell."
)


def replay_runs(
    answers: Sequence[PolicyAnswer],
    valuing: Valuing,
    runs: Sequence[Trajectory],
    score: str,
    corpus: Sequence[Trajectory] = (),
) -> list[PolicyAnswer]:
    """Answers on policies that choose the model of a whole run, with the value by abduction beside the others.

    Args:
        answers: of `valuing`.
        valuing: of the table of these runs, a row each.
        runs: recorded, in the order of the rows.
        score: the reward.
        corpus: more runs to learn from.
    """
    arms, groups = valuing.log.arms, valuing.log.clusters
    policies = [answer.target.policy(valuing.table, arms) for answer in answers]
    models = [arm for place, arm in enumerate(arms) if any(policy[:, place].any() for policy in policies)]
    known = {run.id for run in runs}
    mine = observed(runs).get(score)
    more = observed([run for run in corpus if run.id not in known]).get(score)
    try:
        if mine is None:
            raise NotApplicable(f"{score} is not 0 or 1 in every run, and an item-response world knows no other score")
        made = RunsReplayed.of(mine, models, more, clusters=groups, level=valuing.level, seed=valuing.seed)
    except NotApplicable as error:
        return [answer.refusing(ABDUCTION, error) for answer in answers]
    return [made.beside(answer, policy, arms) for answer, policy in zip(answers, policies, strict=True)]


@dataclass(frozen=True, eq=False)
class RunsReplayed:
    """Recorded runs with their abducted latents. Make it with `of`.

    Attributes:
        world: fitted to them, and to those of a corpus.
        cells: of the runs of the log, in its order.
        outcomes: theirs, 0 or 1, shape (n,).
        groups: of runs that are dependent, numbered from 0, shape (n,).
        level: posterior probability of intervals.
        seed: of the inference.
    """

    world: SwapWorld
    cells: tuple[Cell, ...]
    outcomes: Floats
    groups: Ints
    level: float = 0.95
    seed: int = 0

    @classmethod
    def of(
        cls,
        log: Observed,
        models: Sequence[str],
        corpus: Observed | None = None,
        *,
        clusters: Ints | None = None,
        level: float = 0.95,
        seed: int = 0,
    ) -> Self:
        """Fit the world.

        Args:
            log: the runs to be replayed.
            models: that policies may ask.
            corpus: other runs to learn from.
            clusters: of the runs of the log, shape (n,); their tasks, if None.
            level: posterior probability of intervals.
            seed: of the inference.

        Raises:
            NotApplicable: there are too few runs.
            ImpossibleEvidence: an outcome is neither 0 nor 1.
        """
        cells, scores = list(log.cells), list(log.outcomes)
        if corpus is not None:
            cells, scores = cells + corpus.cells, scores + corpus.outcomes
        seen = set(cells)
        asked = [cell.under(model) for model in models for cell in log.cells]
        new = [cell for cell in asked if cell not in seen]
        world = SwapWorld.fit("score", cells, np.array(scores), new, more=met_by(cells), seed=seed)
        names = [cell.task for cell in log.cells] if clusters is None else clusters
        groups = np.unique(names, return_inverse=True)[1].astype(np.intp)
        return cls(world, tuple(log.cells), np.array(log.outcomes), groups, level, seed)

    def beside(self, answer: PolicyAnswer, policy: Floats, arms: Sequence[str]) -> PolicyAnswer:
        """The answer with this estimator beside the others; or with the reason why it says nothing.

        Args:
            answer: on the same policy.
            policy: pi(a | x_i), shape (n, K).
            arms: models, K of them.
        """
        try:
            estimate, replayed = self.value(policy, arms)
        except NotApplicable as error:
            return answer.refusing(ABDUCTION, error)
        return answer.beside(ABDUCTION, estimate, _RESTS, replayed)

    def value(self, policy: Floats, arms: Sequence[str]) -> tuple[Estimate, Replayed]:
        """The mean over runs of what each would have come to, and what it was learned from.

        Args:
            policy: pi(a | x_i), shape (n, K).
            arms: models, K of them, each among those that `of` was told of or the run's own.

        Raises:
            NotApplicable: no recorded run is of one of the policy's models, or of none on tasks that tie it to others.
        """
        own, every = np.array([arms.index(cell.model) for cell in self.cells]), np.arange(len(self.cells))
        moved = policy.copy()
        kept, moved[every, own] = moved[every, own], 0.0
        self._check(moved, arms)
        number = int(self.groups.max()) + 1
        same = np.asarray(np.bincount(self.groups, kept * self.outcomes, number), dtype=float)
        sums = np.tile(same, (len(self.world.posterior), 1))
        for place in np.flatnonzero(moved.sum(0)).tolist():
            rows = np.flatnonzero(moved[:, place])
            worth = self.world.chances([self.cells[row].under(arms[place]) for row in rows]) * moved[rows, place]
            np.add.at(sums.T, self.groups[rows], worth.T)
        sizes = np.asarray(np.bincount(self.groups, minlength=number), dtype=float)
        return mean_of_replays(sums, sizes, Draw(self.seed), self.level), self._learned(moved, policy, arms)

    def _check(self, moved: Floats, arms: Sequence[str]) -> None:
        """See that the world knows something of the policy's models, and of what ties them to the models replayed."""
        seen = self.world.observed
        models, tasks = (
            np.unique(names, return_inverse=True) for names in ([c.model for c in seen], [c.task for c in seen])
        )
        part = dict(zip((cell.model for cell in seen), connected(models[1], tasks[1]), strict=True))
        for place in np.flatnonzero(moved.sum(0)).tolist():
            arm, mass = arms[place], moved[:, place]
            if arm not in part:
                raise NotApplicable(f"no recorded run is of {arm}: name some with --corpus")
            apart = sum(mass[row] for row, cell in enumerate(self.cells) if part[cell.model] != part[arm]) / mass.sum()
            if apart > _APART:
                raise NotApplicable(
                    f"{apart:.0%} of the runs that {arm} would have had are of models that met none of its tasks, nor "
                    "tasks of models that did: what is skill, and what is the task, cannot be told apart. Name runs of "
                    "other models on the same tasks with --corpus"
                )

    def _learned(self, moved: Floats, policy: Floats, arms: Sequence[str]) -> Replayed:
        seen = self.world.observed
        asked = {arm for arm, mass in zip(arms, policy.sum(0), strict=True) if mass > 0}
        met: dict[object, int] = {}
        for cell in seen:
            met[cell.item] = met.get(cell.item, 0) + 1
        rows = np.flatnonzero(moved.sum(1))
        others = [met[self.cells[row].item] - 1 for row in rows]
        return Replayed(
            runs=len(seen),
            of_models=sum(cell.model in asked for cell in seen),
            share=float(moved.sum() / len(moved)),
            others=float(np.median(others)) if others else None,
        )
