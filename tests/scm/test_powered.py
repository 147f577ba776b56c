"""Prediction-powered means: closed forms, ppi-python's numbers, laws, coverage, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, ttest_1samp

from ifonly.scm.errors import NotApplicable
from ifonly.scm.evaluation.labels import Judged
from ifonly.scm.evaluation.powered import powered, powered_mean, powered_value
from ifonly.scm.evaluation.stratified import labels_needed, stratified_mean

HUMAN, JUDGE, OTHERS = np.array([1.0, 0, 1]), np.array([1.0, 0, 0]), np.array([1.0, 1, 0, 0])


def drawn(n, many, seed=0, shift=0.0):
    generator = np.random.default_rng(seed)
    judge = generator.normal(size=n + many) + shift
    return 0.8 * judge[:n] + generator.normal(size=n), judge[:n], judge[n:]


def test_without_tuning_it_is_the_judge_less_its_error():
    found = powered_mean(HUMAN, JUDGE, OTHERS, 1.0)
    assert found.value == pytest.approx(1 / 2 + (2 / 3 - 1 / 3))
    assert found.plain == pytest.approx((1 / 4) / 4 + (2 / 9) / 3)
    low, high = found.normal_interval(0.9)
    assert high - found.value == pytest.approx(norm.ppf(0.95) * np.sqrt(found.plain)) == found.value - low


def test_the_tuned_weight_is_that_of_the_paper():
    """PPI++, example 6.1: lambda = Cov(Y, f) / ((1 + n / N) Var(f)), the variance over all items."""
    human, judge, others = drawn(40, 200)
    cov = np.mean((human - human.mean()) * (judge - judge.mean()))
    expected = cov / ((1 + 40 / 200) * np.var(np.concatenate([judge, others]), ddof=1))
    assert powered_mean(human, judge, others).tuning == pytest.approx(expected, rel=1e-12)


def test_a_weight_of_nothing_is_the_t_interval_of_the_labels():
    human, judge, others = drawn(25, 300)
    made = powered_mean(human, judge, others, 0.0).estimate(0.9)
    known = ttest_1samp(human, 0).confidence_interval(0.9)
    assert (made.low, made.high) == pytest.approx(tuple(known))
    assert made.effective == pytest.approx(25)
    assert powered_mean(human, judge, others[:0]).estimate(0.9) == made


def test_a_perfect_judge_leaves_nothing_open_about_these_very_items():
    judge = np.arange(30.0)
    exact = powered_mean(judge[:10], judge[:10], judge[10:], 1 / (1 + 10 / 20), finite=True)
    assert exact.value == pytest.approx(judge.mean())
    assert exact.variance == pytest.approx(0, abs=1e-20)
    assert exact.effective is None or exact.effective > 1e12


def test_these_very_items_are_known_better_than_what_they_come_from():
    human, judge, others = drawn(60, 100)
    some, all_ = (powered_mean(human, judge, others, finite=finite) for finite in (True, False))
    assert some.value == all_.value
    assert some.variance < all_.variance


@pytest.mark.parametrize("shift", [0.0, 1e3])
@pytest.mark.parametrize("size", [(20, 10), (50, 300), (1_000, 50_000)])
def test_ppi_python_says_the_same(size, shift):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("ppi_py", reason="pip install ppi-python")
    human, judge, others = drawn(*size, seed=size[0], shift=shift)
    for tuning in (None, 0.0, 0.4, 1.0):
        ours = powered_mean(human, judge, others, tuning)
        low, high = theirs.ppi_mean_ci(human, judge, others, alpha=0.1, lam=tuning)
        point = theirs.ppi_mean_pointestimate(human, judge, others, lam=tuning)
        assert ours.value == pytest.approx(float(np.squeeze(point)), abs=1e-8)
        assert ours.normal_interval(0.9) == pytest.approx((float(low[0]), float(high[0])), abs=1e-8)


@settings(deadline=None, max_examples=30)
@given(st.floats(-5, 5), st.floats(0.1, 5), st.integers(0, 1_000), st.booleans())
def test_it_follows_shifts_and_scales(shift, scale, seed, finite):
    human, judge, others = drawn(12, 40, seed)
    one = powered_mean(human, judge, others, finite=finite)
    other = powered_mean(*(shift + scale * x for x in (human, judge, others)), finite=finite)
    assert other.value == pytest.approx(shift + scale * one.value, abs=1e-9)
    assert other.standard_error == pytest.approx(scale * one.standard_error, rel=1e-6)


def test_it_is_the_augmented_mean_with_one_chance_of_a_label():
    """Mean of b f + 1{labelled} (Y - b f) / (n / (n + N)) over all items, b = lambda (n + N) / N."""
    human, judge, others = drawn(20, 30)
    found, slope = powered_mean(human, judge, others, 0.3), 0.3 * 50 / 30
    augmented = (slope * (judge.sum() + others.sum()) + (human - slope * judge).sum() * 50 / 20) / 50
    assert found.value == pytest.approx(augmented, rel=1e-12)


def test_means_of_other_items_are_subtracted():
    first, second = (powered_mean(*drawn(30, 90, seed)) for seed in (1, 2))
    less = first.less(second)
    assert less.value == first.value - second.value
    assert less.variance == pytest.approx(first.variance + second.variance)
    assert min(first.freedom, second.freedom) <= less.freedom <= first.freedom + second.freedom


def judged(n=40, many=160, seed=3, clusters=None):
    human, judge, others = drawn(n, many, seed)
    return Judged(np.concatenate([human, np.full(many, np.nan)]), np.concatenate([judge, others]), clusters)


def test_the_influence_gives_the_same_mean_and_its_error():
    items = judged(400, 2_000)
    value, found = powered_value(items), powered(items)
    assert value.value == pytest.approx(found.value)
    assert value.influence.sum() == pytest.approx(0, abs=1e-9)
    assert value.standard_error == pytest.approx(found.standard_error, rel=0.02)
    doubled = Judged(np.tile(items.human, 2), np.tile(items.judge, 2), np.tile(np.arange(len(items)), 2))
    assert powered_value(doubled).standard_error == pytest.approx(value.standard_error, rel=0.01)


def test_strata_are_weighed_by_their_items():
    items = judged(80, 120)
    rows = np.arange(200)
    strata = np.where(rows % 4 == 0, "a", "b")
    parts = [powered(items.take(strata == name)) for name in ("a", "b")]
    made = stratified_mean(items, strata.tolist())
    assert made.value == pytest.approx(0.25 * parts[0].value + 0.75 * parts[1].value)
    within = 0.25**2 * parts[0].variance + 0.75**2 * parts[1].variance
    between = 0.25 * 0.75 * (parts[0].value - parts[1].value) ** 2
    assert made.variance == pytest.approx(within + between / 200)
    assert stratified_mean(items, ["all"] * 200).value == pytest.approx(powered(items).value)


def test_labels_needed_make_the_interval_as_narrow():
    items = judged(2_000, 18_000)
    needed = labels_needed(items, 0.05)
    fewer = Judged(np.where(np.arange(20_000) < needed, items.human, np.nan), items.judge)
    if needed > 2_000:
        pytest.skip("more than were drawn")
    assert powered(fewer, finite=True).estimate().high - powered(fewer).value == pytest.approx(0.05, rel=0.1)
    with pytest.raises(NotApplicable, match="wider"):
        labels_needed(judged(), 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("finite", [True, False])
def test_intervals_hold_the_mean(finite):
    """2,000 samples at 95 %: fewer than .927 with probability below 1e-5, if .95 are right."""
    generator, held = np.random.default_rng(8), 0
    for _ in range(2_000):
        truth = generator.random(400) < 0.6
        right = generator.random(400) < 0.8
        human, judge = truth.astype(float), (truth == right).astype(float)
        made = powered_mean(human[:80], judge[:80], judge[80:], finite=finite).estimate()
        held += made.low <= (human.mean() if finite else 0.6) <= made.high
    assert 0.927 < held / 2_000 < 0.973


def test_what_is_refused():
    nothing, some = np.full(4, np.nan), np.array([1.0, np.nan, 0, np.nan])
    with pytest.raises(NotApplicable, match="none of the 4 items has a human label"):
        Judged(nothing, np.ones(4))
    with pytest.raises(NotApplicable, match=r"missing for 2 of 4 items \(rows \[1, 3\]\)"):
        Judged(np.ones(4), some)
    with pytest.raises(NotApplicable, match="one row an item"):
        Judged(np.ones(3), np.ones(4))
    with pytest.raises(NotApplicable, match="infinite"):
        Judged(np.array([np.inf, 1]), np.ones(2))
    with pytest.raises(NotApplicable, match="label at least two"):
        powered(Judged(np.array([1.0, np.nan]), np.ones(2)))
    with pytest.raises(NotApplicable, match="too few to tune"):
        powered_mean(HUMAN[:2], JUDGE[:2], OTHERS)
    with pytest.raises(NotApplicable, match="missing or infinite"):
        powered_mean(HUMAN, JUDGE, np.array([1.0, np.nan]))
    with pytest.raises(NotApplicable, match="leave items without a human out"):
        powered_mean(HUMAN, JUDGE[:2], OTHERS)
    with pytest.raises(NotApplicable, match="stratum 'b' has 1 labelled of 2 items"):
        stratified_mean(Judged(np.array([1.0, 0, 1, 0, np.nan]), np.ones(5)), list("aaabb"))
    with pytest.raises(NotApplicable, match="need a stratum each"):
        stratified_mean(Judged(np.ones(3), np.ones(3)), ["a"])
