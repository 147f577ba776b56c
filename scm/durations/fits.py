"""The law of a sample: maximum likelihood, goodness of fit, and which law is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import stats

from ifonly.scm.durations import Constant, Duration, Gamma, LogNormal
from ifonly.scm.durations.empirical import fit_empirical
from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ifonly.scm.draw import Draw
    from ifonly.scm.durations.laws import Floats

__all__ = ["Chosen", "Fit", "choose_law", "fit_gamma", "fit_lognormal"]

_TESTED = 8
"""Values from which goodness of fit is tested, and more than one law is compared."""

_REJECTED = 0.05
_SEVERAL = 30
"""Values from which an empirical law replaces one that does not fit."""

_BOOTSTRAPPED = 1_000
"""Values that the test looks at, at most: beyond, every law that is simple is rejected anyway."""


class Fit(BaseModel):
    """A law fitted to a sample.

    Attributes:
        law: the law.
        log_likelihood: of the sample; None of a law without density.
        aic: 2 parameters - 2 log-likelihood (Akaike 1974): smaller is better.
        statistic: of Anderson and Darling (1952); None where it was not tested.
        p_value: that the sample is of this family, by parametric bootstrap, the parameters fitted anew to each
            resample (Stute, Manteiga and Quindimil 1993, Metrika 40:243).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    law: Duration
    log_likelihood: float | None = None
    aic: float | None = None
    statistic: float | None = None
    p_value: float | None = None


class Chosen(BaseModel):
    """Which law a sample was given.

    Attributes:
        law: the law.
        count: size of the sample.
        fits: all that were tried.
        why: this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    law: Duration
    count: Annotated[int, Field(ge=1)]
    fits: tuple[Fit, ...]
    why: str

    @property
    def fit(self) -> Fit:
        """The fit of the law that was chosen."""
        return next(one for one in self.fits if one.law == self.law)


def fit_lognormal(samples: Floats) -> LogNormal:
    """The lognormal law of maximum likelihood: median and sigma are those of the logarithms.

    Args:
        samples: shape (n,), positive, not all equal.
    """
    log = np.log(samples)
    return LogNormal(median=float(np.exp(log.mean())), sigma=float(log.std()))


def fit_gamma(samples: Floats) -> Gamma:
    """The gamma law of maximum likelihood (`scipy.stats.gamma`, place 0).

    Args:
        samples: shape (n,), positive, not all equal.
    """
    shape, _, scale = stats.gamma.fit(samples, floc=0.0)
    return Gamma(shape=float(shape), scale=float(scale))


def choose_law(samples: ArrayLike, draw: Draw, resamples: int = 199) -> Chosen:
    """Return the law of a sample.

    Lognormal or gamma, by AIC, unless goodness of fit rejects it at 5 % and there are 30 values or more: then the
    empirical law with its tail. Fewer than 8 values do not tell laws apart: they get a lognormal one, untested.

    Args:
        samples: shape (n,), positive.
        draw: of the bootstrap; its streams are "goodness/lognormal" and "goodness/gamma".
        resamples: of the bootstrap; the smallest p-value is 1 / (resamples + 1).

    Raises:
        NotApplicable: the sample is empty, or not all of it is positive.
    """
    x = np.asarray(samples, dtype=float)
    if not len(x) or not x.min() > 0.0:
        raise NotApplicable(f"a law of durations takes positive values, one or more; got {len(x)}: {x[:3]}")
    if np.ptp(x) <= 1e-12 * x.max():  # equal but for rounding
        only = Constant(value=float(x.mean()))
        return Chosen(law=only, count=len(x), fits=(Fit(law=only),), why="all values are equal")
    log = np.log(x)
    fits = [_fit(fit_lognormal(x), float(stats.norm.logpdf(log, log.mean(), log.std()).sum() - log.sum()))]
    if len(x) < _TESTED:
        why = f"{len(x)} values do not tell laws apart"
        return Chosen(law=fits[0].law, count=len(x), fits=tuple(fits), why=why)
    gamma = fit_gamma(x)
    fits.append(_fit(gamma, float(stats.gamma.logpdf(x, gamma.shape, scale=gamma.scale).sum())))
    fits = [_tested(one, x, draw, resamples) for one in fits]
    best = min(fits, key=lambda one: one.aic or 0.0)
    why = f"smallest AIC; goodness of fit p = {best.p_value:.3g}"
    if best.p_value is not None and best.p_value < _REJECTED and len(x) >= _SEVERAL:
        why = f"goodness of fit rejects the {best.law.law} law, the better one by AIC (p = {best.p_value:.3g})"
        best = Fit(law=fit_empirical(x))
        fits.append(best)
    return Chosen(law=best.law, count=len(x), fits=tuple(fits), why=why)


def _fit(law: LogNormal | Gamma, log_likelihood: float) -> Fit:
    return Fit(law=law, log_likelihood=log_likelihood, aic=4.0 - 2.0 * log_likelihood)


def _tested(fit: Fit, samples: Floats, draw: Draw, resamples: int) -> Fit:
    """With its goodness of fit."""
    rng = draw.generator(f"goodness/{fit.law.law}")
    seen = samples if len(samples) <= _BOOTSTRAPPED else rng.choice(samples, _BOOTSTRAPPED, replace=False)
    if isinstance(fit.law, LogNormal):
        family, known, data = stats.norm, {}, np.log(seen)
    else:
        family, known, data = stats.gamma, {"loc": 0.0}, seen
    with np.errstate(all="ignore"):  # a tail beyond what a float holds rejects, as it should
        test = stats.goodness_of_fit(family, data, known_params=known, statistic="ad", n_mc_samples=resamples, rng=rng)
    p = float(test.pvalue)
    return fit.model_copy(update={"statistic": _finite(float(test.statistic)), "p_value": p})


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
