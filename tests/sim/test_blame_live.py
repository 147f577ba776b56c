"""Blame with live calls, on agents whose every probability is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ifonly.agents.actions import ModelAction, PromptAction, RedrawAction
from ifonly.agents.budget import Budget, Metered, Price
from ifonly.agents.errors import ProviderError
from ifonly.scenarios.desks import DESKS, NEEDED, SLIP, TOOLS, Desks, law, record, success
from ifonly.scenarios.scripted import ScriptedModel
from ifonly.scm.draw import Draw
from ifonly.scm.games import DrawnGame
from ifonly.scm.shapley import drawn_shapley, world_coalitions
from ifonly.sim.blame import LiveAsk, blame, plan_blame
from ifonly.sim.choice import Choice
from ifonly.sim.live import Counted, Fresh, Once
from ifonly.sim.rollout import Effort

CARE = 0.6


def failed(at, care=CARE):
    """The first recorded run that fails after these wrong desks alone."""
    for seed in range(2_000):
        run = record(care, seed)
        made = [step.call.name for step in run.steps if step.kind == "tool"]
        wrong = [desk for desk, name in enumerate(made) if name != TOOLS[desk % len(TOOLS)].name]
        if wrong == list(at):
            return run
    raise AssertionError("no such run")


RUN = failed([0, 2])


def ask(model=None, *, noise="fresh", particles=20, seed=0, worlds=0, **fields):
    counted = Counted(model or ScriptedModel(law, tells=True))
    once = Once(counted)
    voices = {"independent": Fresh(once, seed)}
    if noise == "choice":
        voices |= {one: Choice(once, seed, coupling=one) for one in ("gumbel-max", "inverse-cdf")}
    effort = fields.pop("effort", Effort(particles=particles, workers=8))
    return LiveAsk(voices, counted, noise, effort, seed, worlds=worlds, **fields)


def again(t, care=CARE):
    """P(success | desks before t as recorded in RUN, asked again from t), by enumeration."""
    wrong = [0, 2]
    right, slipped = sum(d not in wrong for d in range(t)), t > 0 and t - 1 in wrong
    states = {(right, slipped): 1.0}
    for _ in range(t, DESKS):
        after = {}
        for (n, slip), p in states.items():
            hit = care - SLIP * slip
            after[n + 1, False] = after.get((n + 1, False), 0) + p * hit
            after[n, True] = after.get((n, True), 0) + p * (1 - hit)
        states = after
    return sum(p for (n, _), p in states.items() if n >= NEEDED)


def attempt(answer, site, action):
    row = next(one for one in answer.steps if one.site == site and one.part in ("reply", "prompt"))
    return next(one for one in row.attempts if isinstance(one.action, action) and one.continuation == "live")


@pytest.mark.slow
def test_asking_again_from_each_step_is_as_enumerated():
    """40 particles, or fewer where decided: 5 sd of a proportion; false-failure rate below 1e-5 over 4 arms."""
    told = ask(particles=40)
    answer = blame(RUN, environment=Desks(), live=told)
    for t in range(DESKS):
        found = attempt(answer, f"agent/{t}", RedrawAction)
        truth, n = again(t), found.particles
        assert abs((1 - found.failure.value) - truth) < 5 * math.sqrt(truth * (1 - truth) / n) + 1e-9, t
        assert found.failure.rung == "interventional"
        assert found.control is not None
    assert answer.baselines.rerun_live.low <= success(CARE) <= answer.baselines.rerun_live.high
    assert answer.calls == told.counted.live > 0
    assert answer.cost == pytest.approx(0.01 * answer.calls)


def test_a_better_prompt_is_a_fix_and_its_step_flips():
    """Care 1 succeeds always, 0.6 in about a third: 40 particles prove it, and stop early."""
    answer = blame(RUN, environment=Desks(), live=ask(particles=60, prompts=("care 1.0",), sites=("system/0",)))
    prompt = next(one for one in answer.steps if one.part == "prompt")
    assert (prompt.flips, prompt.kind, answer.earliest) == ("certain", "input", "system/0")
    found = attempt(answer, "system/0", PromptAction)
    assert found.failure.value == 0
    assert found.particles < 60
    assert found.change.low > 0
    assert found.control.low <= 1 - success(CARE) <= found.control.high
    assert answer.live.early >= 1
    assert answer.fixes[0].continuation == "live"
    assert answer.fixes[0].actions == (PromptAction(site="system/0", content="care 1.0"),)
    assert answer.fixes[0].rerun is not None


def test_a_prompt_that_does_nothing_is_no_step_to_blame():
    """The prompt is spelled otherwise: pairs are equal, and the change is 0 in every pair."""
    answer = blame(RUN, environment=Desks(), live=ask(particles=8, prompts=("care 0.60",), sites=("system/0",)))
    found = attempt(answer, "system/0", PromptAction)
    assert found.change.value == 0
    assert "system/0" not in answer.ranked


def test_a_control_is_paid_once():
    """Both prompts part at the first desk: one control of 4 steps serves both, and asking again is that control."""
    told = ask(particles=8, prompts=("care 0.61", "care 0.62"), sites=("system/0",))
    blame(RUN, environment=Desks(), live=told)
    keys = [request.model_dump_json() for request in told.counted.model.asked]
    assert len(keys) == len(set(keys)), "an equal request was asked twice"
    paid = ask(particles=8, prompts=("care 0.61",), sites=("system/0",))
    blame(RUN, environment=Desks(), live=paid)
    changed = told.counted.live - paid.counted.live
    # Each arm asks its 4 desks, and for the last word, in 8 particles.
    assert changed == 8 * (DESKS + 1)
    assert paid.counted.live == 2 * changed


def test_another_model_is_asked_from_each_step_on():
    def stronger(request):
        if request.model != "strong":
            return law(request)
        system = request.messages[0].model_copy(update={"content": "care 1.0"})
        return law(request.model_copy(update={"messages": (system, *request.messages[1:])}))

    answer = blame(
        RUN,
        environment=Desks(),
        live=ask(ScriptedModel(stronger), particles=20, models=("strong",), sites=("agent/0", "agent/3")),
    )
    first = attempt(answer, "agent/0", ModelAction)
    assert first.source == "named"
    assert first.failure.value <= 0.1
    last = attempt(answer, "agent/3", ModelAction)
    assert last.failure.value == 1
    assert "agent/0" in answer.flip_set
    assert "agent/3" not in answer.ranked


def test_the_budget_leaves_what_is_settled_and_opens_the_rest():
    model = ScriptedModel(law)
    budget = Budget(calls=25)
    metered = Metered(model, budget, lambda request: Price(estimate_usd=0.01, bound_usd=0.01))
    told = ask(metered, particles=20)
    answer = blame(RUN, environment=Desks(), live=told)
    assert told.counted.live <= 25
    assert answer.live.stopped.startswith("budget spent")
    assert answer.verdict == "abstained"
    assert answer.reason.startswith("budget spent")
    # Leaving calls out was settled by executing, without a call.
    assert {one.flips for one in answer.steps if one.part == "call"} == {"no"}
    nothing = blame(
        RUN,
        environment=Desks(),
        live=ask(Metered(model, Budget(calls=0), lambda _: Price(estimate_usd=0, bound_usd=0))),
    )
    assert nothing.reason.startswith("budget spent")
    assert nothing.calls == 0


def test_a_model_that_is_down_is_an_error():
    class Down:
        async def complete(self, request):
            raise ProviderError("a call", "refused", "Start the server.")

    with pytest.raises(ProviderError):
        blame(RUN, environment=Desks(), live=ask(Down()))


def test_same_seed_same_answer_whatever_the_workers():
    answers = [
        blame(
            RUN,
            environment=Desks(),
            live=ask(effort=Effort(particles=8, workers=w), worlds=2, seed=3, sites=("agent/2", "agent/3")),
        )
        for w in (16, 64)
    ]
    shown = [one.model_copy(update={"live": None}).model_dump_json() for one in answers]
    assert shown[0] == shown[1]


def test_the_plan_is_what_is_asked():
    """A clerk who is never decided early: the plan's calls are those that are made, but for equal requests."""
    told = ask(particles=4, prompts=("care 0.7",), worlds=2)
    planned = plan_blame(RUN, told, lambda _: Price(estimate_usd=0.01, bound_usd=0.02), environment=Desks())
    assert planned.why is None
    assert told.counted.live == 0
    answer = blame(RUN, environment=Desks(), live=told)
    assert 0 < answer.calls <= planned.calls <= planned.calls_at_most
    assert planned.usd == pytest.approx(planned.calls * 0.01)
    fine = next(run for run in (record(0.9, seed) for seed in range(50)) if run.outcome.scores["success"])
    assert plan_blame(fine, told, lambda _: None, environment=Desks()).why.startswith("the run did not fail")


