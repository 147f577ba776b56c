"""Tiny timelines, computed by hand: every feature of the discrete-event engine."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ifonly.agents.errors import UnknownName
from ifonly.scm.draw import Draw
from ifonly.scm.durations import Constant, Exponential, Gamma, LogNormal
from ifonly.scm.errors import NotApplicable
from ifonly.sim.engine.simulate import simulate
from ifonly.sim.services.arrivals import ClosedLoop
from ifonly.sim.services.client import Client, Hedge, Retry
from ifonly.sim.services.requests import Call, Request
from ifonly.sim.services.service import Cache, Failure, Latency, Limit, Outage, Price, Service
from ifonly.sim.services.world import Cooldown, Route, World

FAILS = (Failure(kind="server_error", probability=1.0, seconds=Constant(value=0.5)),)
NO_JITTER = {"jitter": "none", "base": 1.0, "factor": 2.0, "cap": 60.0}


def one(name, arrival=0.0, service="m", **call):
    return Request(name, arrival, (Call("step/0", service, **call),))


def world(client=Client(), routes=None, clients=None, **services):  # noqa: B008
    return World(services=services, client=client, routes=routes or {}, clients=clients or {})


def model(seconds=1.0, **service):
    return Service(latency=Latency(base=seconds), **service)


def spans(timeline):
    """(request, service, attempt, queued, started, ended, status) of every attempt, in the order of their ends."""
    return [(s.request, s.service, s.attempt, s.queued, s.started, s.ended, s.status) for s in timeline.spans]


def ends(timeline):
    return {ended.request: ended.end for ended in timeline.requests}


# Queues


def test_a_queue_of_three():
    timeline = simulate(world(m=model(2.0, concurrency=1)), [one("a"), one("b", 0.5), one("c", 1.0)], Draw(0))
    assert spans(timeline) == [
        ("a", "m", 1, 0.0, 0.0, 2.0, "ok"),
        ("b", "m", 1, 0.5, 2.0, 4.0, "ok"),
        ("c", "m", 1, 1.0, 4.0, 6.0, "ok"),
    ]


def test_two_slots_serve_first_come_first_served():
    timeline = simulate(world(m=model(2.0, concurrency=2)), [one("c", 1.0), one("a"), one("b", 0.5)], Draw(0))
    assert ends(timeline) == {"c": 4.0, "a": 2.0, "b": 2.5}
    assert [ended.request for ended in timeline.requests] == ["c", "a", "b"]


def test_a_full_queue_refuses():
    timeline = simulate(
        world(m=model(2.0, concurrency=1, queue=1)), [one("a"), one("b", 0.5), one("c", 1.0), one("d", 3.0)], Draw(0)
    )
    assert spans(timeline) == [
        ("c", "m", 1, 1.0, None, 1.0, "rate_limited"),
        ("a", "m", 1, 0.0, 0.0, 2.0, "ok"),
        ("b", "m", 1, 0.5, 2.0, 4.0, "ok"),
        ("d", "m", 1, 3.0, 4.0, 6.0, "ok"),
    ]
    assert timeline.requests[2].failed == "step/0"


# Graphs of calls


def test_parallel_calls_are_joined_after_lags_and_a_tail():
    calls = (
        Call("plan/0", "m", lag=0.5),
        Call("search/0", "fast", after=("plan/0",), lag=0.25),
        Call("search/1", "slow", after=("plan/0",)),
        Call("answer/0", "m", after=("search/0", "search/1"), lag=0.125),
    )
    timeline = simulate(
        world(m=model(1.0), fast=model(0.5), slow=model(3.0)), [Request("r", 10.0, calls, tail=1.0)], Draw(0)
    )
    assert [(s.site, s.queued, s.ended) for s in timeline.spans] == [
        ("plan/0", 10.5, 11.5),
        ("search/0", 11.75, 12.25),
        ("search/1", 11.5, 14.5),
        ("answer/0", 14.625, 15.625),
    ]
    assert timeline.requests[0] == ("r", 10.0, 16.625, None)


def test_a_failed_call_ends_its_request_and_frees_the_slots_of_its_others():
    calls = (
        Call("a/0", "bad"),
        Call("b/0", "m"),
        Call("c/0", "m", after=("b/0",)),
        Call("d/0", "m", lag=0.75),
    )
    timeline = simulate(
        world(bad=Service(failures=FAILS), m=model(2.0, concurrency=1)),
        [Request("r", 0.0, calls), one("s", 0.25)],
        Draw(0),
    )
    assert spans(timeline) == [
        ("r", "bad", 1, 0.0, 0.0, 0.5, "server_error"),
        ("r", "m", 1, 0.0, 0.0, 0.5, "cancelled"),
        ("s", "m", 1, 0.25, 0.5, 2.5, "ok"),
    ]
    assert timeline.requests[0] == ("r", 0.0, 0.5, "a/0")


def test_a_request_without_calls_lasts_its_tail():
    assert ends(simulate(world(m=model()), [Request("r", 1.0, (), tail=2.0)], Draw(0))) == {"r": 3.0}


# Latency, tokens, prices, cache


def test_seconds_are_base_and_tokens_times_noise_and_cost_is_by_the_token():
    service = Service(
        latency=Latency(base=1.0, per_input_token=0.01, per_output_token=0.1, noise=Exponential(mean=1.0)),
        price=Price(per_call=1.0, per_input_token=0.5, per_output_token=0.25),
    )
    timeline = simulate(world(m=service), [one("r", input_tokens=100, output_tokens=20, noise=1.5)], Draw(0))
    assert timeline.spans[0].ended == pytest.approx((1.0 + 1.0 + 2.0) * 1.5)
    assert timeline.spans[0].cost == pytest.approx(1.0 + 50.0 + 5.0)


def test_a_prefix_is_held_from_the_first_token_until_its_seconds_after_its_last_use():
    service = Service(
        latency=Latency(base=0.0, per_input_token=0.001, per_output_token=0.001),
        price=Price(per_input_token=1.0, per_cached_token=0.25),
        cache=Cache(seconds=10.0, minimum=1000),
    )
    asked = {"input_tokens": 2000, "output_tokens": 1000, "prefix": "p", "prefix_tokens": 1000}
    times = (0.0, 1.0, 3.0, 12.5, 30.0)  # first token of "0" at 2: "1" misses; 3 hits, 12.5 hits, 30 has expired
    requests = [one(str(i), at, **asked) for i, at in enumerate(times)]
    timeline = simulate(world(m=service), [*requests, one("short", 4.0, **asked | {"prefix_tokens": 999})], Draw(0))
    found = {s.request: (s.cached_tokens, s.ended - s.queued, s.cost) for s in timeline.spans}
    assert found == {
        "0": (0, 3.0, 2000.0),
        "1": (0, 3.0, 2000.0),
        "2": (1000, 2.0, 1250.0),
        "3": (1000, 2.0, 1250.0),
        "4": (0, 3.0, 2000.0),
        "short": (0, 3.0, 2000.0),
    }


# Limits


def test_requests_a_minute_by_virtual_scheduling():
    """GCRA(10 s, 10 s): two at once, then one every ten seconds; the bucket drains in the pause until 65."""
    limited = model(0.5, requests=Limit(per_minute=6.0, burst=2.0))
    times = (0.0, 1.0, 2.0, 9.0, 10.0, 15.0, 65.0, 65.5, 66.0)
    timeline = simulate(world(m=limited), [one(str(at), at) for at in times], Draw(0))
    passed = [s.queued for s in sorted(timeline.spans, key=lambda s: s.queued) if s.status == "ok"]
    assert passed == [0.0, 1.0, 10.0, 65.0, 65.5]


def test_waiting_at_the_door_keeps_the_order():
    limited = model(0.5, requests=Limit(per_minute=6.0, over="wait"))
    timeline = simulate(world(m=limited), [one(str(at), at) for at in (0.0, 1.0, 2.0, 100.0)], Draw(0))
    assert [(s.queued, s.started) for s in timeline.spans] == [(0.0, 0.0), (1.0, 10.0), (2.0, 20.0), (100.0, 100.0)]


def test_tokens_a_minute_are_owed():
    """600 tokens a minute are ten a second: 50 tokens keep others out for five seconds, but for a burst of 21."""
    tokens = {"input_tokens": 30, "output_tokens": 20}
    limited = model(0.5, tokens=Limit(per_minute=600.0, burst=21.0))
    timeline = simulate(world(m=limited), [one(str(at), at, **tokens) for at in (0.0, 2.9, 3.0, 5.0, 8.0)], Draw(0))
    assert [(s.queued, s.status) for s in timeline.spans if s.status != "ok"] == [
        (2.9, "rate_limited"),
        (5.0, "rate_limited"),
    ]


def test_both_limits_hold_and_a_refused_attempt_takes_nothing():
    limited = model(0.5, requests=Limit(per_minute=60.0, over="wait"), tokens=Limit(per_minute=60.0, over="refuse"))
    asked = [
        one("a", 0.0, output_tokens=3),
        one("b", 1.0, output_tokens=9),
        one("c", 3.0, output_tokens=1),
        one("d", 4.0),
    ]
    timeline = simulate(world(m=limited), asked, Draw(0))
    assert {s.request: (s.started, s.status) for s in timeline.spans} == {
        "a": (0.0, "ok"),
        "b": (None, "rate_limited"),
        "c": (3.0, "ok"),
        "d": (4.0, "ok"),
    }


# Clients


def test_a_429_is_asked_again_no_sooner_than_it_told():
    client = Client(retry=Retry(attempts=3, **NO_JITTER))
    limited = model(0.5, requests=Limit(per_minute=6.0))
    timeline = simulate(world(client, m=limited), [one("a"), one("b", 1.0)], Draw(0))
    assert spans(timeline) == [
        ("a", "m", 1, 0.0, 0.0, 0.5, "ok"),
        ("b", "m", 1, 1.0, None, 1.0, "rate_limited"),
        ("b", "m", 2, 10.0, 10.0, 10.5, "ok"),
    ]


def test_backoff_doubles_to_its_cap():
    client = Client(retry=Retry(attempts=5, **NO_JITTER | {"cap": 3.0}))
    timeline = simulate(world(client, m=Service(failures=FAILS)), [one("a")], Draw(0))
    assert [s.queued for s in timeline.spans] == [0.0, 1.5, 4.0, 7.5, 11.0]
    assert timeline.requests[0] == ("a", 0.0, 11.5, "step/0")


@pytest.mark.parametrize(("jitter", "least"), [("full", 0.0), ("equal", 0.5)])
def test_jitter_is_a_share_of_the_wait_and_belongs_to_the_attempt(jitter, least):
    client = Client(retry=Retry(attempts=2, base=8.0, cap=8.0, jitter=jitter))
    timeline = simulate(world(client, m=Service(failures=FAILS)), [one(str(i)) for i in range(400)], Draw(0))
    shares = [(s.queued - 0.5) / 8.0 for s in timeline.spans if s.attempt == 2]
    assert len(shares) == 400
    assert least <= min(shares) < least + 0.05
    assert 0.95 < max(shares) <= 1.0


def test_only_what_is_named_is_retried():
    client = Client(retry=Retry(attempts=3, on=("rate_limited",), **NO_JITTER))
    assert len(simulate(world(client, m=Service(failures=FAILS)), [one("a")], Draw(0)).spans) == 1


def test_fallbacks_after_all_retries_each_with_its_own():
    client = Client(retry=Retry(attempts=2, **NO_JITTER), fallbacks=("n", "o"))
    timeline = simulate(
        world(client, m=Service(failures=FAILS), n=Service(failures=FAILS), o=model(2.0)), [one("a")], Draw(0)
    )
    assert spans(timeline) == [
        ("a", "m", 1, 0.0, 0.0, 0.5, "server_error"),
        ("a", "m", 2, 1.5, 1.5, 2.0, "server_error"),
        ("a", "n", 3, 2.0, 2.0, 2.5, "server_error"),
        ("a", "n", 4, 3.5, 3.5, 4.0, "server_error"),
        ("a", "o", 5, 4.0, 4.0, 6.0, "ok"),
    ]


def test_nobody_falls_back_to_whom_it_asked():
    """As in litellm's `run_async_fallback`: a fallback of all callers is not one of its own callers."""
    client = Client(fallbacks=("n", "o"))
    timeline = simulate(world(client, n=Service(failures=FAILS), o=model(2.0)), [one("a", service="n")], Draw(0))
    assert [span.service for span in timeline.spans] == ["n", "o"]


