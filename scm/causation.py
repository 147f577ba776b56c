"""Probabilities of causation from data: necessity, sufficiency, both, and harm.

For a binary cause X (x and x') and effect Y (y and y'):

    PN = P(Y_x' = y' | x, y)    PS = P(Y_x = y | x', y')    PNS = P(Y_x = y, Y_x' = y')    harm = P(Y_x = y', Y_x' = y)

(Causality, defs. 9.2.1-9.2.3). Under a stated SCM they are points: see `necessity`. Data only bound them, sharply so
(Tian and Pearl 2000, Annals of Mathematics and Artificial Intelligence 28:287, sec. 4). With an experiment, which gives
P(y_x) and P(y_x'), and a survey, which gives P(x, y):

    PNS >= max(0, P(y_x) - P(y_x'), P(y) - P(y_x'), P(y_x) - P(y))
    PNS <= min(P(y_x), P(y'_x'), P(x, y) + P(x', y'), P(y_x) - P(y_x') + P(x, y') + P(x', y))
    max(0, (P(y) - P(y_x')) / P(x, y)) <= PN <= min(1, (P(y'_x') - P(x', y')) / P(x, y))
    max(0, (P(y_x) - P(y)) / P(x', y')) <= PS <= min(1, (P(y_x) - P(x, y)) / P(x', y'))
    harm = PNS - P(y_x) + P(y_x')

- An experiment alone bounds PNS by the terms without P(y) and P(x, y); PN and PS are then those of its own arms, where
  X is exogenous: P(y | x) = P(y_x) (Causality, theorem 9.2.10).
- A survey alone: PNS <= P(x, y) + P(x', y'), harm <= the rest; PN and PS may be anything.
- Monotone (x never prevents y, harm = 0): PNS = P(y_x) - P(y_x') and PN and PS are their lower bounds (Causality,
  theorems 9.2.14 and 9.2.15). It implies P(y_x') <= P(y) <= P(y_x), which the data may refute; nothing else does.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.response import Limits, extremes
from ifonly.scm.tables import Refuted, cell_limits, counts, probabilities

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Causation", "causation", "risks"]

_ROUNDING = 1e-9
"""Largest contradiction between tables that counts as rounding."""
_ONE_POPULATION = "that experiment and survey speak of one population"
_Ends = tuple[float, float]
# The 8 response types (X, Y_x', Y_x), and which of them make up each cell of a survey and of an experiment.
_X, _OFF, _ON = np.array(list(product((0, 1), repeat=3))).T
_HELPED, _HURT = (_OFF == 0) & (_ON == 1), (_OFF == 1) & (_ON == 0)
_SEEN = [(x == _X) & (np.where(x, _ON, _OFF) == y) for x, y in product((0, 1), repeat=2)]
_DONE = [np.where(x, _ON, _OFF) == y for x, y in product((0, 1), repeat=2)]


@dataclass(frozen=True)
class Causation:
    """The probabilities of causation of one cause and one effect.

    Attributes:
        pn: necessity, P(Y_x' = y' | x, y); None where x and y never occur together.
        ps: sufficiency, P(Y_x = y | x', y'); None where x' and y' never occur together.
        pns: both, P(Y_x = y, Y_x' = y').
        harm: P(Y_x = y', Y_x' = y): those whom x keeps from y.
    """

    pn: Estimate | None
    ps: Estimate | None
    pns: Estimate
    harm: Estimate


@dataclass(frozen=True)
class _Data:
    """The two tables, as probabilities: done[x, y] = P(Y_x = y), seen[x, y] = P(x, y)."""

    done: NDArray[np.float64] | None
    seen: NDArray[np.float64] | None

    @property
    def both(self) -> tuple[float, float, float, float, float]:
        """P(y_x'), P(y_x), P(y), P(x, y), P(x', y'); of an experiment, PN's and PS's terms are those of its arms."""
        if self.done is None:
            raise NotApplicable("a survey alone identifies no P(y_x)")
        off, on = float(self.done[0, 1]), float(self.done[1, 1])
        if self.seen is None:
            return off, on, float("nan"), on, 1 - off
        return off, on, float(self.seen[:, 1].sum()), float(self.seen[1, 1]), float(self.seen[0, 0])


def risks(off: float, on: float) -> list[list[float]]:
    """Return the experimental table of two risks: P(Y_x' = y) = `off` and P(Y_x = y) = `on`."""
    return [[1 - off, off], [1 - on, on]]


def causation(
    experimental: ArrayLike | None = None,
    observational: ArrayLike | None = None,
    *,
    monotone: bool = False,
    level: float | None = None,
) -> Causation:
    """Return the probabilities of causation: sharp bounds, or points if monotonicity is declared.

    From counts, [low, high] are conservative confidence limits: Clopper-Pearson limits on every cell, at a level that
    holds them all at once by Bonferroni, and the extremes over all laws within them (`response`). They hold the four
    intervals of bounds at once with probability at least `level`; a monotone point is that of the observed shares.

    Args:
        experimental: P(Y_x = y), shape (2, 2), axes x and y, rows summing to 1; or counts by arm and outcome. If X is
            exogenous, P(y | x) will do.
        observational: P(x, y), shape (2, 2), axes x and y, summing to 1; or counts.
        monotone: whether it is declared that x never prevents y.
        level: None if the tables are probabilities; the coverage in (0, 1) if they are counts.

    Raises:
        NotApplicable: if there is no table.
        NoTable: if a table is none.
        Refuted: if the tables contradict each other or the declared monotonicity; for counts, beyond what limits of
            this level allow.
    """
    if experimental is None and observational is None:
        raise NotApplicable("no data: give an experimental table, an observational one, or both")
    read = probabilities if level is None else counts
    done = None if experimental is None else read("the experimental table", experimental, (2, 2), 1)
    seen = None if observational is None else read("the observational table", observational, (2, 2), 2)
    if level is not None:
        return _from_counts(done, seen, monotone, level)
    data = _Data(done, seen)
    _check(data, monotone)
    ends = _bounds(data)
    return _answer(ends | {"harm": (0.0, 0.0)}, _points(data)) if monotone else _answer(ends)


def _from_counts(
    done: NDArray[np.float64] | None, seen: NDArray[np.float64] | None, monotone: bool, level: float
) -> Causation:
    ends = _limits(done, seen, monotone, level)
    size = sum(float(table.sum()) for table in (done, seen) if table is not None)
    shares = _Data(
        None if done is None else done / done.sum(1, keepdims=True), None if seen is None else seen / seen.sum()
    )
    return _answer(ends, _points(shares) if monotone else {}, level, size)


def _check(data: _Data, monotone: bool) -> None:
    """P(x, y) <= P(y_x) <= 1 - P(x, y') by consistency, and P(y_x') <= P(y) <= P(y_x) by monotonicity."""
    if data.done is None:
        return
    off, on, y, *_ = data.both
    if data.seen is not None:
        for x, name in ((1, "x"), (0, "x'")):
            low, risk, high = data.seen[x, 1], data.done[x, 1], 1 - data.seen[x, 0]
            if not low - _ROUNDING <= risk <= high + _ROUNDING:
                where = f"[P({name}, y), 1 - P({name}, y')] = [{low:.6g}, {high:.6g}]"
                raise Refuted(_ONE_POPULATION, f"P(y_{name}) = {risk:.6g} lies outside {where}")
    steps = [off, on] if data.seen is None else [off, y, on]
    if monotone and min(np.diff(steps)) < -_ROUNDING:
        names = "P(y_x') <= P(y_x)" if data.seen is None else "P(y_x') <= P(y) <= P(y_x)"
        raise Refuted("monotonicity", f"it implies {names}, and they are {', '.join(f'{step:.6g}' for step in steps)}")


def _bounds(data: _Data) -> dict[str, _Ends | None]:
    """The sharp bounds of the module's docstring."""
    if data.done is None:
        joint = np.zeros((2, 2)) if data.seen is None else data.seen
        pn, ps = ((0.0, 1.0) if joint[cell] > 0 else None for cell in ((1, 1), (0, 0)))
        same, cross = float(np.trace(joint)), float(joint[0, 1] + joint[1, 0])
        return {"pn": pn, "ps": ps, "pns": (0.0, min(same, 1.0)), "harm": (0.0, min(cross, 1.0))}
    off, on, y, x_y, neither = data.both
    lows, highs = [0.0, on - off], [on, 1 - off]
    least, most = (on - off, on - off), (1 - off, on)
    if data.seen is not None:
        lows += [y - off, on - y]
        highs += [x_y + neither, on - off + 1 - x_y - neither]
        least, most = (y - off, on - y), (1 - off - neither, on - x_y)
    low, high = _ordered(max(lows), min(highs))
    return {
        "pn": _ordered(least[0] / x_y, most[0] / x_y) if x_y > 0 else None,
        "ps": _ordered(least[1] / neither, most[1] / neither) if neither > 0 else None,
        "pns": (low, high),
        "harm": _ordered(low - on + off, high - on + off),
    }


def _points(data: _Data) -> dict[str, float]:
    """What monotonicity identifies: of a survey alone, only that there is no harm."""
    if data.done is None:
        return {"harm": 0.0}
    off, on, y, x_y, neither = data.both
    above, below = (on - off, on - off) if data.seen is None else (y - off, on - y)
    points = {"pns": on - off, "harm": 0.0}
    if x_y > 0:
        points["pn"] = above / x_y
    if neither > 0:
        points["ps"] = below / neither
    return points


def _limits(
    done: NDArray[np.float64] | None, seen: NDArray[np.float64] | None, monotone: bool, level: float
) -> dict[str, _Ends | None]:
    """The extremes over all laws whose cells lie within simultaneous limits; the outcome y of an arm tells y' too."""
    cells: list[NDArray[np.bool_]] = []
    low, high = np.empty(0), np.empty(0)
    number = (0 if done is None else 2) + (0 if seen is None else 4)
    for table, types, axes, taken in ((done, _DONE, 1, [1, 3]), (seen, _SEEN, 2, [0, 1, 2, 3])):
        if table is not None:
            one = 1 - (1 - level) / number
            least, most = (end.ravel()[taken] for end in cell_limits(table, axes, one))
            cells += [types[cell] for cell in taken]
            low, high = np.append(low, least), np.append(high, most)
    limits = Limits(cells, low, high)
    if not limits.possible:
        raise Refuted(_ONE_POPULATION, f"no law lies within {level:.3g} limits of all cells")
    if monotone and not (limits := limits.without(_HURT)).possible:
        raise Refuted("monotonicity", f"every law within {level:.3g} limits has somebody whom x keeps from y")
    anyone = np.ones(8, dtype=bool)
    treated, untreated = (anyone, anyone) if seen is None else (_X == 1, _X == 0)
    given_pn, given_ps = treated & (_ON == 1), untreated & (_OFF == 0)
    return {
        "pn": extremes(limits, given_pn & _HELPED, given_pn),
        "ps": extremes(limits, given_ps & _HELPED, given_ps),
        "pns": extremes(limits, _HELPED),
        "harm": extremes(limits, _HURT),
    }


def _answer(
    ends: Mapping[str, _Ends | None],
    points: Mapping[str, float] | None = None,
    level: float = 1.0,
    size: float | None = None,
) -> Causation:
    """Bounds where there is no point, else the monotone point: exact, or between its confidence limits."""
    made: dict[str, Estimate | None] = {}
    for name, end in ends.items():
        if end is None:
            made[name] = None
            continue
        low, high = _ordered(*end)
        if points is None or name not in points:
            made[name] = Estimate.bounded(low, high, "counterfactual", level, size)
            continue
        if size is None:
            made[name] = Estimate.settled(min(max(points[name], 0.0), 1.0), "counterfactual", "monotone")
            continue
        made[name] = Estimate(
            value=min(max(points[name], low), high),
            low=low,
            high=high,
            level=level,
            effective=size,
            rung="counterfactual",
            identified="assumed",
            noise="monotone",
        )
    pns, harm = made["pns"], made["harm"]
    if pns is None or harm is None:
        raise ArithmeticError("PNS and harm exist in every population")
    return Causation(pn=made["pn"], ps=made["ps"], pns=pns, harm=harm)


def _ordered(low: float, high: float) -> _Ends:
    """Both ends in [0, 1], in order where rounding had swapped them."""
    low = min(max(float(low), 0.0), 1.0)
    return low, max(low, min(float(high), 1.0))
