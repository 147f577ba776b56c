"""The page of the benchmark of model swaps: reliability diagrams, and every table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.report.pages import write_page
from ifonly.report.rendering import render_page
from ifonly.views.scores import number
from ifonly.views.swaps import swaps_view

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.scenarios.swaps.bench import Reliability, SwapBench

__all__ = ["swaps_page", "write_swaps"]

_SIDE, _LEFT, _BELOW, _ROOM = 260.0, 40.0, 36.0, 10.0
_SMALLEST, _LARGEST = 2.0, 8.0
"""Radii of the dots of one cell and of all cells."""


@dataclass(frozen=True, slots=True)
class _Dot:
    """A bin of predictions as a dot, in units of the picture."""

    name: str
    x: float
    y: float
    radius: float
    top: float
    bottom: float


def swaps_page(found: SwapBench, command: str) -> str:
    """The page of one benchmark.

    Args:
        found: of `ifonly.scenarios.swaps.bench`.
        command: how to run it again.
    """
    return render_page(
        "swaps.html",
        ("report.css", "policy.css"),
        view=swaps_view(found),
        dots=[_dots(one) for one in found.reliability],
        ticks=[(_across(at), _up(at), number(at)) for at in (0.0, 0.25, 0.5, 0.75, 1.0)],
        size={"width": _LEFT + _SIDE + _ROOM, "height": _SIDE + _BELOW + _ROOM, "left": _LEFT, "foot": _up(0.0)},
        corner=(_across(1.0), _up(1.0)),
        command=command,
    )


def write_swaps(path: Path, found: SwapBench, command: str) -> None:
    """Write the page of a benchmark."""
    write_page(path, swaps_page(found, command))


def _dots(found: Reliability) -> list[_Dot]:
    """A dot a bin: its area grows with its cells."""
    total = sum(one.cells for one in found.bins)
    return [
        _Dot(
            name=f"predicted {one.predicted:.3f}, came true {one.observed:.3f}, {one.cells:,} cells",
            x=_across(one.predicted),
            y=_up(one.observed),
            radius=_SMALLEST + (_LARGEST - _SMALLEST) * (one.cells / total) ** 0.5,
            top=_up(one.observed if one.observed_high is None else one.observed_high),
            bottom=_up(one.observed if one.observed_low is None else one.observed_low),
        )
        for one in found.bins
    ]


def _across(value: float) -> float:
    return _LEFT + _SIDE * value


def _up(value: float) -> float:
    return _ROOM + _SIDE * (1 - value)