def test_a_timeout_counts_the_queue_and_leaves_it():
    client = Client(timeout=3.0)
    timeline = simulate(world(client, m=model(2.5, concurrency=1)), [one("a"), one("b", 0.5), one("c", 1.0)], Draw(0))
    assert spans(timeline) == [
        ("a", "m", 1, 0.0, 0.0, 2.5, "ok"),
        ("b", "m", 1, 0.5, 2.5, 3.5, "timeout"),  # begun, but not done in time: its slot is freed
        ("c", "m", 1, 1.0, 3.5, 4.0, "timeout"),
    ]
    late = simulate(world(Client(timeout=1.0), m=model(5.0, concurrency=1)), [one("a"), one("b", 0.5)], Draw(0))
    assert spans(late) == [("a", "m", 1, 0.0, 0.0, 1.0, "timeout"), ("b", "m", 1, 0.5, 1.0, 1.5, "timeout")]
    slots = simulate(
        world(
            clients={"m": Client(timeout=1.0), "n": Client()},
            routes={"n": Route(services=("m",))},
            m=model(5.0, concurrency=1),
        ),
        [one("a", service="n"), one("b", 0.5)],
        Draw(0),
    )
    assert spans(slots) == [("b", "m", 1, 0.5, None, 1.5, "timeout"), ("a", "m", 1, 0.0, 0.0, 5.0, "ok")]


