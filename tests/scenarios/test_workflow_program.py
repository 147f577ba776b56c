"""The workflow of choices and tools as a program: it agrees with the logs, the exact posterior, the shipped truth."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import numpy as np
import pytest
import torch

from ifonly.scenarios.causes.workflows import actions_of, facts_of, world
from ifonly.scenarios.credit.bench import REGIMES, shipped_world
from ifonly.scenarios.credit.truth import Posterior
from ifonly.scenarios.credit.workflow import GOOD, Task, drawn, shipped
from ifonly.scm.queries import counterfactual, observe

PARTICLES = 2_000
ERRORS = 6  # standard errors allowed; of some 2,000 numbers one is beyond with probability 4e-6
TOLD = 0.5 / np.sqrt(4_000)  # largest standard error of the shipped p_cf


@pytest.mark.parametrize("repair", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_tools_are_those_of_the_workflow(seed, repair):
    workflow = drawn(np.random.default_rng(seed), 5, 4, 3, repair=repair)
    values = observe(world(workflow), particles=500, seed=seed).run.values
    for n in range(500):
        made = {}
        for k in range(5):
            chosen = int(values[f"choice/{k}"][n])
            made[k] = (workflow.corrupted(k, chosen, made), chosen)
            assert made[k][0] == int(values[f"result/{k}"][n])
            if int(values["fault"][n]) == k:
                assert chosen == 3


def asked(runs, known_runs, workflow):
    """Queries that do the same, with the runs they are about: (kind, k) to a list of (query, models, factual)."""
    groups = defaultdict(list)
    for known in known_runs:
        run, task = runs[known.run_id], Task(workflow, known.run_id)
        models = [workflow.models.index(step.model) for step in run.steps]
        factual = [task.meaning(step.k, step.result) for step in run.steps]
        for query in known.queries:
            groups[query.kind, query.k].append((query, models, factual))
    return groups


def answers(workflow, kind, k, rows):
    """The kernel's answers to one what-if of many runs, one a row, and their standard errors."""
    models = torch.tensor([models for _, models, _ in rows])
    factual = torch.tensor([factual for _, _, factual in rows])
    facts = facts_of(list(models.T), [(pair[:, 0], pair[:, 1]) for pair in factual.transpose(0, 1)])
    does = actions_of({k: GOOD}) if kind == "action" else actions_of({}, dict.fromkeys(range(k, workflow.steps), 1))
    twin = counterfactual(world(workflow), facts, does, particles=PARTICLES, rows=len(rows), seed=k)
    values = 1 - twin[f"result/{workflow.steps - 1}"].double()
    values = values.expand(PARTICLES, len(rows))
    mean = (twin.weights * values).sum(0)
    size = 1 / twin.weights.square().sum(0)
    return mean.numpy(), (mean * (1 - mean) / size).clamp(min=1 / size**2).sqrt().numpy()


@pytest.mark.data
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("most", [12, pytest.param(None, marks=pytest.mark.slow)])
def test_the_kernel_agrees_with_the_exact_posterior_and_the_shipped_truth(data, regime, most):
    shipped_runs = shipped_world(data / "credit_world", regime)
    workflow = shipped_runs.workflow
    failed = [known for known in shipped_runs.truth if known.queries][:most]
    compared = 0
    for (kind, k), rows in asked({run.run_id: run for run in shipped_runs.runs}, failed, workflow).items():
        found, errors = answers(workflow, kind, k, rows)
        for p, error, (query, models, factual) in zip(found, errors, rows, strict=True):
            put = {k: GOOD} if kind == "action" else {}
            swapped = tuple(models) if put else (*models[:k], *(1 for _ in range(k, workflow.steps)))
            exact = Posterior(workflow, tuple(models), tuple(factual)).counterfactual(put, swapped)
            assert abs(p - exact) <= ERRORS * error, (query, p, exact)
            assert abs(p - query.p_cf) <= ERRORS * np.hypot(error, TOLD)
            compared += 1
    assert compared == sum(len(known.queries) for known in failed) > 0


def test_the_log_is_kept_when_nothing_is_done():
    workflow = shipped(repair=True)
    values = observe(world(workflow), seed=4).run.values
    facts = {site: value for site, value in values.items() if site != "fault"}
    twin = counterfactual(world(workflow), facts, {}, particles=100)
    assert all(np.all(np.asarray(twin[site] == value)) for site, value in facts.items())


def test_the_logged_option_done_again_changes_nothing():
    workflow = shipped(repair=False)
    values = observe(world(workflow), seed=9).run.values
    facts = {site: value for site, value in values.items() if site != "fault"}
    for k, kind in product(range(10), ("choice", "model")):
        same = facts[f"{kind}/{k}"]
        does = actions_of({k: same}) if kind == "choice" else actions_of({}, {k: same})
        twin = counterfactual(world(workflow), facts, does, particles=20)
        assert np.all(np.asarray(twin["result/9"] == facts["result/9"]))


@pytest.mark.data
@pytest.mark.parametrize("regime", REGIMES)
def test_the_laws_are_those_of_the_logs(data, regime):
    shipped_runs = shipped_world(data / "credit_world", regime)
    workflow = shipped_runs.workflow
    for run in shipped_runs.runs[:50]:
        task = Task(workflow, run.task)
        models = [workflow.models.index(step.model) for step in run.steps]
        facts = facts_of(models, [task.meaning(step.k, step.result) for step in run.steps])
        answer = observe(world(workflow), {**facts, "fault": -1}, seed=0)
        for step in run.steps:
            equation = answer.run.equation(f"choice/{step.k}")
            found = equation.mechanism.log_prob(facts[f"choice/{step.k}"], *equation.inputs)
            assert float(found) == pytest.approx(step.logprobs[step.action], abs=1e-12)
