"""What shared noise is worth: the variance of the estimated effect of a changed concurrency, paired against not.

Runs of an agent (a plan, two searches in parallel, an answer) come to a model of limited concurrency. The effect is the
change of their mean latency. With common random numbers both worlds have one noise a replication; the worth is
Var independent / Var paired = (Var a + Var b) / Var (b - a) (Law, Simulation Modeling and Analysis, sec. 11.2).

What there is to gain is bounded, however noise is shared: Var (b - a) >= (sd a - sd b)^2 by Cauchy and Schwarz, so
the ratio is at most (sd a^2 + sd b^2) / (sd a - sd b)^2, its `ceiling`. A change that takes away most of what varies,
as more slots take a queue away, is its own noise: where the standard deviation falls by 38 % or more (sd b at most .627
sd a) no coupling reaches 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.draw import Draw
from ifonly.scm.durations import LogNormal
from ifonly.sim.engine.simulate import simulate
from ifonly.sim.services.arrivals import Poisson, arriving
from ifonly.sim.services.requests import Call, Request
from ifonly.sim.services.service import Latency, Service
from ifonly.sim.services.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CHANGES", "Change", "Worth", "worth_of_sharing"]

_CALLS = (
    Call("plan/0", "model"),
    Call("search/0", "search", after=("plan/0",)),
    Call("search/1", "search", after=("plan/0",)),
    Call("answer/0", "model", after=("search/0", "search/1")),
)
_MODEL = Latency(base=2.0, noise=LogNormal(median=1.0, sigma=0.8))
_SEARCH = Latency(base=1.0, noise=LogNormal(median=1.0, sigma=1.0))


@dataclass(frozen=True)
class Change:
    """From so many slots of the model to so many, at this load of the former."""

    slots: int
    changed: int
    load: float

    @property
    def rate(self) -> float:
        """Runs a second."""
        model_calls = sum(call.service == "model" for call in _CALLS)
        return self.load * self.slots / (model_calls * _MODEL.base * _MODEL.noise.mean)


@dataclass(frozen=True)
class Worth:
    """What shared noise is worth.

    Attributes:
        effect: estimated, in seconds.
        error: its standard error, paired.
        ratio: of variances, independent to paired.
        ceiling: the largest ratio that any way of sharing could have, at the standard deviations found.
    """

    effect: float
    error: float
    ratio: float
    ceiling: float


CHANGES = (Change(8, 10, 0.3), Change(8, 10, 0.5), Change(8, 10, 0.7), Change(8, 9, 0.9), Change(32, 40, 0.7))
"""From idle to busy: where queues are long, the effect is the queue itself, and differs from one noise to the next."""


def worth_of_sharing(change: Change, runs: int, seeds: Sequence[int]) -> Worth:
    """Return what shared noise is worth, from one pair of simulations a seed.

    Args:
        change: of the concurrency.
        runs: of the agent, in each simulation.
        seeds: of the replications.
    """
    requests = [Request(f"run/{i}", 0.0, _CALLS) for i in range(runs)]
    pairs = np.array([_pair(change, requests, Draw(seed)) for seed in seeds])
    effects = pairs[:, 1] - pairs[:, 0]
    variance = float(effects.var(ddof=1))
    before, after = pairs.std(axis=0, ddof=1).tolist()
    independent = before**2 + after**2
    least = (before - after) ** 2
    return Worth(float(effects.mean()), (variance / len(seeds)) ** 0.5, independent / variance, independent / least)


def _pair(change: Change, requests: Sequence[Request], draw: Draw) -> tuple[float, float]:
    """Mean latency before and after, of one noise."""
    traffic = arriving(requests, Poisson(rate=change.rate), draw)
    before, after = (
        fmean(ended.end - ended.arrival for ended in simulate(_world(slots), traffic, draw).requests)
        for slots in (change.slots, change.changed)
    )
    return before, after


def _world(slots: int) -> World:
    return World(
        services={"model": Service(concurrency=slots, latency=_MODEL), "search": Service(latency=_SEARCH)},
    )
