"""The workflow as a Pyro world: its graph, its agreement with the exact posterior, and with the shipped truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ifonly.scenarios.causes.workflow_world import edges, facts, what_if, workflow_world
from ifonly.scenarios.credit.bench import REGIMES, shipped_world
from ifonly.scenarios.credit.truth import Posterior, make_runs
from ifonly.scenarios.credit.workflow import GOOD, Task, drawn, shipped
from ifonly.scm.draw import Draw
from ifonly.scm.queries import counterfactual, observe

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "credit_world"
SE = 5.5  # standard errors allowed: two-sided false-failure rate below 4e-8 a query


def within(twin, truth):
    """The weighted mean lies within its own Monte Carlo error."""
    value = float(twin.mean("success"))
    error = np.sqrt(max(truth * (1 - truth), 1e-4) / twin.effective)
    assert abs(value - truth) <= SE * error + 1e-9, (value, truth, twin.effective)


def worlds():
    generator = np.random.default_rng(0)
    yield "commit", shipped(repair=False)
    yield "repair", shipped(repair=True)
    for number, (steps, options, models) in enumerate([(4, 3, 2), (7, 4, 3), (12, 3, 2)]):
        yield f"drawn {number}", drawn(generator, steps, options, models, repair=number % 2 == 1)


WORLDS = dict(worlds())
every_world = pytest.mark.parametrize("name", WORLDS)


@every_world
def test_the_graph_is_the_declared_one(name):
    workflow = WORLDS[name]
    run = observe(workflow_world(workflow, [0] * workflow.steps), seed=0).run
    assert set(run.graph.edges) == edges(workflow)


@every_world
def test_the_tools_are_those_of_the_workflow(name):
    workflow = WORLDS[name]
    models = [0] * workflow.steps
    for seed in range(30):
        run = observe(workflow_world(workflow, models), seed=Draw(seed).key("unit") % 2**62).run
        made = {}
        for k in range(workflow.steps):
            option = int(run[f"choice/{k}"])
            made[k] = (workflow.corrupted(k, option, made), option)
            assert int(run[f"result/{k}"]) == made[k][0]
            assert int(run[f"context/{k}"]) == int(any(made[j][0] for j in workflow.reads[k]))
        assert int(run["success"]) == 1 - made[workflow.steps - 1][0]


@every_world
def test_counterfactuals_agree_with_the_exact_posterior(name):
    workflow = WORLDS[name]
    generator = np.random.default_rng(1)
    failed = [made for made in make_runs(workflow, 60, generator) if made.run()[-1][0]][:3]
    assert failed
    best = len(workflow.models) - 1
    for made in failed:
        factual, k = tuple(made.run()), int(generator.integers(workflow.steps))
        posterior = Posterior(workflow, made.models, factual)
        choices = [option for _, option in factual]
        within(what_if(workflow, made.models, choices, "action", k), posterior.counterfactual({k: GOOD}, made.models))
        swapped = made.models[:k] + (best,) * (workflow.steps - k)
        within(what_if(workflow, made.models, choices, "model", k), posterior.counterfactual({}, swapped))


def test_no_action_gives_the_log_back():
    workflow = WORLDS["repair"]
    (made,) = make_runs(workflow, 1, np.random.default_rng(3))
    choices = [option for _, option in made.run()]
    twin = counterfactual(workflow_world(workflow, made.models), facts(choices), {}, particles=50)
    assert float(twin.mean("success")) == 1 - made.run()[-1][0]
    assert twin.changed == ()


def test_an_impossible_fault_has_no_weight():
    """A fault forces the worst option: given good choices throughout, there was none."""
    workflow = WORLDS["commit"]
    world = workflow_world(workflow, [0] * 10)
    twin = counterfactual(world, facts([GOOD] * 10), {}, particles=2_000)
    assert float(twin.mean("fault")) == -1


def shipped_cases(regime):
    world = shipped_world(DATA, regime)
    truths = {truth.run_id: truth for truth in world.truth}
    for run in world.runs:
        task = Task(world.workflow, run.task)
        for query in truths[run.run_id].queries:
            models = tuple(world.workflow.models.index(step.model) for step in run.steps)
            choices = [task.options[step.k].index(step.action) for step in run.steps]
            yield world.workflow, models, choices, query


def agrees(case, particles=4_000):
    workflow, models, choices, query = case
    twin = what_if(workflow, models, choices, query.kind, query.k, particles=particles)
    error = np.sqrt(max(query.p_cf * (1 - query.p_cf), 1e-3) * (1 / twin.effective + 1 / 4_000))
    return abs(float(twin.mean("success")) - query.p_cf) <= SE * error


@pytest.mark.data
@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not there")
@pytest.mark.parametrize("regime", REGIMES)
def test_the_shipped_truth_is_met(regime):
    """The shipped p_cf is itself of 4,000 draws; every 40th query here, all in the slow suite."""
    cases = list(shipped_cases(regime))[::40]
    assert len(cases) >= 15
    assert all(map(agrees, cases))


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not there")
@pytest.mark.parametrize("regime", REGIMES)
def test_every_shipped_truth_is_met(regime):
    cases = list(shipped_cases(regime))
    assert len(cases) > 600
    assert all(map(agrees, cases))
