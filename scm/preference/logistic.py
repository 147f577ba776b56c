"""Logistic regression of preferences in [0, 1]: a fit, and means of its predictions with every comparison's influence.

Preferences may lie between 0 and 1 (a judge's probability, a tie at 1/2). With log-odds linear in the columns x,

    P(preferred | x) = expit(x b),   b = argmin of sum_i w_i loss(y_i, x_i b) + penalty |b|_1,

loss the logarithmic one. A question about do(style) is a mean of predictions with other columns, over the rows of the
log: the g-formula (Robins 1986), causal where nothing unseen moves both the columns put and the preference. Estimates
are asymptotically linear; their intervals are those of `Value`, by cluster if there are any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit

from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["Fit", "cross_validated", "discounted", "fit_logistic", "log_loss"]

_STEPS, _CLOSE = 200, 1e-9
_FLAT: Final = 1e-9
"""A column varies as little as this, as a share of its size, beside the others: its effect cannot be told."""
_SURE: Final = 1e-15
"""Predictions are held off 0 and 1 by this before their logarithm is taken."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted regression.

    Attributes:
        names: of the columns.
        coefficients: b, shape (k,), in log-odds for a unit of the column.
        design: the columns of the sampled rows, shape (n, k).
        influence: of each sampled row on b, shape (n, k): b is asymptotically its limit plus the mean of these.
    """

    names: tuple[str, ...]
    coefficients: Floats
    design: Floats
    influence: Floats

    def predict(self, design: Mapping[str, ArrayLike] | None = None) -> Floats:
        """P(preferred) of each row, shape (n,), with some columns put to other values.

        Args:
            design: the columns that are put, by name: a number, or one for each row.

        Raises:
            NotApplicable: a column is named that the regression does not have.
        """
        chance: Floats = expit(self._put(design) @ self.coefficients)
        return chance

    def mean(
        self,
        put: Mapping[str, ArrayLike] | None = None,
        *,
        rows: ArrayLike | None = None,
        clusters: Ints | None = None,
    ) -> Value:
        """The mean of P(preferred) with some columns put: an estimate of it under do().

        Args:
            put: the columns that are put, by name.
            rows: which rows to take the mean over, booleans of shape (n,); all if None.
            clusters: group of each row: rows of one are dependent.

        Raises:
            NotApplicable: a column is named that there is none of, or no row is taken.
        """
        design = self._put(put)
        chance = expit(design @ self.coefficients)
        taken = np.ones(len(design)) if rows is None else np.asarray(rows, dtype=float)
        if not taken.any():
            raise NotApplicable("no comparison is left to take a mean over: name rows that the log has")
        weight = taken / taken.mean()
        value = float(weight @ chance) / len(design)
        slope = (weight * chance * (1 - chance)) @ design / len(design)
        influence = weight * (chance - value) + self.influence @ slope
        return Value("g-formula", value, influence, weight, clusters)

    def coefficient(self, name: str, clusters: Ints | None = None) -> Value:
        """One coefficient.

        Raises:
            NotApplicable: there is none of that name.
        """
        at = self._place(name)
        return Value(name, float(self.coefficients[at]), self.influence[:, at], None, clusters)

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise NotApplicable(f"the regression has no column {name!r}: it has {', '.join(self.names)}")
        return self.names.index(name)

    def _put(self, put: Mapping[str, ArrayLike] | None) -> Floats:
        design = self.design.copy()
        for name, values in (put or {}).items():
            design[:, self._place(name)] = np.asarray(values, dtype=float)
        return design


def fit_logistic(
    columns: Mapping[str, ArrayLike],
    liked: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    penalty: float = 0.0,
    sampled: int | None = None,
    offset: ArrayLike | None = None,
) -> Fit:
    """Fit the regression of the module's docstring, by proximal Newton steps with step halving.

    Args:
        columns: the columns by name, each of shape (n,) or a number for all rows; there is no other intercept.
        liked: the preference for the candidate, shape (n,), each in [0, 1].
        weights: of the rows, non-negative; 1 if None.
        penalty: of the absolute coefficients; scikit-learn's 1 / C.
        sampled: how many rows, the first ones, are a sample; the others are given, and have no influence.
        offset: log-odds that are known beforehand, shape (n,); 0 if None.

    Raises:
        NotApplicable: preferences lie outside [0, 1], or there are none.
        NotIdentified: without a penalty, if a column does not vary beside the others, or separates the preferences.
    """
    y = np.asarray(liked, dtype=float)
    if y.ndim != 1 or not y.size or not ((y >= 0) & (y <= 1)).all():
        raise NotApplicable("preferences are a vector of numbers in [0, 1], 1/2 for a tie, and at least one")
    design = np.stack([np.broadcast_to(np.asarray(column, dtype=float), y.shape) for column in columns.values()], 1)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    known = np.zeros(len(y)) if offset is None else np.asarray(offset, dtype=float)
    if penalty == 0:
        _demand_varying(tuple(columns), design * np.sqrt(w)[:, None])
    b = _descend(design, y, w, penalty, np.zeros(design.shape[1]), known)
    chance = expit(known + design @ b)
    curvature = (design.T * (w * chance * (1 - chance))) @ design
    n = len(y) if sampled is None else sampled
    scores = (design * (w * (y - chance))[:, None])[:n]
    influence = n * np.linalg.lstsq(curvature, (scores - scores.mean(0)).T, rcond=None)[0].T
    return Fit(tuple(columns), b, design[:n], influence)


def discounted(columns: Mapping[str, ArrayLike], liked: ArrayLike, style: Sequence[str], share: float) -> Fit:
    """Refit with only a share of what style seems to do taken for its own: the rest is content that goes along with it.

    The coefficients of style are held at that share of the fitted ones, and the others are fitted anew. The mean of its
    predictions is the one under do(style = 0). Its intervals take the style's coefficients as known.

    Args:
        columns: as for `fit_logistic`.
        liked: as for `fit_logistic`.
        style: names of the style's columns, which are 0 at the style asked for.
        share: 1 is the fit itself, at 0 nothing is style's own.
    """
    whole = fit_logistic(columns, liked)
    put = {name: (np.asarray(column, dtype=float) if name in style else 0.0) for name, column in columns.items()}
    offset = share * (whole._put(put) @ whole.coefficients)
    return fit_logistic({name: c for name, c in columns.items() if name not in style}, liked, offset=offset)


def cross_validated(
    columns: Mapping[str, ArrayLike],
    liked: ArrayLike,
    penalties: Sequence[float],
    *,
    weights: ArrayLike | None = None,
    folds: int = 5,
) -> float:
    """Return the penalty with the least weighted log loss on rows left out.

    Args:
        columns: as for `fit_logistic`.
        liked: as for `fit_logistic`.
        penalties: the candidates, best from strong to weak: each starts where the last one ended.
        weights: of the rows.
        folds: row i is left out in fold i modulo this.
    """
    y = np.asarray(liked, dtype=float)
    design = np.stack([np.broadcast_to(np.asarray(column, dtype=float), y.shape) for column in columns.values()], 1)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    none, fold, lost = np.zeros(len(y)), np.arange(len(y)) % folds, np.zeros(len(penalties))
    for left in range(folds):
        kept, b = fold != left, np.zeros(design.shape[1])
        for at, penalty in enumerate(penalties):
            b = _descend(design[kept], y[kept], w[kept], penalty, b, none[kept])
            lost[at] += w[~kept] @ log_loss(y[~kept], expit(design[~kept] @ b))
    return penalties[int(lost.argmin())]


def log_loss(liked: Floats, chance: Floats) -> Floats:
    """The logarithmic loss of each row: -y log p - (1 - y) log(1 - p).

    Args:
        liked: preferences in [0, 1].
        chance: predictions.
    """
    p = np.clip(chance, _SURE, 1 - _SURE)
    loss: Floats = -(liked * np.log(p) + (1 - liked) * np.log1p(-p))
    return loss


def _descend(design: Floats, y: Floats, w: Floats, penalty: float, start: Floats, offset: Floats) -> Floats:
    """The coefficients that minimise loss and penalty."""

    def cost(at: Floats) -> float:
        z = offset + design @ at
        return float(w @ (np.logaddexp(0, z) - y * z) + penalty * np.abs(at).sum())

    b, lost = start, cost(start)
    for _ in range(_STEPS):
        chance = expit(offset + design @ b)
        gradient = design.T @ (w * (chance - y))
        curvature = (design.T * (w * chance * (1 - chance))) @ design
        step = _proximal(gradient, curvature, b, penalty) - b
        size = 1.0
        while (then := cost(b + size * step)) > lost + 1e-12 * abs(lost) and size > _CLOSE:
            size /= 2
        b, lost = b + size * step, then
        if np.abs(step).max() < _CLOSE * (1 + np.abs(b).max()):
            return b
    if penalty == 0:
        raise NotIdentified(
            "the preferences are separated by the columns: some coefficient grows without end. Leave a column out, "
            "or collect comparisons in which it does not decide."
        )
    return b


def _proximal(gradient: Floats, curvature: Floats, b: Floats, penalty: float) -> Floats:
    """The minimum of the quadratic model and the penalty, by coordinate descent."""
    if penalty == 0:
        moved: Floats = b - np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        return moved
    at, places = b.copy(), range(len(b))
    diagonal = np.maximum(np.diag(curvature), _SURE)
    for _ in range(_STEPS):
        moves = 0.0
        for j in places:
            slope = gradient[j] + curvature[j] @ (at - b)
            raw = at[j] - slope / diagonal[j]
            new = np.sign(raw) * max(abs(raw) - penalty / diagonal[j], 0.0)
            moves = max(moves, abs(new - at[j]))
            at[j] = new
        if moves < _CLOSE:
            break
    return at


def _demand_varying(names: tuple[str, ...], design: Floats) -> None:
    """Refuse a column that the ones before it explain wholly."""
    for at, name in enumerate(names):
        column, before = design[:, at], design[:, :at]
        left = column - before @ np.linalg.lstsq(before, column, rcond=None)[0] if at else column
        if np.linalg.norm(left) <= _FLAT * max(float(np.linalg.norm(column)), 1.0):
            beside = f" beside {', '.join(names[:at])}" if at else ""
            raise NotIdentified(
                f"column {name!r} does not vary{beside}: its effect cannot be told apart. Leave it out, or collect "
                "comparisons in which it differs."
            )
