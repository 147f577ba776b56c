"""How often intervals hold the truth, over many drawn workflows whose what-ifs have exact answers.

Each world is a workflow of its own, one failed run of it, and one what-if at a random step. What blame and rollouts
draw is drawn here as they do it: choices by `ifonly.sim.choice.chosen` under abducted noise, arms that share their
seeds under fresh noise; and their own estimators make the intervals. `nulls` does the same with
sites that cannot have an effect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.records import Record
from ifonly.scenarios.causes.workflows import actions_of, facts_of, world
from ifonly.scenarios.credit.truth import Posterior, make_runs
from ifonly.scenarios.credit.workflow import Workflow, drawn
from ifonly.scm.actions import Put
from ifonly.scm.discrete import Threshold
from ifonly.scm.draw import Draw
from ifonly.scm.estimate import Estimate
from ifonly.scm.fixed import Function, given, latent
from ifonly.scm.games import Game
from ifonly.scm.intervals import cluster_bootstrap
from ifonly.scm.kernel import endogenous
from ifonly.scm.laws import UNIT
from ifonly.scm.queries import counterfactual
from ifonly.scm.shapley import exact_shapley, sampled_shapley
from ifonly.sim.blame.numbers import difference
from ifonly.sim.choice import chosen
from ifonly.sim.live_answer import arm_estimate, change_estimate
from ifonly.sim.rollout import Effort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from ifonly.scm.gumbel import Floats

__all__ = ["CONSERVATIVE", "Covered", "WhatIf", "coverage", "drawn_what_if"]

_FAULT = 0.4
_PARTICLES = 20
_MOST = 40
_LOOK = 8
_KERNEL = 200
_PLAYERS = 6
_UNIT = (0.0, 1.0)

CONSERVATIVE = frozenset(
    {
        "rollout, abducted noise (Clopper-Pearson)",
        "rollout, stopped when narrow (betting)",
        "rollout, paired change (betting)",
        "blame, difference of risks (Clopper-Pearson, Bonferroni)",
        "blame, Shapley by orders (betting)",
        "kernel, a weighted share (Clopper-Pearson)",
    }
)
"""Intervals that cover with at least their level by construction, and so may cover more."""


class Covered(Record):
    """How one kind of interval did.

    Attributes:
        estimator: what made it.
        worlds: how many.
        covered: share of worlds whose interval holds the truth.
        width: mean width.
        bias: mean of value less truth.
        conservative: whether it covers with at least its level by construction.
    """

    estimator: str
    worlds: int
    covered: float
    width: float
    bias: float
    conservative: bool


@dataclass(frozen=True, eq=False)
class WhatIf:
    """One failed run, and the option that a step might have taken.

    Attributes:
        workflow: its world, without faults: what rollouts assume.
        models: of each step.
        factual: (corrupted, choice) of each step.
        k: the step.
        option: another option than the logged one.
    """

    workflow: Workflow
    models: tuple[int, ...]
    factual: tuple[tuple[int, int], ...]
    k: int
    option: int

    @cached_property
    def posterior(self) -> Posterior:
        """Of the noise given the log."""
        return Posterior(self.workflow, self.models, self.factual)

    @property
    def put(self) -> dict[int, int]:
        """What is done."""
        return {self.k: self.option}

    @property
    def again(self) -> dict[int, int]:
        """The logged option, done again."""
        return {self.k: self.factual[self.k][1]}

    def abducted(self, seed: int, particles: int) -> list[float | None]:
        """Success of particles under the action in the run's own noise, later choices drawn as `sim.choice` does."""
        draw = Draw(seed)

        def choose(particle: int, j: int, law: Floats) -> int:
            p, q = ({str(a): float(x) for a, x in enumerate(np.exp(row))} for row in (self._logged[j], law))
            return int(chosen(draw, f"{particle}/{j}", q, p, str(self.factual[j][1])))

        return [self._run(self.put, lambda j, law, n=n: choose(n, j, law)) for n in range(particles)]  # type: ignore[misc]

    def fresh(self, put: Mapping[int, int], uniforms: Floats) -> list[float | None]:
        """Success of particles with later noise anew: one row of uniforms each, so that arms may share them."""

        def choose(row: Floats, j: int, law: Floats) -> int:
            return min(int(np.searchsorted(np.cumsum(np.exp(law)), row[j])), len(law) - 1)

        return [self._run(put, lambda j, law, row=row: choose(row, j, law)) for row in uniforms]  # type: ignore[misc]

    @cached_property
    def _logged(self) -> list[Floats]:
        corrupted = [c for c, _ in self.factual]
        return [self.workflow.law(j, corrupted, self.models[j]) for j in range(self.workflow.steps)]

    def _run(self, put: Mapping[int, int], choose: Callable[[int, Floats], int]) -> float:
        """Success with what came before step k held."""
        made = dict(enumerate(self.factual[: self.k]))
        for j in range(self.k, self.workflow.steps):
            before = [made[i][0] for i in range(j)]
            option = put[j] if j in put else choose(j, self.workflow.law(j, before, self.models[j]))
            made[j] = (self.workflow.corrupted(j, option, made), option)
        return float(1 - made[self.workflow.steps - 1][0])