# Credit by live rollouts, against exact truth.


def exact_shares(care=CARE):
    """The game of `ifonly.sim.blame.live_game` for RUN, by enumeration over all 16 coalitions of desks."""
    recorded = [desk not in (0, 2) for desk in range(DESKS)]

    def fails(kept):
        states = {(0, False): 1.0}
        for desk in range(DESKS):
            after = {}
            for (n, slip), p in states.items():
                hit = float(recorded[desk]) if desk in kept else care - SLIP * slip
                after[n + 1, False] = after.get((n + 1, False), 0) + p * hit
                after[n, True] = after.get((n, True), 0) + p * (1 - hit)
            states = after
        return sum(p for (n, _), p in states.items() if n < NEEDED)

    shares = np.zeros(DESKS)
    for i in range(DESKS):
        others = [j for j in range(DESKS) if j != i]
        for mask in range(2 ** len(others)):
            kept = {j for k, j in enumerate(others) if mask >> k & 1}
            weight = math.factorial(len(kept)) * math.factorial(DESKS - len(kept) - 1) / math.factorial(DESKS)
            shares[i] += weight * (fails(kept | {i}) - fails(kept))
    return shares


@pytest.mark.nightly
def test_live_shares_hold_the_exact_ones():
    """60 worlds; each share is a mean of draws whose sd is below .35 (pairs of orders), so 5 sd are .23. Intervals hold
    at 1 - 1e-6, over 4 desks. The last word is a player, and gets 0.
    """
    told = ask(particles=1, worlds=60, sites=("agent/3",))
    answer = blame(RUN, environment=Desks(), live=told, level=1 - 1e-6)
    found = {row.site: row.live_share for row in answer.steps if row.live_share is not None}
    truth = exact_shares()
    assert set(found) == {f"agent/{i}" for i in range(DESKS + 1)}
    for desk in range(DESKS):
        share = found[f"agent/{desk}"]
        assert abs(share.value - truth[desk]) < 0.23, desk
        assert share.low <= truth[desk] <= share.high
        assert share.high - share.low < 1
        assert share.rung == "interventional"
    assert found["agent/4"].value == pytest.approx(0, abs=1e-12)
    assert truth[0] > 0.1 > truth[1]
    total = math.fsum(one.value for one in found.values())
    assert abs(total - success(CARE)) < 0.33


