"""Small models chose the mixture: does what they say hold for a larger model, and for one that trains longer?

    code ---> web <--- books                code and books drawn at random, web is the rest
    code, books ---> small, large, long

Every mixture was run small, one in ten also large and long. Shares are percent: code 10 to 40, books 5 to 45. With
shares as fractions c and b, losses are

    small = 3.2 - 1.5 c + 1.8 c^2 - .6 b + .5 b^2 + Normal(0, .03) = f(c, b) + Normal(0, .03)
    large = .9 + .6 f + Normal(0, .02)                        more parameters, each book read once
    long  = .7 + .6 f + 3 max(b - .2, 0)^2 + Normal(0, .02)   more tokens: there are not more books, so that these are
                                                              read again and again (Muennighoff et al. 2023, arXiv
                                                              2305.16264: beyond four times it does not help)

From 15 to 35 % books, taken from web, the small loss falls by .070. Truth: the large one falls by .6 of that, .042, the
long one rises by .0255. Naive: what small runs say. A line from small to large losses (`recalibrate`) is right for the
large model. For the long one its assumption fails: order is not kept, and it still says that the loss falls, with an
interval that is narrow and wrong. Large runs compared with one another are right for both, and less sure.
"""

from __future__ import annotations

from itertools import product
from math import fsum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ifonly.scenarios.known import SURE, Estimator, KnownWorld, Moment, Query, draw, sampled_query
from ifonly.scenarios.scenario import Scenario, asked_of
from ifonly.scenarios.study import Figures, SensitivityRow, Study
from ifonly.scm.continuous import gaussian
from ifonly.scm.errors import NotIdentified
from ifonly.scm.estimate import Estimate
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function
from ifonly.scm.kernel import endogenous
from ifonly.scm.mixtures.coordinates import scheffe
from ifonly.scm.mixtures.partially_linear import partially_linear
from ifonly.scm.mixtures.transport import rank_agreement, recalibrate
from ifonly.scm.nested import Sampling
from ifonly.scm.strata import standardised

if TYPE_CHECKING:
    from ifonly.scenarios.known import Sample
    from ifonly.scm.mixtures.partially_linear import PartiallyLinear
    from ifonly.scm.mixtures.simplex import Floats
    from ifonly.scm.mixtures.transport import Recalibration

__all__ = ["SCENARIOS"]

_DOMAINS: Final = ("web", "code", "books")
_CODE: Final = (10, 20, 30, 40)
_BOOKS: Final = (5, 15, 25, 35, 45)
_BEFORE, _AFTER = {"code": 20, "books": 15}, {"code": 20, "books": 35}
_SLOPE: Final = 0.6
_LEVELS: Final = {"large": 0.9, "long": 0.7}
_NOISE: Final = {"small": 0.03, "large": 0.02, "long": 0.02}
_FRESH: Final = 0.2
"""Share of books up to which none is read too often in the long run."""
_TENTH: Final = 10
_OFF: Final = (0.01, 0.05)
_BY: Final = Sampling(particles=3_000, seed=5, level=SURE)
_LINE: Final = "expected losses at that scale are a straight line of the small models'"
_NAIVE: Final = "what small models say, taken for all"


def _small(code: Any, books: Any) -> Any:
    c, b = code / 100, books / 100
    return 3.2 - 1.5 * c + 1.8 * c * c - 0.6 * b + 0.5 * b * b


def _again(books: Any) -> Any:
    """What reading books again and again adds to the long run's loss."""
    beyond = books / 100 - _FRESH
    return 3.0 * ((beyond + abs(beyond)) / 2) ** 2


def _expected(site: str, code: Any, books: Any) -> Any:
    """The mean loss of a site under do(mixture)."""
    if site == "small":
        return _small(code, books)
    return _LEVELS[site] + _SLOPE * _small(code, books) + (_again(books) if site == "long" else 0.0)


def _program() -> None:
    code = endogenous("code", choice(_CODE, (1 / len(_CODE),) * len(_CODE)))
    books = endogenous("books", choice(_BOOKS, (1 / len(_BOOKS),) * len(_BOOKS)))
    endogenous("web", Function(lambda c, b: 100 - c - b), code, books)
    endogenous("small", gaussian(lambda c, b: _expected("small", c, b), _NOISE["small"]), code, books)
    endogenous("large", gaussian(lambda c, b: _expected("large", c, b), _NOISE["large"]), code, books)
    endogenous("long", gaussian(lambda c, b: _expected("long", c, b), _NOISE["long"]), code, books)


def _columns(web: Any, code: Any, books: Any) -> Floats:
    return scheffe(np.column_stack([web, code, books]) / 100, _DOMAINS)[0]


def _change() -> Floats:
    """What the change does to the columns of the quadratic."""
    (before,), (after,) = (_columns(100 - sum(one.values()), one["code"], one["books"]) for one in (_BEFORE, _AFTER))
    made: Floats = after - before
    return made


def _fitted(sample: Sample) -> tuple[PartiallyLinear, Floats]:
    """The small models' loss surface, and what it predicts of each mixture, up to a constant."""
    columns = _columns(*(sample[domain] for domain in _DOMAINS))
    found = partially_linear(sample["small"], columns)
    return found, columns @ found.coefficients


def _line(sample: Sample, site: str, few: int | None = None) -> Recalibration:
    """The line to the losses of the mixtures that were also run at the scale of a site; `few`: of the first of them."""
    _, predicted = _fitted(sample)
    return recalibrate(predicted[::_TENTH][:few], sample[site][::_TENTH][:few])


def _recalibrated(sample: Sample, level: float, site: str) -> Estimate:
    small, _ = _fitted(sample)
    change = _change()
    told = small.effect(change).value or 0.0
    return _line(sample, site).carried(told, small.standard_error(change), level)