def drawn_what_if(generator: np.random.Generator) -> WhatIf:
    """Draw a workflow, a failed run of it, and a what-if.

    Args:
        generator: of the draws.
    """
    options, repair = int(generator.integers(3, 5)), bool(generator.integers(2))
    workflow = replace(drawn(generator, int(generator.integers(4, 7)), options, repair=repair), fault=_FAULT)
    failed = None
    while failed is None:
        failed = next((one for one in make_runs(workflow, 20, generator) if one.run()[-1][0]), None)
    factual, k = tuple(failed.run()), int(generator.integers(workflow.steps))
    others = [a for a in range(options) if a != factual[k][1]]
    return WhatIf(replace(workflow, fault=0.0), failed.models, factual, k, int(generator.choice(others)))


def coverage(worlds: int, seed: int, told: Callable[[int, int], None] = lambda done, of: None) -> list[Covered]:
    """Return how often each kind of 95 % interval held the truth, over worlds of their own.

    Args:
        worlds: how many.
        seed: of the worlds and of all draws.
        told: is told the number done, and of how many.
    """
    found: dict[str, list[tuple[bool, float, float]]] = {}
    for n in range(worlds):
        for name, estimate, truth in _intervals(n, seed):
            if estimate.value is None:
                raise ArithmeticError(f"{name} gave only bounds")
            holds = estimate.low - 1e-12 <= truth <= estimate.high + 1e-12
            found.setdefault(name, []).append((holds, estimate.high - estimate.low, estimate.value - truth))
        told(n + 1, worlds)
    return [
        Covered(
            estimator=name,
            worlds=len(rows),
            covered=float(np.mean([holds for holds, _, _ in rows])),
            width=float(np.mean([width for _, width, _ in rows])),
            bias=float(np.mean([error for _, _, error in rows])),
            conservative=name in CONSERVATIVE,
        )
        for name, rows in found.items()
    ]


def _intervals(n: int, seed: int) -> Iterator[tuple[str, Estimate, float]]:
    """(what made it, the estimate, the truth) in the n-th world."""
    generator = np.random.default_rng((seed, n))
    asked, own = drawn_what_if(generator), int(generator.integers(2**31))
    exact = asked.posterior
    truth = exact.counterfactual(asked.put)
    found = arm_estimate(asked.abducted(own, _PARTICLES), _UNIT, Effort(_PARTICLES), "choice")
    yield "rollout, abducted noise (Clopper-Pearson)", found, truth
    uniforms = generator.random((_MOST, asked.workflow.steps))
    changed, control = asked.fresh(asked.put, uniforms), asked.fresh(asked.again, uniforms)
    with_it, without = (exact.fresh(asked.k, put) for put in (asked.put, asked.again))
    yield "rollout, stopped when narrow (betting)", _stopped(changed), with_it
    few = Effort(_PARTICLES)
    yield (
        "rollout, paired change (betting)",
        change_estimate(changed[:_PARTICLES], control[:_PARTICLES], _UNIT, few),
        with_it - without,
    )
    wide = Effort(_PARTICLES, level=(1 + few.level) / 2)
    again = asked.fresh(asked.again, generator.random(uniforms.shape))
    before, after = (
        arm_estimate([None if x is None else 1 - x for x in arm[:_PARTICLES]], _UNIT, wide, "fresh")
        for arm in (again, changed)
    )
    yield (
        "blame, difference of risks (Clopper-Pearson, Bonferroni)",
        difference(before, after, few.level),
        with_it - without,
    )
    yield "blame, Shapley by orders (betting)", *_shapley(generator)
    yield "kernel, a weighted share (Clopper-Pearson)", *_kernel(asked, own)
    yield "kernel, a weighted mean (t)", *_graded(generator, own)
    scores = generator.gamma(4.0, 0.25, _PARTICLES)
    yield "rollout, score without a range (t)", arm_estimate(scores.tolist(), None, few, "fresh"), 1.0
    yield "means over tasks (bootstrap)", *_tasks(generator)


