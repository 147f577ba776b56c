"""The picture of a front: one quantity against cost, a dot with its interval a choice, dominated ones faint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.report.charts import Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.estimate import Estimate

__all__ = ["Choice", "Front", "front"]

_WIDTH, _HEIGHT, _LEFT, _BELOW = 640.0, 320.0, 64.0, 36.0


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice: a policy, or a setting of services.

    Args:
        name: what the reader is told of it.
        cost: what it costs.
        value: what is gained by it, with its interval.
        dominated: whether another choice is at least as good in all, and better in one.
        single: whether it is to be drawn as one of the choices that there were from the start.
    """

    name: str
    cost: float
    value: Estimate
    dominated: bool
    single: bool = False


@dataclass(frozen=True, slots=True)
class _Dot:
    """A choice in the picture's units, with the ends of its interval."""

    name: str
    x: float
    y: float
    top: float
    bottom: float
    dominated: bool
    single: bool


@dataclass(frozen=True, slots=True)
class Front:
    """Choices as dots.

    Args:
        width: of the picture.
        height: of the picture.
        left: where the horizontal axis starts.
        bottom: where the vertical axis starts.
        across: label of the horizontal axis.
        dots: the choices.
        x: places and labels of costs.
        y: places and labels of values.
    """

    width: float
    height: float
    left: float
    bottom: float
    across: str
    dots: tuple[_Dot, ...]
    x: tuple[tuple[float, str], ...]
    y: tuple[tuple[float, str], ...]


def front(choices: Sequence[Choice], across: str) -> Front | None:
    """The picture; None for fewer than two choices.

    Args:
        choices: what is to be drawn.
        across: what cost is, in words.
    """
    if len(choices) < 2:  # noqa: PLR2004 -- one dot is no picture
        return None
    bottom = _HEIGHT - _BELOW
    right = Scale.over([one.cost for one in choices], _LEFT, _WIDTH)
    up = Scale.over([end for one in choices for end in (one.value.low, one.value.high)], bottom, 0.0)
    dots = tuple(
        _Dot(
            name=one.name,
            x=right(one.cost),
            y=up(one.value.value or 0.0),
            top=up(one.value.high),
            bottom=up(one.value.low),
            dominated=one.dominated,
            single=one.single,
        )
        for one in choices
    )
    return Front(_WIDTH, _HEIGHT, _LEFT, bottom, across, dots, right.ticks, up.ticks)
