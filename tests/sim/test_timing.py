"""Recorded runs as traffic: the graph, fits of known laws, abducted noise, and the recorded timeline again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ifonly.agents.errors import ActionError, UnknownName
from ifonly.agents.reading import read
from ifonly.scm.draw import Draw
from ifonly.scm.durations import Constant, Gamma
from ifonly.sim.engine.simulate import simulate
from ifonly.sim.services.service import Failure, Latency, Service
from ifonly.sim.services.world import World
from ifonly.sim.timing import fit_traffic, recorded_run
from ifonly.sim.timing.kinds import failure_kind
from ifonly.sim.timing.together import slowest_together


def waits(run):
    return {call.site: set(call.after) for call in recorded_run(run).calls}


def worst(fitted):
    """The largest differences from the record: of queueing and start, of seconds, and of the run's end."""
    draw = Draw(0)
    timeline = simulate(fitted.traffic.world, fitted.traffic.requests(draw), draw)
    runs = {run.id: run for run in fitted.traffic.runs}
    calls = {(run.id, call.site): call for run in runs.values() for call in run.calls}
    own = [
        abs(s.ended - s.started - calls[s.request, s.site].seconds)
        for s in timeline.spans
        if calls[s.request, s.site].seconds is not None
    ]
    ends = {run.id: 0.0 for run in runs.values()}
    starts = []
    for run in runs.values():
        ended = {}
        for call in run.calls:
            begun = max((ended[site] for site in call.after), default=0.0) + call.lag
            ended[call.site] = begun + (call.seconds or 0.0)
            ends[run.id] = max(ends[run.id], ended[call.site])
            starts.append(((run.id, call.site), begun))
    begun = dict(starts)
    arrivals = {ended.request: ended.arrival for ended in timeline.requests}
    late = [
        abs(s.queued - arrivals[s.request] - begun[s.request, s.site])
        for s in timeline.spans
        if runs[s.request].clock != "whole"
    ]
    whole = [abs(e.end - e.arrival - runs[e.request].seconds) for e in timeline.requests if e.failed is None]
    assert len(timeline.spans) == len(calls)
    assert all(s.started == s.queued for s in timeline.spans)
    return max(late, default=0.0), max(own, default=0.0), max(whole, default=0.0)


def test_steps_in_order_wait_for_each_other(timed):
    run = timed.run(
        timed.model("agent/0", 0.0, 2.0),
        timed.tool("search/0", 2.5, 1.0, ("agent/0",)),
        timed.model("agent/1", 3.75, 1.0, ("search/0",)),
        seconds=5.0,
    )
    recorded = recorded_run(run)
    assert waits(run) == {"agent/0": set(), "search/0": {"agent/0"}, "agent/1": {"search/0"}}
    assert [call.lag for call in recorded.calls] == [0.0, 0.5, 0.25]
    assert (recorded.tail, recorded.clock, recorded.seconds) == (0.25, "spans", 5.0)


def test_parallel_calls_overlap_and_a_join_waits_for_all(timed):
    run = timed.run(
        timed.model("agent/0", 0.0, 1.0),
        timed.tool("a/0", 1.0, 4.0, ("agent/0",)),
        timed.tool("b/0", 1.0, 1.0, ("agent/0",)),
        timed.model("agent/1", 5.5, 1.0, ("a/0", "b/0")),
    )
    assert waits(run) == {"agent/0": set(), "a/0": {"agent/0"}, "b/0": {"agent/0"}, "agent/1": {"a/0", "b/0"}}


def test_branches_that_ran_beside_each_other_do_not_wait_for_each_other(timed):
    """b/0 ended before a/1 began, but ran beside a/0, which a/1 reads."""
    run = timed.run(
        timed.model("agent/0", 0.0, 1.0),
        timed.tool("a/0", 1.0, 4.0, ("agent/0",)),
        timed.tool("b/0", 1.0, 1.0, ("agent/0",)),
        timed.tool("b/1", 2.5, 1.0, ("b/0",)),
        timed.tool("a/1", 5.5, 1.0, ("a/0",)),
    )
    assert waits(run)["a/1"] == {"a/0"}
    assert waits(run)["b/1"] == {"b/0"}


def test_calls_of_one_piece_of_code_follow_each_other_though_neither_reads_the_other(timed):
    run = timed.run(
        timed.model("agent/0", 0.0, 1.0),
        timed.tool("a/0", 1.0, 1.0, ("agent/0",)),
        timed.tool("b/0", 2.0, 1.0, ("agent/0",)),
    )
    assert waits(run)["b/0"] == {"a/0"}


