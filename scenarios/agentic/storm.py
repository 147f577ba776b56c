"""A retry storm at work: the same traffic, through the same outage, under three ways to retry.

A service of four slots and one second a call gets three calls a second, and is out for ten seconds. Clients give an
attempt up after two seconds: then the slot that it held was held for nothing. So a queue that is a little too long is
served for nothing, and retries keep it so long after the outage is over (Bronson et al. 2021, "Metastable failures in
distributed systems"). All worlds share their noise: calls come at the same times in each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.study import Figures
from ifonly.scm.draw import Draw
from ifonly.sim.engine.simulate import simulate
from ifonly.sim.services.arrivals import Poisson, arriving
from ifonly.sim.services.client import Client, Retry
from ifonly.sim.services.requests import Call, Request
from ifonly.sim.services.service import Latency, Outage, Service
from ifonly.sim.services.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["storm", "storm_table"]

_CALLS: Final = 420
_RATE: Final = 3.0
_OUTAGE: Final = (50.0, 60.0)
_SERVICE: Final = Service(
    concurrency=4,
    latency=Latency(base=1.0),
    outages=(Outage(start=_OUTAGE[0], end=_OUTAGE[1]),),
)
_CLIENTS: Final[Mapping[str, Client]] = {
    "never": Client(timeout=2.0),
    "once, after about 1 s": Client(timeout=2.0, retry=Retry(attempts=2, base=2.0)),
    "three times, after about 1, 2 and 4 s": Client(timeout=2.0, retry=Retry(attempts=4, base=2.0)),
}


def storm(client: Client, seed: int) -> dict[str, float]:
    """Run the traffic.

    Args:
        client: how callers retry.
        seed: of all noise.

    Returns:
        Attempts a call, and the share of calls that failed of those that came before, in, and in the 30 seconds after
        the outage.
    """
    draw = Draw(seed)
    calls = [Request(f"call/{n}", 0.0, (Call("step/0", "model"),)) for n in range(_CALLS)]
    traffic = arriving(calls, Poisson(rate=_RATE), draw)
    timeline = simulate(World(services={"model": _SERVICE}, client=client), traffic, draw)
    failed = {one.request: one.failed is not None for one in timeline.requests}
    start, end = _OUTAGE
    parts = {"before": (0.0, start - 3), "in the outage": (start, end), "30 s after": (end, end + 30)}
    return {
        "attempts a call": len(timeline.spans) / _CALLS,
        **{
            name: float(np.mean([failed[one.name] for one in traffic if low <= one.arrival < high]))
            for name, (low, high) in parts.items()
        },
    }


def storm_table(seed: int, runs: int = 3) -> Figures:
    """Return what each way to retry comes to, mean over runs of the traffic.

    Args:
        seed: of the first run.
        runs: how many.
    """
    rows: list[tuple[str | float, ...]] = []
    titles: tuple[str, ...] = ()
    for name, client in _CLIENTS.items():
        found = [storm(client, seed + n) for n in range(runs)]
        titles = tuple(found[0])
        rows.append((name, *(float(np.mean([one[title] for one in found])) for title in titles)))
    return Figures(
        title=f"simulated traffic: share of failed calls by when they came; {_OUTAGE[1] - _OUTAGE[0]:g} s of outage",
        titles=("clients retry", *titles),
        rows=tuple(rows),
    )
