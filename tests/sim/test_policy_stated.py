"""Whole runs replayed in a stated world: known answers where the log hides what moved choices, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ifonly.agents.errors import ActionError, UnknownName
from ifonly.agents.tables import Table
from ifonly.scenarios.hidden_router import ARMS, sample, truth, world
from ifonly.scm.errors import NotApplicable
from ifonly.scm.finite import choice
from ifonly.scm.kernel import endogenous
from ifonly.scm.policy.rules import Leaf, Split, Tree
from ifonly.sim.policy import Columns, RunsValuing, Target, decisions_of
from ifonly.sim.policy.features import Encoding, Number
from ifonly.sim.policy.stated import REPLAYED, RunsInWorld
from ifonly.sim.policy.targets import parse_steps, parse_target
from ifonly.sim.policy.trajectories import STEP, with_steps

READS_DRAFT = Target(
    name="small for good drafts",
    rule=Tree(arms=ARMS, root=Split(feature="draft", at=0.5, at_most=Leaf(arm="large"), above=Leaf(arm="small"))),
    encoding=Encoding(columns=(Number(column="draft"),)),
)
POLICIES = {
    "large": (parse_target("large", ARMS), lambda step, draft: 0),
    "small": (parse_target("small", ARMS), lambda step, draft: 1),
    "large first": (parse_steps("large@0 else small", ARMS, STEP), lambda step, draft: step),
    "by the draft": (READS_DRAFT, lambda step, draft: draft),
}


def valuing(table):
    told = with_steps(table, "run")
    return RunsValuing(decisions_of(told, Columns("model", "solved", context=("draft",))), told, "run", "fitted")


def stated(table, program=world, **fields):
    return RunsInWorld("world", program, valuing(table), "model", "solved", **fields)


@pytest.fixture(scope="module")
def made():
    return stated(sample(2_000, seed=1))


@pytest.mark.parametrize("name", POLICIES)
def test_replay_finds_the_truth_that_the_log_hides(made, name):
    """Within 4.5 standard errors: fails below 1e-5. Weighting by what the log shows is .05 off for one model alone."""
    target, policy = POLICIES[name]
    found = made.value(target)
    assert abs(found.value - truth(policy)) < 4.5 * found.standard_error
    assert found.standard_error < 0.02
    if name in ("large", "small"):
        answer = made.beside(made.valuing.value(target))
        assert abs(answer.estimates["sequential dr"].value - truth(policy)) > 0.05
        replayed = answer.estimates[REPLAYED]
        assert (replayed.rung, replayed.identified, replayed.noise) == ("counterfactual", "assumed", "world")
        assert any(REPLAYED in line for line in answer.assumes)


def test_a_policy_that_does_what_was_done_gives_back_what_came_of_it():
    """Composition (Pearl, Causality, section 7.3.1): of runs that took large at both steps, each its own outcome."""
    rows = sample(500, seed=2).columns
    large = {run for run, model in zip(rows["run"], rows["model"], strict=True) if model == "large"}
    large -= {run for run, model in zip(rows["run"], rows["model"], strict=True) if model == "small"}
    kept = [at for at, run in enumerate(rows["run"]) if run in large]
    table = Table("large", {name: [cells[at] for at in kept] for name, cells in rows.items()})
    arms = Columns("model", "solved", prices=dict.fromkeys(ARMS, 1.0))
    told = with_steps(table, "run")
    runs = RunsValuing(decisions_of(told, arms), told, "run", "fitted")
    found = RunsInWorld("world", world, runs, "model", "solved").value(POLICIES["large"][0])
    assert found.value == pytest.approx(2 * np.mean(told.numbers("solved")))


def changed(program):
    """The log with its world in place of the router's."""
    return stated(sample(40), program)


def one_step():
    endogenous("model/0", choice((0, 1)))
    endogenous("solved/0", choice((0, 1)))


def no_choice():
    endogenous("solved/1", choice((0, 1)))


def no_reward_at_the_end():
    endogenous("solved/0", choice((0,)))
    for step in (0, 1):
        endogenous(f"model/{step}", choice((0, 1)))


def never_solved():
    for step in (0, 1):
        endogenous(f"model/{step}", choice((0, 1)))
    endogenous("solved/1", choice((0,)))


def broken():
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("program", "error", "told"),
    [
        (one_step, ActionError, "40 of 40 runs have another number of steps than its 1, for instance 2"),
        (no_choice, UnknownName, "model/0"),
        (no_reward_at_the_end, ActionError, "rewards at step 1, and the world has none there"),
        (never_solved, NotApplicable, "the log do not agree"),
        (broken, ActionError, "running it failed: ZeroDivisionError"),
    ],
)
def test_a_world_that_is_not_the_logs(program, error, told):
    with pytest.raises(error, match=told):
        changed(program).value(POLICIES["large"][0])


def test_policies_that_cannot_be_replayed():
    made = stated(sample(40))
    answer = made.beside(made.valuing.value(parse_target("uniform", ARMS)))
    assert "draws arms at random" in answer.refused[REPLAYED]
    elsewhere = Target(name="x", rule=READS_DRAFT.rule, encoding=READS_DRAFT.encoding)
    hidden = replace(made, world=never_solved)
    with pytest.raises(UnknownName, match="what model/0 reads in the world has the columns step"):
        replace(hidden, valuing=valuing(solved_never())).value(elsewhere)
    with pytest.raises(NotApplicable, match=r"draw more \(--particles\)"):
        stated(sample(40), particles=3).value(POLICIES["large"][0])


def solved_never():
    rows = sample(40).columns
    return Table("never", {**rows, "solved": [0.0] * len(rows["solved"])})


@pytest.mark.slow
def test_intervals_cover():
    """Of 60 logs of 300 runs no fewer than 50 intervals of 95 % hold the truth: P(fewer) = 2e-4 for each policy."""
    for target, policy in POLICIES.values():
        told = [stated(sample(300, seed)).value(target).estimate() for seed in range(100, 160)]
        assert sum(one.low <= truth(policy) <= one.high for one in told) >= 50
