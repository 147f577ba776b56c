"""The three questions: rungs, weights, rows, verdicts, estimates, fresh noise, and the state they must leave alone."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from torch import tensor

from ifonly.scm.actions import Map, Put, Redraw, Swap
from ifonly.scm.continuous import Additive
from ifonly.scm.discrete import Threshold
from ifonly.scm.errors import ImpossibleEvidence, NeverReached, NotApplicable, ReachedTwice
from ifonly.scm.finite import Finite, choice
from ifonly.scm.fixed import Function, given, latent
from ifonly.scm.handlers import Abduct
from ifonly.scm.handover import counterfactual_from, nuts
from ifonly.scm.kernel import endogenous
from ifonly.scm.queries import counterfactual, intervene, observe
from ifonly.scm.recorded import Pinned

NORMAL = dist.Normal(0.0, 1.0)


def confounded():
    """U -> X, U -> Y, X -> Y: seeing X is not doing X. E[Y | X=1] = 1 + .5, E[Y | do(X=1)] = 1."""
    u = latent("U", NORMAL)
    x = endogenous("X", Additive(lambda u: u, NORMAL), u)
    endogenous("Y", Additive(lambda x, u: x + u, NORMAL), x, u)


def tools():
    """Two tools whose success hangs on one difficulty: A works iff U > .7, B iff U > .5."""
    u = latent("U", dist.Uniform(0.0, 1.0))
    tool = given("tool", "A")
    endogenous("works", Function(lambda u, t: 1.0 * (u > (0.7 if t == "A" else 0.5))), u, tool)


def covers(estimate, truth, width):
    assert estimate.low <= truth <= estimate.high
    assert estimate.high - estimate.low < width


CERTAIN = 1 - 1e-6


def test_the_three_rungs_differ():
    seen = observe(confounded, {"X": 1.0}, particles=100_000).estimate("Y", CERTAIN)
    done = intervene(confounded, {"X": Put(1.0)}, particles=100_000).estimate("Y", CERTAIN)
    covers(seen, 1.5, 0.1)
    covers(done, 1.0, 0.1)
    # Given X = 0 and Y = 2, U is 2/3 on average, and U and the noise of Y sum to 2 whatever U: Y would have been 3.
    twin = counterfactual(confounded, {"X": 0.0, "Y": 2.0}, {"X": Put(1.0)}, particles=100_000)
    assert float(twin.mean("Y")) == pytest.approx(3.0, abs=1e-9)
    covers(twin.estimate("U", CERTAIN), 2 / 3, 0.1)
    assert (seen.rung, done.rung, twin.estimate("Y").rung) == ("observed", "interventional", "counterfactual")
    assert (done.identified, done.noise) == ("point", None)
    assert (twin.estimate("Y").identified, twin.estimate("Y").noise) == ("assumed", "additive")


def test_tools_that_share_a_latent():
    """DESIGN section 5, case 3: P(B would have worked | A failed) = 2/7, not 1/2."""
    twin = counterfactual(tools, {"works": 0.0}, {"tool": Put("B")}, particles=100_000)
    covers(twin.estimate("works", CERTAIN), 2 / 7, 0.05)
    assert twin.verdict == "ample"


def test_a_noisy_tool_keeps_its_noise_when_decisions_change():
    """DESIGN section 5, case 4: with deterministic decisions, only fresh tool noise can change the outcome."""

    def world():
        plan = given("plan", "search")
        tool = endogenous("tool", Threshold(lambda p: 0.4), plan)
        endogenous("answer", Function(lambda t: t), tool)

    facts = {"tool": 0.0, "answer": 0.0}
    assert float(counterfactual(world, facts, {"plan": Put("look up")}, particles=100).mean("answer")) == 0.0
    redrawn = counterfactual(world, facts, {"tool": Redraw()}, particles=100_000)
    covers(redrawn.estimate("answer", CERTAIN), 0.4, 0.05)
    assert redrawn.fresh == ("tool",)
    assert redrawn.assumed is None


def test_a_bad_plan_is_the_earliest_decisive_step():
    """DESIGN section 5, case 2: a self-check rescues a bad plan one time in ten; it did not, and the plan decided."""

    def world():
        plan = endogenous("step/0", choice(["bad", "good"], [0.5, 0.5]))
        check = endogenous("step/3", Finite(lambda u, p: p == "good" or u, (True, False), (0.1, 0.9)), plan)
        endogenous("success", Function(float), check)

    facts = {"step/0": "bad", "step/3": False, "success": 0.0}
    assert counterfactual(world, facts, {"step/0": Put("good")})["success"] == 1.0
    rate = sum(counterfactual(world, facts, {"step/3": Redraw(f"again/{i}")})["success"] for i in range(1000)) / 1000
    assert rate == pytest.approx(0.1, abs=0.05)


def test_facts_after_the_action_are_no_counterfactual():
    """Primer 4.3.1, a = 2, b = 3: E[Y | do(X=1), Z=1] = 3 where the counterfactual E[Y_x | Z=1] is 9."""

    def world():
        x = endogenous("X", choice([0, 1]))
        z = endogenous("Z", Additive(lambda x: 2 * x, dist.Bernoulli(tensor(0.5))), x)
        endogenous("Y", Function(lambda z: 3 * z), z)

    with pytest.raises(ImpossibleEvidence):
        intervene(world, {"X": Put(1)}, {"Z": 1.0}, particles=50)
    assert float(intervene(world, {"X": Put(0)}, {"Z": 1.0}, particles=50).mean("Y")) == 3.0
    assert float(counterfactual(world, {"Z": 1.0}, {"X": Put(1)}, particles=50).mean("Y")) == pytest.approx(9.0)


def test_a_site_cannot_be_set_and_observed_at_once():
    with pytest.raises(NotApplicable, match="'X'"):
        intervene(confounded, {"X": Put(1.0)}, {"X": 1.0})


def test_evidence_on_a_deterministic_site_conditions():
    """Pyro's condition on a deterministic site is silently none: the mean of U would stay .5."""
    answer = observe(tools, {"works": 1.0}, particles=50_000)
    covers(answer.estimate("U", CERTAIN), 0.85, 0.02)


