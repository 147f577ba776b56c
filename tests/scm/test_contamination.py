"""Choices that may have ignored their law: Bayes, mixtures, and the fit, against direct sums and sampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from ifonly.scm.contamination import COUPLINGS, Contamination, FaultLog, contaminated, fault_given, fit, moves
from ifonly.scm.couplings import inverse_cdf
from ifonly.scm.errors import NotApplicable
from ifonly.scm.gumbel import transition

seeds = st.integers(0, 2**32 - 1)


def laws(generator, options, count=3):
    return generator.dirichlet(np.ones(options), size=count)


def test_bayes_on_paper():
    # A fault in one of 25 choices always puts this option, which the law gives 1 in 20: .04 / (.04 + .96 * .05).
    assert fault_given(0.05, 1.0, 0.04) == pytest.approx(0.04 / 0.088)
    np.testing.assert_allclose(fault_given([0.2, 0.0], [0.0, 0.5], 0.1), [0.0, 1.0])
    assert np.isnan(fault_given(0.0, 0.0, 0.1))


def test_the_rows_of_design_section_3():
    np.testing.assert_allclose(moves([0.5, 0.3, 0.2], [0.2, 0.3, 0.5], 0), [0.4, 0.1385, 0.4615], atol=5e-5)


@given(seeds, st.integers(2, 6), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_the_counterfactual_laws_mix_to_the_interventional_one(seed, options, eps):
    p, q, fault = laws(np.random.default_rng(seed), options)
    taken = np.arange(options)
    factual = (1 - eps) * p + eps * fault
    for coupling in ("gumbel-max", "inverse-cdf"):
        rows = contaminated(p, q, taken, eps, fault, coupling)
        np.testing.assert_allclose(rows.sum(-1), 1, atol=1e-9)
        np.testing.assert_allclose(factual @ rows, (1 - eps) * q + eps * fault, atol=1e-9)


@given(seeds, st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_the_ends_of_eps(seed, options):
    p, q, fault = laws(np.random.default_rng(seed), options)
    taken = np.arange(options)
    np.testing.assert_array_equal(contaminated(p, q, taken, 0.0, fault), transition(p, q))
    np.testing.assert_array_equal(contaminated(p, q, taken, 0.0, fault, "inverse-cdf"), inverse_cdf(p, q))
    np.testing.assert_array_equal(contaminated(p, q, taken, 0.0, fault, "independent"), np.tile(q, (options, 1)))
    for coupling in COUPLINGS:
        np.testing.assert_array_equal(contaminated(p, q, taken, 1.0, fault, coupling), np.eye(options))


@given(seeds, st.integers(2, 6), st.floats(0, 0.9))
@settings(max_examples=40, deadline=None)
def test_an_unchanged_law_keeps_the_choice(seed, options, eps):
    p, fault = laws(np.random.default_rng(seed), options, 2)
    np.testing.assert_allclose(contaminated(p, p, np.arange(options), eps, fault), np.eye(options), atol=1e-12)


def test_what_the_law_cannot_make_a_fault_made():
    p, q, fault = [0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]
    assert contaminated(p, q, 2, 0.01, fault).tolist() == [0.0, 0.0, 1.0]
    assert np.isnan(contaminated(p, q, 2, 0.0, fault)).all()


def test_against_races_with_faults():
    # 200,000 races, 40,000 or more to a row; at 5 standard errors for 9 numbers the false-failure rate is 5e-6.
    generator = np.random.default_rng(1)
    p, q, fault, eps = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5]), np.array([0.1, 0.3, 0.6]), 0.2
    noise = generator.gumbel(size=(200_000, 3))
    faulty = generator.random(len(noise)) < eps
    put = generator.choice(3, size=len(noise), p=fault)
    before = np.where(faulty, put, (np.log(p) + noise).argmax(1))
    after = np.where(faulty, put, (np.log(q) + noise).argmax(1))
    exact = contaminated(p, q, np.arange(3), eps, fault)
    for i in range(3):
        rows = after[before == i]
        seen = np.bincount(rows, minlength=3) / len(rows)
        assert (np.abs(seen - exact[i]) <= 5 * np.sqrt(exact[i] * (1 - exact[i]) / len(rows)) + 1e-12).all()


def logged(generator, runs, steps, family, rate, weights):
    """Runs of choices among four options: one of kind 0, two of kind 1, one of kind 2."""
    kinds = np.array([0, 1, 1, 2])
    p = generator.dirichlet([8, 1, 1, 1], size=(runs, steps))
    f = (np.asarray(weights) / np.bincount(kinds))[kinds]
    own = (p.cumsum(-1) < generator.random((runs, steps, 1))).sum(-1).clip(0, 3)
    if family == "independent":
        faulty = generator.random((runs, steps)) < rate
    else:
        faulty = np.arange(steps) == generator.integers(steps, size=(runs, 1))
        faulty &= generator.random((runs, 1)) < rate
    taken = np.where(faulty, generator.choice(4, size=(runs, steps), p=f), own)
    menu = np.broadcast_to(np.bincount(kinds), (runs, steps, 3))
    return FaultLog(np.take_along_axis(p, taken[..., None], -1)[..., 0], kinds[taken], menu)


@pytest.mark.parametrize(("family", "rate"), [("single", 0.4), ("independent", 0.06)])
def test_the_fit_finds_how_faults_fall(family, rate):
    # Fixed seed: the rate within 4 standard errors as the interval tells them; false-failure rate 1e-4 for a new seed.
    found = fit(logged(np.random.default_rng(3), 1500, 8, family, rate, (0, 0, 1)))
    assert found.family == family
    assert found.weights == (0, 0, 1)
    assert found.interval is not None
    low, high = found.interval
    assert low < found.rate < high
    assert abs(found.rate - rate) < 4 * (high - low) / (2 * 1.96)


def test_the_fit_finds_which_kinds_faults_put():
    found = fit(logged(np.random.default_rng(4), 1500, 8, "single", 0.5, (0, 0.4, 0.6)), "single")
    np.testing.assert_allclose(found.weights, (0, 0.4, 0.6), atol=0.08)


def test_the_climb_ends_at_the_top():
    evidence = logged(np.random.default_rng(5), 200, 6, "single", 0.3, (0, 0, 1))
    found = fit(evidence, "single")
    ratios = evidence.fault_law(found.weights) / evidence.p_taken

    def loss(rate):
        return -np.log1p(rate * (ratios.mean(1) - 1)).sum()

    best = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-7})
    assert found.gain == pytest.approx(-best.fun, abs=1e-5)
    assert found.rate == pytest.approx(best.x, abs=2e-3)


@pytest.mark.slow
def test_the_interval_covers():
    # 95 % of 300 logs: at least 262 hit with probability 1 - 1e-6 if coverage is .93 or more.
    hits = 0
    for seed in range(300):
        low, high = fit(logged(np.random.default_rng(seed), 200, 8, "single", 0.4, (0, 0, 1)), "single").interval
        hits += low <= 0.4 <= high
    assert hits >= 262


def test_no_faults_no_rate():
    found = fit(logged(np.random.default_rng(6), 300, 8, "single", 0.0, (0, 0, 1)))
    assert found.interval is not None
    assert found.interval[0] < 0.02


@given(seeds, st.integers(1, 6), st.floats(0.01, 0.99))
@settings(max_examples=40, deadline=None)
def test_hazards_are_the_posterior_step_by_step(seed, steps, rate):
    ratios = np.random.default_rng(seed).exponential(size=steps) * 3
    single = Contamination("single", rate, (1.0,))
    weights = rate / steps * ratios
    exact = weights / (1 - rate + weights.sum())
    np.testing.assert_allclose(single.posterior(ratios), exact, rtol=1e-12)
    hazard, none = single.hazards(ratios)
    before = np.concatenate([[1.0], np.cumprod(1 - hazard)[:-1]])
    np.testing.assert_allclose(before * hazard, exact, rtol=1e-9)
    assert not none.any()
    independent = Contamination("independent", rate, (1.0,))
    np.testing.assert_allclose(independent.hazards(ratios)[0], independent.posterior(ratios), rtol=1e-12)


def test_logs_that_cannot_be():
    impossible = FaultLog(np.array([[0.0]]), np.array([[0]]), np.array([[[1]]]))
    with pytest.raises(NotApplicable, match="positive probability"):
        fit(impossible)
