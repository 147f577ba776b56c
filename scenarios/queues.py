"""Queues whose answers are known: what the discrete-event engine must give back.

Poisson arrivals at one service, first come first served. Waiting times are those before service begins:

- M/G/1 (Pollaczek 1930, Khinchine 1932): E W = load / (1 - load) E S (1 + variation) / 2, the variation 1
  for M/M/1 and 0 for M/D/1;
- M/M/c: P(W > 0) by Erlang's C formula, E W = C mean / (slots - offered);
- M/G/c without a queue: lost by Erlang's B formula, whatever the law of service (Sevastyanov 1957).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from ifonly.scm.draw import Draw
from ifonly.scm.durations import Constant, Duration, Exponential, Gamma
from ifonly.sim.engine.simulate import simulate
from ifonly.sim.services.arrivals import Poisson, arriving
from ifonly.sim.services.requests import Call, Request
from ifonly.sim.services.service import Latency, Service
from ifonly.sim.services.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["QUEUES", "Measured", "Queue", "erlang_b", "erlang_c", "measure_queue"]

_SERVICE = "s"
_BATCHES = 200

Floats: TypeAlias = "NDArray[np.float64]"


@dataclass(frozen=True)
class Queue:
    """A queue with a known answer.

    Attributes:
        name: of the queue, in Kendall's notation.
        rate: arrivals a second.
        law: of the seconds of service.
        variation: squared coefficient of variation of that law.
        slots: how many are served at once.
        asks: the mean wait, the share that waits, or the share lost (then there is no queue).
        truth: the answer.
    """

    name: str
    rate: float
    law: Duration
    variation: float
    slots: int
    asks: Literal["wait", "waits", "lost"]
    truth: float

    @property
    def world(self) -> World:
        """The service."""
        queue = 0 if self.asks == "lost" else None
        latency = Latency(base=1.0, noise=self.law)
        return World(services={_SERVICE: Service(concurrency=self.slots, queue=queue, latency=latency)})

    def traffic(self, customers: int, draw: Draw) -> tuple[Request, ...]:
        """Requests of one call each."""
        calls = (Call("step/0", _SERVICE),)
        return arriving([Request(f"r{i}", 0.0, calls) for i in range(customers)], Poisson(rate=self.rate), draw)


@dataclass(frozen=True)
class Measured:
    """An answer of the engine.

    Attributes:
        value: the estimate.
        error: its standard error.
        plain: standard error without control variates.
    """

    value: float
    error: float
    plain: float


def erlang_b(offered: float, slots: int) -> float:
    """Return the share lost of Poisson traffic offered to slots without a queue (Erlang 1917), by its recursion."""
    blocked = 1.0
    for k in range(1, slots + 1):
        blocked = offered * blocked / (k + offered * blocked)
    return blocked


def erlang_c(offered: float, slots: int) -> float:
    """Return the share of Poisson traffic that waits where service is exponential and the queue endless."""
    blocked = erlang_b(offered, slots)
    return blocked / (1.0 - offered / slots * (1.0 - blocked))


def measure_queue(queue: Queue, customers: int, seeds: Sequence[int] = (0,)) -> Measured:
    """Return the engine's answer, with its standard error by batch means and control variates.

    What a customer meets does not depend on its own service nor on the gap after it, so their products with what it
    meets have mean zero, as have they themselves and their squares less what is known of them: the mean over batches
    is corrected by least squares on all of these (Lavenberg & Welch 1981). Of 200 batches the first is the warm-up.

    Args:
        queue: the queue.
        customers: how many in each run.
        seeds: of the runs, which are independent.
    """
    runs = [_measure(queue, customers, Draw(seed)) for seed in seeds]
    error, plain = (hypot(*(getattr(run, kind) for run in runs)) / len(runs) for kind in ("error", "plain"))
    return Measured(fmean(run.value for run in runs), error, plain)


def _measure(queue: Queue, customers: int, draw: Draw) -> Measured:
    """One run."""
    requests = queue.traffic(customers, draw)
    timeline = simulate(queue.world, requests, draw)
    place = {request.name: i for i, request in enumerate(requests)}
    met = np.empty(customers)
    for span in timeline.spans:
        met[place[span.request]] = span.started is None if queue.asks == "lost" else (span.started or 0.0) - span.queued
    if queue.asks == "waits":
        met = (met > 0.0).astype(float)
    controls = _controls(queue, requests, met, draw)
    size = customers // _BATCHES
    columns = np.column_stack([met, controls])[: size * _BATCHES]
    means = columns.reshape(_BATCHES, size, -1).mean(axis=1)[1:]
    return _corrected(means[:, 0], means[:, 1:])


def _controls(queue: Queue, requests: tuple[Request, ...], met: Floats, draw: Draw) -> Floats:
    """Mean-zero columns: own service and the gap after, their squares and products, and times what is met."""
    times = np.array([request.arrival for request in requests])
    gap = np.append(np.diff(times), 1.0 / queue.rate) * queue.rate - 1.0
    served = queue.law.quantile(draw.eights(f"{r.name}\x1fstep/0\x1f1" for r in requests)[:, 0]) / queue.law.mean - 1.0
    columns = [gap, met * gap, gap**2 - 1.0]
    if queue.variation > 0.0:
        columns += [served, met * served, served**2 - queue.variation, served * gap]
    return np.stack(columns, axis=1)


def _corrected(values: Floats, controls: Floats) -> Measured:
    """The intercept of least squares, and its standard error."""
    design = np.column_stack([np.ones(len(values)), controls])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ values
    residual = values - design @ beta
    variance = float(residual @ residual) / (len(values) - design.shape[1])
    plain = float(values.std(ddof=1)) / len(values) ** 0.5
    return Measured(float(beta[0]), float(np.sqrt(variance * inverse[0, 0])), plain)


def _single(name: str, rate: float, law: Duration, variation: float) -> Queue:
    """M/G/1, by Pollaczek and Khinchine."""
    load = rate * law.mean
    return Queue(name, rate, law, variation, 1, "wait", load / (1.0 - load) * law.mean * (1.0 + variation) / 2.0)


_UNIT, _VARIED = Exponential(mean=1.0), Gamma(shape=0.5, scale=2.0)
QUEUES = (
    _single("M/M/1", 0.5, _UNIT, 1.0),
    _single("M/D/1", 0.5, Constant(value=1.0), 0.0),
    _single("M/G/1", 0.5, _VARIED, 2.0),
    Queue("M/M/2", 1.2, _UNIT, 1.0, 2, "wait", erlang_c(1.2, 2) / (2 - 1.2)),
    Queue("Erlang C, M/M/4", 3.0, _UNIT, 1.0, 4, "waits", erlang_c(3.0, 4)),
    Queue("Erlang B, M/M/5/5", 4.0, _UNIT, 1.0, 5, "lost", erlang_b(4.0, 5)),
    Queue("Erlang B, M/G/5/5", 4.0, _VARIED, 2.0, 5, "lost", erlang_b(4.0, 5)),
)
"""Loads of a half to four fifths; the G is gamma of shape one half."""
