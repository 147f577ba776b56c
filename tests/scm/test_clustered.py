"""Clustered errors: closed forms, laws, and coverage where units are dependent in two ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, f_oneway, ttest_1samp

from ifonly.scm.clustered import Clustered, clustered_mean, cochran_q, equal_effects, robust_error, wild_p_value
from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.strata import standardised, strata_of, wald


def test_singletons_are_the_t_test():
    x = np.array([0.1, 0.5, -0.2, 0.9, 0.3])
    made = clustered_mean(x)
    test = ttest_1samp(x, 0.0)
    low, high = test.confidence_interval(0.95)
    assert made.p_value == pytest.approx(test.pvalue)
    assert (made.estimate().low, made.estimate().high) == pytest.approx((low, high))
    assert made.naive_error == pytest.approx(made.standard_error)


def test_two_ways_by_hand():
    """x = (0, 2; 2, 4) over rows and columns: parts (-2, 0, 0, 2) / 4, sums by row -2, 2, by column -2, 2."""
    x, rows, columns = np.array([0.0, 2, 2, 4]), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    made = clustered_mean(x, rows, columns)
    one_way = (0.25 + 0.25) * 2
    crossed = (0.25 + 0.25) * 4 / 3
    assert made.one_way_error**2 == pytest.approx(one_way)
    assert made.naive_error**2 == pytest.approx(crossed)
    assert made.standard_error**2 == pytest.approx(2 * one_way - crossed)
    assert made.freedom == 1


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_laws(seed):
    generator = np.random.default_rng(seed)
    n = 40
    x, y = generator.normal(size=(2, n))
    a, b = generator.integers(0, 6, n), generator.integers(0, 5, n)
    one, two = clustered_mean(x, a, b), clustered_mean(y, a, b)
    less = clustered_mean(x - y, a, b)
    paired = one.plus(two, -1.0)
    assert paired.value == pytest.approx(less.value)
    assert paired.standard_error == pytest.approx(less.standard_error)
    # Names do not matter, nor does the order of dimensions; nested dimensions are the coarser one.
    assert robust_error(one.parts, a, b) == pytest.approx(robust_error(one.parts, 7 - b, a + 3))
    assert robust_error(one.parts, a, a) == pytest.approx(robust_error(one.parts, a))
    assert one.standard_error >= one.one_way_error - 1e-12


def test_one_cluster_gives_no_interval():
    made = clustered_mean([1.0, 2.0], [0, 0])
    assert made.standard_error == np.inf
    assert made.p_value == 1.0
    assert made.estimate().high > 1e100
    assert made.estimate(span=1.0).high == 2.5


def test_wild_signs_by_hand():
    """Sums (1, 2) of one unit each: t of (+, +) and (-, -) is 1.5 / .707, of the others .5 / 2.12: p = 1/2."""
    assert wild_p_value([1.0, 2.0], [0, 1], Draw(0)) == 0.5
    assert wild_p_value(np.ones(5), np.arange(5), Draw(0)) == 2 / 32
    assert wild_p_value([1.0, 2.0, 3.0], [0, 1, 2], Draw(0), null=2.0) == 1.0


def test_wild_p_values_keep_their_level():
    """Under the null of a symmetric law P(p <= 1/16) = 1/16 exactly, clusters being 5: 32 signs in pairs."""
    generator, hits, repeats = np.random.default_rng(5), 0, 400
    clusters = np.repeat(np.arange(5), 4)
    for _ in range(repeats):
        x = generator.normal(size=5)[clusters] + generator.normal(size=20)
        hits += wild_p_value(x, clusters, Draw(0)) <= 1 / 16 + 1e-12
    assert binom.ppf(5e-6, repeats, 1 / 16) <= hits <= binom.isf(5e-6, repeats, 1 / 16)


def test_equal_effects_are_welchs():
    """With equal sizes and variances Q is the classical F times k - 1; Welch's is near it in large groups."""
    generator = np.random.default_rng(1)
    groups = [generator.normal(size=400) for _ in range(3)]
    groups = [(g - g.mean()) / g.std(ddof=1) + shift for g, shift in zip(groups, (0.0, 0.05, 0.2), strict=True)]
    made = equal_effects([clustered_mean(g) for g in groups])
    classical = f_oneway(*groups)
    assert made.q == pytest.approx(2 * classical.statistic)
    assert made.p_value == pytest.approx(classical.pvalue, rel=0.02)
    assert made.chi_square < made.p_value
    assert cochran_q(np.array([1.0, 1.0]), np.array([0.1, 3.0])) == (0.0, 1.0)


