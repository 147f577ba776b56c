"""Gantt pictures: two lanes a run, as recorded and as it would have been."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.report.charts import round_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ifonly.sim.simulate import SimulateAnswer
    from ifonly.sim.simulate.answers import AttemptSpan, StepSpans

__all__ = ["WIDTH", "Bar", "Picture", "pictures"]

WIDTH = 960.0
"""Of a picture, in its own units."""

_LEFT, _ROW, _GAP, _AXIS = 104.0, 14.0, 10.0, 22.0
_RUNS, _FAILING = 12, 4
_SEAM, _HAIRLINE = 0.6, 0.75
"""The gap between bars that follow each other, and the least width of one."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time, in the picture's units.

    Args:
        kind: queued, running, tool (a tool runs), retried, failed or inner (what ran inside a step).
        title: what it is, for the reader who points at it.
        x: where it starts.
        y: of its row.
        width: at least a hairline.
        height: of its row.
    """

    kind: str
    title: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of one run.

    Args:
        run: its id.
        change: in its time, in words.
        height: of the picture.
        bars: of both lanes.
        lanes: the label and the place of each lane.
        ticks: places and labels of the seconds.
    """

    run: str
    change: str
    height: float
    bars: tuple[Bar, ...]
    lanes: tuple[tuple[str, float], ...]
    ticks: tuple[tuple[float, str], ...]


def pictures(answer: SimulateAnswer) -> tuple[Picture, ...]:
    """The runs whose time changes most; the longest where nothing changes, none where settings are swept instead."""
    if answer.sweep and not answer.edits:
        return ()

    def moved(place: int) -> tuple[float, float]:
        one = answer.runs[place].seconds
        return (abs(one.change.value or 0.0) if one.change else 0.0), one.factual or 0.0

    def fails(place: int) -> bool:
        share = answer.runs[place].failed.counterfactual
        return share is not None and bool(share.value)

    order = sorted(range(len(answer.runs)), key=moved, reverse=True)
    # Of those that fail there is little to see: they are fewer, and last.
    chosen = [place for place in order if not fails(place)][: _RUNS - _FAILING]
    chosen += [place for place in order if fails(place)][: _RUNS - len(chosen)]
    wanted = {answer.runs[place].run: place for place in chosen}
    steps: dict[str, list[StepSpans]] = {run: [] for run in wanted}
    for step in answer.spans:
        if step.run in steps:
            steps[step.run].append(step)
    return tuple(_picture(run, steps[run], answer, place) for run, place in wanted.items())


def _picture(run: str, steps: Sequence[StepSpans], answer: SimulateAnswer, place: int) -> Picture:
    worlds = (
        ("recorded", [(one, one.factual) for one in steps]),
        ("changed", [(one, one.counterfactual) for one in steps]),
    )
    begins = {name: min((a.queued for _, spans in lane for a in spans), default=0.0) for name, lane in worlds}
    ends = [a.ended - begins[name] for name, lane in worlds for _, spans in lane for a in spans]
    longest = max(ends, default=0.0) or 1.0
    unit = (WIDTH - _LEFT - 4.0) / longest
    tools = frozenset(one.service for one in answer.traffic.services if not one.model)
    bars: list[Bar] = []
    lanes, top = [], 4.0
    for name, lane in worlds:
        scale = _Scale(begins[name], unit)
        made, rows = _lane(lane, scale, top, tools)
        bars += made
        lanes.append((name, top + _ROW * 0.8))
        top += rows * _ROW + _GAP
    ticks = tuple((round(_LEFT + at * unit, 2), f"{at:,.10g} s") for at in round_numbers(0.0, longest))
    seconds = answer.runs[place].seconds
    now = seconds.counterfactual.value if seconds.counterfactual is not None else None
    change = f"{seconds.factual or 0.0:,.1f} s recorded, {now or 0.0:,.1f} s changed"
    return Picture(run, change, top + _AXIS, tuple(bars), tuple(lanes), ticks)


@dataclass(frozen=True, slots=True)
class _Scale:
    """From seconds to places."""

    begin: float
    unit: float

    def bar(self, kind: str, title: str, start: float, end: float, y: float) -> Bar:
        """The bar of a stretch."""
        x = _LEFT + (start - self.begin) * self.unit
        width = max((end - start) * self.unit - _SEAM, _HAIRLINE)
        return Bar(kind, title, round(x, 2), round(y, 2), round(width, 2), _ROW - 3.0)


def _lane(
    lane: Iterable[tuple[StepSpans, tuple[AttemptSpan, ...]]], scale: _Scale, top: float, tools: frozenset[str]
) -> tuple[list[Bar], int]:
    """The bars of a world, calls that overlap in rows of their own; and how many rows there are."""
    lane = list(lane)
    ended = {step.site: max((a.ended for a in spans), default=0.0) for step, spans in lane}
    bars: list[Bar] = []
    free: list[float] = []
    for step, spans in sorted(lane, key=lambda pair: pair[1][0].queued if pair[1] else 0.0):
        if not spans:
            continue
        begin, end = spans[0].queued, max(a.ended for a in spans)
        row = next((at for at, until in enumerate(free) if until <= begin + 1e-6), len(free))
        free[row : row + 1] = [end]
        y = top + row * _ROW
        last = max((ended[site] for site in step.inner if site in ended), default=end)
        if last > end:
            bars.append(
                scale.bar("inner", f"{step.site}: until {last - begin:.4g} s with what ran inside", begin, last, y)
            )
        for one in spans:
            bars += _attempt(step.site, one, scale, y, tools)
    return bars, max(len(free), 1)


def _attempt(site: str, one: AttemptSpan, scale: _Scale, y: float, tools: frozenset[str]) -> list[Bar]:
    told = f"{site}: {one.service}"
    begun = one.ended if one.started is None else one.started
    bars = []
    if begun > one.queued:
        bars.append(scale.bar("queued", f"{told}, queued {begun - one.queued:.4g} s", one.queued, begun, y))
    bad = one.status not in {"ok", "cancelled"}
    if one.started is not None or bad:
        again = one.attempt > 1 or one.hedge
        kind = "failed" if bad else "retried" if again else "tool" if one.service in tools else "running"
        name = "" if one.attempt == 1 else f", attempt {one.attempt}"
        name += ", hedge" if one.hedge else ""
        bars.append(scale.bar(kind, f"{told}{name}, {one.status} after {one.ended - begun:.4g} s", begun, one.ended, y))
    return bars
