"""What the contract tests of worlds do not see: steps as populations, the storm, sensitivity."""

from __future__ import annotations

import pytest

from ifonly.scenarios.agentic.contrasts import difference, shifted
from ifonly.scenarios.agentic.steps import Step, Steps
from ifonly.scenarios.agentic.storm import storm
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.estimate import Estimate
from ifonly.sim.services.client import Client, Retry

STEPS = Steps(
    (
        Step("a", lambda cell: 1 * (cell < 5)),
        Step("b", lambda cell, a: 1 * (cell < 4 + 8 * a), ("a",)),
        Step("c", lambda cell, a, b: a * b, ("a", "b"), (1.0,)),
    )
)


def test_cells_that_act_alike_are_one_type():
    assert STEPS.types["a"] == pytest.approx({0: 0.25, 5: 0.75})
    assert STEPS.types["b"] == pytest.approx({0: 0.2, 4: 0.4, 12: 0.4})
    assert len(STEPS.units) == 6
    assert sum(weight for weight, _ in STEPS.units) == pytest.approx(1.0)


def test_program_and_population_agree_under_facts_and_actions():
    held = [(weight, do) for weight, do in STEPS.units if do({})["c"] == 1]
    assert sum(weight for weight, _ in held) == pytest.approx(0.25 * 0.6)
    made = enumerate_world(STEPS.world, {"c": 1})
    assert made.mean("b") == 1.0
    assert made.probability == pytest.approx(0.25 * 0.6)


def test_retries_keep_a_service_down_after_its_outage():
    once, often = (storm(Client(timeout=2.0, retry=Retry(attempts=n, base=2.0)), seed=0) for n in (1, 4))
    assert once["attempts a call"] == 1.0
    assert once["in the outage"] > 0.9
    assert once["30 s after"] < 0.2
    assert often["30 s after"] > 0.5


def test_shifts_are_of_those_who_were_moved():
    made = Estimate(value=0.2, low=0.1, high=0.3, level=0.95, effective=10.0, rung="interventional", identified="point")
    (row,) = shifted(made, "it holds", (0.01,), share=0.25)
    assert (row.estimate.low, row.estimate.high) == pytest.approx((0.06, 0.34))


def test_a_raw_difference_has_one_stratum():
    sample = {"x": [0, 0, 1, 1], "y": [0.0, 1.0, 1.0, 1.0]}
    assert difference(sample, "x", "y").value == 0.5
