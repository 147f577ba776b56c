"""What-ifs about time, cost and load: known answers, edits that say what is wrong, pairing, sweeps, world files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifonly.agents.errors import ActionError, InputError, UnknownName
from ifonly.scm.draw import Draw
from ifonly.scm.durations import Exponential, LogNormal
from ifonly.scm.intervals import student_mean
from ifonly.scm.policy.rules import Constant, Leaf, Mixed, Split, Tree
from ifonly.sim.policy import SavedRule
from ifonly.sim.policy.features import Category, Encoding
from ifonly.sim.services.arrivals import ClosedLoop, Poisson, Recorded
from ifonly.sim.services.service import Latency, Price, Service
from ifonly.sim.services.world import World
from ifonly.sim.simulate import (
    Follow,
    Outage,
    Put,
    Replayer,
    Scale,
    SimulateAnswer,
    Swap,
    answer,
    read_world,
    sweep,
    world_text,
)
from ifonly.sim.simulate.numbers import Numbers
from ifonly.sim.timing import fit_traffic

LARGE = LogNormal(median=2.0, sigma=0.5)
SMALL = LogNormal(median=1.0, sigma=0.25)
WORLD = World(
    services={
        "large": Service(latency=Latency(noise=LARGE), price=Price(per_call=3.0)),
        "small": Service(latency=Latency(noise=SMALL), price=Price(per_call=1.0)),
    }
)


def ask(fitted, *edits, arrivals=None, replications=5, **options):
    return answer(fitted, edits, Replayer(fitted.traffic, arrivals or Recorded(), replications), **options)


@pytest.fixture
def four(timed):
    """Runs of one call each, which begin together and take 1, 2, 3 and 4 seconds; 0.5 more until the run ends."""
    runs = [timed.run(timed.model("agent/0", 0.0, s), id=f"r{s}", seconds=s + 0.5) for s in (1.0, 2.0, 3.0, 4.0)]
    return fit_traffic(runs, WORLD)


def seconds(given):
    return [one.seconds.counterfactual.value for one in given.runs]


def test_nothing_changed_is_the_record_exactly(four):
    given = ask(four)
    assert seconds(given) == pytest.approx([1.5, 2.5, 3.5, 4.5], abs=1e-12)
    assert (given.replications, given.drawn) == (1, ())
    for change in (*given.metrics.values(), *(one.seconds for one in given.runs)):
        assert change.change.value == 0.0
        assert (change.change.identified, change.change.rung) == ("exact", "counterfactual")


def test_a_swap_keeps_the_rank_of_each_call(four):
    """Comonotone: seconds' = median' (seconds / median)^(sigma' / sigma)."""
    given = ask(four, Swap(service="large", to="small"))
    expected = [1.0 * (s / 2.0) ** 0.5 + 0.5 for s in (1.0, 2.0, 3.0, 4.0)]
    assert seconds(given) == pytest.approx(expected)
    cost = given.metrics["cost"]
    assert (cost.factual, cost.counterfactual.value, cost.change.value) == (12.0, 4.0, -8.0)
    assert cost.change.identified == "assumed"
    assert "rank-preserving" in cost.change.noise
    assert any(line.startswith("small: its law is declared") or "small" in line for line in given.assumes)


def test_a_swap_at_some_sites_leaves_the_others(timed):
    run = timed.run(timed.model("agent/0", 0.0, 2.0), timed.model("plan/0", 2.0, 2.0, ("agent/0",)))
    given = ask(fit_traffic([run], WORLD), Swap(service="large", to="small", sites="plan/*"))
    assert seconds(given) == pytest.approx([2.0 + 1.0])
    assert [step.counterfactual[0].service for step in given.spans] == ["large", "small"]


def test_one_slot_makes_a_queue(four):
    """First come, first served, in the order of the traffic: waits of 0, 1, 3, 6 seconds."""
    given = ask(four, Put(at="service.large.concurrency", value=1))
    assert seconds(given) == pytest.approx([1.5, 3.5, 6.5, 10.5])
    assert given.metrics["large utilisation"].counterfactual.value == pytest.approx(10.0 / 10.5)
    assert given.metrics["large utilisation"].factual is None
    assert [step.counterfactual[0].started for step in given.spans] == pytest.approx([0.0, 1.0, 3.0, 6.0])


def test_an_outage_fails_what_would_start_and_a_fallback_saves_it(four):
    outage = Outage(service="large", start=0.0, end=5.0)
    down = ask(four, outage)
    assert down.metrics["failed"].counterfactual.value == 1.0
    saved = ask(four, outage, Put(at="client.fallbacks", value=["small"]), replications=4)
    assert saved.metrics["failed"].counterfactual.value == 0.0
    assert saved.replications == 4
    assert any("attempts that were not recorded" in line for line in saved.drawn)
    total = saved.metrics["latency mean"].change
    assert total.low < total.value < total.high
    assert (total.level, total.effective) == (0.95, 4.0)


def test_runs_done_in_both_worlds_are_compared_alone(four):
    """A timeout of 2.5 s fails the two long runs: the mean falls, though no run is faster."""
    given = ask(four, Put(at="client.timeout", value=2.5))
    assert given.metrics["latency mean"].change.value == pytest.approx(2.0 - 3.0)
    both = given.metrics["latency mean of runs done in both worlds"]
    assert (both.factual, both.change.value) == (pytest.approx(2.0), 0.0)


def test_what_a_failed_call_would_have_said_is_drawn_where_it_counts(timed):
    good = [timed.run(timed.model("agent/0", 10.0 * at, 2.0 + at % 3), id=f"r{at}") for at in range(9)]
    ended = timed.run(timed.model("agent/0", 95.0, 0.5, error="HTTP 429", tokens=None), id="ended")
    fitted = fit_traffic([*good, ended])
    assert ask(fitted).replications == 1
    healed = ask(fitted, Put(at="service.large.failures", value=[]), replications=3)
    assert healed.drawn == ("what calls that failed in the record would have answered",)
    assert healed.metrics["failed"].change.value == pytest.approx(-0.1)
    tried = ask(fitted, Put(at="client.retry.attempts", value=3), replications=3)
    assert tried.metrics["retries"].counterfactual.value >= 1.0


def test_a_cache_makes_a_conversation_cheaper_and_faster(timed):
    first = timed.model("agent/0", 0.0, 100.0, tokens=(2_000, 10))
    longer = first.request.model_copy(update={"messages": (*first.request.messages, first.reply)})
    second = timed.model("agent/1", 101.0, 120.0, ("agent/0",), tokens=(2_400, 10))
    run = timed.run(first, second.model_copy(update={"request": longer}))
    service = Service(
        latency=Latency(base=0.0, per_input_token=0.05), price=Price(per_input_token=1.0, per_cached_token=0.1)
    )
    given = ask(fit_traffic([run], World(services={"large": service})), Put(at="service.large.cache", value={}))
    # 2,000 of the second prompt's 2,400 tokens are held; its noise is 120 / (0.05 * 2,400) = 1.
    assert seconds(given) == pytest.approx([100.0 + 1.0 + 0.05 * 400])
    assert given.metrics["cost"].change.value == pytest.approx(-0.9 * 2_000)


def test_arrivals_are_scaled_and_made(timed):
    runs = [timed.run(timed.model("agent/0", 10.0 * at, 2.0), id=f"r{at}") for at in range(3)]
    fitted = fit_traffic(runs, WORLD)
    slot = Put(at="service.large.concurrency", value=1)
    assert seconds(ask(fitted, slot)) == pytest.approx([2.0, 2.0, 2.0])
    assert seconds(ask(fitted, slot, Scale(factor=10.0))) == pytest.approx([2.0, 3.0, 4.0])
    one_by_one = ask(fitted, arrivals=ClosedLoop(users=1))
    assert [step.factual[0].queued for step in one_by_one.spans] == pytest.approx([0.0, 2.0, 4.0])
    poisson = ask(fitted, Scale(factor=2.0), arrivals=Poisson(rate=1.0))
    assert poisson.drawn == ("times of arrival",)
    queued = [(step.factual[0].queued, step.counterfactual[0].queued) for step in poisson.spans]
    assert [a / b for a, b in queued] == pytest.approx([2.0] * 3)


def test_a_rule_chooses_the_model_of_each_run(timed):
    root = Split(feature="label.suite=hard", at=0.5, at_most=Leaf(arm="small"), above=Leaf(arm="large"))
    encoding = Encoding(columns=(Category(column="label.suite", values=("easy", "hard")),))
    rule = SavedRule(rule=Tree(arms=("large", "small"), root=root), encoding=encoding)
    runs = [
        timed.run(timed.model("agent/0", 0.0, 2.0), id=suite, labels={"suite": suite}) for suite in ("easy", "hard")
    ]
    fitted = fit_traffic(runs, WORLD)
    given = ask(fitted, Follow(rule=rule, name="rule.json"), runs=runs)
    assert seconds(given) == pytest.approx([1.0, 2.0])
    mixed = SavedRule(rule=Mixed(arms=("large", "small"), shares=(0.5, 0.5)))
    given = ask(fitted, Follow(rule=mixed, name="rule.json"), runs=runs, replications=30)
    assert "which model a run is given" in given.drawn
    assert 1.0 < given.runs[0].seconds.counterfactual.value < 2.0
    unknown = SavedRule(rule=Constant(arms=("tiny",)))
    with pytest.raises(UnknownName, match="tiny"):
        ask(fitted, Follow(rule=unknown, name="rule.json"), runs=runs)


def test_ranked_tokens_are_those_of_the_same_rank(timed):
    runs = [
        timed.run(timed.model("agent/0", 0.0, 1.0, name=name, tokens=(10, count * factor)), id=f"{name}{count}")
        for name, factor in (("large", 10), ("small", 1))
        for count in (1, 2, 3, 4, 5)
    ]
    fitted = fit_traffic(runs, WORLD)
    swap = Swap(service="large", to="small", tokens="ranked")
    asked = Replayer(fitted.traffic, Recorded())
    given = answer(fitted, (swap, Put(at="service.small.price.per_output_token", value=1.0)), asked)
    costs = {one.run: one.cost.counterfactual.value for one in given.runs}
    assert [costs[f"large{count}"] - 1.0 for count in (1, 2, 3, 4, 5)] == [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("edit", "error", "text"),
    [
        (Put(at="service.large.concurency", value=2), ActionError, "near: concurrency"),
        (Put(at="service.lrge.concurrency", value=2), UnknownName, "near: large"),
        (Put(at="services", value=2), UnknownName, "place of the world"),
        (Put(at="service.large.concurrency", value=0), ActionError, "greater than or equal to 1"),
        (Put(at="client.retry.attemps", value=2), ActionError, "near: attempts"),
        (Put(at="client.fallbacks", value=["tiny"]), ActionError, "no such service: tiny"),
        (Swap(service="large", to="tiny"), UnknownName, "declare it"),
        (Swap(service="lareg", to="small"), UnknownName, "near: large"),
        (Outage(service="lareg", start=0.0, end=1.0), UnknownName, "near: large"),
        (Outage(service="large", start=2.0, end=1.0), ActionError, "ends before it starts"),
    ],
    ids=lambda value: getattr(value, "words", None),
)
def test_edits_that_make_no_sense_are_told(four, edit, error, text):
    with pytest.raises(error, match=text):
        ask(four, edit)


def test_services_and_routes_may_be_put_whole(four):
    added = Put(at="service.tiny-1.5", value={"latency": {"base": 0.25}})
    route = Put(at="routes.pool", value={"services": ["tiny-1.5", "small"], "strategy": "first"})
    given = ask(four, route, added, Swap(service="large", to="pool"))
    assert seconds(given) == pytest.approx([0.75] * 4)
    assert {step.counterfactual[0].service for step in given.spans} == {"tiny-1.5"}


def test_a_client_of_one_service_starts_from_that_of_all(four):
    edits = (
        Put(at="client.timeout", value=2.5),
        Put(at="clients.large.retry.attempts", value=1),
        Put(at="clients.large.hedge.seconds", value=100.0),
    )
    given = ask(four, *edits)
    assert given.metrics["large timeouts"].counterfactual.value == 0.5


def test_edits_say_themselves_in_words():
    edits = (
        Put(at="client.timeout", value=None),
        Put(at="service.a.concurrency", value=4),
        Swap(service="a", to="b", sites="plan/*"),
        Outage(service="a", start=60.0, end=120.0),
        Scale(factor=2.0),
    )
    assert [edit.words for edit in edits] == [
        "without client.timeout",
        "service.a.concurrency is 4",
        "calls of a at plan/* go to b",
        "a is down from second 60 to 120",
        "2 times as many arrivals a second",
    ]


def test_answers_go_through_json(four):
    given = ask(four, Put(at="service.large.concurrency", value=2), Swap(service="large", to="small"))
    again = SimulateAnswer.model_validate_json(given.model_dump_json())
    assert again == given
    assert {"spans", "metrics"} <= json.loads(given.model_dump_json()).keys()


def test_shared_noise_pairs_both_worlds(timed):
    """A somewhat faster service under drawn arrivals: paired, the change's interval is far narrower than the world's.

    Not so where the change takes away most of what varies, the queue: see `ifonly.scenarios.shared_noise`.
    """
    runs = [timed.run(timed.model("agent/0", 0.0, 1.0 + at % 3), id=f"r{at}") for at in range(60)]
    six = WORLD.services["large"].model_copy(update={"concurrency": 6})
    given = ask(
        fit_traffic(runs, World(services=WORLD.services | {"large": six})),
        Put(at="service.large.latency.base", value=0.99),
        arrivals=Poisson(rate=2.5),
        replications=20,
    )
    mean = given.metrics["latency mean"]
    widths = [one.high - one.low for one in (mean.change, mean.counterfactual)]
    assert mean.change.high < 0.0
    assert widths[0] < 0.3 * widths[1]


def test_a_sweep_finds_its_front(four):
    points = sweep(
        four,
        (),
        {"swap.large": ["large", "small"], "service.large.concurrency": [1, 4]},
        Replayer(four.traffic, Recorded()),
        quality={"large": 0.9, "small": 0.9},
    )
    told = {tuple(point.setting.values()): (point.metrics["cost"].value, point.dominated) for point in points}
    assert {setting: cost for setting, (cost, _) in told.items()} == {
        ("large", 1): 12.0, ("large", 4): 12.0, ("small", 1): 4.0, ("small", 4): 4.0,
    }  # fmt: skip
    # Small is cheaper and faster, and as good: what asks large is dominated.
    assert [setting for setting, (_, beaten) in told.items() if not beaten] == [("small", 1), ("small", 4)]


def test_quality_keeps_the_better_model_on_the_front(four):
    replayer = Replayer(four.traffic, Recorded())
    places = {"swap.large": ["large", "small"]}
    points = sweep(four, (), places, replayer, quality={"large": 0.9, "small": 0.5})
    assert [(point.quality, point.dominated) for point in points] == [(0.9, False), (0.5, False)]
    assert [point.quality for point in sweep(four, (), places, replayer, quality={"large": 0.9})] == [0.9, None]
    assert [point.dominated for point in sweep(four, (), places, replayer)] == [True, False]
    with pytest.raises(ActionError, match="one place or two"):
        sweep(four, (), {key: [1] for key in "abc"}, replayer)
    with pytest.raises(ActionError, match="no factor"):
        sweep(four, (), {"arrivals": [0]}, replayer)


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_a_world_goes_through_its_file(tmp_path, four, suffix):
    rich = four.traffic.world
    path = tmp_path / f"world{suffix}"
    path.write_text(world_text(rich, path), encoding="utf-8")
    assert read_world(path) == rich


def test_a_fitted_world_goes_through_its_file(tmp_path, timed):
    law = Exponential(mean=2.0)
    runs = [
        timed.run(timed.model("agent/0", 0.0, float(u)), id=f"r{at}")
        for at, u in enumerate(law.quantile(Draw(0).uniform("u", (40,))))
    ]
    world = fit_traffic(runs).traffic.world
    path = tmp_path / "world.yaml"
    path.write_text(world_text(world, path), encoding="utf-8")
    assert read_world(path) == world


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("services: [", "neither YAML nor JSON"),
        ("services: {a: {latency: {bse: 1.0}}}", "field services.a.latency.bse"),
        ("routes: {}", "field services"),
        ("- 1", "states no world"),
    ],
)
def test_a_file_that_is_no_world_is_told(tmp_path, text, found):
    path = tmp_path / "world.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=found):
        read_world(path)