def test_a_timeout_at_the_door():
    limited = model(0.5, requests=Limit(per_minute=6.0, over="wait"))
    timeline = simulate(world(Client(timeout=3.0), m=limited), [one("a"), one("b", 1.0)], Draw(0))
    assert spans(timeline)[1] == ("b", "m", 1, 1.0, None, 4.0, "timeout")


def test_a_reply_that_never_comes_lasts_until_the_client_gives_up():
    never = model(1.0, failures=(Failure(kind="timeout", probability=1.0),))
    assert spans(simulate(world(Client(timeout=9.0), m=never), [one("a")], Draw(0)))[0][5:] == (9.0, "timeout")
    assert spans(simulate(world(m=never), [one("a")], Draw(0)))[0][5:] == (1.0, "timeout")


def test_a_hedge_wins_and_the_loser_frees_its_slot():
    service = Service(latency=Latency(base=1.0), price=Price(per_call=1.0, per_output_token=1.0), concurrency=1)
    slow = service.model_copy(update={"latency": Latency(base=2.0, per_output_token=1.0)})
    client = Client(hedge=Hedge(seconds=3.0, service="fast"))
    requests = [one("a", service="slow", output_tokens=8), one("b", 0.5, service="slow", output_tokens=0)]
    timeline = simulate(world(client, slow=slow, fast=service), requests, Draw(0))
    assert spans(timeline) == [
        ("a", "fast", 1, 3.0, 3.0, 4.0, "ok"),
        ("a", "slow", 1, 0.0, 0.0, 4.0, "cancelled"),
        ("b", "fast", 1, 3.5, 4.0, 5.0, "ok"),
        ("b", "slow", 1, 0.5, 4.0, 5.0, "cancelled"),
    ]
    # Left at 4: two seconds of the first token's, two of output, one token each.
    assert (timeline.spans[1].output_tokens, timeline.spans[1].cost) == (2, 3.0)
    assert [s.hedge for s in timeline.spans] == [True, False, True, False]


