"""The picture of a sweep: latency against cost, and which settings are dominated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.report.charts import Scale
from ifonly.views.scores import estimate_text, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.sim.simulate.answers import SweepPoint

__all__ = ["Front", "front"]

_WIDTH, _HEIGHT, _LEFT, _BELOW = 640.0, 320.0, 64.0, 36.0
_UP, _ACROSS = "latency p90", "cost"


@dataclass(frozen=True, slots=True)
class _Dot:
    """A setting in the picture's units, with the ends of the interval of its latency."""

    name: str
    x: float
    y: float
    top: float
    bottom: float
    dominated: bool


@dataclass(frozen=True, slots=True)
class Front:
    """Settings as dots.

    Args:
        width: of the picture.
        height: of the picture.
        left: where the horizontal axis starts.
        bottom: where the vertical axis starts.
        dots: the settings whose latency is known.
        x: places and labels of costs.
        y: places and labels of latencies.
    """

    width: float
    height: float
    left: float
    bottom: float
    dots: tuple[_Dot, ...]
    x: tuple[tuple[float, str], ...]
    y: tuple[tuple[float, str], ...]


def front(points: Sequence[SweepPoint]) -> Front | None:
    """The picture; None where fewer than two settings have runs that do not fail, and a known cost."""
    known = [point for point in points if _UP in point.metrics and _ACROSS in point.metrics]
    if len(known) < 2:  # noqa: PLR2004 -- one dot is no picture
        return None
    bottom = _HEIGHT - _BELOW
    across = Scale.over([point.metrics[_ACROSS].value or 0.0 for point in known], _LEFT, _WIDTH)
    up = Scale.over([end for point in known for end in (point.metrics[_UP].low, point.metrics[_UP].high)], bottom, 0.0)
    dots = tuple(
        _Dot(
            name=_name(point),
            x=across(point.metrics[_ACROSS].value or 0.0),
            y=up(point.metrics[_UP].value or 0.0),
            top=up(point.metrics[_UP].high),
            bottom=up(point.metrics[_UP].low),
            dominated=point.dominated,
        )
        for point in known
    )
    return Front(_WIDTH, _HEIGHT, _LEFT, bottom, dots, across.ticks, up.ticks)


def _name(point: SweepPoint) -> str:
    setting = ", ".join(f"{place} = {value}" for place, value in point.setting.items())
    told = f"{setting}: p90 {estimate_text(point.metrics[_UP])} s, $ {estimate_text(point.metrics[_ACROSS])}"
    return told if point.quality is None else f"{told}, quality {number(point.quality)}"
