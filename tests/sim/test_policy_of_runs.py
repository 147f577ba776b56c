"""Whole runs on the way from tables and recorded runs to answers: known values, support, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ifonly.agents.errors import ActionError, InputError, UnknownName
from ifonly.agents.tables import table_of
from ifonly.scenarios.inbox import sample
from ifonly.sim.policy import Columns, RunsValuing, choices_table, decisions_of, parse_choice, parse_target
from ifonly.sim.policy.targets import parse_steps
from ifonly.sim.policy.trajectories import STEP, with_steps

ARMS = ("large", "small")


def rows(runs=800, seed=0):
    """Two steps: large at both solves .9, at one .6, at none .3; the first is chosen evenly, the second as chat is."""
    generator = np.random.default_rng(seed)
    made = []
    for number in range(runs):
        chat = generator.random() < 0.5
        chances = (0.5, 0.3 if chat else 0.7)
        large = generator.random(2) < chances
        solved = generator.random() < 0.3 + 0.3 * large.sum()
        for step in range(2):
            taken = chances[step] if large[step] else 1 - chances[step]
            row = ("large" if large[step] else "small", taken, float(chat), float(solved) * step, f"task {number // 4}")
            made.append((f"run {number}", *row, float(step and large[0])))
    return dict(zip(("run", "model", "p", "chat", "solved", "task", "before"), zip(*made, strict=True), strict=True))


@pytest.fixture(scope="module")
def table():
    return with_steps(table_of({name: list(column) for name, column in rows().items()}), "run")


@pytest.fixture(scope="module")
def valuing(table):
    columns = Columns("model", "solved", ("chat", "before"), propensity="p", cluster="task")
    return RunsValuing(decisions_of(table, columns), table, "run")


@pytest.mark.parametrize(
    ("text", "truth"), [("large@0-1 else small", 0.9), ("large@1 else small", 0.6), ("small@0,1 else large", 0.3)]
)
def test_policies_by_step_come_to_what_they_are_worth(valuing, text, truth):
    """Four and a half standard errors: fails with probability below 1e-5 for each of six estimators."""
    answer = valuing.value(parse_steps(text, ARMS, STEP))
    assert (answer.verdict, answer.estimator) == ("answered", "sequential dr")
    assert set(answer.estimates) == {"naive", "tis", "pdis", "sntis", "snpdis", "sequential dr", "fqe"}
    for name, one in answer.estimates.items():
        if name != "naive":
            assert one.value == pytest.approx(truth, abs=4.5 * (one.high - one.low) / 3.9), name
    assert answer.value == answer.estimates["sequential dr"]
    assert answer.change.value == pytest.approx(answer.value.value - answer.logging.value)
    assert answer.support.rounds == 800
    bounds = answer.bounds["nothing"]
    assert bounds.low < truth < bounds.high


def test_fitted_q_needs_what_later_rewards_hang_on(table):
    """Without the first choice in the second context it takes one for the other; what weighs does not need it."""
    decisions = decisions_of(table, Columns("model", "solved", ("chat",), propensity="p"))
    answer = RunsValuing(decisions, table, "run").value(parse_steps("small@0,1 else large", ARMS, STEP))
    assert answer.estimates["fqe"].low > 0.35
    assert answer.value.low < 0.3 < answer.value.high


def test_a_mixture_is_followed_at_every_step(valuing):
    answer = valuing.value(parse_target("large=0.5,small=0.5", ARMS))
    assert answer.value.low < 0.6 < answer.value.high


def test_a_policy_that_no_run_followed_is_bounded_and_weighting_refuses(table):
    tried = {
        r for r, m, k in zip(*(table.columns[c] for c in ("run", "model", STEP)), strict=True) if k and m == "large"
    }
    kept = [n for n, run in enumerate(table.columns["run"]) if run not in tried]
    small = with_steps(table_of({name: [column[n] for n in kept] for name, column in table.columns.items()}), "run")
    decisions = decisions_of(small, Columns("model", "solved", ("chat",), propensity="p"))
    answer = RunsValuing(decisions, small, "run", intervals="bootstrap").value(
        parse_steps("large@1 else small", ARMS, STEP)
    )
    assert answer.verdict == "bounds only"
    assert answer.value.identified == "bounds"
    assert {"tis", "pdis", "sntis", "snpdis", "sequential dr"} == set(answer.refused)
    assert "up to step 1" in answer.refused["tis"]
    assert set(answer.estimates) == {"naive", "fqe"}
    assert answer.change is None


def test_runs_are_resampled_by_task(valuing):
    target = parse_steps("large@0-1 else small", ARMS, STEP)
    plain, drawn = valuing.value(target), replace(valuing, intervals="bootstrap", repeats=400).value(target)
    for one, other in ((drawn.value, plain.value), (drawn.change, plain.change)):
        assert one.value == other.value
        assert (one.high - one.low) / (other.high - other.low) == pytest.approx(1, abs=0.25)
    assert drawn.estimates["fqe"] == plain.estimates["fqe"]


def test_fitted_propensities_never_see_their_run(table):
    decisions = decisions_of(table, Columns("model", "solved", ("chat", STEP)))
    answer = RunsValuing(decisions, table, "run", "fitted").value(parse_steps("large@0-1 else small", ARMS, STEP))
    assert answer.value.low < 0.9 < answer.value.high
    assert any("fitted" in line for line in answer.assumes)


def test_a_run_of_two_groups_is_refused(table):
    torn = replace(table, columns={**table.columns, "task": [str(n) for n in range(len(table))]})
    decisions = decisions_of(torn, Columns("model", "solved", propensity="p", cluster="task"))
    with pytest.raises(InputError, match="lies in two groups"):
        RunsValuing(decisions, torn, "run").value(parse_target("large", ARMS))


def test_steps_are_counted_within_runs():
    table = with_steps(table_of({"run": ["a", "b", "a", "a", "b"]}), "run")
    assert table.columns[STEP] == [0.0, 0.0, 1.0, 2.0, 1.0]
    with pytest.raises(InputError, match="names no run"):
        with_steps(table_of({"run": ["a", None]}), "run")


@pytest.mark.parametrize(
    "text", ["large@5,6,8 else small", "large@0-2 else small", "small@1 else large@3-4 else small"]
)
def test_a_policy_by_step_says_which_arm_at_which_step(text):
    table = table_of({STEP: [float(n) for n in range(10)]})
    policy = parse_steps(text, ARMS, STEP).policy(table, ARMS)[:, 0]
    want = {
        "large@5,6,8 else small": {5, 6, 8},
        "large@0-2 else small": {0, 1, 2},
        "small@1 else large@3-4 else small": {3, 4},
    }[text]
    assert set(np.flatnonzero(policy).tolist()) == want


@pytest.mark.parametrize(
    ("text", "error"),
    [("huge@1 else small", UnknownName), ("large@x else small", ActionError), ("large@1 else huge", UnknownName)],
)
def test_policies_by_step_that_cannot_be_read(text, error):
    with pytest.raises(error):
        parse_steps(text, ARMS, STEP)


def test_every_model_step_of_recorded_runs_is_a_row():
    runs = sample(5)
    table, without = choices_table(runs, parse_choice("tool@*"), "runs")
    assert without == 0
    for run in runs:
        mine = [n for n, id in enumerate(table.texts("run")) if id == run.id]
        assert len(mine) == sum(step.kind == "model" for step in run.steps)
        scores = [table.columns["score.security"][n] for n in mine]
        assert scores == [0.0] * (len(mine) - 1) + [float(run.outcome.scores["security"])]