def test_a_hedge_that_fails_waits_for_the_other_and_no_hedge_after_a_reply():
    client = Client(hedge=Hedge(seconds=1.0, service="bad"))
    timeline = simulate(world(client, m=model(4.0), bad=Service(failures=FAILS)), [one("a")], Draw(0))
    assert spans(timeline) == [("a", "bad", 1, 1.0, 1.0, 1.5, "server_error"), ("a", "m", 1, 0.0, 0.0, 4.0, "ok")]
    quick = simulate(world(client, m=model(0.5), bad=Service(failures=FAILS)), [one("a")], Draw(0))
    assert len(quick.spans) == 1


def test_both_hedges_fail_and_the_retry_is_hedged_again():
    client = Client(hedge=Hedge(seconds=0.25), retry=Retry(attempts=2, **NO_JITTER))
    timeline = simulate(world(client, m=Service(failures=FAILS)), [one("a")], Draw(0))
    assert [(s.attempt, s.hedge, s.queued, s.ended) for s in timeline.spans] == [
        (1, False, 0.0, 0.5),
        (1, True, 0.25, 0.75),
        (2, False, 1.75, 2.25),
        (2, True, 2.0, 2.5),
    ]
    assert timeline.requests[0].end == 2.5


# Failures and outages


def test_an_outage_fails_what_would_start_in_it():
    service = model(2.0, concurrency=1, outages=(Outage(start=1.0, end=4.0),))
    timeline = simulate(world(m=service), [one("a"), one("b", 0.5), one("c", 3.0), one("d", 4.0)], Draw(0))
    assert spans(timeline) == [
        ("a", "m", 1, 0.0, 0.0, 2.0, "ok"),
        ("b", "m", 1, 0.5, 2.0, 2.0, "server_error"),
        ("c", "m", 1, 3.0, 3.0, 3.0, "server_error"),
        ("d", "m", 1, 4.0, 4.0, 6.0, "ok"),
    ]


