import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.agents.actions import PromptAction
from ifonly.agents.errors import ProviderError
from ifonly.agents.rerun import Rerun
from ifonly.scenarios.desks import TOOLS, Desks, law, record, shares, success
from ifonly.scenarios.scripted import ScriptedModel
from ifonly.scm.draw import Draw
from ifonly.scm.gumbel import transition
from ifonly.sim.choice import Choice, chosen
from ifonly.sim.live import Counted
from ifonly.sim.rollout import Effort
from ifonly.sim.twin import identical
from ifonly.sim.whatif_live import whatif_live

weights = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(
    lambda w: {k: x / sum(w) for k, x in zip("abc", w, strict=True)}
)


@settings(max_examples=200, deadline=None)
@given(weights, st.sampled_from("abc"), st.integers(0, 10**6))
def test_the_same_law_gives_the_same_choice(p, factual, seed):
    assert chosen(Draw(seed), "0/agent/0", p, p, factual) == factual


@settings(max_examples=200, deadline=None)
@given(weights, weights, st.sampled_from("abc"), st.integers(0, 10**6))
def test_counterfactual_stability(p, q, factual, seed):
    """Oberst and Sontag 2019, definition 3: no switch to an option whose odds fell against the factual one."""
    other = chosen(Draw(seed), "0/agent/0", q, p, factual)
    assert other == factual or q[other] / p[other] >= q[factual] / p[factual] * (1 - 1e-9)


def test_choices_follow_the_closed_form():
    """p = (.5, .3, .2), q = (.2, .3, .5), i = 1st: .4, .1385, .4615 (known_answers). Chi-square with 2 degrees of
    freedom over 4,000 seeds; the bound 27.6 is exceeded with probability 1e-6."""
    p, q = {"a": 0.5, "b": 0.3, "c": 0.2}, {"a": 0.2, "b": 0.3, "c": 0.5}
    exact = transition([0.5, 0.3, 0.2], [0.2, 0.3, 0.5])[0]
    np.testing.assert_allclose(exact, [0.4, 0.1385, 0.4615], atol=1e-4)
    draws = [chosen(Draw(seed), "0/agent/0", q, p, "a") for seed in range(4_000)]
    counts = np.array([draws.count(k) for k in "abc"])
    assert float(((counts - 4_000 * exact) ** 2 / (4_000 * exact)).sum()) < 27.6


def test_without_a_recording_the_noise_keeps_its_prior():
    q = {"a": 0.2, "b": 0.3, "c": 0.5}
    draws = [chosen(Draw(seed), "0/agent/9", q, None, None) for seed in range(4_000)]
    counts, exact = np.array([draws.count(k) for k in "abc"]), np.array([0.2, 0.3, 0.5])
    assert float(((counts - 4_000 * exact) ** 2 / (4_000 * exact)).sum()) < 27.6


def ask(run, care, *, tells=True, asks=8, particles=1, seed=0):
    counted = Counted(ScriptedModel(law, tells=tells))
    prompt = PromptAction(site="system/0", content=f"care {care}")
    replies = Choice(counted, seed, asks)
    return whatif_live(
        run, [prompt], replies, counted, effort=Effort(particles=particles), environment=Desks(), seed=seed
    ).answer


def test_desks_prove_themselves():
    """The share of 300 recorded runs that succeed is within 5 sd of the truth (false-failure rate 6e-7)."""
    runs = [record(0.7, seed) for seed in range(300)]
    assert all(identical(run, Rerun(Desks())) for run in runs[:20])
    share, truth = np.mean([run.outcome.scores["success"] for run in runs]), success(0.7)
    assert abs(share - truth) < 5 * (truth * (1 - truth) / 300) ** 0.5
    assert sum(shares(0.7, 1, True).values()) == pytest.approx(1)
    assert success(1.0) == 1
    assert [tool.name for tool in TOOLS] == ["stamp", "sign", "file"]


@pytest.mark.parametrize("tells", [True, False])
def test_no_change_of_law_gives_the_recorded_run(tells):
    """The prompt is spelled otherwise and means the same: with log-probabilities every particle is the recorded run."""
    run = record(0.7, 3)
    answer = ask(run, "0.70", tells=tells, particles=6, asks=40)
    outcome = answer.outcomes["success"]
    assert (outcome.control, outcome.counterfactual.rung) == (None, "counterfactual")
    assert (outcome.counterfactual.identified, outcome.counterfactual.noise) == ("assumed", "Gumbel-max")
    if tells:
        assert outcome.change.value == 0
        said = {step.site: step.counterfactual.tool_calls for step in answer.steps if step.site.startswith("agent/")}
        assert said == {s.site: s.reply.tool_calls for s in run.steps if s.kind == "model"}


def test_the_mean_over_recorded_runs_is_the_interventional_truth():
    """Counterfactuals averaged over factual runs are the effect. 60 runs; 5 sd."""
    changes = []
    for seed in range(60):
        run = record(0.65, seed)
        changes.append(ask(run, 0.75, seed=seed).outcomes["success"].change.value)
    assert abs(np.mean(changes) - (success(0.75) - success(0.65))) < 5 * np.std(changes) / 60**0.5
    assert np.std(changes) < 0.55


def test_an_impossible_recorded_option_is_told():
    run = record(0.7, 0)
    never = ScriptedModel(lambda request: [(reply, p) for reply, p in law(request) if p < 0.5], tells=True)
    counted = Counted(never)
    bare = run.model_copy(
        update={"steps": tuple(s.model_copy(update={"logprobs": None}) if s.kind == "model" else s for s in run.steps)}
    )
    prompt = PromptAction(site="system/0", content="care 0.8")
    with pytest.raises(ProviderError, match="no probability"):
        whatif_live(bare, [prompt], Choice(counted, 0), counted, effort=Effort(particles=1), environment=Desks())


def test_shared_asks_are_made_once():
    counted = Counted(ScriptedModel(law))
    choice = Choice(counted, 0, asks=5)
    request = record(0.7, 0).steps[2].request

    async def all_at_once():
        return await asyncio.gather(*(choice._shared(request, n % 5) for n in range(20)))

    asyncio.run(all_at_once())
    assert counted.live == 5
