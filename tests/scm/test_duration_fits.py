"""Fits of laws to samples: parameters come back, goodness of fit has its size, the empirical law is its sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import stats

from ifonly.scm.draw import Draw
from ifonly.scm.durations import Constant, Duration, Empirical, Gamma, LogNormal
from ifonly.scm.durations.empirical import fit_empirical
from ifonly.scm.durations.fits import choose_law, fit_gamma, fit_lognormal
from ifonly.scm.durations.regression import nonnegative_gamma, robust_parts
from ifonly.scm.errors import NotApplicable

RNG = np.random.default_rng(20)
HEAVY = np.concatenate([RNG.gamma(50.0, 0.02, 300), 1.0 + RNG.pareto(1.5, 300)])


def test_maximum_likelihood_of_a_known_sample() -> None:
    law = fit_lognormal(np.exp([0.0, 1.0, 2.0, 3.0]))
    assert (law.median, law.sigma) == pytest.approx((np.exp(1.5), np.sqrt(1.25)))
    # The gamma likelihood equations: mean = k s, log k - digamma(k) = log mean - mean log.
    sample = np.array([1.0, 2.0, 4.0, 7.0])
    gamma = fit_gamma(sample)
    assert gamma.mean == pytest.approx(sample.mean())
    steps = 1e-4 * np.array([-1.0, 1.0])
    likelihood = [stats.gamma.logpdf(sample, gamma.shape + d, scale=3.5 / (gamma.shape + d)).sum() for d in steps]
    assert stats.gamma.logpdf(sample, gamma.shape, scale=gamma.scale).sum() > max(likelihood)


@pytest.mark.parametrize("law", [LogNormal(median=2.0, sigma=0.5), Gamma(shape=2.0, scale=3.0)])
def test_the_right_family_is_chosen_and_not_rejected(law: LogNormal | Gamma) -> None:
    chosen = choose_law(law.quantile(Draw(3).uniform("sample", (400,))), Draw(0), resamples=99)
    assert type(chosen.law) is type(law)
    assert chosen.law.mean == pytest.approx(law.mean, rel=0.1)
    assert chosen.fit.p_value is not None
    assert chosen.fit.p_value > 0.05


def test_what_no_family_fits_is_empirical() -> None:
    chosen = choose_law(HEAVY, Draw(0), resamples=99)
    assert isinstance(chosen.law, Empirical)
    assert all(fit.p_value == 0.01 for fit in chosen.fits[:2])
    assert "rejects" in chosen.why


def test_few_values_are_not_tested_and_equal_ones_are_constant() -> None:
    few = choose_law([1.0, 2.0, 3.0], Draw(0))
    assert [(fit.law.law, fit.p_value) for fit in few.fits] == [("lognormal", None)]
    assert choose_law([2.5, 2.5], Draw(0)).law == Constant(value=2.5)
    with pytest.raises(NotApplicable, match="positive"):
        choose_law([0.0, 1.0], Draw(0))
    with pytest.raises(NotApplicable, match="got 0"):
        choose_law([], Draw(0))


def test_the_same_seed_gives_the_same_choice() -> None:
    assert choose_law(HEAVY[:60], Draw(1), resamples=19) == choose_law(HEAVY[:60], Draw(1), resamples=19)


@pytest.mark.slow
def test_the_size_of_goodness_of_fit() -> None:
    """Under the null, p <= .05 in 5 % of samples; how many of 150 chance allows less than once in 10^6 is exact."""
    law = Gamma(shape=1.5, scale=2.0)
    low = 0
    for seed in range(150):
        sample = law.quantile(Draw(seed).uniform("sample", (40,)))
        fits = choose_law(sample, Draw(seed), resamples=39).fits
        low += next(fit.p_value or 0.0 for fit in fits if isinstance(fit.law, Gamma)) <= 0.05
    assert 0 < low <= stats.binom.isf(1e-6, 150, 0.05)


@given(
    sample=st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.25, 7.0, 20.0]), min_size=2, max_size=60).filter(
        lambda values: len(set(values)) > 1
    ),
    u=st.floats(1e-9, 1.0 - 1e-9),
    v=st.floats(1e-9, 1.0 - 1e-9),
)
@settings(max_examples=100)
def test_the_empirical_law_of_ties_is_its_own_inverse(sample: list[float], u: float, v: float) -> None:
    law = fit_empirical(sample)
    assert float(law.cdf(law.quantile(np.asarray(u)))) == pytest.approx(u, abs=1e-9)
    if u < v:
        assert law.quantile(np.asarray(u)) <= law.quantile(np.asarray(v))


def test_the_empirical_law_has_the_quantiles_of_its_sample_and_goes_on_above_it() -> None:
    law = fit_empirical(HEAVY)
    below = np.array([0.01, 0.1, 0.5, 0.85])
    expected = np.quantile(HEAVY, below, method="hazen")
    np.testing.assert_allclose(law.quantile(below), expected, rtol=0.02)
    assert 0.0 < law.shape < 1.0
    assert float(law.quantile(np.asarray(1.0 - 1e-6))) > HEAVY.max()


def test_the_mean_of_an_empirical_law_is_the_integral_of_its_quantiles() -> None:
    law = Empirical(values=(1.0, 2.0, 4.0), at=(0.0, 0.5, 0.8), shape=0.2, scale=3.0)
    middles = (np.arange(1_000_000) + 0.5) / 1_000_000
    assert law.mean == pytest.approx(law.quantile(middles).mean(), rel=1e-3)


def test_the_tail_finds_the_shape_of_a_generalised_pareto_sample() -> None:
    """Shape .3, 20,000 values: the standard error of the fit above the threshold is (1 + .3) / sqrt(2000) = .029."""
    sample = stats.genpareto.isf(1.0 - Draw(2).uniform("pareto", (20_000,)), 0.3)
    assert fit_empirical(sample).shape == pytest.approx(0.3, abs=5 * 0.029)


def test_midranks_of_ties() -> None:
    law = fit_empirical([1.0] * 40 + [2.0] * 40 + [5.0] * 20)
    assert float(law.cdf(np.asarray(1.0))) == pytest.approx(0.2)
    assert float(law.cdf(np.asarray(2.0))) == pytest.approx(0.6)
    assert float(law.cdf(np.asarray(0.4))) == 0.0


def test_an_empirical_law_goes_through_json() -> None:
    law, file = fit_empirical(HEAVY), TypeAdapter[Duration](Duration)
    assert file.validate_json(file.dump_json(law)) == law
    with pytest.raises(ValueError, match="strictly increasing"):
        Empirical(values=(1.0, 1.0), at=(0.0, 0.5), shape=0.0, scale=1.0)
    with pytest.raises(ValueError, match="from 0"):
        Empirical(values=(1.0, 2.0), at=(0.1, 0.5), shape=0.0, scale=1.0)


def test_nonnegative_parts_are_found_and_noise_has_mean_one() -> None:
    count = 2_000
    parts = np.stack([np.ones(count), RNG.integers(100, 5_000, count), RNG.integers(10, 3_000, count)], 1).astype(float)
    truth = np.array([0.5, 0.0, 0.01])
    seconds = parts @ truth * RNG.gamma(4.0, 0.25, count)
    found = nonnegative_gamma(seconds, parts)
    assert (found >= 0.0).all()
    assert (seconds / (parts @ found)).mean() == pytest.approx(1.0)
    assert found[2] == pytest.approx(0.01, rel=0.1)
    np.testing.assert_allclose(nonnegative_gamma(parts @ truth, parts), truth, atol=1e-9)
    with pytest.raises(NotApplicable):
        nonnegative_gamma(np.zeros(3), np.ones((3, 1)))


def test_wild_values_do_not_move_robust_parts() -> None:
    """One call in fifty takes a hundred times as long: its tokens had nothing to do with it."""
    count = 1_000
    parts = np.stack([np.ones(count), RNG.integers(10, 3_000, count)], 1).astype(float)
    truth = np.array([2.0, 0.01])
    seconds = parts @ truth * np.exp(0.2 * RNG.standard_normal(count))
    wild = seconds.copy()
    wild[::50] *= 100.0
    np.testing.assert_allclose(robust_parts(wild, parts), truth, rtol=0.15)
    assert nonnegative_gamma(wild, parts)[1] > 0.02
    np.testing.assert_allclose(robust_parts(parts @ truth, parts), truth, rtol=1e-6)
