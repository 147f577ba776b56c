"""Settings side by side: latency, cost, failures and quality, and which of them are not dominated."""

from __future__ import annotations

from itertools import product
from math import inf
from typing import TYPE_CHECKING

from ifonly.agents.errors import ActionError
from ifonly.scm.policy.front import dominated
from ifonly.sim.simulate.answers import SweepPoint
from ifonly.sim.simulate.asking import change_of, numbers_of
from ifonly.sim.simulate.edits import Put, Scale, Swap
from ifonly.sim.simulate.laws_anew import laws_anew

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import JsonValue

    from ifonly.agents.records import Trajectory
    from ifonly.scm.estimate import Estimate
    from ifonly.sim.services.metrics import Metrics
    from ifonly.sim.services.timeline import Timeline
    from ifonly.sim.simulate.edits import Edit
    from ifonly.sim.simulate.numbers import Numbers
    from ifonly.sim.simulate.replications import Replayed, Replayer
    from ifonly.sim.timing import FittedTraffic

__all__ = ["sweep", "swept_edit"]

_SHOWN = (
    "latency mean",
    "latency p50",
    "latency p90",
    "latency p99",
    "throughput",
    "failed",
    "cost",
    "cost_per_request",
)
_MOST = 2


def swept_edit(place: str, value: JsonValue) -> Edit:
    """The edit that puts a swept place to a value: ``swap.MODEL``, ``arrivals``, or a place of the world.

    Raises:
        ActionError: the value does not fit the place.
    """
    if place == "arrivals":
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0.0 < value < inf:
            raise ActionError(f"--sweep arrivals={value}", "no factor", "Write factors above 0: arrivals=1,2,4.")
        return Scale(factor=float(value))
    if place.startswith("swap."):
        return Swap(service=place.removeprefix("swap."), to=str(value))
    return Put(at=place, value=value)


def sweep(
    fitted: FittedTraffic,
    edits: Sequence[Edit],
    places: Mapping[str, Sequence[JsonValue]],
    replayer: Replayer,
    *,
    runs: Sequence[Trajectory] = (),
    quality: Mapping[str, float] | None = None,
    level: float = 0.95,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[SweepPoint, ...]:
    """Return every combination of the places' values, each under the same noise. Long because of what it takes.

    Args:
        fitted: recorded traffic.
        edits: of every setting, before the swept ones.
        places: one or two, with their values.
        replayer: of the traffic.
        runs: as read, for rules.
        quality: of each model, averaged over the calls that it answers; None: no quality.
        level: of intervals.
        progress: told the settings done, and of how many.

    Raises:
        ActionError, UnknownName: more than two places are swept, or a setting makes no sense.
    """
    grid = _settings(places)
    found: list[tuple[dict[str, object], dict[str, Estimate], float | None]] = []
    asked = [(*edits, *(swept_edit(*put) for put in setting.items())) for setting in grid]
    changes = [change_of(made, runs) for made in asked]
    worlds = [change(fitted) for change in changes]  # all, so that none fails after others took time
    for done, setting in enumerate(grid):
        progress(done, len(grid))
        replayed = replayer.replay(worlds[done])
        anew = [other for _, other in laws_anew(fitted, changes[done], replayer, replayed)]
        told = _metrics(replayed, anew, numbers_of(fitted.traffic, asked[done], replayed.drawn, level))
        found.append((dict(setting), told, _quality(replayed.timelines[1], quality, fitted)))
    worse = dominated([_objectives(metrics, value) for _, metrics, value in found])
    return tuple(
        SweepPoint(setting=setting, metrics=metrics, quality=value, dominated=beaten)
        for (setting, metrics, value), beaten in zip(found, worse, strict=True)
    )


def _settings(places: Mapping[str, Sequence[JsonValue]]) -> list[dict[str, JsonValue]]:
    """Every combination of the places' values."""
    if len(places) > _MOST:
        raise ActionError(f"--sweep of {', '.join(places)}", f"{len(places)} places", "Sweep one place or two.")
    return [dict(zip(places, values, strict=True)) for values in product(*places.values())]


def _metrics(replayed: Replayed, anew: Sequence[Metrics], numbers: Numbers) -> dict[str, Estimate]:
    drawn, refitted = ([metrics.flat() for metrics in told] for told in (replayed.counterfactual, anew))
    found = {
        name: numbers.metric(name, [one.get(name) for one in drawn], [one.get(name) for one in refitted])
        for name in _SHOWN
    }
    return {name: estimate for name, estimate in found.items() if estimate is not None}


def _objectives(metrics: Mapping[str, Estimate], quality: float | None) -> tuple[float, ...]:
    """Smaller is better."""
    values = [metrics[name].value if name in metrics else None for name in ("latency p90", "cost", "failed")]
    return (*(inf if value is None else value for value in values), -(quality or 0.0))


def _quality(timeline: Timeline, quality: Mapping[str, float] | None, fitted: FittedTraffic) -> float | None:
    """The mean over runs of that over the model calls answered; None where a model has none."""
    if quality is None:
        return None
    models = {call.site: call.model for run in fitted.traffic.runs for call in run.calls}
    by_run: dict[str, list[str]] = {}
    for span in timeline.spans:
        if span.status == "ok" and models.get(span.site):
            by_run.setdefault(span.request, []).append(span.service)
    asked = {name for names in by_run.values() for name in names}
    if not by_run or asked - quality.keys():
        return None
    return sum(sum(quality[name] for name in names) / len(names) for names in by_run.values()) / len(by_run)