def test_intervals_cover_where_units_cross():
    """95 % intervals over 20 rows and 12 columns, both with effects; iid ones miss often. Each side < 1e-5."""
    generator, repeats = np.random.default_rng(3), 400
    row, column = np.repeat(np.arange(20), 12), np.tile(np.arange(12), 20)
    held, iid = 0, 0
    for _ in range(repeats):
        x = generator.normal(size=20)[row] + 0.7 * generator.normal(size=12)[column] + generator.normal(size=240)
        made = clustered_mean(x, row, column)
        honest, naive = made.estimate(), made.naive_estimate()
        held += honest.low <= 0 <= honest.high
        iid += naive.low <= 0 <= naive.high
    assert held >= binom.ppf(1e-5, repeats, 0.93)
    assert iid <= binom.isf(1e-5, repeats, 0.6)


def test_standardisation_by_hand():
    """Strata 0 (3 units) and 1 (1 unit) of arm and not: E = 3/4 * 1/2 + 1/4 * 1."""
    arm = np.array([1, 1, 0, 1])
    y = np.array([0.0, 1.0, 9.0, 1.0])
    z = np.array([0, 0, 0, 1])
    made = standardised(arm, y, z)
    assert made.value == pytest.approx(0.625)
    assert made.parts.sum() == pytest.approx(0.0)
    assert standardised(arm, y, z, target=[0, 0, 0, 2.0]).value == 1.0


def test_standardised_intervals_cover():
    """Of E[Y | do(1)] = .5 in a log that takes the arm where Y is high; false failure < 1e-5."""
    generator, repeats, held = np.random.default_rng(8), 400, 0
    for _ in range(repeats):
        z = generator.integers(0, 2, 300)
        arm = generator.random(300) < np.where(z == 1, 0.8, 0.2)
        y = (generator.random(300) < np.where(z == 1, 0.8, 0.2)).astype(float)
        made = standardised(arm, y, z).estimate()
        held += made.low <= 0.5 <= made.high
    assert held >= binom.ppf(1e-5, repeats, 0.94)


def test_wald_is_the_ratio():
    z = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    x = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    y = np.array([0, 0, 1, 0, 1, 1, 0, 1.0])
    assert wald(z, x, y).value == pytest.approx((0.75 - 0.25) / (0.75 - 0.25))


def test_refusals_say_what_to_do():
    with pytest.raises(NotIdentified, match="never taken in 1 of 2 strata"):
        standardised([1, 1, 0], [1.0, 0.0, 1.0], [0, 0, 1])
    with pytest.raises(NotIdentified, match="never changed"):
        wald([1, 1], [0, 1], [0, 1])
    with pytest.raises(NotIdentified, match="moved nobody"):
        wald([0, 1], [1, 1], [0, 1])
    with pytest.raises(NotApplicable, match="at least two"):
        wild_p_value([1.0], [0], Draw(0))
    with pytest.raises(NotApplicable, match="equal effects take two"):
        equal_effects([clustered_mean([1.0, 1.0])])
    with pytest.raises(NotApplicable, match="one or two clusterings"):
        robust_error(np.ones(2), np.zeros(3, dtype=np.intp))
    with pytest.raises(NotApplicable, match="not of the same"):
        clustered_mean([1.0, 2.0]).plus(clustered_mean([1.0]))
    with pytest.raises(NotApplicable, match="need arm, outcome, stratum"):
        standardised([1, 0], [1.0], [0, 0])


def test_strata_are_joint_values():
    assert strata_of([0, 0, 1, 1], ["a", "b", "a", "a"]).tolist() == [0, 1, 2, 2]
    assert isinstance(clustered_mean([1.0]), Clustered)
