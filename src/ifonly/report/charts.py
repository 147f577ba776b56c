"""Geometry of pictures: answers with their intervals, and series over an axis. Templates draw what stands here."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING

from ifonly.views.scores import estimate_text, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ifonly.scenarios.study import Asked, Finding, Picture, Series

__all__ = ["Chart", "Forest", "Panel", "Row", "Scale", "chart", "forest", "forest_of", "round_numbers"]

_WIDTH, _LABELS, _RIGHT = 720.0, 250.0, 16.0
_ROW, _TITLE, _AXIS, _SPACE = 22.0, 24.0, 20.0, 12.0
_HEIGHT, _LEFT, _BELOW, _ABOVE = 320.0, 60.0, 44.0, 12.0
_ROOM = 0.04
_TICKS, _CLOSE = 3, 1e-9
_HUGE = 1e9
"""Ends beyond it are no ends: they are not drawn."""
_SHOWN = 38
"""Characters of a label."""


def round_numbers(low: float, high: float) -> tuple[float, ...]:
    """Steps of 1, 2 or 5 times a power of ten between two numbers: few, and at least three; of one number itself."""
    if high <= low:
        return (low,)
    power = 10.0 ** floor(log10(high - low))
    for factor in (5.0, 2.0, 1.0, 0.5, 0.2):
        step = power * factor
        places = range(ceil(low / step - _CLOSE), floor(high / step + _CLOSE) + 1)
        if len(places) >= _TICKS:
            break
    return tuple(place * step for place in places)


@dataclass(frozen=True, slots=True)
class Scale:
    """From numbers to places in a picture.

    Args:
        low: smallest number.
        high: largest number.
        start: place of the smallest, but for some room.
        stop: place of the largest, but for some room.
    """

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The place of a number; beyond the ends, the end."""
        if self.high <= self.low:
            return round((self.start + self.stop) / 2, 1)
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return round(self.start + (self.stop - self.start) * (_ROOM + (1 - 2 * _ROOM) * share), 1)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Places and labels of round numbers."""
        return tuple((self(value), number(value)) for value in round_numbers(self.low, self.high))

    @classmethod
    def over(cls, values: Iterable[float], start: float, stop: float) -> Scale:
        """The scale that holds all numbers that are not huge."""
        kept = [value for value in values if isfinite(value) and abs(value) < _HUGE] or [0.0]
        return cls(min(kept), max(kept), start, stop)


@dataclass(frozen=True, slots=True)
class Row:
    """One answer: a dot and its interval.

    Args:
        label: of the analysis.
        told: the answer in words.
        y: height.
        low: place of the lower end.
        high: place of the upper end.
        point: place of the value; None for bounds.
        kind: naive, right or wrong.
    """

    label: str
    told: str
    y: float
    low: float
    high: float
    point: float | None
    kind: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One question's answers over their own axis.

    Args:
        title: the question.
        top: height of its title.
        rows: the answers.
        axis: height of its axis.
        ticks: places and labels.
        truth: place of the truth; None where it is not known.
    """

    title: str
    top: float
    rows: tuple[Row, ...]
    axis: float
    ticks: tuple[tuple[float, str], ...]
    truth: float | None


