"""What a timeline comes to: by service, by request, and in total."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from math import fsum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ifonly.sim.services.timeline import Span, Timeline
    from ifonly.sim.services.world import World

__all__ = ["Metrics", "RequestLoad", "Seconds", "ServiceLoad", "TotalLoad", "area_present", "measure"]


@dataclass(frozen=True, slots=True)
class Seconds:
    """A distribution of seconds: mean, median, 90 and 99 % quantiles (linear between order statistics)."""

    mean: float
    p50: float
    p90: float
    p99: float

    @staticmethod
    def of(values: Sequence[float]) -> Seconds | None:
        """Of some values; None of none."""
        if not values:
            return None
        p50, p90, p99 = np.quantile(values, (0.5, 0.9, 0.99)).tolist()
        return Seconds(fsum(values) / len(values), p50, p90, p99)


@dataclass(frozen=True, slots=True)
class ServiceLoad:
    """One service.

    Attributes:
        attempts: that came to it.
        throughput: answers (`ok`) a second.
        utilisation: share of its slots' time that was taken; None where slots are without limit.
        serving: mean number in slots over time.
        waiting: mean number in the queue and at the door over time.
        wait: seconds until service began, of attempts that were served.
        service: seconds in a slot, of attempts that were served.
        refused: share of attempts refused at the door or queue, or by the service (`rate_limited`).
        timeouts: share that timed out.
        errors: share that ended in `server_error` or `malformed`.
        cached_tokens: of the prompts, read from the cache.
        cost: US dollars; None where a price is not known.
    """

    attempts: int
    throughput: float
    utilisation: float | None
    serving: float
    waiting: float
    wait: Seconds | None
    service: Seconds | None
    refused: float
    timeouts: float
    errors: float
    cached_tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class RequestLoad:
    """One request: seconds from arrival to end; those waited and served, summed over its attempts; what failed it."""

    request: str
    seconds: float
    waited: float
    served: float
    attempts: int
    retries: int
    cost: float | None
    failed: str | None


@dataclass(frozen=True, slots=True)
class TotalLoad:
    """All of the traffic.

    Attributes:
        requests: that ended.
        span: seconds from the first arrival to the last end.
        throughput: requests a second that did not fail.
        failed: share of requests that failed.
        latency: seconds from arrival to end, of requests that did not fail.
        present: mean number of requests under way over time.
        attempts: of calls.
        retries: attempts after the first of a call, those at fallbacks too; hedges not counted.
        hedges: attempts beside another.
        cost: US dollars; None where a price is not known.
        cost_per_request: US dollars a request, failed ones counted.
    """

    requests: int
    span: float
    throughput: float
    failed: float
    latency: Seconds | None
    present: float
    attempts: int
    retries: int
    hedges: int
    cost: float | None
    cost_per_request: float | None


@dataclass(frozen=True, slots=True)
class Metrics:
    """In total, by service, and by request in the order of the traffic."""

    total: TotalLoad
    services: dict[str, ServiceLoad]
    requests: tuple[RequestLoad, ...]

    def flat(self) -> dict[str, float]:
        """Every number of total and services by one name, as `latency p90` and `planner wait p50`; None is left out."""
        tables = {"": asdict(self.total)} | {f"{name} ": asdict(load) for name, load in self.services.items()}
        found: dict[str, float] = {}
        for prefix, table in tables.items():
            for name, value in table.items():
                numbers = {f"{name} {k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
                found |= {prefix + key: float(number) for key, number in numbers.items() if number is not None}
        return found


def measure(timeline: Timeline, world: World) -> Metrics:
    """Return the metrics of a timeline.

    Rates are over the time from the first arrival to the last end: for those of a steady state, cut off the warm-up
    before.
    """
    first = min((ended.arrival for ended in timeline.requests), default=0.0)
    span = max((ended.end for ended in timeline.requests), default=0.0) - first
    by_service: dict[str, list[Span]] = {name: [] for name in world.services}
    by_request: dict[str, list[Span]] = {ended.request: [] for ended in timeline.requests}
    for attempt in timeline.spans:
        by_service.setdefault(attempt.service, []).append(attempt)
        by_request[attempt.request].append(attempt)
    loads = tuple(
        _request(ended.request, ended.end - ended.arrival, by_request[ended.request], ended.failed)
        for ended in timeline.requests
    )
    slots = {name: service.concurrency for name, service in world.services.items()}
    services = {name: _service(spans, span, slots.get(name)) for name, spans in by_service.items()}
    return Metrics(_total(timeline, loads, span), services, loads)


def area_present(sojourns: Iterable[tuple[float, float]]) -> float:
    """Return the integral over time of the number present, by a sweep over arrivals and ends.

    Little's law (1961) on a finite timeline: it equals the sum of the sojourns.
    """
    moves = sorted(move for start, end in sojourns for move in ((start, 1), (end, -1)))
    present, before, area = 0, 0.0, []
    for time, move in moves:
        area.append(present * (time - before))
        present += move
        before = time
    return fsum(area)


def _service(spans: list[Span], span: float, slots: int | None) -> ServiceLoad:
    served = [attempt for attempt in spans if attempt.started is not None]
    wait = [attempt.started - attempt.queued for attempt in served if attempt.started is not None]
    service = [attempt.ended - attempt.started for attempt in served if attempt.started is not None]
    never = [attempt.ended - attempt.queued for attempt in spans if attempt.started is None]
    count = Counter(attempt.status for attempt in spans)
    share = 1.0 / len(spans) if spans else 0.0
    per_second = 1.0 / span if span > 0.0 else 0.0
    serving = fsum(service) * per_second
    return ServiceLoad(
        attempts=len(spans),
        throughput=count["ok"] * per_second,
        utilisation=None if slots is None else serving / slots,
        serving=serving,
        waiting=(fsum(wait) + fsum(never)) * per_second,
        wait=Seconds.of(wait),
        service=Seconds.of(service),
        refused=count["rate_limited"] * share,
        timeouts=count["timeout"] * share,
        errors=(count["server_error"] + count["malformed"]) * share,
        cached_tokens=sum(attempt.cached_tokens for attempt in spans),
        cost=_sum(attempt.cost for attempt in spans),
    )


def _request(name: str, seconds: float, spans: list[Span], failed: str | None) -> RequestLoad:
    return RequestLoad(
        request=name,
        seconds=seconds,
        waited=fsum((s.ended if s.started is None else s.started) - s.queued for s in spans),
        served=fsum(0.0 if s.started is None else s.ended - s.started for s in spans),
        attempts=len(spans),
        retries=sum(s.attempt > 1 and not s.hedge for s in spans),
        cost=_sum(s.cost for s in spans),
        failed=failed,
    )


def _sum(costs: Iterable[float | None]) -> float | None:
    """The sum; None if one is not known."""
    told = list(costs)
    known = [cost for cost in told if cost is not None]
    return fsum(known) if len(known) == len(told) else None


def _total(timeline: Timeline, loads: tuple[RequestLoad, ...], span: float) -> TotalLoad:
    good = [load.seconds for load in loads if load.failed is None]
    per_second = 1.0 / span if span > 0.0 else 0.0
    per_request = 1.0 / len(loads) if loads else 0.0
    cost = _sum(load.cost for load in loads)
    return TotalLoad(
        requests=len(loads),
        span=span,
        throughput=len(good) * per_second,
        failed=(len(loads) - len(good)) * per_request,
        latency=Seconds.of(good),
        present=area_present((ended.arrival, ended.end) for ended in timeline.requests) * per_second,
        attempts=sum(load.attempts for load in loads),
        retries=sum(load.retries for load in loads),
        hedges=sum(attempt.hedge for attempt in timeline.spans),
        cost=cost,
        cost_per_request=None if cost is None else cost * per_request,
    )
