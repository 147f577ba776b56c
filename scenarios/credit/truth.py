"""The truth of a workflow's runs: by the noise that made them, and by its exact posterior given the log.

Unit truth runs the world again under the run's own noise and fault. The counterfactual probability averages that over
the posterior of noise and fault. Given the choices c with probabilities p_k under the laws they were made by, the
fault is at step f with weight (fault / steps) prod over k != f of p_k if c_f is bad (none: (1 - fault) prod p_k); then
the noise of the other steps is independent, and the changed run is a Markov chain whose moves are
`gumbel.transition(p_k, q_k)[c_k]`; a step at fault takes its bad option again. All of this is summed, not drawn.

States here are those of the world (who is corrupted, who chose neutrally); attributors know none of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from ifonly.agents.errors import InputError
from ifonly.agents.records import Record
from ifonly.scenarios.credit.logs import LoggedRun, LoggedStep
from ifonly.scenarios.credit.workflow import GOOD, Task, Workflow
from ifonly.scm.gumbel import transition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.scm.gumbel import Floats

__all__ = ["Made", "Posterior", "Query", "TruthFile", "TruthOfRun", "make_runs", "read_truth", "truth_of"]

State = tuple[tuple[int, int], ...]


class Query(Record):
    """One what-if of a failed run, with its truth.

    Attributes:
        kind: ``action``: the good option at step k; ``model``: the best model from step k on.
        k: the step.
        y_unit: outcome under the run's own noise.
        p_cf: probability of success given the log.
        p_fresh: probability of success if all noise from step k on is drawn anew.
    """

    kind: str
    k: int
    y_unit: int
    p_cf: float
    p_fresh: float


class TruthOfRun(Record):
    """What an attributor may not read.

    Attributes:
        run_id: of the run.
        success: 1 or 0.
        injected: step of the fault, or -1.
        flip_set: steps whose good option, under the run's own noise, turns failure into success.
        decisive: the earliest of these.
        queries: of a failed run.
    """

    run_id: str
    success: int
    injected: int = -1
    flip_set: tuple[int, ...] = ()
    decisive: int | None = None
    queries: tuple[Query, ...] = ()


class TruthFile(Record):
    """A ``truth.json``.

    Attributes:
        runs: truth of each.
        policies: of each routing policy, its value and the number of its calls to the big model.
    """

    runs: tuple[TruthOfRun, ...]
    policies: dict[str, dict[str, float]]


@dataclass(frozen=True, eq=False)
class Made:
    """A run with all that made it.

    Attributes:
        workflow: its world.
        noise: Gumbel noise, shape (steps, options).
        fault: the step that takes its bad option whatever its law, or -1.
        models: index of each step's model.
    """

    workflow: Workflow
    noise: Floats
    fault: int
    models: tuple[int, ...]

    def run(self, put: Mapping[int, int] | None = None, models: Sequence[int] | None = None) -> list[tuple[int, int]]:
        """Return (corrupted, choice) of every step under this noise.

        Args:
            put: do(): options by step.
            models: do(): of all steps; those of the log, if left out.
        """
        world, put, models = self.workflow, put or {}, models or self.models
        corrupted: list[int] = []
        made: dict[int, tuple[int, int]] = {}
        for k in range(world.steps):
            choice = int(np.argmax(world.law(k, corrupted, models[k]) + self.noise[k]))
            choice = put.get(k, world.options - 1 if k == self.fault else choice)
            made[k] = (world.corrupted(k, choice, made), choice)
            corrupted.append(made[k][0])
        return list(made.values())

    def logged(self, name: str) -> LoggedRun:
        """Return what is seen of it.

        Args:
            name: of the task.
        """
        task, world, results = Task(self.workflow, name), self.workflow, list[str]()
        steps = []
        for k, (corrupted, choice) in enumerate(self.run()):
            model = world.models[self.models[k]]
            step = LoggedStep(
                k=k,
                name=world.names[k],
                model=model,
                propensity=world.logging[self.models[k]],
                menu=tuple(sorted(task.options[k])),
                context=tuple(results),
                action=task.options[k][choice],
                logprobs=task.log_probabilities(k, results, model),
                result=task.result(k, corrupted, choice),
            )
            steps.append(step)
            results.append(step.result)
        success, repair = int(task.success(results[-1])), world.undo is not None
        return LoggedRun(run_id=name, task=name, repair=repair, steps=tuple(steps), answer=results[-1], success=success)


def make_runs(workflow: Workflow, count: int, generator: np.random.Generator) -> list[Made]:
    """Draw runs.

    Args:
        workflow: their world.
        count: how many.
        generator: of the draws.
    """
    shape = (workflow.steps, workflow.options)
    return [
        Made(
            workflow,
            generator.gumbel(size=shape),
            int(generator.integers(workflow.steps)) if generator.random() < workflow.fault else -1,
            tuple(generator.choice(len(workflow.models), size=workflow.steps, p=workflow.logging).tolist()),
        )
        for _ in range(count)
    ]


@dataclass(frozen=True, eq=False)
class Posterior:
    """All that a run's choices say about its noise and fault, under the true laws.

    Attributes:
        workflow: its world.
        models: index of each step's model.
        factual: (corrupted, choice) of each step.
    """

    workflow: Workflow
    models: tuple[int, ...]
    factual: tuple[tuple[int, int], ...]

    def faults(self) -> dict[int, float]:
        """Return P(fault at step f | log); -1 is none."""
        world = self.workflow
        taken = [np.exp(self._law(k)[choice]) for k, (_, choice) in enumerate(self.factual)]
        weights = {-1: 1 - world.fault} | {
            k: world.fault / world.steps / taken[k]
            for k, (_, choice) in enumerate(self.factual)
            if choice == world.options - 1
        }
        total = sum(weights.values())
        return {f: float(weight / total) for f, weight in weights.items()}

    def counterfactual(self, put: Mapping[int, int] | None = None, models: Sequence[int] | None = None) -> float:
        """Return P(success under do() | log), exactly."""
        return sum(weight * self._chance(put or {}, models or self.models, f) for f, weight in self.faults().items())

    def fresh(self, k: int, put: Mapping[int, int] | None = None, models: Sequence[int] | None = None) -> float:
        """Return P(success) with what came before step k held, and all noise from there on new, without a fault."""
        return self._chance(put or {}, models or self.models, None, held=k)

    def _law(self, k: int) -> Floats:
        return self.workflow.law(k, [c for c, _ in self.factual], self.models[k])

    def _chance(self, put: Mapping[int, int], models: Sequence[int], fault: int | None, held: int = 0) -> float:
        """P(success) in one branch: fault at a step, at none (-1), or noise that nothing is known of (None)."""
        world = self.workflow
        states: dict[State, float] = {(): 1.0}
        for k in range(world.steps):
            after: dict[State, float] = defaultdict(float)
            for state, mass in states.items():
                corrupted, before = [c for c, _ in state], dict(enumerate(state))
                if k in put or k < held or k == fault:
                    moves = {put.get(k, self.factual[k][1]): 1.0}
                else:
                    law = world.law(k, corrupted, models[k])
                    row = np.exp(law) if fault is None else _moves(tuple(self._law(k)), tuple(law))[self.factual[k][1]]
                    moves = {a: p for a, p in enumerate(row.tolist()) if p > 0}
                for a, p in moves.items():
                    after[_kept(world, (*state, (world.corrupted(k, a, before), a)))] += mass * p
            states = after
        return sum(mass for state, mass in states.items() if not state[-1][0])


def truth_of(made: Made, name: str, generator: np.random.Generator) -> TruthOfRun:
    """Return a run's truth; queries at the first, the middle, the decisive and a random step.

    Args:
        made: the run.
        name: its id.
        generator: of the random step.
    """
    world, factual = made.workflow, tuple(made.run())
    if not factual[-1][0]:
        return TruthOfRun(run_id=name, success=1, injected=made.fault)
    flips = tuple(k for k in range(world.steps) if not made.run({k: GOOD})[-1][0])
    posterior, best, queries = Posterior(world, made.models, factual), len(world.models) - 1, list[Query]()
    for k in sorted({0, world.steps // 2, *flips[:1], int(generator.integers(world.steps))}):
        swapped = made.models[:k] + (best,) * (world.steps - k)
        for kind, put, models in (("action", {k: GOOD}, made.models), ("model", {}, swapped)):
            unit = int(not made.run(put, models)[-1][0])
            p_cf, p_fresh = posterior.counterfactual(put, models), posterior.fresh(k, put, models)
            queries.append(Query(kind=kind, k=k, y_unit=unit, p_cf=p_cf, p_fresh=p_fresh))
    return TruthOfRun(
        run_id=name,
        success=0,
        injected=made.fault,
        flip_set=flips,
        decisive=flips[0] if flips else None,
        queries=tuple(queries),
    )


def read_truth(text: bytes, name: str) -> TruthFile:
    """Read a ``truth.json``.

    Args:
        text: its content.
        name: of the file, for errors.

    Raises:
        InputError: it is not laid out so.
    """
    try:
        return TruthFile.model_validate_json(text)
    except ValidationError as error:
        raise InputError(name, str(error), "Pass a folder as `../shared/data/credit_world` is laid out.") from error


def _kept(world: Workflow, state: State) -> State:
    """The state without what no later step depends on."""
    now = len(state)
    if now == world.steps:
        return state
    seen = {j for k in range(now, world.steps) for j in (*world.parents[k], *world.reads[k])}
    neutral = {j for at, pair in world.clash if at >= now for j in pair}
    bad = world.options - 1
    return tuple(
        (c if j in seen else 0, int(GOOD < a < bad) if j in neutral else GOOD) for j, (c, a) in enumerate(state)
    )


@lru_cache(maxsize=4096)
def _moves(p: tuple[float, ...], q: tuple[float, ...]) -> Floats:
    return transition(np.exp(p), np.exp(q))