@dataclass(frozen=True, slots=True)
class Forest:
    """All answers of a study.

    Args:
        width: of the picture.
        height: of the picture.
        left: where the axes start.
        right: where they end.
        panels: one a question.
    """

    width: float
    height: float
    left: float
    right: float
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """A series in places."""

    name: str
    index: int
    path: str
    band: str
    dots: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of series.

    Args:
        title: what it shows.
        width: of the picture.
        height: of the picture.
        left: where the horizontal axis starts.
        bottom: where the vertical axis starts.
        x: ticks of the horizontal axis.
        y: ticks of the vertical axis.
        across: label of the horizontal axis.
        up: label of the vertical axis.
        lines: the series.
    """

    title: str
    width: float
    height: float
    left: float
    bottom: float
    x: tuple[tuple[float, str], ...]
    y: tuple[tuple[float, str], ...]
    across: str
    up: str
    lines: tuple[_Line, ...]


def forest(asked: Sequence[Asked]) -> Forest:
    """The picture of all answers: one panel a question, each on its own scale."""
    groups = ((one.name, one.truth, (one.naive, *one.answers)) for one in asked)
    return forest_of(groups, [one.naive for one in asked])


def forest_of(groups: Iterable[tuple[str, float | None, Sequence[Finding]]], naive: Sequence[Finding] = ()) -> Forest:
    """The picture of groups of findings, each with a title and, where it is known, a truth.

    Args:
        groups: title, truth and findings of each.
        naive: those of them that are naive, beside those that are so called.
    """
    y, panels = 0.0, []
    for title, truth, found in groups:
        panels.append(_panel(title, truth, found, y, naive))
        y = panels[-1].axis + _AXIS + _SPACE
    return Forest(_WIDTH, y, _LABELS, _WIDTH - _RIGHT, tuple(panels))


def chart(picture: Picture) -> Chart:
    """A picture's series in places."""
    all_x = [value for one in picture.series for value in one.x]
    all_y = [value for one in picture.series for value in (*one.y, *one.low, *one.high)]
    across = Scale.over(all_x, _LEFT, _WIDTH - _RIGHT)
    up = Scale.over(all_y, _HEIGHT - _BELOW, _ABOVE)
    return Chart(
        title=picture.title,
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        bottom=_HEIGHT - _BELOW,
        x=across.ticks,
        y=up.ticks,
        across=picture.x,
        up=picture.y,
        lines=tuple(_line(one, index, across, up) for index, one in enumerate(picture.series)),
    )


def _panel(title: str, truth: float | None, found: Sequence[Finding], top: float, naive: Sequence[Finding]) -> Panel:
    values = [end for one in found for end in (one.estimate.low, one.estimate.high)]
    scale = Scale.over([*values, *(() if truth is None else (truth,))], _LABELS, _WIDTH - _RIGHT)
    axis = top + _TITLE + _ROW * len(found)
    return Panel(
        title=title,
        top=round(top + _TITLE * 0.7, 1),
        rows=tuple(
            _row(one, _kind(one, naive), top + _TITLE + _ROW * (index + 0.5), scale) for index, one in enumerate(found)
        ),
        axis=axis,
        ticks=scale.ticks,
        truth=None if truth is None else scale(truth),
    )


def _kind(finding: Finding, naive: Sequence[Finding]) -> str:
    if finding.name == "naive" or any(finding is one for one in naive):
        return "naive"
    return "wrong" if finding.right is False else "right"


def _row(finding: Finding, kind: str, y: float, scale: Scale) -> Row:
    made = finding.estimate
    label = finding.name if len(finding.name) <= _SHOWN else finding.name[: _SHOWN - 1] + "…"
    return Row(
        label=label,
        told=f"{finding.name}: {estimate_text(made)}",
        y=y,
        low=scale(made.low),
        high=scale(made.high),
        point=None if made.value is None else scale(made.value),
        kind=kind,
    )


def _line(series: Series, index: int, across: Scale, up: Scale) -> _Line:
    xs, ys = [across(value) for value in series.x], [up(value) for value in series.y]
    lows, highs = [up(value) for value in series.low], [up(value) for value in series.high]
    joined = " L ".join(f"{x} {y}" for x, y in zip(xs, ys, strict=True))
    path = f"M {joined}" if series.line else ""
    around = [*zip(xs, highs, strict=False), *reversed(list(zip(xs, lows, strict=False)))]
    band = "M " + " L ".join(f"{x} {y}" for x, y in around) + " Z" if series.line and around else ""
    dots: tuple[tuple[float, float, float, float], ...] = ()
    if not series.line:
        dots = tuple(zip(xs, ys, lows or ys, highs or ys, strict=True))
    return _Line(series.name, index, path, band, dots)