def test_failures_are_monotone_and_an_abducted_one_comes_back():
    def failing(*shares):
        kinds = zip(("rate_limited", "server_error", "malformed"), shares, strict=True)
        service = Service(
            failures=tuple(Failure(kind=kind, probability=p) for kind, p in kinds), price=Price(per_call=1.0)
        )
        requests = [one(str(i)) for i in range(2000)] + [
            one("told", failure_noise=0.15),
            one("well", failure_noise=0.99),
        ]
        return {s.request: (s.status, s.cost) for s in simulate(world(m=service), requests, Draw(0)).spans}

    few, many = failing(0.1, 0.1, 0.1), failing(0.2, 0.2, 0.2)
    failed = {name for name, (status, _) in few.items() if status != "ok"}
    assert len(failed) == pytest.approx(600, abs=5 * math.sqrt(2000 * 0.3 * 0.7))  # five standard errors: 6e-7
    assert failed <= {name for name, (status, _) in many.items() if status != "ok"}
    assert (few["told"][0], many["told"][0], few["well"][0]) == ("server_error", "rate_limited", "ok")
    paid = {"ok", "malformed"}
    assert all(cost == (status in paid) for status, cost in few.values())


# Routes


def test_least_busy_takes_the_fewest_under_way_and_the_first_of_equals():
    routes = {"any": Route(services=("m", "n"), strategy="least-busy")}
    requests = [one(str(i), i / 4, service="any") for i in range(4)]
    timeline = simulate(world(routes=routes, m=model(3.0), n=model(0.375)), requests, Draw(0))
    assert {s.request: s.service for s in timeline.spans} == {"0": "m", "1": "n", "2": "m", "3": "n"}


def test_shuffle_is_by_weight_and_first_is_first():
    for strategy, share in (("shuffle", 0.75), ("first", 0.0)):
        routes = {"any": Route(services=("m", "n"), weights=(1.0, 3.0), strategy=strategy)}
        requests = [one(str(i), service="any") for i in range(2000)]
        timeline = simulate(world(routes=routes, m=model(), n=model()), requests, Draw(1))
        found = sum(s.service == "n" for s in timeline.spans) / 2000
        assert found == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / 2000))  # five standard errors


def test_a_retry_through_a_route_comes_at_once_elsewhere_while_the_first_cools_down():
    """litellm's Router: a 429 cools the deployment down; the retry goes to another without waiting."""
    busy = Service(
        failures=(Failure(kind="rate_limited", probability=1.0, seconds=Constant(value=0.5), retry_after=7.0),)
    )
    routes = {"any": Route(services=("m", "n"), strategy="first", cooldown=Cooldown(seconds=5.0))}
    client = Client(retry=Retry(attempts=3, **NO_JITTER))
    timeline = simulate(
        world(client, routes, m=busy, n=model(1.0)),
        [one(str(at), at, service="any") for at in (0.0, 7.25, 7.5)],
        Draw(0),
    )
    assert spans(timeline) == [
        ("0.0", "m", 1, 0.0, 0.0, 0.5, "rate_limited"),
        ("0.0", "n", 2, 0.5, 0.5, 1.5, "ok"),
        ("7.5", "m", 1, 7.5, 7.5, 8.0, "rate_limited"),  # seven seconds as told, not five
        ("7.25", "n", 1, 7.25, 7.25, 8.25, "ok"),
        ("7.5", "n", 2, 8.0, 8.0, 9.0, "ok"),
    ]


def test_where_all_cool_down_there_is_no_retry_but_the_fallback():
    routes = {"any": Route(services=("m", "n"), strategy="first", cooldown=Cooldown(allowed_fails=0))}
    client = Client(retry=Retry(attempts=5, **NO_JITTER), fallbacks=("o",))
    bad = Service(failures=FAILS)
    timeline = simulate(
        world(client, routes, m=bad, n=bad, o=model(1.0)),
        [one("a", service="any"), one("b", 2.5, service="any")],
        Draw(0),
    )
    assert spans(timeline) == [
        ("a", "m", 1, 0.0, 0.0, 0.5, "server_error"),
        ("a", "n", 2, 0.5, 0.5, 1.0, "server_error"),
        ("a", "o", 3, 1.0, 1.0, 2.0, "ok"),
        ("b", "any", 1, 2.5, None, 2.5, "rate_limited"),
        ("b", "o", 2, 2.5, 2.5, 3.5, "ok"),
    ]


