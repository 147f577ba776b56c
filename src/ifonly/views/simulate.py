"""Answers about time, cost and load in words, for the terminal and the page alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.sim.simulate.asking import BOTH
from ifonly.views.grid import Grid
from ifonly.views.scores import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.estimate import Estimate
    from ifonly.sim.simulate import SimulateAnswer
    from ifonly.sim.simulate.answers import Change, SweepPoint
    from ifonly.sim.timing import ServiceFit

__all__ = ["SimulateView", "simulate_view"]

_COSTS = ("cost", "cost_per_request")
_UNKNOWN = "not known"
_TOTAL = (
    ("latency p50", "latency of a run, p50 (s)"),
    ("latency p90", "p90 (s)"),
    ("latency p99", "p99 (s)"),
    ("latency mean", "mean (s)"),
    (BOTH, "mean of runs done in both worlds (s)"),
    ("throughput", "runs done a second"),
    ("failed", "share of runs that fail"),
    ("attempts", "attempts of calls"),
    ("retries", "of them retries and fallbacks"),
    ("hedges", "of them hedges"),
    ("cost", "cost of all ($)"),
    ("cost_per_request", "cost of a run ($)"),
)
_SERVICE = (
    ("attempts", "attempts"),
    ("utilisation", "utilisation"),
    ("wait p90", "wait p90 (s)"),
    ("service p50", "service p50 (s)"),
    ("refused", "refused"),
    ("timeouts", "timeouts"),
    ("errors", "errors"),
    ("cost", "cost ($)"),
)
_ROUNDING = 1e-9
"""What differs by less differs by the rounding of sums of times alone."""

_RUNS = 10
"""Runs that are told one by one: those whose time changes most."""


@dataclass(frozen=True, slots=True)
class SimulateView:
    """A whole answer.

    Args:
        question: what was changed, a line each, and what was swept.
        traffic: what it was asked of, in a line.
        total: of all runs.
        services: a table each of those that are used otherwise than recorded; all, where nothing was changed.
        runs: that change most; none where none changes.
        sweep: settings side by side; None where none were asked for.
        laws: of services.
        drawn: what was drawn.
        assumes: what all of it rests on.
    """

    question: tuple[str, ...]
    traffic: str
    total: Grid
    services: Grid
    runs: Grid
    sweep: Grid | None
    laws: Grid
    drawn: tuple[str, ...]
    assumes: tuple[str, ...]


def simulate_view(answer: SimulateAnswer) -> SimulateView:
    """The answer in words."""
    return SimulateView(
        question=(*answer.words, *_swept(answer.sweep)) or ("nothing is changed: the traffic as recorded",),
        traffic=_traffic(answer),
        total=Grid(
            ("in total", "recorded", "would have been", "change"),
            tuple((label, *cells) for name, label in _TOTAL if (cells := _total(answer, name))),
        ),
        services=_services(answer),
        runs=_runs(answer),
        sweep=_sweep(answer.sweep) if answer.sweep else None,
        laws=_laws(answer.traffic.services),
        drawn=answer.drawn,
        assumes=tuple(dict.fromkeys(answer.assumes)),
    )


def _traffic(answer: SimulateAnswer) -> str:
    told = answer.traffic
    text = f"{told.runs:,} runs, {told.calls:,} calls, {_short(told.seconds)} seconds in all, "
    text += f"{told.agent_seconds / told.seconds:.1%} of them the agents' own; " if told.seconds else ""
    text += f"arrivals: {answer.arrivals}"
    left = sum(told.left_out.values())
    return text + (f"; {left:,} runs left out ({', '.join(told.left_out)})" if left else "")


def _swept(points: Sequence[SweepPoint]) -> tuple[str, ...]:
    """Each swept place with its values."""
    values: dict[str, dict[str, None]] = {}
    for point in points:
        for place, value in point.setting.items():
            values.setdefault(place, {})[str(value)] = None
    return tuple(f"{place} is each of {', '.join(tried)}" for place, tried in values.items())


def _silent(change: Change, name: str) -> bool:
    """Whether a number says nothing: retries, hedges and costs that are nought in both worlds."""
    zero = not change.factual and (change.counterfactual is None or not change.counterfactual.value)
    return zero and name in {"retries", "hedges", *_COSTS}


def _total(answer: SimulateAnswer, name: str) -> tuple[str, ...]:
    """A number in both worlds, and its change; nothing where it says nothing. A cost says that it is not known."""
    change = answer.metrics.get(name)
    if change is None:
        return (_UNKNOWN,) * 3 if name in _COSTS and answer.traffic.unpriced else ()
    if _silent(change, name):
        return ()
    return _told(change, name)


def _told(change: Change, name: str) -> tuple[str, ...]:
    return tuple(cell or (_UNKNOWN if name in _COSTS else "") for cell in _cells(change))


def _cells(change: Change) -> tuple[str, str, str]:
    return _plain(change.factual), _estimate(change.counterfactual), _estimate(change.change, signed=True)


def _plain(value: float | None) -> str:
    return "" if value is None else _short(value)


def _short(value: float) -> str:
    """Some four digits: three decimals below a hundred, more where there would be nothing but noughts."""
    value = 0.0 if abs(value) < _ROUNDING else value
    if abs(value) >= 100.0:  # noqa: PLR2004
        return f"{value:,.0f}" if abs(value) >= 1000.0 or value == round(value) else f"{value:.1f}"  # noqa: PLR2004
    return number(value) if value == 0.0 or abs(value) >= 0.01 else f"{value:.3g}"  # noqa: PLR2004


def _estimate(estimate: Estimate | None, *, signed: bool = False) -> str:
    if estimate is None or estimate.value is None:
        return ""
    sign = "+" if signed and estimate.value > 0.0 else ""
    text = sign + _short(estimate.value)
    if estimate.low == estimate.high:
        return text
    return f"{text} [{_short(estimate.low)}, {_short(estimate.high)}]"


def _services(answer: SimulateAnswer) -> Grid:
    """A row for each service and number that differs; the load of every service where nothing does."""
    rows = []
    names = dict.fromkeys(one.service for one in answer.traffic.services)
    names |= {name.removesuffix(" attempts"): None for name in answer.metrics if name.endswith(" attempts")}
    for service in names:
        for key, label in _SERVICE:
            change = answer.metrics.get(f"{service} {key}")
            if change is None or (change.counterfactual is None and key not in _COSTS):
                continue  # of a service that is asked no more, its attempts say all
            differs = (
                change.change is None or not change.change.low - _ROUNDING <= 0.0 <= change.change.high + _ROUNDING
            )
            if differs or (not answer.edits and not answer.sweep and key in {"attempts", "service p50"}):
                rows.append((service, label, *_told(change, key)))
    return Grid(("service", "number", "recorded", "would have been", "change"), tuple(rows))


def _runs(answer: SimulateAnswer) -> Grid:
    def moved(place: int) -> float:
        one = answer.runs[place]
        change = one.seconds.change
        return abs(change.value or 0.0) if change is not None else 0.0

    order = sorted(range(len(answer.runs)), key=moved, reverse=True)[:_RUNS]
    rows = []
    for place in (place for place in order if moved(place) > _ROUNDING):
        one = answer.runs[place]
        fails = one.failed.counterfactual
        failing = "" if fails is None or not fails.value else f"fails with P = {number(fails.value)}"
        rows.append((one.run, *_cells(one.seconds), failing))
    return Grid(("run", "recorded (s)", "would have taken (s)", "change", ""), tuple(rows))


def _sweep(points: Sequence[SweepPoint]) -> Grid:
    shown = ("latency p50", "latency p90", "failed", "cost")
    quality = any(point.quality is not None for point in points)
    titles = (*points[0].setting, *shown, *(("quality",) if quality else ()), "")
    rows = []
    for point in points:
        cells = [str(value) for value in point.setting.values()]
        cells += [_estimate(point.metrics.get(name)) for name in shown]
        cells += [_plain(point.quality)] if quality else []
        rows.append((*cells, "dominated" if point.dominated else "on the front"))
    return Grid(titles, tuple(rows))


def _laws(services: Sequence[ServiceFit]) -> Grid:
    titles = ("service", "calls", "seconds", "noise", "goodness of fit", "AIC", "failures")
    told = [_law(one) for one in services if one.noise is not None]
    silent = [one for one in services if one.noise is None]
    if silent:
        told.append((f"{len(silent)} others", f"{sum(one.calls for one in silent):,}", "no record tells", *[""] * 4))
    return Grid(titles, tuple(told))


def _law(one: ServiceFit) -> tuple[str, ...]:
    failed = ", ".join(f"{rate.kind} {rate.count} of {one.calls}" for rate in one.failures if rate.count)
    noise = one.noise
    assert noise is not None
    tested = [fit for fit in noise.fits if fit.aic is not None]
    ps = "; ".join(f"{fit.law.law} p = {number(fit.p_value)}" for fit in tested if fit.p_value is not None)
    aics = "; ".join(f"{fit.law.law} {fit.aic:.0f}" for fit in tested if fit.aic is not None)
    return one.service, f"{one.calls:,}", _seconds(one), noise.law.law, ps or noise.why, aics, failed


def _seconds(one: ServiceFit) -> str:
    if not one.model:
        return f"mean {_short(one.noise.law.mean)}" if one.noise is not None else ""
    parts = [f"{_short(one.base)}"]
    parts += [
        f"{value:.3g} x {kind}" for kind, value in (("in", one.per_input_token), ("out", one.per_output_token)) if value
    ]
    return " + ".join(parts)