def test_what_runs_inside_a_tool_comes_after_its_first_work(timed):
    run = timed.run(
        timed.model("agent/0", 0.0, 1.0),
        timed.model("code.model/0", 3.0, 2.0, ("agent/0",)),
        timed.tool("look/0", 6.0, 1.0, ("agent/0",)),
        timed.tool("code/0", 1.0, 7.0, ("agent/0", "code.model/0", "look/0")),
        timed.model("agent/1", 8.5, 1.0, ("code/0",)),
    )
    calls = {call.site: call for call in recorded_run(run).calls}
    assert calls["code/0"].seconds == 2.0
    assert set(calls["code/0"].inner) == {"code.model/0", "look/0"}
    assert (calls["code.model/0"].after, calls["code.model/0"].lag) == (("code/0",), 0.0)
    assert (calls["look/0"].after, calls["look/0"].lag) == (("code.model/0",), 1.0)
    assert (calls["agent/1"].after, calls["agent/1"].lag) == (("look/0",), 1.5)


@pytest.mark.parametrize(
    ("error", "tool", "kind"),
    [
        ("RateLimitError: 200,000 input tokens per minute", False, "rate_limited"),
        ("HTTP 429", True, "rate_limited"),
        ("ReadTimeout: timed out", False, "timeout"),
        ("InternalServerError: overloaded", False, "server_error"),
        ("said nothing of use", False, "malformed"),
        ("TypeError: unexpected argument", True, None),
        (None, False, None),
    ],
)
def test_errors_say_how_a_service_failed(error, tool, kind):
    assert failure_kind(error, tool=tool) == kind


def many(timed, count=120, *, seed=5):
    """Runs of one model call and one tool call, of known laws: (1 + 0.02 per output token) x Gamma(16, 1/16)."""
    draw, runs = Draw(seed), []
    u = draw.uniform("u", (count, 3))
    noise = Gamma(shape=16.0, scale=1.0 / 16.0).quantile(u[:, 0])
    for at in range(count):
        output = int(10 + 400 * u[at, 1])
        seconds = (1.0 + 0.02 * output) * float(noise[at])
        step = timed.model("agent/0", 100.0 * at, seconds, tokens=(50, output))
        look = timed.tool("look/0", 100.0 * at + seconds + 0.5, float(0.1 + u[at, 2]), ("agent/0",))
        runs.append(timed.run(step, look, id=f"r{at}", seconds=seconds + 2.0))
    return runs


def test_a_known_law_is_found(timed):
    fitted = fit_traffic(many(timed))
    told = {one.service: one for one in fitted.report.services}["large"]
    # Noise of a quarter, 120 calls: 4 standard errors are some 9 % of a coefficient's own size.
    assert told.base + 50 * told.per_input_token == pytest.approx(1.0, abs=0.6)
    assert told.per_output_token == pytest.approx(0.02, rel=0.15)
    assert told.noise is not None
    assert told.noise.law.law in ("gamma", "lognormal")
    assert told.noise.law.mean == pytest.approx(1.0, abs=0.1)
    assert told.explained is not None
    assert 0.3 < told.explained < 1.0
    assert {rate.kind: rate.count for rate in told.failures}["timeout"] == 0
    assert told.failures[0].rate.high == pytest.approx(1 - 0.025 ** (1 / 120))


def test_laws_are_fitted_to_other_runs_too_which_are_no_traffic(timed):
    runs = many(timed, 40)
    other = [timed.run(timed.model("agent/0", 0.0, 1.0 + at, name="small"), id=f"s{at}") for at in range(9)]
    fitted = fit_traffic(runs[:10], None, [*runs[10:], *other])
    assert fitted.report.runs == 10
    assert {one.service: one.calls for one in fitted.report.services} == {"large": 40, "look": 40, "small": 9}
    assert fitted.traffic.world.services.keys() == {"large", "look", "small"}


def test_an_unchanged_world_gives_the_record_back(timed):
    fitted = fit_traffic(many(timed, 40))
    assert max(worst(fitted)) < 1e-9


def test_times_of_whole_runs_are_shared_with_one_multiplier_each(timed):
    runs = [
        timed.run(
            timed.model("agent/0", None, None, tokens=(10, 100 + at)),
            timed.tool("look/0", None, None, ("agent/0",)),
            timed.model("agent/1", None, None, ("look/0",), tokens=(10, 50)),
            id=f"r{at}",
            seconds=3.0 + at % 7,
        )
        for at in range(30)
    ]
    fitted = fit_traffic(runs)
    requests = fitted.traffic.requests(Draw(0))
    assert worst(fitted)[2] < 1e-9
    for request in requests:
        assert len({call.noise for call in request.calls if call.service == "large"}) == 1
    assert any("one multiplier a run" in line for line in fitted.report.assumes)
    assert fitted.report.clocks == {"whole": 30}


