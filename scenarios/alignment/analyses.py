"""Analyses of a sample of the annotators' world: raw rates, regressions with and without quality, re-weighting."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from ifonly.scenarios.alignment.world import CROWD, FIRST, SITES, exact, law, sample, unit_mean
from ifonly.scenarios.known import SURE, Estimator, Query, Sample, sampled_query
from ifonly.scm.nested import Sampling
from ifonly.scm.policy.value import Value
from ifonly.scm.preference.annotators import remixed
from ifonly.scm.preference.logistic import Fit, fit_logistic
from ifonly.scm.preference.position import by_design

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike

    from ifonly.scm.estimate import Estimate

__all__ = ["BY", "EVEN", "STYLE_COLUMNS", "TARGET", "columns", "controlled", "fitted", "queries", "without_quality"]

BY: Final = Sampling(particles=20_000, seed=0, level=SURE)
"""What the answers are drawn with."""

TARGET: Final = 0.2
"""Share of the crowd among the users whom the model is for."""

EVEN: Final = {"length": 1, "markdown": 0}
"""The baseline's style: as long, and without markup."""

STYLE_COLUMNS: Final = ("length", "length x crowd", "markdown", "markdown x crowd")
"""Columns of style in the regression: 0 at the baseline's style."""


def columns(drawn: Mapping[str, ArrayLike], *, quality: bool = True) -> dict[str, ArrayLike]:
    """The columns of the regression, with the effects of style by group of annotators.

    Args:
        drawn: values by site, each of shape (n,).
        quality: whether quality was graded.
    """
    at = {site: np.asarray(drawn[site], dtype=float) for site in SITES}
    crowd, length = at["crowd"], at["length"] - 1
    graded = {"quality": at["quality"]} if quality else {}
    return {
        "one": np.ones(len(crowd)),
        "model": at["model"],
        "hard": at["hard"],
        **graded,
        "first": 2 * at["first"] - 1,
        "crowd": crowd,
        "length": length,
        "length x crowd": length * crowd,
        "markdown": at["markdown"],
        "markdown x crowd": at["markdown"] * crowd,
    }


def fitted(drawn: Sample, *, quality: bool = True) -> Fit:
    """The regression on a sample."""
    return fit_logistic(columns(drawn, quality=quality), drawn["preferred"])


def controlled(fit: Fit, drawn: Mapping[str, ArrayLike], put: Mapping[str, int], model: int | None = None) -> Value:
    """The mean preference of a model's answers with their style put.

    Args:
        fit: of the sample.
        drawn: the sample.
        put: length and markdown, either or both.
        model: which model's answers; all if None.
    """
    changed = {site: np.asarray(drawn[site], dtype=float) for site in SITES}
    changed |= {site: np.full(len(fit.design), float(value)) for site, value in put.items()}
    wanted = columns(changed, quality="quality" in fit.names)
    rows = None if model is None else np.asarray(drawn["model"]) == model
    return fit.mean({name: wanted[name] for name in fit.names}, rows=rows)


def _raw(drawn: Sample, rows: ArrayLike) -> Value:
    """The mean preference of some rows."""
    weight = np.asarray(rows, dtype=float) / np.mean(np.asarray(rows, dtype=float))
    mean = float(weight @ drawn["preferred"]) / len(weight)
    return Value("raw", mean, weight * (drawn["preferred"] - mean), weight)


def _by(of: Callable[[Sample], Value]) -> Callable[[Sample, float], Estimate]:
    return lambda drawn, level: of(drawn).estimate(level)


def _estimators(
    name: str, style: Callable[[Fit, Sample], Value], raw: Callable[[Sample], Value], mistake: str
) -> tuple[Estimator, ...]:
    """The regression with quality, the one without it, and the raw number."""
    return (
        Estimator("style held", _by(lambda drawn: style(fitted(drawn), drawn)), why=f"{name}; quality was graded"),
        Estimator(
            "style held, quality unseen",
            _by(lambda drawn: style(fitted(drawn, quality=False), drawn)),
            right=False,
            why="length and markup are paid for the quality that goes along with them",
        ),
        Estimator("naive", _by(raw), right=False, why=mistake),
    )


def without_quality(asked: Literal["rate", "model", "length"]) -> float:
    """What the regression without quality ends up at in large samples: fitted to the law itself.

    Args:
        asked: the win rate at equal style, the effect of the model on it, or that of a longer answer.
    """
    cells = np.array(list(law()), dtype=float)
    drawn, weight = dict(zip(SITES, cells.T, strict=True)), np.array(list(law().values()))
    fit = fit_logistic(columns(drawn, quality=False), drawn["preferred"], weights=weight)

    def mean(put: Mapping[str, int], model: int | None) -> float:
        changed = drawn | {site: np.full(len(weight), float(value)) for site, value in put.items()}
        w = weight if model is None else weight * (drawn["model"] == model)
        return float(w @ fit.predict(columns(changed, quality=False)) / w.sum())

    if asked == "length":
        return mean({"length": 2}, None) - mean({"length": 1}, None)
    return mean(EVEN, 1) - (mean(EVEN, 0) if asked == "model" else 0.0)


