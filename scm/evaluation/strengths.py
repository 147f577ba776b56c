"""Prediction-powered logistic regression, and strengths of systems by it: comparisons, few of which a human judged.

A win rate hangs on whom a system met. Bradley and Terry (1952, Biometrika 39:324) give each system a strength:

    P(the first is preferred) = expit(strength of the first - strength of the second),

a logistic regression on columns of 1 (first), -1 (second) and 0. Preferences may be 1/2 (a tie) or a chance. With X the
columns, Y the human's preference and f the judge's, the coefficients solve the rectified equations (Angelopoulos, Duchi
and Zrnic 2023, "PPI++", arXiv 2311.01453, eq. 2 and section 4)

    mean(X (p - Y), labelled) + lambda (mean(X (p - f), unlabelled) - mean(X (p - f), labelled)) = 0,  p = expit(X b),

which hold for any judge where labels were given at random. lambda is tuned as in ppi-python 0.2.3: it makes the trace
of the covariance of b least, within [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit

from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.evaluation.labels import Judged
    from ifonly.scm.policy.logged import Floats

__all__ = ["PoweredLogistic", "powered_logistic", "powered_strengths"]

_STEPS: Final = 100
_CLOSE: Final = 1e-10
_FAR: Final = 30.0
"""Log-odds beyond which a coefficient grows without end."""


@dataclass(frozen=True, eq=False)
class PoweredLogistic:
    """A prediction-powered logistic regression.

    Attributes:
        coefficients: b, shape (k,).
        influence: of each item on b, shape (n, k): b is asymptotically its limit plus the mean of these.
        tuning: lambda, the weight of the judge; 0: labels alone.
    """

    coefficients: Floats
    influence: Floats
    tuning: float


def powered_logistic(design: Floats, judged: Judged, tuning: float | None = None) -> PoweredLogistic:
    """Return the regression of what humans would say on the columns of all items.

    Args:
        design: X, shape (n, k); there is no other intercept.
        judged: preferences in [0, 1], labels given at random.
        tuning: lambda; None tunes it.

    Raises:
        NotApplicable: shapes differ, or a preference lies outside [0, 1].
        NotIdentified: the labelled items do not tell the columns apart, or columns separate the preferences.
    """
    x = np.asarray(design, dtype=float)
    given = np.concatenate([judged.judge, judged.human[judged.labelled]])
    if x.shape[:1] != judged.judge.shape or x.ndim != 2 or not ((given >= 0) & (given <= 1)).all():  # noqa: PLR2004
        raise NotApplicable(
            f"need a row of columns for each item and preferences in [0, 1], got columns of shape {x.shape}, "
            f"{len(judged)} items and preferences from {given.min():g} to {given.max():g}: 1/2 is a tie"
        )
    seen = judged.labelled
    if np.linalg.matrix_rank(x[seen]) < x.shape[1]:
        raise NotIdentified(
            f"the {int(seen.sum())} labelled items do not tell the {x.shape[1]} columns apart: label items in which "
            "each of them differs"
        )
    if seen.all():
        tuning = 0.0
    if tuning is None:
        tuning = _tuned(x, judged, _start(x, judged))
    b = _solve(x, judged, tuning)
    return PoweredLogistic(b, _influence(x, judged, b, tuning), tuning)


def powered_strengths(first: Sequence[str], second: Sequence[str], judged: Judged) -> dict[str, Value]:
    """Return each system's strength less the mean of all, in log-odds, with influence functions over all comparisons.

    For `rank_systems`. Larger is better; two systems whose strengths differ by 1 are preferred in 73 and 27 of 100.

    Args:
        first: system of each first answer.
        second: system of each second answer.
        judged: preference for the first answer, 1/2 a tie, labels given at random.

    Raises:
        NotApplicable: as `powered_logistic`, or there are fewer than two systems.
        NotIdentified: labelled comparisons do not link all systems, or some of them won or lost all of theirs.
    """
    names = sorted({*first, *second})
    if len(names) < 2 or not len(first) == len(second) == len(judged):  # noqa: PLR2004
        raise NotApplicable(
            f"strengths take two systems and one comparison a row, got {names}, {len(first)} first and {len(second)} "
            f"second answers, {len(judged)} preferences"
        )
    sides = [[(a == name) - (b == name) for name in names] for a, b in zip(first, second, strict=True)]
    design = np.array(sides, dtype=float)
    fit = powered_logistic(design[:, 1:], judged)
    # The first system has strength 0; then the mean of all is taken away.
    centre = np.vstack([np.zeros(len(names) - 1), np.eye(len(names) - 1)])
    centre -= centre.mean(0)
    values, influence = centre @ fit.coefficients, fit.influence @ centre.T
    return {
        name: Value(name, float(values[at]), influence[:, at], clusters=judged.clusters)
        for at, name in enumerate(names)
    }


def _rows(judged: Judged, tuning: float) -> tuple[Floats, Floats]:
    """Of each item, the weight of its chance and its weighted preference in the rectified equations.

    They are sum of X (weight p - preference) = 0.
    """
    seen, n, many = judged.labelled, len(judged.seen), len(judged) - len(judged.seen)
    weight = np.where(seen, (1 - tuning) / n, tuning / max(many, 1))
    human = np.where(seen, judged.human, 0.0)
    wanted = np.where(seen, (human - tuning * judged.judge) / n, tuning / max(many, 1) * judged.judge)
    return weight, wanted


def _start(design: Floats, judged: Judged) -> Floats:
    """Where lambda is tuned: at lambda = 1, as in ppi-python; by labels alone where that has no solution."""
    try:
        return _solve(design, judged, 1.0)
    except NotIdentified:
        return _solve(design, judged, 0.0)


def _solve(design: Floats, judged: Judged, tuning: float) -> Floats:
    """Newton's method with step halving: the equations are the gradient of a convex loss."""
    weight, wanted = _rows(judged, tuning)

    def loss(at: Floats) -> float:
        z = design @ at
        return float(weight @ np.logaddexp(0, z) - wanted @ z)

    b: Floats = np.zeros(design.shape[1])
    lost = loss(b)
    for _ in range(_STEPS):
        chance = expit(design @ b)
        curvature = (design.T * (weight * chance * (1 - chance))) @ design
        step = np.linalg.lstsq(curvature, design.T @ (weight * chance - wanted), rcond=None)[0]
        size = 1.0
        while (then := loss(b - size * step)) > lost + 1e-14 * abs(lost) and size > _CLOSE:
            size /= 2
        b, lost = b - size * step, then
        if np.abs(b).max() > _FAR:
            break
        if np.abs(step).max() < _CLOSE:
            return b
    raise NotIdentified(
        f"the preferences are separated by the columns, with lambda {tuning:.2g}: some system won or lost all of its "
        "labelled comparisons. Label more of them, drawn at random."
    )