def test_durations_without_starts_are_a_chain(timed):
    run = timed.run(timed.model("agent/0", None, 2.0), timed.tool("look/0", None, 1.0), seconds=4.0)
    recorded = recorded_run(run)
    assert (recorded.clock, recorded.tail) == ("durations", 1.0)
    assert waits(run) == {"agent/0": set(), "look/0": {"agent/0"}}


def test_runs_without_any_time_say_what_is_missing_and_how_to_declare_it(timed):
    run = timed.run(timed.model("agent/0", None, None))
    with pytest.raises(ActionError, match=r"none of which tells when .*--world FILE with .*large: \{latency"):
        fit_traffic([run])
    world = World(services={"large": Service(latency=Latency(base=2.0))})
    fitted = fit_traffic([run], world)
    (call,) = fitted.traffic.requests(Draw(0))[0].calls
    assert call.noise is None
    with pytest.raises(UnknownName, match="large"):
        fit_traffic([run], World(services={"larger": Service()})).traffic.requests(Draw(0))


def failing(timed, *, seconds=0.5):
    """Nine runs that went well, one that a rate limit ended, one whose agent asked again."""
    good = [timed.run(timed.model("agent/0", 10.0 * at, 2.0 + at % 3), id=f"r{at}") for at in range(9)]
    ended = timed.run(timed.model("agent/0", 95.0, seconds, error="HTTP 429", tokens=None), id="ended")
    first = timed.model("agent/0", 200.0, seconds, error="HTTP 429", tokens=None)
    again = timed.model("agent/1", 202.0, 3.0, ("agent/0",)).model_copy(update={"request": first.request})
    return [*good, ended, timed.run(first, again, id="again")]


def test_the_uniform_of_a_failure_has_its_posterior(timed):
    fitted = fit_traffic(failing(timed))
    (failure,) = fitted.traffic.world.services["large"].failures
    assert failure.probability == pytest.approx(2 / 12)
    uniforms = {name: [] for name in ("r0", "ended", "again")}
    for seed in range(200):
        for request in fitted.traffic.requests(Draw(seed)):
            if request.name in uniforms:
                uniforms[request.name].append(request.calls[0].failure_noise)
    p = failure.probability
    # False failures: three tests at 1e-7.
    for name, low, high in (("r0", p, 1.0), ("ended", 0.0, p), ("again", p, 1.0)):
        assert stats.kstest((np.array(uniforms[name]) - low) / (high - low), "uniform").pvalue > 1e-7


def test_a_recorded_failure_fails_again_in_its_own_time_and_other_runs_do_not(timed):
    fitted = fit_traffic(failing(timed, seconds=0.625))
    for seed in range(5):
        draw = Draw(seed)
        timeline = simulate(fitted.traffic.world, fitted.traffic.requests(draw), draw)
        assert {ended.request: ended.failed for ended in timeline.requests if ended.failed} == {"ended": "agent/0"}
        (span,) = [span for span in timeline.spans if span.request == "ended"]
        assert (span.status, span.ended - span.started) == ("rate_limited", 0.625)
    told = fitted.report.services[0]
    assert told.retried == 1
    assert any("put right itself" in line for line in fitted.report.assumes)


def test_without_the_failure_the_unseen_reply_is_drawn_anew_each_time(timed):
    fitted = fit_traffic(failing(timed))
    service = fitted.traffic.world.services["large"].model_copy(update={"failures": ()})
    world = World(services={"large": service})
    seconds = set()
    for seed in range(4):
        draw = Draw(seed)
        timeline = simulate(world, fitted.traffic.requests(draw), draw, factual=fitted.traffic.world)
        (ended,) = [one for one in timeline.requests if one.request == "ended"]
        assert ended.failed is None
        seconds.add(ended.end - ended.arrival)
    assert len(seconds) == 4


def test_recorded_costs_are_the_price(timed):
    steps = [
        timed.model(
            "agent/0", 10.0 * at, 1.0 + at, tokens=(100 * at, 7 + at * at), cost=1e-6 * (300 * at + 15 * (7 + at * at))
        )
        for at in range(6)
    ]
    asked = []
    fitted = fit_traffic([timed.run(step, id=f"r{at}") for at, step in enumerate(steps)], prices=asked.append)
    price = fitted.traffic.world.services["large"].price
    assert (price.per_input_token, price.per_output_token) == pytest.approx((3e-6, 15e-6))
    assert not asked