def test_a_service_cools_down_when_most_of_five_attempts_in_a_minute_failed():
    routes = {"any": Route(services=("m", "n"), strategy="first", cooldown=Cooldown(seconds=100.0))}
    bad = Service(failures=FAILS)
    times = (0.0, 1.0, 2.0, 3.0, 70.0, 71.0, 72.0, 73.0, 74.0, 75.0)  # a new minute begins at 70.5
    timeline = simulate(
        world(routes=routes, m=bad, n=model(0.25)), [one(str(t), t, service="any") for t in times], Draw(0)
    )
    assert [s.service for s in timeline.spans] == ["m"] * 9 + ["n"]


# Closed loop


def test_a_closed_loop_sends_the_next_when_one_ends():
    requests = [replace(one(str(i)), calls=(Call("step/0", "m", noise=float(i + 1)),)) for i in range(5)]
    timeline = simulate(world(m=model(1.0)), requests, Draw(0), loop=ClosedLoop(users=2, think=Constant(value=0.5)))
    assert [(e.arrival, e.end) for e in timeline.requests] == [
        (0.5, 1.5),
        (0.5, 2.5),
        (2.0, 5.0),
        (3.0, 7.0),
        (5.5, 10.5),
    ]


# Noise


def test_abducted_noise_is_used_as_it_is_and_in_its_rank_elsewhere():
    m = Service(latency=Latency(base=2.0, noise=LogNormal(median=1.0, sigma=0.5)))
    n = Service(latency=Latency(base=3.0, noise=Gamma(shape=2.0, scale=0.5)))
    told = [one("same", noise=1.7), one("moved", service="n", noise=1.7, recorded="m")]
    found = {s.request: s.ended for s in simulate(world(m=m, n=n), told, Draw(0)).spans}
    assert found["same"] == 2.0 * 1.7
    rank = m.latency.noise.cdf(1.7)
    assert found["moved"] == pytest.approx(3.0 * float(n.latency.noise.quantile(rank)), rel=1e-12)
    changed = m.model_copy(update={"latency": Latency(base=2.0, noise=LogNormal(median=2.0, sigma=1.0))})
    again = simulate(world(m=changed), [one("same", noise=1.7)], Draw(0), factual=world(m=m)).spans[0].ended
    assert again == pytest.approx(2.0 * 2.0 * 1.7**2, rel=1e-12)


def test_equal_names_have_equal_noise_whoever_is_asked_and_whoever_else_is_there():
    noisy = Service(latency=Latency(noise=Exponential(mean=1.0)))
    requests = [one(f"r{i}") for i in range(50)]
    alone = {s.request: s.ended for s in simulate(world(m=noisy), requests, Draw(3)).spans}
    assert len(set(alone.values())) == 50
    moved = [replace(r, calls=(replace(r.calls[0], service="n"),)) for r in reversed(requests[:25])]
    elsewhere = simulate(world(m=noisy, n=noisy), [*moved, one("other")], Draw(3))
    assert {s.request: s.ended for s in elsewhere.spans if s.request != "other"} == {
        name: alone[name] for name in (f"r{i}" for i in range(25))
    }


# What is refused


@pytest.mark.parametrize(
    ("requests", "error", "said"),
    [
        ([one("a", service="n")], UnknownName, "'n'"),
        ([one("a"), one("a")], NotApplicable, "'a'"),
        ([one("a", -1.0)], NotApplicable, "arrival is -1.0"),
        ([one("a", lag=math.inf)], NotApplicable, "lag is inf"),
        ([Request("a", 0.0, (Call("x", "m"), Call("x", "m")))], NotApplicable, "'x'"),
        ([Request("a", 0.0, (Call("x", "m", after=("y",)), Call("y", "m")))], UnknownName, "'y'"),
        ([one("a", noise=1.0, recorded="gone")], UnknownName, "'gone'"),
        ([one("a", prefix_tokens=3, input_tokens=2)], NotApplicable, "prefix of 3"),
    ],
)
def test_traffic_that_no_world_serves_is_refused_with_its_place(requests, error, said):
    with pytest.raises(error, match=said):
        simulate(world(m=model()), requests, Draw(0))


def test_a_chain_of_instant_failures_is_no_recursion():
    """Two thousand requests that fail at once, each released by the one before, in an outage."""
    down = Service(outages=(Outage(start=0.0, end=1e9),), concurrency=1)
    requests = [one(str(i)) for i in range(2000)]
    timeline = simulate(world(m=down), requests, Draw(0), loop=ClosedLoop(users=1))
    assert len(timeline.requests) == 2000
