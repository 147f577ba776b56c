"""A team gives more code to larger runs and later ones, and larger and later runs have lower loss: is it the code?

    period ---> compute ---> code_logit ---> code ---> books ---> web
       |           |                           |         ^         |
       |           |            books_part ----|---------+         |
       +-----------+---------> loss <----------+-- (books) --------+

(period also moves code_logit; code, books and web all move loss.) Period is the quarter, 0 to 3; compute is log10 of
the training operations above 1e20; books take .05, .2 or .45 of what is not code, web the rest. The loss is a power law
of compute, a gain each quarter from better recipes, and a quadratic of the mixture (Scheffe 1958; the convex laws of Ye
et al. 2024, arXiv 2403.16952, to second order):

    loss = 2 + 1.2 exp(-.8 compute) - .06 period + .9 code + .3 books - 1.2 code web - .4 books web + Normal(0, .05)

Truth of do(mixture): the quadratic's difference, since nothing else changes. From .6 web, .25 code, .15 books, ten
points more code taken from web raise the loss by .066; taken from books by .012: what gives way is part of the
question. Naive: loss regressed on the mixture says that code lowers it, as it goes to the runs with most compute.
Double machine learning on compute and period is right; without compute it is not, and nothing in the runs tells.

Long because a world's program, population, truths and estimators stand together.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from math import exp, fsum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

from ifonly.scenarios.known import SURE, Estimator, KnownWorld, Moment, Query, draw, sampled_query
from ifonly.scm.continuous import gaussian
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function
from ifonly.scm.kernel import endogenous
from ifonly.scm.mixtures.coordinates import scheffe
from ifonly.scm.mixtures.dose import EffectCurve, effect_curve
from ifonly.scm.mixtures.partially_linear import PartiallyLinear, partially_linear, smooth
from ifonly.scm.mixtures.simplex import Floats, Mixture, Source
from ifonly.scm.nested import Sampling

if TYPE_CHECKING:
    from ifonly.scenarios.known import Sample
    from ifonly.scm.estimate import Estimate

__all__ = ["CURVE", "DOMAINS", "NOW", "WORLD", "adjusted", "change", "curve", "curve_truth"]

DOMAINS: Final = ("web", "code", "books")
"""Of the world's mixtures."""

NOW: Final = Mixture.of({"web": 0.6, "code": 0.25, "books": 0.15})
"""The mixture that the team asks about."""

CURVE: Final = (0.15, 0.4)
"""Shares of code between which the effect curve is asked."""

_MORE: Final = 0.1
_PERIODS: Final = 4
_PARTS: Final = (0.05, 0.2, 0.45)
_COMPUTE: Final = 0.3
_LEAN: Final = 0.6
_NOISE: Final = 0.05
_MOST: Final = 4_000
"""Runs that an analysis looks at: more make it slow, and no more right."""
_KNOTS: Final = 3
_HOLDS: Final = "compute and period hold all that moved both mixture and loss"
_BY: Final = Sampling(particles=3_000, seed=5, level=SURE)


def _lean(period: Any, compute: Any) -> Any:
    return -1.7 + 0.6 * compute + 0.15 * period


def _quadratic(code: Any, books: Any, web: Any) -> Any:
    return 0.9 * code + 0.3 * books - 1.2 * code * web - 0.4 * books * web


def _part(index: Any) -> Any:
    """The books' part: the parabola through the three, so that it takes numbers and tensors alike."""
    first, second, third = _PARTS
    return first + (second - first) * index + (third - 2 * second + first) / 2 * index * (index - 1)


def _program() -> None:
    period = endogenous("period", choice(tuple(range(_PERIODS)), (1 / _PERIODS,) * _PERIODS))
    part = endogenous("books_part", choice(tuple(range(len(_PARTS))), (1 / len(_PARTS),) * len(_PARTS)))
    compute = endogenous("compute", gaussian(lambda t: 0.4 * t, _COMPUTE), period)
    lean = endogenous("code_logit", gaussian(_lean, _LEAN), period, compute)
    code = endogenous("code", Function(lambda z: 1 / (1 + (-z).exp())), lean)
    books = endogenous("books", Function(lambda c, p: _part(p) * (1 - c)), code, part)
    web = endogenous("web", Function(lambda c, b: 1 - c - b), code, books)
    endogenous(
        "loss",
        gaussian(lambda c, b, w, size, t: 2 + 1.2 * (-0.8 * size).exp() - 0.06 * t + _quadratic(c, b, w), _NOISE),
        code,
        books,
        web,
        compute,
        period,
    )