def test_conversations_share_prefixes(timed):
    first = timed.model("agent/0", 0.0, 1.0, tokens=(100, 10))
    longer = first.request.model_copy(update={"messages": (*first.request.messages, first.reply)})
    second = timed.model("agent/1", 2.0, 1.0, tokens=(150, 10)).model_copy(update={"request": longer})
    other = timed.model("b/0", 4.0, 1.0, tokens=(80, 10))
    calls = {call.site: call for call in recorded_run(timed.run(first, second, other)).calls}
    assert calls["agent/0"].prefix == calls["agent/1"].prefix != calls["b/0"].prefix
    assert [calls[site].prefix_tokens for site in ("agent/0", "agent/1", "b/0")] == [100, 100, 80]


def test_a_declared_world_takes_the_noise_of_the_record(timed):
    run = timed.run(timed.model("agent/0", 0.0, 6.0, tokens=(0, 100)))
    latency = Latency(base=1.0, per_output_token=0.01, noise=Constant(value=1.0))
    fitted = fit_traffic([run], World(services={"large": Service(latency=latency, failures=(_rare(),))}))
    (call,) = fitted.traffic.requests(Draw(0))[0].calls
    assert call.noise == 3.0
    assert call.failure_noise is not None
    assert call.failure_noise >= 0.25


def _rare():
    return Failure(kind="timeout", probability=0.25)


@pytest.mark.data
def test_real_traces_come_back_as_recorded(data):
    fitted = fit_traffic(read(data / "trail_otel" / "raw").trajectories)
    assert fitted.report.runs == 4
    assert max(worst(fitted)) < 1e-9


@pytest.mark.slow
@pytest.mark.data
def test_all_real_traces_come_back_as_recorded(data):
    """Of all 86 traces; starts within a microsecond of the record's own, which floats of epoch times hold no better."""
    trajectories = read(data / "trail_otel" / "traces.jsonl.gz").trajectories
    fitted = fit_traffic(trajectories)
    assert fitted.report.runs == 86
    assert max(worst(fitted)) < 1e-9
    for trajectory, run in zip(trajectories, fitted.traffic.runs, strict=True):
        steps, ended = {step.site: step for step in trajectory.steps}, {}
        for call in run.calls:
            begun = max((ended[site] for site in call.after), default=0.0) + call.lag
            ended[call.site] = begun + call.seconds
            assert begun == pytest.approx(steps[call.site].started - run.started, abs=1e-6)


@pytest.mark.slow
@pytest.mark.data
def test_real_runs_of_known_duration_come_back(agentdojo_runs):
    file = next(path for path in sorted(agentdojo_runs.rglob("*gpt-4-0125*")) if path.is_file())
    fitted = fit_traffic(read(file).trajectories)
    assert fitted.report.runs > 100
    assert worst(fitted)[2] < 1e-9


def test_slow_calls_that_share_a_cause_are_noticed_and_others_are_not():
    """Six of 600 calls hang, those of one minute or any. Of 200 logs of the latter p <= .01 in 7 or fewer: P = .999."""
    rng = np.random.default_rng(0)

    def p_value(together):
        starts, noise = np.sort(rng.uniform(0.0, 6_000.0, 600)), rng.lognormal(0.0, 0.3, 600)
        hang = rng.choice(600, 6, replace=False)
        if together:
            hang = np.arange(300, 306)
        noise[hang] += 100.0
        found = slowest_together(starts, 30.0 * noise, noise, Draw(int(rng.integers(1 << 30))))
        assert found.slow == 6
        return found.p_value

    assert p_value(together=True) <= 0.002
    assert sum(p_value(together=False) <= 0.01 for _ in range(200)) <= 7
    assert slowest_together(np.arange(299.0), np.ones(299), np.ones(299), Draw(0)) is None


@pytest.mark.slow
@pytest.mark.data
def test_the_hangs_of_trail_were_one_incident(data):
    fitted = fit_traffic(read(data / "trail_otel" / "traces.jsonl.gz").trajectories)
    told = fitted.fits["o3-mini"].told.together
    assert (told.slow, told.close) == (7, 5)
    assert told.p_value <= 0.002
    assert any("5 of its 7 slowest calls began within 47.8 seconds" in line for line in fitted.report.assumes)