def _gradients(design: Floats, judged: Judged, b: Floats) -> tuple[Floats, Floats, Floats]:
    """Gradients by the human (labelled items) and by the judge (all items), and the inverse of the curvature."""
    chance = expit(design @ b)
    seen = judged.labelled
    by_human = design[seen] * (chance[seen] - judged.human[seen])[:, None]
    by_judge = design * (chance - judged.judge)[:, None]
    inverse: Floats = np.linalg.inv((design.T * (chance * (1 - chance))) @ design / len(design))
    return by_human, by_judge, inverse


def _tuned(design: Floats, judged: Judged, b: Floats) -> float:
    """PPI++, section 6: tr(H Cov(g, g_f) H) / ((1 + n / N) tr(H Cov(g_f) H)), with H the inverse curvature."""
    human, judge, inverse = _gradients(design, judged, b)
    seen, n, many = judged.labelled, len(judged.seen), len(judged) - len(judged.seen)
    ours = judge[seen] - judge[seen].mean(0)
    both = (human - human.mean(0)).T @ ours / n
    spread = np.atleast_2d(np.cov(judge.T))
    around = float(np.trace(inverse @ spread @ inverse))
    if around <= 0:
        return 0.0
    return float(np.clip(np.trace(inverse @ both @ inverse) / ((1 + n / many) * around), 0.0, 1.0))


def _influence(design: Floats, judged: Judged, b: Floats, tuning: float) -> Floats:
    human, judge, inverse = _gradients(design, judged, b)
    seen, size, n = judged.labelled, len(judged), len(judged.seen)
    scores = np.empty_like(judge)
    rest = human - tuning * judge[seen]
    scores[seen] = (rest - rest.mean(0)) * size / n
    others = judge[~seen]
    scores[~seen] = tuning * (others - others.mean(0)) * size / max(size - n, 1) if len(others) else 0.0
    influence: Floats = -scores @ inverse
    return influence