@pytest.mark.parametrize("particles", [None, 200])
@pytest.mark.parametrize(
    "facts", [{"works": 0.5}, {"works": math.nan}, {"U": 0.9, "works": 0.0}, {"U": 1.5}, {"tool": "C"}]
)
def test_evidence_that_cannot_hold_raises(facts, particles):
    with pytest.raises(ImpossibleEvidence, match=r"cannot condition on site '(works|U|tool)'"):
        counterfactual(tools, facts, {}, particles=particles)


@pytest.mark.parametrize("particles", [None, 3])
def test_impossible_rows_are_counted(particles):
    facts = {"X": tensor([0.0, math.nan, math.inf, 1.0])}
    with pytest.raises(ImpossibleEvidence, match="in 2 of 4 rows"):
        counterfactual(confounded, facts, {}, rows=4, particles=particles)


def test_rows_and_particles():
    rows = tensor([0.0, 1.0, 2.0])
    twin = counterfactual(confounded, {"X": rows}, {"X": Put(rows + 1)}, rows=3, particles=50_000)
    assert twin["Y"].shape == (50_000, 3)
    # Y_{x+1} = x + 1 + U + noise with E[U | X = x] = x / 2.
    torch.testing.assert_close(twin.mean("Y"), 1.5 * rows + 1, atol=0.1, rtol=0)
    change = twin.estimate(lambda t: t.counterfactual["Y"] - t.factual["Y"])
    assert change.value == pytest.approx(1.0, abs=1e-9)