@cache
def _units() -> list[tuple[float, float, float, float, Floats]]:
    """The population: probability, period, compute, code and mixture; noise by Gauss-Hermite quadrature."""
    nodes, weights = hermegauss(40)
    weights = weights / weights.sum()
    made = list[tuple[float, float, float, float, Floats]]()
    for period, (i, j), part in product(range(_PERIODS), product(range(len(nodes)), repeat=2), _PARTS):
        compute = 0.4 * period + _COMPUTE * float(nodes[i])
        code = 1 / (1 + exp(-(_lean(period, compute) + _LEAN * nodes[j])))
        mixture = np.array([(1 - part) * (1 - code), code, part * (1 - code)])
        made.append((weights[i] * weights[j] / (_PERIODS * len(_PARTS)), period, compute, code, mixture))
    return made


def _loss(period: float, compute: float, mixture: Floats) -> float:
    """The mean loss of a unit under do(mixture)."""
    web, code, books = mixture
    return float(2 + 1.2 * exp(-0.8 * compute) - 0.06 * period + _quadratic(code, books, web))


def _law(mixture: Mixture) -> float:
    return float(_quadratic(mixture["code"], mixture["books"], mixture["web"]))


def _shares(sample: Sample) -> Floats:
    return np.column_stack([sample[domain] for domain in DOMAINS])


def adjusted(sample: Sample, *covariates: str) -> PartiallyLinear:
    """The coefficients of the mixture's quadratic by double machine learning.

    Args:
        sample: of the world; the first 4,000 runs are looked at.
        covariates: the sites adjusted for; none: plain regression.
    """
    columns, _ = scheffe(_shares(sample)[:_MOST], DOMAINS)
    given = np.column_stack([sample[site] for site in covariates])[:_MOST] if covariates else None
    return partially_linear(sample["loss"][:_MOST], columns, given)


def change(taken_from: Source) -> Floats:
    """What ten points more code do to the columns of the quadratic.

    Args:
        taken_from: what gives way.
    """
    rows = np.stack([NOW.row, NOW.with_more("code", _MORE, taken_from).row])
    columns, _ = scheffe(rows, DOMAINS)
    made: Floats = columns[1] - columns[0]
    return made


