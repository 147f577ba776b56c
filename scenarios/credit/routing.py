"""Routing policies valued from a workflow's logs: which model chooses at each step, held to the truth.

The logging policy draws every step's model anew with known propensity. A target policy names one model for each step.
To weighting, a run is a sequence whose actions are models; to abduction, it is a chain of choices whose laws change.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import numpy as np

from ifonly.agents.records import Record
from ifonly.scenarios.credit.attributor import Attributor, Source
from ifonly.scenarios.credit.structure import SAME
from ifonly.scenarios.credit.truth import Posterior
from ifonly.scenarios.credit.workflow import GOOD, Task
from ifonly.scm.estimate import Estimate
from ifonly.scm.policy.replayed import replayed
from ifonly.scm.policy.sequence_estimators import sequence_estimators
from ifonly.scm.policy.sequence_support import sequence_support
from ifonly.scm.policy.sequences import SequenceEvaluation, Sequences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ifonly.scenarios.credit.bench import World
    from ifonly.scenarios.credit.logs import LoggedRun
    from ifonly.scenarios.credit.workflow import Workflow
    from ifonly.scm.contamination import Coupling
    from ifonly.scm.policy.logged import Floats, Ints
    from ifonly.scm.policy.support import Support
    from ifonly.scm.policy.value import Value

__all__ = ["ROUTES", "RoutingRow", "policy_value", "routes", "routing_rows", "sequences_of", "values_by_replay"]

# The policies that the shipped worlds tell the value of: the steps at which the big model chooses.
ROUTES: dict[str, tuple[int, ...]] = {
    "all_small": (),
    "all_big": tuple(range(10)),
    "big_at_5_6_8": (5, 6, 8),
    "big_first3": (0, 1, 2),
}


class RoutingRow(Record):
    """One estimator's value of one policy.

    Attributes:
        world: its name.
        policy: its name.
        estimator: its name.
        truth: V(pi).
        value: the estimate with its interval.
        support: whether weighting has anything to go by.
        matching: logged runs that took the policy's model at every step.
        asked: model evaluations a run, for all policies together.
        cpu_ms: processor time a run, of all estimators that use the log alone, or of a replay of all policies.
    """

    world: str
    policy: str
    estimator: str
    truth: float
    value: Estimate
    support: Literal["fine", "thin", "none"]
    matching: int
    asked: float = 0.0
    cpu_ms: float = 0.0


def routes(workflow: Workflow) -> dict[str, tuple[str, ...]]:
    """Return the model of each step, by policy of `ROUTES`.

    Args:
        workflow: with ten steps; its first model is the small one, its last the big one.
    """
    small, *_, big = workflow.models
    return {name: tuple(big if k in at else small for k in range(workflow.steps)) for name, at in ROUTES.items()}


def policy_value(workflow: Workflow, models: Sequence[str]) -> float:
    """Return the probability of success if these models choose, faults falling as they do: by enumeration.

    Args:
        workflow: the world.
        models: of each step.
    """
    indices = tuple(workflow.models.index(model) for model in models)
    fresh = Posterior(workflow, indices, ((0, GOOD),) * workflow.steps).fresh
    faulty = sum(fresh(0, {k: workflow.options - 1}) for k in range(workflow.steps)) / workflow.steps
    return (1 - workflow.fault) * fresh(0) + workflow.fault * faulty


def sequences_of(runs: Sequence[LoggedRun]) -> Sequences:
    """Return runs as sequences: actions are models, and the last step earns success.

    Options and results are opaque names, that say nothing across tasks; what is seen before a step is what laws tell:
    whether any earlier choice was not its law's first, whether any earlier law was less sure than the surest that
    its step and model ever had (as after a mishap), and whether the last one was.

    Args:
        runs: of one workflow.
    """
    arms = tuple(sorted({step.model for run in runs for step in run.steps}))
    shape = len(runs), len(runs[0].steps)
    actions = np.array([[arms.index(step.model) for step in run.steps] for run in runs], dtype=np.intp)
    rewards = np.zeros(shape)
    rewards[:, -1] = [run.success for run in runs]
    tasks = np.unique([run.task for run in runs], return_inverse=True)[1]
    return Sequences(
        actions,
        rewards,
        np.array([[step.propensity for step in run.steps] for run in runs]),
        arms,
        np.full(len(runs), shape[1], dtype=np.intp),
        _states(runs, actions),
        tasks.astype(np.intp),
    )


def _states(runs: Sequence[LoggedRun], models: Ints) -> Floats:
    laws = np.array([[list(step.logprobs.values()) for step in run.steps] for run in runs])
    taken = np.array([[step.logprobs[step.action] for step in run.steps] for run in runs])
    entropy = -(np.exp(laws) * laws).sum(-1)
    surest = np.empty_like(entropy)
    for k, m in np.ndindex(models.shape[1], int(models.max()) + 1):
        same = models[:, k] == m
        surest[same, k] = entropy[same, k].min(initial=np.inf)
    signs = np.stack([taken < laws.max(-1) - SAME, entropy > surest + SAME], -1).astype(float)
    before = np.concatenate([np.zeros_like(signs[:, :1]), signs[:, :-1]], 1)
    states: Floats = np.concatenate([np.maximum.accumulate(before, 1), before[..., 1:]], -1)
    return states


def values_by_replay(
    runs: Sequence[LoggedRun],
    tasks: Mapping[str, Task],
    policies: Mapping[str, Sequence[str]],
    source: Source = "asked",
    coupling: Coupling = "gumbel-max",
) -> tuple[dict[str, Value], float]:
    """Value policies by abduction of every run: `ifonly.scm.policy.replayed`.

    Args:
        runs: logged.
        tasks: benches, by name.
        policies: the model at each step, by name of the policy.
        source: of laws in contexts that were not logged.
        coupling: the noise model of choices.

    Returns:
        Values by policy, and the questions put a run, learning included.
    """
    before = sum(task.asked for task in tasks.values())
    attributor = Attributor.fitted(runs, tasks.__getitem__, source, coupling)
    made = [attributor.replay(run, tasks[run.task], policies)[0] for run in runs]
    asked = (sum(task.asked for task in tasks.values()) - before) / len(runs)
    clusters = sequences_of(runs).clusters
    values = {name: replayed([one[name] for one in made], attributor.contamination, clusters) for name in policies}
    return values, asked


def routing_rows(world: World) -> Iterator[RoutingRow]:
    """Value the routing policies of a world by every estimator.

    Args:
        world: with values of the policies of `ROUTES`.
    """
    policies = routes(world.workflow)
    log = sequences_of(world.runs)
    known: dict[str, Support] = {}
    for name, models in policies.items():
        table = np.array([[float(model == arm) for arm in log.arms] for model in models])
        evaluation = SequenceEvaluation.of(log, table)
        known[name] = sequence_support(evaluation)
        started = time.process_time()
        values = sequence_estimators(evaluation).values
        spent = (time.process_time() - started) / len(log)
        for value in values.values():
            yield _row(world, name, value.estimator, value.estimate(), known[name], cpu_ms=1e3 * spent)
    sources: list[tuple[str, Source, Coupling]] = [
        ("abduction replay, laws asked", "asked", "gumbel-max"),
        ("abduction replay, laws shared", "shared", "gumbel-max"),
        ("fresh noise, laws asked", "asked", "independent"),
    ]
    for label, source, coupling in sources:
        started = time.process_time()
        tasks = {run.task: Task(world.workflow, run.task) for run in world.runs}
        values, asked = values_by_replay(world.runs, tasks, policies, source, coupling)
        spent = (time.process_time() - started) / len(log)
        for name, value in values.items():
            yield _row(world, name, label, value.estimate(), known[name], asked=asked, cpu_ms=1e3 * spent)


def _row(
    world: World,
    policy: str,
    estimator: str,
    value: Estimate,
    known: Support,
    *,
    asked: float = 0.0,
    cpu_ms: float,
) -> RoutingRow:
    return RoutingRow(
        world=world.name,
        policy=policy,
        estimator=estimator,
        truth=world.policies[policy],
        value=value,
        support=known.verdict,
        matching=known.matching,
        asked=asked,
        cpu_ms=cpu_ms,
    )
