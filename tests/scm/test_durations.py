"""Laws of positive quantities are monotone mechanisms: quantile and distribution function undo each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from ifonly.scm.durations import Constant, Exponential, Gamma, LogNormal

LAWS = (Exponential(mean=2.5), LogNormal(median=3.0, sigma=0.7), Gamma(shape=2.2, scale=1.4))


@pytest.mark.parametrize("law", LAWS)
def test_the_mean_is_the_integral_of_the_quantiles(law: Exponential | LogNormal | Gamma) -> None:
    expected, _ = integrate.quad(lambda u: float(law.quantile(np.asarray(u))), 0.0, 1.0, limit=200)
    assert law.mean == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("law", LAWS)
@given(u=st.floats(1e-6, 1.0 - 1e-6))
def test_abduction_returns_the_noise(law: Exponential | LogNormal | Gamma, u: float) -> None:
    assert float(law.cdf(law.quantile(np.asarray(u)))) == pytest.approx(u, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_quantiles_grow(law: Exponential | LogNormal | Gamma) -> None:
    assert np.all(np.diff(law.quantile(np.linspace(0.001, 0.999, 200))) > 0)


def test_a_constant_is_itself_and_says_nothing_of_its_noise() -> None:
    law = Constant(value=2.0)
    assert law.quantile(np.asarray([0.1, 0.9])).tolist() == [2.0, 2.0]
    assert law.cdf(np.asarray([1.0, 2.0, 3.0])).tolist() == [0.0, 0.5, 1.0]