def test_rows_are_one_sample_each():
    facts = {site: torch.linspace(0, 1, 50) for site in ("U", "X", "Y")}
    twin = counterfactual(confounded, facts, {"X": Put(tensor(2.0))}, rows=50)
    estimate = twin.estimate("Y")
    assert twin.verdict == "settled"
    assert (estimate.effective, estimate.level) == (50.0, 0.95)
    assert estimate.value == pytest.approx(2.0)


def test_low_effective_size_and_the_hand_over():
    """A tight measurement leaves one of 500 particles effective; NUTS on the noise gives the right number.

    U ~ N(0, 1) seen as 2.5 with error .001; had the scale been doubled, 2 U = 5 within .002.
    """

    def world():
        u = latent("U", NORMAL)
        endogenous("seen", Additive(lambda u: u, dist.Normal(0.0, 0.001)), u)
        endogenous("twice", Function(lambda u, k: k * u), u, given("scale", 1.0))

    facts, actions = {"seen": 2.5}, {"scale": Put(2.0)}
    poor = counterfactual(world, facts, actions, particles=500)
    assert poor.verdict == "low"
    with pytest.raises(ValueError, match="ask for more particles"):
        poor.estimate("twice")
    rich = counterfactual_from(nuts(world, facts, samples=100, warmup=200), world, facts, actions)
    assert rich.verdict == "ample"
    assert float(rich.mean("twice")) == pytest.approx(5.0, abs=0.004)


def test_hand_over_names_its_noise():
    with pytest.raises(NeverReached, match=r"noise at 'U.nose': nearest reached 'U.noise'"):
        counterfactual_from({"U.nose": torch.zeros(3)}, confounded, {}, {})


def test_a_world_under_abduction_is_a_stock_pyro_model():
    trace = poutine.trace(Abduct({"X": tensor(1.0)})(confounded)).get_trace()
    assert set(trace.stochastic_nodes) == {"U.noise", "Y.noise"}
    assert trace.observation_nodes == ["X.evidence"]
    u = trace.nodes["U.noise"]["value"]
    expected = NORMAL.log_prob(u) + NORMAL.log_prob(1 - u) + NORMAL.log_prob(trace.nodes["Y.noise"]["value"])
    assert float(trace.log_prob_sum()) == pytest.approx(float(expected))


def test_soft_actions_share_the_noise():
    facts = {"U": 0.5, "X": 1.0, "Y": 2.0}
    assert float(counterfactual(confounded, facts, {"X": Map(lambda x: x + 1)})["Y"]) == pytest.approx(3.0)
    steeper = Additive(lambda x, u: 3 * x + u, NORMAL)
    assert float(counterfactual(confounded, facts, {"Y": Swap(steeper)})["Y"]) == pytest.approx(4.0)


def test_a_mapped_site_takes_no_evidence():
    with pytest.raises(NotImplementedError, match="takes no evidence"):
        intervene(confounded, {"Y": Map(lambda y: y)}, particles=2).run.equation("Y").mechanism.log_prob(0.0, 0.0, 0.0)


def test_only_what_changed_is_computed_again():
    calls = []

    def world():
        a, b = latent("A", NORMAL), latent("B", NORMAL)
        endogenous("fa", Function(lambda a: calls.append("fa") or a), a)
        endogenous("fb", Function(lambda b: calls.append("fb") or b), b)

    twin = counterfactual(world, {}, {"A": Put(1.0)})
    assert calls == ["fa", "fb", "fa"]
    assert twin.changed == ("A", "fa")


def test_new_sites_get_fresh_noise_and_are_listed():
    def world():
        go = given("go", 0.0)
        if go.value:
            extra = endogenous("extra", Additive(lambda g: 0.0, NORMAL), go)
            endogenous("after", Function(lambda e: e), extra)

    twin = counterfactual(world, {}, {"go": Put(1.0)}, particles=100)
    assert twin.fresh == ("extra", "after")
    assert "extra" not in twin.factual
    assert twin.changed == ("go", "extra", "after")


