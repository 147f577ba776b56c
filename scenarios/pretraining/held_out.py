"""How well predictions of do(mixture) hold: on mixtures held out, at larger sizes, and for the mixture chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from ifonly.scenarios.pretraining.runs import TARGET
from ifonly.scenarios.study import Figures
from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotIdentified
from ifonly.scm.mixtures.selection import lowest
from ifonly.scm.mixtures.surface import LossSurface, cross_conformal
from ifonly.scm.mixtures.transport import rank_agreement, recalibrate

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from ifonly.scenarios.pretraining.runs import MixtureRuns
    from ifonly.scm.mixtures.simplex import Floats

__all__ = ["by_domain", "by_method", "carried", "cursed", "trees"]

_LEVEL: Final = 0.95
_SUBSETS: Final = 200
_FEW: Final = (5, 10, 20)
_POOLS: Final = 200
_POOL: Final = 20


def trees() -> BaseEstimator:
    """Boosted trees as RegMix takes them from LightGBM: small steps, many of them."""
    return HistGradientBoostingRegressor(
        max_iter=300, learning_rate=0.05, max_leaf_nodes=15, min_samples_leaf=10, early_stopping=False
    )


def by_method(learnt: MixtureRuns, held: MixtureRuns, surface: LossSurface) -> Figures:
    """Predicted against actual loss of held-out mixtures, beside RegMix's two regressions.

    Args:
        learnt: runs to learn from.
        held: runs held out.
        surface: of the target, fitted to `learnt`.
    """
    actual = held.loss(TARGET)
    rows = [_scored("Gaussian process (ours)", surface.run(held.shares, _LEVEL), actual)]
    for name, estimator in (("boosted trees", trees()), ("linear", LinearRegression())):
        told = cross_conformal(estimator, learnt.shares, learnt.loss(TARGET), held.shares, _LEVEL)
        rows.append(_scored(name, told, actual))
    return Figures(
        title=f"Loss on {TARGET} of {len(held)} mixtures never seen, predicted from {len(learnt)} runs",
        titles=("method", "rank correlation", "RMSE", "95 % interval covers", "its mean width"),
        rows=tuple(rows),
    )


def by_domain(learnt: MixtureRuns, held: MixtureRuns) -> Figures:
    """The same for the loss on each domain: rank correlation and error of ours and of the trees.

    Args:
        learnt: runs to learn from.
        held: runs held out.
    """
    rows: list[tuple[str | float, ...]] = []
    for name in learnt.losses:
        actual, surface = held.loss(name), LossSurface.of(learnt.shares, learnt.loss(name))
        other = trees().fit(learnt.shares, learnt.loss(name)).predict(held.shares)
        ours = _scored(name, surface.run(held.shares, _LEVEL), actual)
        rows.append((*ours[:4], *_scored(name, (other, other, other), actual)[1:3]))
    return Figures(
        title=f"The same for the loss on each of {len(rows)} domains",
        titles=(
            "loss on",
            "rank correlation",
            "RMSE",
            "95 % interval covers",
            "trees: rank correlation",
            "trees: RMSE",
        ),
        rows=tuple(rows),
    )


def carried(by_size: dict[str, MixtureRuns], large: dict[str, MixtureRuns], seed: int) -> Figures:
    """Smaller runs' predictions at larger sizes: as they are, and recalibrated on few large runs.

    Errors and coverage are means over 200 random choices of the few, each judged on the rest.

    Args:
        by_size: runs to learn from, by size.
        large: runs to be told, by size.
        seed: of the choices.
    """
    rows: list[tuple[str | float, ...]] = []
    for small, learnt in by_size.items():
        surface = LossSurface.of(learnt.shares, learnt.loss(TARGET))
        other = trees().fit(learnt.shares, learnt.loss(TARGET))
        for size, runs in ((size, runs) for size, runs in large.items() if size != small):
            told, actual = surface.mean_loss(runs.shares), runs.loss(TARGET)
            same = _ranks(other.predict(runs.shares), actual)
            above = float(actual[np.argmin(told)] - actual.min())
            rows.append((f"{small} to {size}", "none", _ranks(told, actual), same, above, _rmse(told, actual), "", ""))
            rows.extend(
                (f"{small} to {size}", f"{few} large runs", "", "", "", *_recalibrated(told, actual, few, seed))
                for few in _FEW
                if few < len(runs) / 2
            )
    return Figures(
        title=f"Carried to larger models: loss on {TARGET}",
        titles=(
            "sizes",
            "recalibrated on",
            "rank correlation",
            "trees",
            "choice above best",
            "RMSE",
            "covers",
            "refused",
        ),
        rows=tuple(rows),
    )


def _ranks(told: Floats, actual: Floats) -> str:
    ranks = rank_agreement(told, actual, _LEVEL)
    return f"{ranks.value:.3f} [{ranks.low:.3f}, {ranks.high:.3f}]"


def cursed(surface: LossSurface, held: MixtureRuns, seed: int) -> Figures:
    """How often the interval of the mixture chosen among twenty held-out ones holds its actual loss.

    Args:
        surface: of the target, fitted to other runs.
        held: runs held out.
        seed: of the pools.
    """
    generator, actual = Draw(seed).generator("pools"), held.loss(TARGET)
    plain, honest, errors, regrets, exact = [], [], [], [], []
    for _ in range(_POOLS):
        pool = generator.choice(len(held), _POOL, replace=False)
        chosen = lowest(surface, held.shares[pool], _LEVEL, seed)
        real = actual[pool][chosen.index]
        plain.append(chosen.plain.low <= real <= chosen.plain.high)
        honest.append(chosen.honest.low <= real <= chosen.honest.high)
        errors.append(real - (chosen.plain.value or 0.0))
        regrets.append(real - actual[pool].min())
        exact.append(regrets[-1] == 0)
    return Figures(
        title=f"The lowest of {_POOL} held-out mixtures, chosen by prediction and then run ({_POOLS} random pools)",
        titles=(
            "plain 95 % covers",
            "honest covers",
            "actual less predicted",
            "loss above the best",
            "best one chosen",
        ),
        rows=(tuple(float(np.mean(one)) for one in (plain, honest, errors, regrets, exact)),),
    )


def _scored(name: str, told: tuple[Floats, Floats, Floats], actual: Floats) -> tuple[str | float, ...]:
    middle, low, high = told
    ranks = rank_agreement(middle, actual).value or 0.0
    covers = float(((low <= actual) & (actual <= high)).mean())
    return name, ranks, _rmse(middle, actual), covers, float((high - low).mean())


def _recalibrated(told: Floats, actual: Floats, few: int, seed: int) -> tuple[str | float, str | float, float]:
    generator, errors, covers, refused = Draw(seed).generator(f"few/{few}"), [], [], 0
    for _ in range(_SUBSETS):
        picked = generator.permutation(len(actual))
        used, rest = picked[:few], picked[few:]
        try:
            line = recalibrate(told[used], actual[used], _LEVEL)
        except NotIdentified:
            refused += 1
            continue
        middle, low, high = line.predict(told[rest], _LEVEL)
        errors.append(_rmse(middle, actual[rest]))
        covers.append(float(((low <= actual[rest]) & (actual[rest] <= high)).mean()))
    if not covers:
        return "", "", 1.0
    return float(np.mean(errors)), float(np.mean(covers)), refused / _SUBSETS


def _rmse(told: Floats, actual: Floats) -> float:
    return float(np.sqrt(np.square(told - actual).mean()))
