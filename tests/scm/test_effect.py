"""Effects on two rungs, the treated, and several worlds in one noise."""

from __future__ import annotations

import pyro.distributions as dist
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor

from ifonly.scm.actions import Put, Redraw, Swap
from ifonly.scm.continuous import Additive
from ifonly.scm.effect import but_for, effect, treated
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.errors import ImpossibleEvidence, NeverReached
from ifonly.scm.finite import Finite, choice, table
from ifonly.scm.fixed import Exogenous, Function
from ifonly.scm.kernel import endogenous
from ifonly.scm.nested import Cause, Sampling, nested, under
from ifonly.scm.queries import counterfactual, intervene

SURE = 1 - 1e-6
NORMAL = dist.Normal(0.0, 1.0)


def tools():
    """DESIGN, section 5, case 3: A works iff U > .7, B iff U > .5; U in ten equal cells, named by their middles."""
    u = endogenous("U", choice([i / 10 + 0.05 for i in range(10)]))
    tool = endogenous("tool", choice(["A", "B"]))
    endogenous("works", Function(lambda u, tool: float(u > {"A": 0.7, "B": 0.5}[tool])), u, tool)


def test_the_other_tool_would_have_worked_two_times_in_seven():
    found = effect(tools, {"tool": "A", "works": 0.0}, {"tool": Put("B")}, "works")
    assert found.counterfactual.done.value == pytest.approx(2 / 7)
    assert found.counterfactual.undone.value == 0
    assert found.counterfactual.change.value == pytest.approx(2 / 7)
    assert found.interventional.done.value == pytest.approx(1 / 2)
    assert found.interventional.undone.value == pytest.approx(3 / 10)
    assert found.interventional.change.value == pytest.approx(2 / 10)
    rungs = [found.counterfactual.done.rung, found.counterfactual.undone.rung, found.interventional.change.rung]
    assert rungs == ["counterfactual", "observed", "interventional"]
    assert found.counterfactual.change.identified == found.interventional.change.identified == "exact"


def test_particles_agree():
    """Intervals of false-failure rate 1e-6 each."""
    u = torch.linspace(0.05, 0.95, 10)

    def world():
        cell = endogenous("U", Exogenous(dist.Categorical(torch.ones(10))))
        tool = endogenous("tool", Exogenous(dist.Bernoulli(tensor(0.5))))
        endogenous("works", Function(lambda c, t: (u[c.long()] > 0.7 - 0.2 * t).double()), cell, tool)

    facts = {"tool": tensor(0.0), "works": tensor(0.0)}
    found = effect(world, facts, {"tool": Put(tensor(1.0))}, "works", Sampling(40_000, level=SURE))
    for estimate, value in [
        (found.counterfactual.done, 2 / 7),
        (found.counterfactual.undone, 0.0),
        (found.counterfactual.change, 2 / 7),
        (found.interventional.done, 0.5),
        (found.interventional.undone, 0.3),
        (found.interventional.change, 0.2),
    ]:
        assert estimate.low - 1e-9 <= value <= estimate.high + 1e-9
        assert estimate.high - estimate.low < 0.06
    # Pairs in one noise: narrower than the arms, which are far from independent.
    change, done = found.interventional.change, found.interventional.done
    assert change.high - change.low < done.high - done.low


def test_the_interventional_side_is_that_of_the_query():
    facts = {"tool": tensor(0.0)}

    def world():
        tool = endogenous("tool", Exogenous(dist.Bernoulli(tensor(0.5))))
        endogenous("y", Additive(lambda t: 2 * t, NORMAL), tool)

    by = Sampling(500, seed=3)
    found = effect(world, facts, {"tool": Put(tensor(1.0))}, "y", by)
    asked = intervene(world, {"tool": Put(tensor(1.0))}, particles=500, seed=3).estimate("y")
    assert found.interventional.done == asked
    assert found.interventional.change.value == pytest.approx(2.0)
    unit = counterfactual(world, facts, {"tool": Put(tensor(1.0))}, particles=500, seed=3).estimate("y")
    assert found.counterfactual.done == unit


def chain():
    """plan -> search -> answer, each step spoilt by what it reads or by itself; a note that nothing reads."""
    plan = endogenous("plan", choice(["good", "bad"], [0.8, 0.2]))
    endogenous("note", Finite(lambda u, p: f"{p} {u}", ("a", "b"), (0.5, 0.5)), plan)
    search = endogenous("search", Finite(lambda u, p: p == "good" and u, (True, False), (0.7, 0.3)), plan)
    endogenous("answer", Finite(lambda u, s: int(s and u), (True, False), (0.9, 0.1)), search)


FAILED = {"plan": "bad", "note": "bad a", "search": False, "answer": 0}


def test_but_for_each_step_of_a_failed_run():
    found = but_for(chain, FAILED, {"plan": "good", "note": "good a", "search": True}, "answer")
    unit = {site: each.counterfactual.change.value for site, each in found.items()}
    # A search that failed under a bad plan says nothing of its own noise.
    assert unit == pytest.approx({"plan": 0.63, "note": 0.0, "search": 0.9})
    fresh = {site: each.interventional.change.value for site, each in found.items()}
    assert fresh == pytest.approx({"plan": 0.63, "note": 0.0, "search": 0.9})
    # Facts that an action cannot touch are kept: with the plan bad as it was, the answer stays 0.
    assert found["note"].interventional.done.value == 0


def test_the_logged_action_done_again_gives_the_outcome():
    """Composition: the counterfactual is exactly what was; "do it again" with fresh noise is not."""
    facts = {"plan": "good", "search": False, "answer": 0}
    found = effect(chain, facts, {"plan": Put("good")}, "answer")
    assert (found.counterfactual.done.value, found.counterfactual.change.value) == (0.0, 0.0)
    assert found.interventional.undone.value == pytest.approx(0.63)


