"""Metrics of small timelines, computed by hand."""

from __future__ import annotations

import pytest

from ifonly.scm.draw import Draw
from ifonly.sim.engine.simulate import simulate
from ifonly.sim.services.client import Client, Hedge, Retry
from ifonly.sim.services.metrics import area_present, measure
from ifonly.sim.services.requests import Call, Request
from ifonly.sim.services.service import Latency, Price, Service
from ifonly.sim.services.timeline import Ended, Span, Timeline
from ifonly.sim.services.world import World


def one(name, arrival, service="m"):
    return Request(name, arrival, (Call("step/0", service),))


def test_a_queue_of_three():
    service = Service(latency=Latency(base=2.0), concurrency=1, price=Price(per_call=0.5))
    world = World(services={"m": service, "idle": Service()})
    found = measure(simulate(world, [one("a", 1.0), one("b", 1.5), one("c", 2.0)], Draw(0)), world)
    load = found.services["m"]
    assert (load.attempts, load.throughput, load.utilisation, load.serving) == (3, 0.5, 1.0, 1.0)
    assert load.waiting == pytest.approx((1.5 + 3.0) / 6.0)
    assert (load.wait.mean, load.wait.p50) == (1.5, 1.5)
    assert load.wait.p90 == pytest.approx(2.7)
    assert load.service.mean == 2.0
    assert (load.refused, load.timeouts, load.errors, load.cost) == (0.0, 0.0, 0.0, 1.5)
    total = found.total
    assert (total.requests, total.span, total.throughput, total.failed) == (3, 6.0, 0.5, 0.0)
    assert (total.latency.p50, total.latency.mean) == (3.5, 3.5)
    assert total.present == pytest.approx((2.0 + 3.5 + 5.0) / 6.0)
    assert (total.cost, total.cost_per_request) == (1.5, 0.5)
    assert [(r.waited, r.served, r.seconds) for r in found.requests] == [
        (0.0, 2.0, 2.0),
        (1.5, 2.0, 3.5),
        (3.0, 2.0, 5.0),
    ]
    idle = found.services["idle"]
    assert (idle.attempts, idle.wait, idle.utilisation, idle.throughput) == (0, None, None, 0.0)
    flat = found.flat()
    assert (flat["latency p50"], flat["m utilisation"], flat["m wait mean"]) == (3.5, 1.0, 1.5)
    assert "idle utilisation" not in flat
    assert "idle wait mean" not in flat


def test_retries_hedges_refusals_and_failures_are_counted():
    client = Client(timeout=4.0, retry=Retry(attempts=2, base=0.0), hedge=Hedge(seconds=1.0))
    world = World(services={"m": Service(latency=Latency(base=9.0), concurrency=1, queue=1)}, client=client)
    found = measure(simulate(world, [one("a", 0.0)], Draw(0)), world)
    # Attempt at 0 holds the slot until 4, its hedge at 1 waits and is served from 4 to 5; both time out, twice.
    assert (found.total.attempts, found.total.retries, found.total.hedges) == (4, 1, 2)
    assert (found.total.failed, found.total.latency, found.requests[0].failed) == (1.0, None, "step/0")
    assert (found.services["m"].timeouts, found.total.throughput) == (1.0, 0.0)
    assert (found.requests[0].attempts, found.requests[0].retries) == (4, 1)


def test_shares_of_statuses():
    statuses = ("ok", "rate_limited", "timeout", "server_error", "malformed", "cancelled", "ok", "ok")
    spans = tuple(Span("r", "s", "m", 1, 0.0, None, 1.0, status, 0, 0, 0, 0.0) for status in statuses)
    load = measure(Timeline(spans, (Ended("r", 0.0, 2.0, None),)), World(services={"m": Service()})).services["m"]
    assert (load.refused, load.timeouts, load.errors, load.throughput) == (0.125, 0.125, 0.25, 1.5)


def test_nothing_is_nothing():
    world = World(services={"m": Service(concurrency=1)})
    found = measure(simulate(world, [], Draw(0)), world)
    assert (found.total.requests, found.total.present, found.services["m"].utilisation) == (0, 0.0, 0.0)


def test_the_area_is_that_under_the_steps():
    assert area_present([(0.0, 2.0), (1.0, 4.0), (1.0, 1.0)]) == 5.0
    assert area_present([]) == 0.0