@pytest.mark.parametrize("query", [observe, lambda w, f: counterfactual(w, f, {})])
def test_misspelt_facts_raise(query):
    with pytest.raises(NeverReached, match=r"fact at 'x': .*'X'|fact at 'x': nothing like it") as caught:
        query(confounded, {"x": 1.0})
    assert caught.value.asked == ("x",)
    assert caught.value.reached == ("U", "X", "Y")


def test_misspelt_actions_raise():
    with pytest.raises(NeverReached, match=r"action at 'worksss': nearest reached 'works'"):
        counterfactual(tools, {}, {"worksss": Put(1.0)})
    with pytest.raises(NeverReached, match="action"):
        intervene(tools, {"toool": Put("B")})


def test_an_error_in_the_world_is_not_masked():
    def world():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        counterfactual(world, {"a": 1}, {})
    assert pyro.poutine.runtime._PYRO_STACK == []


def test_a_site_cannot_be_reached_twice():
    def world():
        latent("a", NORMAL)
        latent("a", NORMAL)

    with pytest.raises(ReachedTwice, match="'a/0'"):
        observe(world)
    assert pyro.poutine.runtime._PYRO_STACK == []


def test_parents_are_nodes():
    with pytest.raises(TypeError, match="given"):
        endogenous("y", Function(lambda x: x), 3.0)  # type: ignore[arg-type]


def test_values_of_unreached_sites_are_refused():
    with pytest.raises(NeverReached, match="nearest reached 'tool'"):
        observe(tools)["tol"]


def test_no_global_random_state_moves():
    def world():
        latent("beta", dist.Beta(tensor(2.0), tensor(3.0)))
        confounded()

    before = pyro.util.get_rng_state()
    observe(world, particles=10)
    intervene(world, {"X": Put(0.0)}, particles=10)
    counterfactual(world, {"X": 0.0}, {"X": Put(1.0)}, particles=10)
    nuts(confounded, {"X": 0.0}, samples=2, warmup=2)
    after = pyro.util.get_rng_state()
    assert torch.equal(before["torch"], after["torch"])
    assert before["random"] == after["random"]
    assert all(
        (a == b) if isinstance(a, str | int | float) else (a == b).all()
        for a, b in zip(before["numpy"], after["numpy"], strict=True)
    )


def test_laws_without_quantiles_are_keyed_too():
    def world():
        latent("beta", dist.Beta(tensor(2.0), tensor(3.0)))

    first, second, other = (observe(world, particles=5, seed=seed)["beta"] for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_world_outside_any_handler_is_ordinary_sampling():
    pinned = endogenous("call", Pinned(key=lambda text: text, pins={"q": "a"}), given("request", "q"))
    assert pinned.value == "a"
    assert latent("u", NORMAL).value.shape == ()


def test_the_graph_after_an_action():
    twin = counterfactual(confounded, {"X": 0.0}, {"X": Put(1.0)}, particles=5)
    assert set(twin.factual.graph.edges) == {("U", "X"), ("U", "Y"), ("X", "Y")}
    assert set(twin.run.graph.edges) == {("U", "Y"), ("X", "Y")}


def test_facts_that_a_single_draw_cannot_weigh():
    """Row by row, U would keep its prior although X and Y tell of it: no number may be read off that."""
    rows = torch.linspace(0, 1, 50)
    twin = counterfactual(confounded, {"X": rows, "Y": rows}, {"X": Put(tensor(1.0))}, rows=50)
    assert (twin.verdict, twin.unweighed) == ("low", ("X", "Y"))
    with pytest.raises(ValueError, match=r"\['X', 'Y'\] inform noise"):
        twin.estimate("Y")
    assert counterfactual(confounded, {"U": rows}, {"X": Put(tensor(1.0))}, rows=50).unweighed == ()


def test_chance_without_particles_has_no_interval():
    with pytest.raises(ValueError, match="more particles"):
        observe(confounded).estimate("Y")
    assert observe(confounded).verdict == "low"
