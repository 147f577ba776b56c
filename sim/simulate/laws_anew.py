"""Both worlds under laws that are fitted to resampled calls: how far an answer hangs on so many calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.scm.draw import Draw
from ifonly.sim.simulate.replications import Replayer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ifonly.sim.services.metrics import Metrics
    from ifonly.sim.services.timeline import Timeline
    from ifonly.sim.simulate.applying import Changed
    from ifonly.sim.simulate.replications import Replayed
    from ifonly.sim.timing import FittedTraffic, Traffic

__all__ = ["borrowed", "laws_anew"]


def borrowed(timeline: Timeline, traffic: Traffic) -> tuple[str, ...]:
    """The services whose laws tell what no record does: of calls that were asked elsewhere or again, and of where from.

    Args:
        timeline: of the changed world.
        traffic: as recorded.
    """
    recorded = {(run.id, call.site): call.service for run in traffic.runs for call in run.calls}
    found = set[str]()
    for span in timeline.spans:
        was = recorded[span.request, span.site]
        if span.attempt > 1 or span.hedge or span.service != was:
            found |= {span.service, was}
    return tuple(sorted(found))


def laws_anew(
    fitted: FittedTraffic,
    change: Callable[[FittedTraffic], Changed],
    replayer: Replayer,
    replayed: Replayed,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Iterator[tuple[Metrics, Metrics]]:
    """Metrics of both worlds, once for each replication, with the draws of that replication and laws of a resample.

    The factual world has these laws too: noise is abducted under them, so that what was recorded stays as it was.

    Args:
        fitted: the recorded traffic and its laws.
        change: what the edits make of traffic.
        replayer: of that traffic.
        replayed: what it gave.
        progress: told the resamples done, and of how many.
    """
    names = () if fitted.declared else borrowed(replayed.timelines[1], fitted.traffic)
    if not names:
        return
    for at in range(replayer.replications):
        progress(at, replayer.replications)
        again = fitted.refitted(names, Draw(replayer.seed + at))
        seed = replayer.seed + (at if len(replayed.counterfactual) > 1 else 0)
        one = Replayer(again.traffic, replayer.arrivals, 1, seed).replay(change(again))
        yield one.factual[0], one.counterfactual[0]
    progress(replayer.replications, replayer.replications)