def curve(sample: Sample, *covariates: str, at: tuple[float, ...] = CURVE) -> EffectCurve:
    """The effect curve of the share of code, the others in proportion.

    Args:
        sample: of the world; the first 2,000 runs are looked at.
        covariates: the sites adjusted for, beside the books' part of what is not code.
        at: shares of code.
    """
    rows = slice(_MOST // 2)
    part = sample["books"] / (1 - sample["code"])
    given = np.column_stack([part, *(sample[site] for site in covariates)])[rows]
    return effect_curve(sample["loss"][rows], sample["code"][rows], given, at, estimator=smooth(_KNOTS))


def curve_truth(share: float) -> float:
    """E[loss | do(code = share, others in proportion)] less the part that no mixture moves.

    Args:
        share: of code.
    """
    return fsum(_quadratic(share, part * (1 - share), (1 - part) * (1 - share)) for part in _PARTS) / len(_PARTS)


def _estimators(taken_from: Source) -> tuple[Estimator, ...]:
    def of(*covariates: str) -> Any:
        return lambda sample, level: adjusted(sample, *covariates).effect(change(taken_from), level)

    return (
        Estimator("double machine learning", of("compute", "period"), why=_HOLDS),
        Estimator("naive", of(), right=False, why="loss regressed on the mixture alone"),
        Estimator("compute not recorded", of("period"), right=False, why="period alone: compute moved both"),
    )


def _limit(taken_from: Source) -> float:
    """What the naive regression comes to in large samples: least squares over the population."""
    p, y, rows = zip(*((p, _loss(t, c, w), w) for p, t, c, _, w in _units()), strict=True)
    columns, _ = scheffe(np.stack(rows), DOMAINS)
    root = np.sqrt(np.array(p))
    centre = np.array(p) @ columns, np.array(p) @ np.array(y)
    theta = np.linalg.lstsq(root[:, None] * (columns - centre[0]), root * (np.array(y) - centre[1]), rcond=1e-8)[0]
    return float(change(taken_from) @ theta)


def _substitution(taken_from: Source, told: str) -> Query:
    after = NOW.with_more("code", _MORE, taken_from)
    return sampled_query(
        f"change in loss by ten points more code, taken from {told}",
        (
            _law(after) - _law(NOW),
            lambda: fsum(p * (_loss(t, c, after.row) - _loss(t, c, NOW.row)) for p, t, c, _, _ in _units()),
        ),
        (_limit(taken_from), "loss regressed on the mixture alone: code goes to the runs with most compute"),
        _estimators(taken_from),
        lambda n, seed: draw(_program, n, seed),
        _BY,
        span=(-1.0, 1.0),
    )


def _curved(sample: Sample, level: float, *covariates: str) -> Estimate:
    return curve(sample, *covariates).change(0, 1, level)


def _curve_estimators(more: float) -> tuple[Estimator, ...]:
    return (
        Estimator(
            "effect curve",
            lambda sample, level: _curved(sample, level, "compute", "period"),
            why=f"{_HOLDS}; no form of the curve",
        ),
        Estimator(
            "naive",
            lambda sample, level: partially_linear(sample["loss"], sample["code"]).effect([more], level),
            right=False,
            why="loss regressed on the share of code alone",
        ),
        Estimator(
            "compute not recorded",
            lambda sample, level: _curved(sample, level, "period"),
            right=False,
            why="period alone: compute moved both",
        ),
    )


def _along() -> Query:
    low, high = CURVE

    def brute() -> float:
        parts = [(p, t, c, w[2] / (w[0] + w[2])) for p, t, c, _, w in _units()]

        def at(share: float, part: float) -> Floats:
            return np.array([(1 - part) * (1 - share), share, part * (1 - share)])

        return fsum(p * (_loss(t, c, at(high, part)) - _loss(t, c, at(low, part))) for p, t, c, part in parts)

    return sampled_query(
        f"change in loss from {low:.0%} to {high:.0%} code, all others in proportion",
        (curve_truth(high) - curve_truth(low), brute),
        (_slope_limit() * (high - low), "loss regressed on the share of code alone"),
        _curve_estimators(high - low),
        lambda n, seed: draw(_program, n, seed),
        _BY,
        span=(-1.0, 1.0),
    )


def _slope_limit() -> float:
    p, code, y = (np.array(one) for one in zip(*((p, q, _loss(t, c, w)) for p, t, c, q, w in _units()), strict=True))
    off = code - p @ code
    return float((p * off) @ y / ((p * off) @ off))


def _mean(of: int) -> float:
    return fsum(unit[0] * unit[of] for unit in _units())


# The world; `ifonly.scenarios.pretraining.scenario` asks of it.
WORLD: Final = KnownWorld(
    name="pretraining",
    question="Runs with more code have a lower loss: should the next one have more code, and instead of what?",
    edges=frozenset(
        {
            ("period", "compute"),
            ("period", "code_logit"),
            ("compute", "code_logit"),
            ("code_logit", "code"),
            ("code", "books"),
            ("books_part", "books"),
            ("code", "web"),
            ("books", "web"),
            *((site, "loss") for site in (*DOMAINS, "compute", "period")),
        }
    ),
    world=_program,
    facts={"period": 2, "books_part": 1},
    queries=(
        _substitution("web", "web"),
        _substitution("books", "books"),
        _substitution(None, "all others in proportion"),
        _along(),
    ),
    sites=("period", "books_part"),
    law=lambda: {cell: 1 / (_PERIODS * len(_PARTS)) for cell in product(range(_PERIODS), range(len(_PARTS)))},
    assumptions=(
        _HOLDS,
        "at each compute and period there were runs with more code and with less",
        "the loss of a run hangs on its own mixture alone",
    ),
    by=_BY,
    moments=(
        Moment("compute", lambda sample: sample["compute"], 0.4 * (_PERIODS - 1) / 2),
        Moment("code", lambda sample: sample["code"], _mean(3)),
        Moment("loss", lambda sample: sample["loss"], fsum(p * _loss(t, c, w) for p, t, c, _, w in _units())),
        Moment(
            "square of the noise in the loss",
            lambda sample: np.square(
                sample["loss"]
                - [_loss(t, c, w) for t, c, w in zip(sample["period"], sample["compute"], _shares(sample), strict=True)]
            ),
            _NOISE**2,
        ),
    ),
)
