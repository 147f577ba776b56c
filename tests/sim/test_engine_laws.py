"""Laws of every timeline, in random worlds with all features on."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.scm.draw import Draw
from ifonly.scm.durations import Constant, Exponential, Gamma, LogNormal
from ifonly.sim.engine.simulate import Simulation, simulate
from ifonly.sim.services.arrivals import Bursts, ClosedLoop, Poisson, arriving
from ifonly.sim.services.client import Client, Hedge, Retry
from ifonly.sim.services.metrics import area_present, measure
from ifonly.sim.services.requests import Call, Request
from ifonly.sim.services.service import Cache, Failure, Latency, Limit, Outage, Price, Service
from ifonly.sim.services.world import Cooldown, Route, World

NAMES = ("m", "n", "o")
seconds = st.sampled_from((0.0, 0.25, 0.5, 1.0, 3.0))
laws = st.sampled_from(
    (Constant(value=1.0), Exponential(mean=1.0), LogNormal(median=1.0, sigma=0.7), Gamma(shape=2.0, scale=0.5))
)
limits = st.none() | st.builds(
    Limit,
    per_minute=st.sampled_from((30.0, 600.0)),
    burst=st.sampled_from((1.0, 5.0)),
    over=st.sampled_from(("refuse", "wait")),
)
failures = st.lists(
    st.builds(
        Failure,
        kind=st.sampled_from(("rate_limited", "timeout", "server_error", "malformed")),
        probability=st.sampled_from((0.05, 0.25)),
        seconds=st.none() | laws,
        retry_after=st.none() | seconds,
    ),
    max_size=3,
).map(tuple)
services = st.builds(
    Service,
    concurrency=st.none() | st.integers(1, 3),
    queue=st.none() | st.integers(0, 4),
    requests=limits,
    tokens=limits,
    latency=st.builds(
        Latency, base=seconds, per_input_token=st.just(0.01), per_output_token=st.sampled_from((0.0, 0.1)), noise=laws
    ),
    failures=failures,
    outages=st.lists(st.builds(Outage, start=st.just(2.0), end=st.sampled_from((3.0, 8.0))), max_size=1).map(tuple),
    price=st.just(Price(per_call=0.1, per_input_token=0.01, per_output_token=0.02)),
    cache=st.none() | st.builds(Cache, seconds=st.sampled_from((None, 2.0)), minimum=st.just(4)),
)
clients = st.builds(
    Client,
    timeout=st.none() | st.sampled_from((0.5, 4.0)),
    retry=st.builds(Retry, attempts=st.integers(1, 4), base=seconds, jitter=st.sampled_from(("none", "equal", "full"))),
    hedge=st.none() | st.builds(Hedge, seconds=seconds, service=st.none() | st.sampled_from((*NAMES, "any"))),
    fallbacks=st.lists(st.sampled_from((*NAMES, "any")), max_size=2).map(tuple),
)
routes = st.builds(
    Route,
    services=st.sampled_from((("m",), ("m", "n"), ("n", "o", "m"))),
    strategy=st.sampled_from(("first", "shuffle", "least-busy")),
    cooldown=st.none() | st.builds(Cooldown, seconds=st.just(2.0), allowed_fails=st.none() | st.integers(0, 2)),
)
worlds = st.builds(
    World,
    services=st.fixed_dictionaries(dict.fromkeys(NAMES, services)),
    routes=st.fixed_dictionaries({"any": routes}),
    clients=st.dictionaries(st.sampled_from((*NAMES, "any")), clients),
    client=clients,
)


@st.composite
def traffics(draw):
    requests = []
    for i in range(draw(st.integers(0, 12))):
        calls = []
        for k in range(draw(st.integers(0, 4))):
            before = draw(st.sets(st.sampled_from([c.site for c in calls]))) if calls else ()
            calls.append(
                Call(
                    f"s/{k}",
                    draw(st.sampled_from((*NAMES, "any"))),
                    tuple(sorted(before)),
                    lag=draw(seconds),
                    input_tokens=10,
                    output_tokens=5,
                    prefix=draw(st.none() | st.just("p")),
                    prefix_tokens=draw(st.sampled_from((2, 8))),
                    noise=draw(st.none() | st.just(1.25)),
                    recorded="m",
                )
            )
        arrival = draw(st.floats(0.0, 6.0) | st.sampled_from((0.0, 1.0, 2.0)))
        requests.append(Request(f"r{i}", arrival, tuple(calls), tail=draw(seconds)))
    return requests


loops = st.none() | st.builds(ClosedLoop, users=st.integers(1, 4), think=laws)


def watched(world, requests, loop):
    """Run event by event; the integrals over time of the engine's own counts, in rational numbers."""
    simulation = Simulation(world, requests, Draw(0), loop=loop, factual=None)
    areas, before = defaultdict(Fraction), Fraction(0)
    while simulation.clock.peek() < float("inf"):
        counts = {"": simulation.present}
        for name, station in simulation.stations.items():
            counts[f"{name} served"] = station.busy
            counts[f"{name} waiting"] = station.waiting + station.coming
            service = world.services[name]
            assert service.concurrency is None or station.busy <= service.concurrency
            assert service.queue is None or station.waiting <= service.queue
        simulation.clock.step()
        now = Fraction(simulation.clock.now)
        for name, count in counts.items():
            areas[name] += count * (now - before)
        before = now
    assert simulation.present == sum(station.under_way for station in simulation.stations.values()) == 0
    return simulation.timeline(), areas


