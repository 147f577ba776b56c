"""The page of policies: what each would have been worth, how far to trust it, and quality against cost as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.report.pages import write_page
from ifonly.report.rendering import render_page
from ifonly.views.policy import policy_view

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ifonly.sim.policy import PolicyReport
    from ifonly.sim.policy.answers import DesignedPolicy

__all__ = ["policy_page", "write_policy"]

_WIDTH, _HEIGHT, _LEFT, _BELOW = 640.0, 320.0, 56.0, 36.0
_ROOM = 0.06
"""Of the picture, left free around the points."""


@dataclass(frozen=True, slots=True)
class _Dot:
    """A point of the picture, in its units."""

    name: str
    x: float
    y: float
    top: float
    bottom: float
    designed: bool
    dominated: bool


def policy_page(report: PolicyReport, command: str) -> str:
    """The page of one report.

    Args:
        report: of `ifonly.sim.policy`.
        command: how to ask again.
    """
    return render_page(
        "policy.html",
        ("report.css", "policy.css"),
        view=policy_view(report),
        dots=_dots(report.pareto),
        ticks=_ticks(report.pareto),
        size={"width": _WIDTH, "height": _HEIGHT, "left": _LEFT, "below": _BELOW},
        command=command,
    )


def write_policy(path: Path, report: PolicyReport, command: str) -> None:
    """Write the page of a report."""
    write_page(path, policy_page(report, command))


def _dots(front: Sequence[DesignedPolicy]) -> list[_Dot]:
    across, up = _scales(front)
    return [
        _Dot(
            name=f"{one.target.name}: {one.value.value or 0.0:.3f} [{one.value.low:.3f}, {one.value.high:.3f}]",
            x=across(one.cost.value or 0.0),
            y=up(one.value.value or 0.0),
            top=up(one.value.high),
            bottom=up(one.value.low),
            designed=one.budget is not None,
            dominated=one.dominated,
        )
        for one in front
    ]


def _ticks(front: Sequence[DesignedPolicy]) -> dict[str, list[tuple[float, str]]]:
    """Places and labels on both axes: the ends and the middle of what is shown."""
    if not front:
        return {"x": [], "y": []}
    across, up = _scales(front)
    costs = [one.cost.value or 0.0 for one in front]
    ends = [one.value.low for one in front], [one.value.high for one in front]
    return {
        "x": [(across(value), f"{value:.3g}") for value in _three(min(costs), max(costs))],
        "y": [(up(value), f"{value:.3f}") for value in _three(min(ends[0]), max(ends[1]))],
    }


def _three(low: float, high: float) -> list[float]:
    return [low, (low + high) / 2, high] if high > low else [low]


def _scales(front: Sequence[DesignedPolicy]) -> tuple[_Scale, _Scale]:
    costs = [one.cost.value or 0.0 for one in front] or [0.0]
    ends = [end for one in front for end in (one.value.low, one.value.high)] or [0.0]
    return (
        _Scale(min(costs), max(costs), _LEFT, _WIDTH),
        _Scale(min(ends), max(ends), _HEIGHT - _BELOW, 0.0),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """From numbers to places in the picture."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + (self.stop - self.start) * (_ROOM + (1 - 2 * _ROOM) * share)