def _compared(sample: Sample, level: float, site: str) -> Estimate:
    """Runs at the scale itself: those with so many books less those with so few, at the same share of code."""
    code, books, loss = (sample[name][::_TENTH] for name in ("code", "books", site))
    after, before = (standardised(books == one["books"], loss, code) for one in (_AFTER, _BEFORE))
    return after.plus(before, -1.0).estimate(level)


def _query(site: str, told: str, line: Estimator, truth: float) -> Query:
    compared = Estimator(
        "large runs compared",
        lambda sample, level: _compared(sample, level, site),
        why="mixtures were drawn at random, and some were run at that scale",
    )
    naive = Estimator(
        "naive",
        lambda sample, level: _fitted(sample)[0].effect(_change(), level),
        right=False,
        why=_NAIVE,
    )
    return sampled_query(
        f"change in the loss of the {told}, by twenty points more books taken from web",
        (truth, lambda: _expected(site, **_AFTER) - _expected(site, **_BEFORE)),
        (-0.6 * 0.2 + 0.5 * (0.35**2 - 0.15**2), _NAIVE),
        (line, compared, naive) if line.right else (compared, line, naive),
        lambda n, seed: draw(_program, n, seed),
        _BY,
        span=(-1.0, 1.0),
    )


def _carrying(site: str, *, right: bool) -> Estimator:
    return Estimator(
        "recalibrated",
        lambda sample, level: _recalibrated(sample, level, site),
        right=right,
        why=_LINE if right else f"{_LINE}: they are not, where books are read again and again",
    )


def _mean(of: Any) -> float:
    return fsum(of(c, b) for c, b in product(_CODE, _BOOKS)) / (len(_CODE) * len(_BOOKS))


def _moment(site: str) -> tuple[Moment, Moment]:
    def noise(sample: Sample) -> Floats:
        made: Floats = np.square(sample[site] - _expected(site, sample["code"], sample["books"]))
        return made

    return (
        Moment(f"{site} loss", lambda sample: sample[site], _mean(lambda c, b: _expected(site, c, b))),
        Moment(f"square of the noise in the {site} loss", noise, _NOISE[site] ** 2),
    )


_WORLD: Final = KnownWorld(
    name="small to large",
    question="Small models chose the mixture: does it hold for a larger model, and for one that trains longer?",
    edges=frozenset(
        {
            ("code", "web"),
            ("books", "web"),
            *((share, loss) for share in ("code", "books") for loss in ("small", "large", "long")),
        }
    ),
    world=_program,
    facts=_BEFORE,
    queries=(
        _query("large", "larger model", _carrying("large", right=True), _SLOPE * -0.07),
        _query("long", "longer run", _carrying("long", right=False), _SLOPE * -0.07 + 3 * 0.15**2),
    ),
    sites=("code", "books"),
    law=lambda: dict.fromkeys(product(_CODE, _BOOKS), 1 / (len(_CODE) * len(_BOOKS))),
    assumptions=(
        "mixtures were drawn at random, and so were those that were run at the larger scales",
        f"for the line alone: {_LINE}",
    ),
    by=_BY,
    moments=tuple(moment for site in ("small", "large", "long") for moment in _moment(site)),
)


def _study(seed: int) -> Study:
    n = _BY.particles or 0
    sample = _WORLD.sample(n, seed)
    asked = tuple(asked_of(query, sample) for query in _WORLD.queries)
    large, long = (one.answers[0].estimate for one in asked)
    carried = asked[1].answers[1].estimate
    return Study(
        source=f"{n:,} mixtures drawn from the world, each run small, one in ten large and long too",
        asked=asked,
        sensitivity=tuple(_departing(asked[0].answers[0].estimate, off) for off in _OFF),
        figures=(_checks(sample),),
        decision=(
            f"Take the mixture with more books for the larger model ({large.value:+.3f}), not for the longer run: it "
            f"moves the loss there by {long.value:+.3f}, where the line from small models says {carried.value:+.3f}. "
            "Before a mixture goes to a scale at which a domain is read again and again, run it and the old one there."
        ),
        notes=(
            "A line that refuses is the better case: with few large runs it may still be fitted where order is lost.",
            "What the small models cannot show (books read again) must be varied at the scale at which it happens.",
        ),
    )


def _departing(estimate: Estimate, off: float) -> SensitivityRow:
    return SensitivityRow(
        assumption="the larger model's loss is a straight line of the small ones'",
        failing=f"at the two mixtures it is off by up to {off:g}",
        estimate=Estimate.bounded(estimate.low - 2 * off, estimate.high + 2 * off, estimate.rung, 0.95),
    )


def _checks(sample: Sample) -> Figures:
    """What can be seen from the large runs: is the line straight, do ranks hold, what do a few runs say?"""
    rows = list[tuple[str | float, ...]]()
    _, predicted = _fitted(sample)
    for site, told in (("large", "larger model"), ("long", "longer run")):
        ranks = rank_agreement(predicted[::_TENTH], sample[site][::_TENTH])
        line = _line(sample, site)
        rows.append((told, line.slope, line.straight, ranks.value or 0.0, _with_few(sample, site)))
    return Figures(
        title="What the runs at the larger scales say of the line",
        titles=("scale", "slope", "p-value of no curve", "rank correlation", "slope from ten of them"),
        rows=tuple(rows),
    )


def _with_few(sample: Sample, site: str) -> str | float:
    try:
        return _line(sample, site, 10).slope
    except NotIdentified:
        return "refused"


# The scenario: `ifonly.scenarios.catalog` finds it.
SCENARIOS: Final = (Scenario("pretraining", _WORLD, _study, name="small-to-large"),)