def _rate() -> Query:
    return sampled_query(
        "win rate of the new model, style as the baseline's",
        (exact({"model": 1, **EVEN}), lambda: unit_mean({"model": 1, **EVEN})),
        (exact({"model": 1}), "the raw win rate, which pays for style"),
        _estimators(
            "P(preferred | do(model, length difference 0, no markup))",
            lambda fit, drawn: controlled(fit, drawn, EVEN, 1),
            lambda drawn: _raw(drawn, drawn["model"] == 1),
            "the raw win rate: the new model writes longer and with markup",
        ),
        sample,
        BY,
    )


def _model() -> Query:
    def style(fit: Fit, drawn: Sample) -> Value:
        return controlled(fit, drawn, EVEN, 1).less(controlled(fit, drawn, EVEN, 0))

    return sampled_query(
        "effect of the new model with style held (CDE)",
        (
            exact({"model": 1, **EVEN}) - exact({"model": 0, **EVEN}),
            lambda: unit_mean({"model": 1, **EVEN}) - unit_mean({"model": 0, **EVEN}),
        ),
        (exact({"model": 1}) - exact({"model": 0}), "the total effect, taken for that of content"),
        _estimators(
            "through quality alone",
            style,
            lambda drawn: _raw(drawn, drawn["model"] == 1).less(_raw(drawn, drawn["model"] == 0)),
            "the difference of raw win rates: the total effect, most of it through style",
        ),
        sample,
        BY,
        span=(-1.0, 1.0),
    )


def _total() -> Query:
    """The other way about: who wants the whole effect must not hold style, which is part of it."""
    effect = exact({"model": 1}) - exact({"model": 0})

    def held(drawn: Sample) -> Value:
        fit = fitted(drawn)
        return controlled(fit, drawn, EVEN, 1).less(controlled(fit, drawn, EVEN, 0))

    return sampled_query(
        "effect of the new model in all (total)",
        (effect, lambda: unit_mean({"model": 1}) - unit_mean({"model": 0})),
        (
            exact({"model": 1, **EVEN}) - exact({"model": 0, **EVEN}),
            "style is held, which is a way that the effect goes",
        ),
        (
            Estimator(
                "difference of win rates",
                _by(lambda drawn: _raw(drawn, drawn["model"] == 1).less(_raw(drawn, drawn["model"] == 0))),
                why="which model answers hangs on nothing",
            ),
            Estimator("naive", _by(held), right=False, why="style is held, which is a way that the effect goes"),
        ),
        sample,
        BY,
        span=(-1.0, 1.0),
    )


def _length() -> Query:
    def style(fit: Fit, drawn: Sample) -> Value:
        return controlled(fit, drawn, {"length": 2}).less(controlled(fit, drawn, {"length": 1}))

    return sampled_query(
        "effect of a longer answer, content and markup fixed",
        (
            exact({"length": 2}) - exact({"length": 1}),
            lambda: unit_mean({"length": 2}) - unit_mean({"length": 1}),
        ),
        (exact({}, given={"length": 2}) - exact({}, given={"length": 1}), "longer answers are better ones, too"),
        _estimators(
            "P(preferred | do(longer)) less P(preferred | do(as long))",
            style,
            lambda drawn: _raw(drawn, drawn["length"] == 2).less(_raw(drawn, drawn["length"] == 1)),  # noqa: PLR2004
            "longer against equally long answers as they came: also better, and the new model's",
        ),
        sample,
        BY,
        span=(-1.0, 1.0),
    )


def _new(drawn: Sample) -> dict[str, ArrayLike]:
    rows = drawn["model"] == 1
    return {site: values[rows] for site, values in drawn.items()}


def _mix() -> Query:
    def ours(drawn: Sample) -> Value:
        new = _new(drawn)
        groups = np.where(np.asarray(new["crowd"]) == 1, "crowd", "expert").tolist()
        return remixed(new["preferred"], groups, {"crowd": TARGET, "expert": 1 - TARGET})

    def known(crowd: float) -> float:
        return (1 - crowd) * unit_mean({"model": 1, "crowd": 0}) + crowd * unit_mean({"model": 1, "crowd": 1})

    return sampled_query(
        "win rate of the new model among its users, a fifth of them crowd",
        (exact({"model": 1}, crowd=TARGET), lambda: known(TARGET)),
        (exact({"model": 1}, crowd=CROWD), "the log's mix of annotators, taken for the users'"),
        (
            Estimator("re-weighted", _by(ours), why="who is asked hangs on nothing else"),
            Estimator(
                "naive", _by(lambda drawn: _raw(drawn, drawn["model"] == 1)), right=False, why="the log's own mix"
            ),
        ),
        sample,
        BY,
    )


def _position() -> Query:
    def ours(drawn: Sample) -> Value:
        new = _new(drawn)
        return by_design(new["preferred"], new["first"], FIRST).balanced

    def known() -> float:
        return (unit_mean({"model": 1, "first": 1}) + unit_mean({"model": 1, "first": 0})) / 2

    return sampled_query(
        "win rate of the new model, shown first as often as second",
        (exact({"model": 1}, first=0.5), known),
        (exact({"model": 1}, first=FIRST), "what is shown first is liked for it"),
        (
            Estimator("weighted by order", _by(ours), why="the order was drawn, eight in ten with the candidate first"),
            Estimator(
                "naive",
                _by(lambda drawn: _raw(drawn, drawn["model"] == 1)),
                right=False,
                why="the candidate stands first in eight of ten",
            ),
        ),
        sample,
        BY,
    )


@cache
def queries() -> tuple[Query, ...]:
    """All questions about the world."""
    return (_rate(), _model(), _total(), _length(), _mix(), _position())