def test_intervals_stay_where_numbers_can_be():
    """Of shares and seconds, not of their changes."""
    numbers = Numbers("counterfactual", "drawn")
    failed = numbers.change("large refused", [0.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    assert (failed.counterfactual.low, failed.counterfactual.high) == (0.0, 1.0)
    assert failed.change.low < 0.0
    assert failed.change.high > 1.0
    seconds = numbers.change("latency p50", [0.0, 0.0], [0.0, 9.0])
    assert seconds.counterfactual.low == 0.0
    assert seconds.counterfactual.high > 9.0


def test_a_swap_says_how_long_replies_were_and_what_its_intervals_hold(timed):
    runs = [
        timed.run(timed.model("agent/0", 0.0, 2.0, name=name, tokens=(10, count)), id=f"{name}{count}")
        for name, counts in (("large", (300, 400)), ("small", (49, 51)))
        for count in counts
    ]
    swap = Swap(service="large", to="small")
    declared = ask(fit_traffic(runs, WORLD), swap)
    told = " ".join(declared.assumes)
    assert "(in the median 346 a reply of large; small wrote 50 where it was asked; if that is its style" in told
    assert "the laws of --world are taken as declared" in told
    assert declared.metrics["latency mean"].change.low == declared.metrics["latency mean"].change.high
    fitted = fit_traffic([*runs, timed.run(timed.model("agent/0", 0.0, 9.0, name="small", tokens=(10, 50)), id="s")])
    given = ask(fitted, swap)
    assert "by refitting them to calls drawn with replacement" in " ".join(given.assumes)
    change = given.metrics["latency mean"].change
    assert change.low < change.value < change.high
    assert given.drawn == ()
    # Nothing of a law is in a queue of recorded calls.
    slot = ask(fitted, Put(at="service.large.concurrency", value=1)).metrics["latency mean"].change
    assert slot.low == slot.high


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
def test_the_t_interval_lies_about_the_mean(values):
    mean, (low, high) = student_mean(values)
    assert low <= mean <= high
    assert high - mean == pytest.approx(mean - low, abs=1e-9)


def test_the_t_interval_of_a_known_sample():
    """Mean 3, s = sqrt(2.5), t(.975, 4) = 2.776445."""
    mean, (low, high) = student_mean([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (mean, high - mean, mean - low) == pytest.approx((3.0, *[2.776445 * np.sqrt(2.5 / 5)] * 2))
    with pytest.raises(ValueError, match="two values"):
        student_mean([1.0])
