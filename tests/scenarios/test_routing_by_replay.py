"""Routing policies valued by abduction: exact over all logs of a small world, and held to the truth of the shipped."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ifonly.scenarios.credit.attributor import Attributor
from ifonly.scenarios.credit.bench import REGIMES, shipped_world
from ifonly.scenarios.credit.routing import policy_value, routes, routing_rows, sequences_of, values_by_replay
from ifonly.scenarios.credit.structure import digest
from ifonly.scenarios.credit.truth import Made, make_runs
from ifonly.scenarios.credit.workflow import Task, drawn, shipped
from ifonly.scm.contamination import COUPLINGS, Contamination
from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.replayed import replayed

SURE = 60.0


@pytest.fixture(scope="module")
def every_log():
    """All logs of a world of four steps, three options and two models, each with its probability."""
    workflow = drawn(np.random.default_rng(5), 4, 3, 2, repair=True)
    runs, masses = [], []
    for models in product(range(2), repeat=4):
        for choices in product(range(3), repeat=4):
            made = Made(workflow, SURE * np.eye(3)[list(choices)], -1, models)
            corrupted = [c for c, _ in made.run()]
            laws = np.array([np.exp(workflow.law(k, corrupted, models[k]))[choices[k]] for k in range(4)])
            fault = sum(np.delete(laws, k).prod() for k in range(4) if choices[k] == 2) / 4
            mass = (1 - workflow.fault) * laws.prod() + workflow.fault * fault
            # One menu for all: its order is part of inverse-CDF noise.
            runs.append(made.logged("task").model_copy(update={"run_id": f"run-{len(runs)}"}))
            masses.append(mass * np.prod([workflow.logging[m] for m in models]))
    task, reads = Task(workflow, "task"), workflow.tool_reads
    digests = {run.run_id: digest(run, task, reads) for run in runs}
    return workflow, runs, np.array(masses), digests


@pytest.mark.slow
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_the_mean_over_all_logs_is_the_value_whatever_the_coupling(every_log, coupling):
    workflow, runs, mass, digests = every_log
    assert mass.sum() == pytest.approx(1, abs=1e-12)
    faults = Contamination("single", workflow.fault, (0.0, 0.0, 1.0))
    reads = tuple(tuple(sorted({*a, *b})) for a, b in zip(workflow.reads, workflow.tool_reads, strict=True))
    one = Attributor(workflow.tool_reads, reads, faults, coupling, digests=digests)
    weak, strong = workflow.models
    policies, task = {"strong": [strong] * 4, "mixed": [weak, strong, strong, weak]}, Task(workflow, "task")
    made = [one.replay(run, task, policies)[0] for run in runs]
    for name, models in policies.items():
        outcomes = np.array([replays[name].success(faults) for replays in made])
        assert mass @ outcomes == pytest.approx(policy_value(workflow, models), abs=1e-9)


def learned(workflow, count, seed):
    made = make_runs(workflow, count, np.random.default_rng(seed))
    runs = [one.logged(f"run-{i}") for i, one in enumerate(made)]
    return runs, {run.task: Task(workflow, run.task) for run in runs}


def test_models_as_logged_give_back_every_outcome():
    runs, tasks = learned(shipped(repair=True), 40, 0)
    one = Attributor.fitted(runs, tasks.__getitem__)
    for run in runs:
        replays, _ = one.replay(run, tasks[run.task], {"own": [step.model for step in run.steps]})
        assert replays["own"].success(one.contamination) == pytest.approx(run.success, abs=1e-12)


def test_no_runs_are_refused():
    with pytest.raises(NotApplicable, match="nothing to replay"):
        replayed([], Contamination("single", 0.1, (0.0, 0.0, 1.0)))


def test_the_rate_of_faults_brings_its_own_error():
    """With the rate declared instead of fitted the interval is narrower; the value is the same."""
    runs, tasks = learned(shipped(repair=False), 60, 1)
    one = Attributor.fitted(runs, tasks.__getitem__)
    policy = {"big": routes(shipped(repair=False))["all_big"]}
    made = [one.replay(run, tasks[run.task], policy)[0]["big"] for run in runs]
    fitted = one.contamination
    declared = Contamination(fitted.family, fitted.rate, fitted.weights)
    with_error, without = replayed(made, fitted), replayed(made, declared)
    assert with_error.value == without.value
    assert with_error.standard_error > 1.1 * without.standard_error
    assert abs(with_error.influence.mean()) < 1e-3


def test_runs_as_sequences():
    runs, _ = learned(shipped(repair=False), 30, 2)
    log = sequences_of(runs)
    assert log.arms == ("big", "small")
    assert log.rewards.sum() == sum(run.success for run in runs)
    assert (log.states[:, 0] == 0).all()
    assert log.propensities[0, 3] == runs[0].steps[3].propensity


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("regime", REGIMES)
def test_replay_finds_the_value_where_weighting_has_nothing_to_go_by(data, regime):
    """The shipped logs: abduction within .03 of every value, whole-run weighting with 0 to 7 matching runs."""
    world = shipped_world(data / "credit_world", regime)
    for name, models in routes(world.workflow).items():
        assert policy_value(world.workflow, models) == pytest.approx(world.policies[name], abs=0.005)
    rows = list(routing_rows(world))
    for row in rows:
        assert row.matching <= 7
        assert row.support == "none"
        if "replay" in row.estimator:
            assert abs(row.value.value - row.truth) <= 0.03
            assert row.value.low <= row.truth <= row.value.high
    assert {row.estimator for row in rows} >= {"naive", "tis", "pdis", "sequential dr", "fqe"}
    assert max(row.asked for row in rows if row.estimator.endswith("shared")) < 10


@pytest.mark.nightly
def test_intervals_by_replay_cover():
    """300 logs of 60 runs of five steps, faults fitted: a right 95 % interval covers fewer than 264 times with
    probability below 1e-5 (exact binomial). Its smallness is all that makes it miss a few more.
    """
    workflow = drawn(np.random.default_rng(11), 5, 3, 2, repair=False)
    policies = {"strong": [workflow.models[1]] * 5}
    truth, held = policy_value(workflow, policies["strong"]), 0
    for seed in range(300):
        runs, tasks = learned(workflow, 60, seed)
        interval = values_by_replay(runs, tasks, policies)[0]["strong"].estimate()
        held += interval.low <= truth <= interval.high
    assert held >= 264