def _stopped(values: list[float | None]) -> Estimate:
    """Look after every few particles, and stop when the interval is narrow enough."""
    effort = Effort(_MOST, width=0.5)
    for size in range(_LOOK, _MOST + 1, _LOOK):
        found = arm_estimate(values[:size], _UNIT, effort, "fresh")
        if found.high - found.low <= (effort.width or 0.0):
            break
    return found


def _kernel(asked: WhatIf, seed: int) -> tuple[Estimate, float]:
    """The particles of the kernel, weighted by what the log says of the fault."""
    faulty = replace(asked.workflow, fault=_FAULT)
    facts, last = facts_of(asked.models, asked.factual), f"result/{faulty.steps - 1}"
    twin = counterfactual(world(faulty), facts, actions_of(asked.put), particles=_KERNEL, seed=seed)
    truth = Posterior(faulty, asked.models, asked.factual).counterfactual(asked.put)
    return twin.estimate(lambda one: 1.0 - one[last]), truth


def _graded(generator: np.random.Generator, seed: int) -> tuple[Estimate, float]:
    """A mean that is no share: twice the skill of somebody who passed, P(pass | skill) = a + b skill."""
    a, b = generator.uniform(0.0, 0.3), generator.uniform(0.3, 0.7)

    def passing() -> None:
        skill = latent("skill", UNIT)
        endogenous("passed", Threshold(lambda u: a + b * u), skill)
        endogenous("score", Function(lambda u, times: u * times), skill, given("times", 1.0))

    twin = counterfactual(passing, {"passed": 1.0}, {"times": Put(2.0)}, particles=_KERNEL, seed=seed)
    return twin.estimate("score"), float(2 * (a / 2 + b / 3) / (a + b / 2))


def _shapley(generator: np.random.Generator) -> tuple[Estimate, float]:
    """The share of one call in a failure that takes some of them, as blame samples it: 0 or 1 by set of calls."""
    weights, need = generator.exponential(size=_PLAYERS), generator.uniform(0.2, 0.8)

    def fails(members: NDArray[np.bool_]) -> Floats:
        return np.asarray(members @ weights >= need * weights.sum(), dtype=float)

    game, player = Game(fails, _PLAYERS, span=_UNIT), int(generator.integers(_PLAYERS))
    made = sampled_shapley(game, pairs=_MOST, draw=Draw(int(generator.integers(2**31))))
    return made[player], float(exact_shapley(game)[player])


def _tasks(generator: np.random.Generator) -> tuple[Estimate, float]:
    """The mean over runs of 30 tasks that differ, as summaries of many runs resample them."""
    mean = generator.uniform(0.2, 0.8)
    rates = generator.beta(3 * mean, 3 * (1 - mean), 30)
    tasks = np.repeat(np.arange(30), generator.integers(1, 5, 30))
    values = (generator.random(len(tasks)) < rates[tasks]).astype(float)
    draw = Draw(int(generator.integers(2**31)))
    value, (low, high) = cluster_bootstrap(tasks.tolist(), lambda rows: float(values[rows].mean()), draw)
    found = Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=0.95,
        effective=float(len(rates)),
        rung="observed",
        identified="point",
    )
    return found, float(mean)