def holds_littles_law(world, requests, loop):
    """What the engine counts as present, integrated over time, is the sum of the sojourns that its timeline tells."""
    timeline, areas = watched(world, requests, loop)
    assert [ended.request for ended in timeline.requests] == [request.name for request in requests]
    assert areas[""] == sum(Fraction(e.end) - Fraction(e.arrival) for e in timeline.requests)
    served, waited = defaultdict(Fraction), defaultdict(Fraction)
    for s in timeline.spans:
        begun = s.ended if s.started is None else s.started
        waited[s.service] += Fraction(begun) - Fraction(s.queued)
        served[s.service] += Fraction(s.ended) - Fraction(begun)
    for name in NAMES:
        assert areas[f"{name} served"] == served[name]
        assert areas[f"{name} waiting"] == waited[name]
    total = measure(timeline, world).total
    sojourns = [(e.arrival, e.end) for e in timeline.requests]
    assert abs(area_present(sojourns) - float(areas[""])) <= 1e-9 * (1.0 + float(areas[""]))
    assert abs(total.present * total.span - float(areas[""])) <= 1e-9 * (1.0 + float(areas[""]))


@settings(max_examples=30, deadline=None)
@given(world=worlds, requests=traffics(), loop=loops)
def test_littles_law_holds_exactly(world, requests, loop):
    holds_littles_law(world, requests, loop)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(world=worlds, requests=traffics(), loop=loops)
def test_littles_law_holds_exactly_in_many_worlds(world, requests, loop):
    holds_littles_law(world, requests, loop)


@settings(max_examples=25, deadline=None)
@given(world=worlds, requests=traffics(), loop=loops)
def test_every_timeline_is_in_order(world, requests, loop):
    timeline = simulate(world, requests, Draw(1), loop=loop)
    assert timeline == simulate(world, requests, Draw(1), loop=loop)
    assert all(a.ended <= b.ended for a, b in pairwise(timeline.spans))
    ended = {e.request: e for e in timeline.requests}
    for s in timeline.spans:
        begun = s.ended if s.started is None else s.started
        assert ended[s.request].arrival <= s.queued <= begun <= s.ended <= ended[s.request].end
        assert s.cost >= 0.0
    for name, service in world.services.items():
        if service.requests is None and service.tokens is None and service.concurrency is not None:
            here = sorted((s.queued, s.started) for s in timeline.spans if s.service == name and s.started is not None)
            # First come, first served; those who came at one time may be in any order.
            assert all(a[1] <= b[1] or a[0] == b[0] for a, b in pairwise(here))
    answered = {(s.request, s.site) for s in timeline.spans if s.status == "ok"}
    for request in requests:
        sites = {call.site for call in request.calls}
        asked = {s.site for s in timeline.spans if s.request == request.name}
        if ended[request.name].failed is None:
            assert {site for site in sites if (request.name, site) in answered} == sites
        else:
            assert ended[request.name].failed in asked


@settings(max_examples=15, deadline=None)
@given(world=worlds, requests=traffics(), order=st.randoms())
def test_what_a_request_meets_does_not_hang_on_the_order_of_the_list(world, requests, order):
    apart = [Request(r.name, 100.0 * i, r.calls, r.tail) for i, r in enumerate(requests)]
    shuffled = order.sample(apart, len(apart))
    assert simulate(world, apart, Draw(2)).spans == simulate(world, shuffled, Draw(2)).spans


@settings(max_examples=15, deadline=None)
@given(requests=traffics(), noise=st.lists(st.floats(0.1, 5.0), min_size=48, max_size=48))
def test_unlimited_services_give_recorded_times_back(requests, noise):
    """Identity: where nothing is limited, a call lasts what its abducted noise says, whatever else goes on."""
    law = LogNormal(median=1.0, sigma=0.5)
    world = World(services=dict.fromkeys(NAMES, Service(latency=Latency(base=2.0, noise=law))))
    told = [
        Request(
            r.name,
            r.arrival,
            tuple(Call(c.site, NAMES[k % 3], c.after, c.lag, noise=noise[4 * i + k]) for k, c in enumerate(r.calls)),
            r.tail,
        )
        for i, r in enumerate(requests)
    ]
    timeline = simulate(world, told, Draw(0))
    taken = {(s.request, s.site): s.ended - s.queued for s in timeline.spans}
    for i, r in enumerate(told):
        for k, c in enumerate(r.calls):
            assert abs(taken[r.name, c.site] - 2.0 * noise[4 * i + k]) < 1e-12


def test_poisson_and_bursts_have_their_rates_and_share_their_noise():
    requests = [Request(f"r{i}", 0.0, ()) for i in range(20_000)]
    slow, fast = (arriving(requests, Poisson(rate=rate), Draw(0)) for rate in (1.0, 4.0))
    assert all(abs(a.arrival - 4.0 * b.arrival) <= 1e-12 * a.arrival for a, b in zip(slow, fast, strict=True))
    # The sum of 20,000 exponentials: five standard errors.
    assert abs(slow[-1].arrival / 20_000 - 1.0) < 5 / 20_000**0.5
    bursts = Bursts(rate=0.0, burst_rate=10.0, calm=3.0, burst=1.0)
    times = [r.arrival for r in arriving(requests, bursts, Draw(0))]
    assert times == sorted(times)
    # Counts of an on-off process vary 1 + 2 burst_rate calm^2 burst / (calm + burst)^2 times as much as Poisson's.
    index = 1.0 + 2.0 * 10.0 * 3.0**2 * 1.0 / (3.0 + 1.0) ** 2
    assert abs(times[-1] * bursts.mean_rate / 20_000 - 1.0) < 5 * (index / 20_000) ** 0.5