def test_a_drawn_game_is_the_mean_of_its_worlds():
    """A game of known worlds: value = whether player w mod n is in. Each has 1/n; all orders give it in each world."""

    def value(members, worlds):
        return members[np.arange(len(members)), worlds % members.shape[1]].astype(float)

    for players in (2, 3, 5):
        shares = drawn_shapley(DrawnGame(value, players), range(10 * players))
        assert [one.value for one in shares] == pytest.approx([1 / players] * players)
        assert all(one.low <= 1 / players <= one.high for one in shares)
    asked = world_coalitions(5, 7, Draw(0))
    assert len(asked) <= 2 * 4 + 2
    assert len(world_coalitions(2, 7, Draw(0))) == 4


# Noise.


def test_three_noise_models_are_told_with_their_spread():
    answer = blame(
        RUN, environment=Desks(), live=ask(noise="choice", particles=8, prompts=("care 0.9",), sites=("system/0",))
    )
    found = attempt(answer, "system/0", PromptAction)
    assert set(found.sensitivity.averted) == {"gumbel-max", "inverse-cdf", "independent"}
    points = [one.value for one in found.sensitivity.averted.values()]
    assert found.sensitivity.spread == pytest.approx(max(points) - min(points))
    assert (found.failure.rung, found.failure.identified, found.failure.noise) == (
        "counterfactual",
        "assumed",
        "gumbel-max",
    )
    row = next(one for one in answer.steps if one.part == "prompt")
    assert row.counterfactual.rung == "counterfactual"
    assert row.interventional.rung == "interventional"
    assert row.sensitivity == found.sensitivity
    assert not any(isinstance(one.action, RedrawAction) for row in answer.steps for one in row.attempts)