def test_other_actions_than_put():
    facts = {"plan": "good", "search": False, "answer": 0}
    redrawn = effect(chain, facts, {"search": Redraw()}, "answer")
    assert redrawn.counterfactual.done.value == pytest.approx(0.63)
    assert redrawn.interventional.done.value == pytest.approx(0.63)
    assert redrawn.interventional.undone.value == 0  # with the logged search put again
    better = Finite(lambda u, p: p == "good", (True, False), (0.7, 0.3))
    swapped = effect(chain, facts, {"search": Swap(better)}, lambda run: run["answer"])
    assert swapped.counterfactual.change.value == pytest.approx(0.9)


def test_misspelt_names_raise():
    with pytest.raises(NeverReached, match="action at 'plam': nearest reached 'plan'"):
        effect(chain, FAILED, {"plam": Put("good")}, "answer")
    with pytest.raises(NeverReached, match="fact at 'serch'"):
        effect(chain, {"serch": 1}, {"plan": Put("good")}, "answer")
    with pytest.raises(ImpossibleEvidence):
        effect(chain, {"plan": "bad", "answer": 1}, {"plan": Put("good")}, "answer")


def confounded():
    """Those who are treated are those whom it helps."""
    u = endogenous("U", choice([0, 1], [0.6, 0.4]))
    x = endogenous("X", Finite(lambda e, u: int(u or e), (0, 1), (0.9, 0.1)), u)
    endogenous("Y", Function(lambda u, x: 3 * u * x + x), u, x)


def test_the_treated_are_not_everybody():
    """E[Y_1 - Y_0 | X = 1] = 1 + 3 P(U = 1 | X = 1) = 1 + 3 (.4 / .46); on average 1 + 3 (.4)."""
    assert treated(confounded, Cause("X", 1, 0), "Y").value == pytest.approx(1 + 3 * 0.4 / 0.46)
    assert treated(confounded, Cause("X", 0, 1), "Y").value == pytest.approx(-1.0)
    assert treated(confounded, Cause("X", 1, 0), "Y", {"U": 0}).value == pytest.approx(1.0)
    average = effect(confounded, {}, {"X": Put(1)}, "Y").interventional.done.value
    assert average == pytest.approx(1 + 3 * 0.4)


# ---- several worlds in one noise

ROWS = tensor([[[0.2, 0.8], [0.6, 0.4]], [[0.9, 0.1], [0.3, 0.7]]])


def tabled():
    u = endogenous("u", Exogenous(dist.Categorical(tensor([0.3, 0.7]))))
    x = endogenous("x", Function(lambda u: u), u)
    m = endogenous("m", table(ROWS[1]), x)
    endogenous("y", table(ROWS[:, 0]), m)


@settings(max_examples=8, deadline=None)
@given(st.dictionaries(st.sampled_from(["x", "m", "y"]), st.integers(0, 1)), st.integers(0, 1))
def test_one_stage_is_the_enumerated_counterfactual(facts, value):
    facts = {site: tensor(v) for site, v in facts.items()}
    exact = enumerate_world(tabled, facts, {"x": Put(tensor(value))}).estimate("y")
    found = nested(tabled, facts, {"x": Put(tensor(value))}).estimate(lambda b: b.value(1, "y"))
    assert found.value == pytest.approx(exact.value)
    assert (found.noise, found.identified) == (exact.noise, exact.identified)


@settings(max_examples=8, deadline=None)
@given(st.dictionaries(st.sampled_from(["x", "m", "y"]), st.integers(0, 1)))
def test_the_same_stage_twice_is_one_world(facts):
    """Noise that the first changed world settles is settled: also noise of observed sites, drawn from its posterior."""
    stage = {"x": Put(tensor(1)), "m": Redraw("again")}
    worlds = nested(tabled, {site: tensor(v) for site, v in facts.items()}, stage, stage, {})
    for bundle in worlds.bundles:
        assert bundle.value(1, "y") == bundle.value(2, "y")
        assert bundle.value(3, "y") == bundle.value(0, "y")
    assert sum(bundle.weight for bundle in worlds.bundles) == pytest.approx(1)


def test_particles_share_their_noise_between_stages():
    stage = {"x": Put(tensor(1)), "m": Redraw("again")}
    (bundle,) = nested(tabled, {"y": tensor(1)}, stage, stage, by=Sampling(300)).bundles
    assert torch.equal(bundle.value(1, "y"), bundle.value(2, "y"))


def test_a_later_stage_reads_the_runs_before_it():
    worlds = nested(chain, FAILED, {"plan": Put("good")}, lambda runs: {"search": Put(runs[1]["search"])})
    assert worlds.estimate(lambda b: b.value(1, "answer")).value == pytest.approx(0.63)
    assert worlds.estimate(lambda b: abs(b.value(2, "answer") - b.value(1, "answer"))).value == 0


def test_conditions():
    worlds = nested(tools, {"tool": "A"}, {"tool": Put("B")})
    given_failed = worlds.estimate(lambda b: b.value(1, "works"), lambda b: 1 - b.value(0, "works"))
    assert given_failed.value == pytest.approx(2 / 7)
    assert worlds.estimate(lambda b: b.value(1, "works"), lambda b: 0.0) is None
    sampled = nested(tabled, {}, {"x": Put(tensor(1))}, by=Sampling(50))
    assert sampled.estimate(lambda b: b.value(1, "y"), lambda b: tensor(0.0)) is None


def test_an_action_may_be_part_of_what_is():
    exact = enumerate_world(under(tools, {"tool": Put("B")}), {"works": 1.0})
    assert exact.distribution("tool") == {"B": 1.0}
    assert exact.probability == pytest.approx(0.5)
