"""Drift: where a mean changed, values by time, and re-weighting to a period with other contexts."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.intervals import effective_size
from ifonly.scm.policy.drift import change_point, change_points, period_weights, reweighted, time_slices
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.weighting import naive, snipw

ARMS = ("a", "b")


def steps(seed, *stretches, noise=1.0):
    """Normal numbers around means, stretch by stretch."""
    generator = np.random.default_rng(seed)
    return np.concatenate([mean + noise * generator.normal(size=n) for mean, n in stretches])


def test_a_clean_step_is_found_where_it_is():
    found = change_point(np.repeat([0.0, 1.0], [30, 50]), Draw(0), 199)
    assert (found.at, found.before, found.after) == (30, 0.0, 1.0)
    assert found.p_value == pytest.approx(1 / 200)


def brute(series, at_least=5):
    """The statistic as it is defined, over all cuts that are looked at."""
    n = len(series)
    edge = max(at_least, int(0.05 * n))
    cuts = range(edge, n - edge + 1)
    found = [abs(series[:k].mean() - series[k:].mean()) * np.sqrt(k * (n - k) / n) for k in cuts]
    return int(cuts[int(np.argmax(found))]), max(found)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(10, 120))
def test_the_change_is_that_of_the_two_means_farthest_apart(seed, n):
    """|S_k - k / n S_n| / sqrt(k (n - k) / n) = |mean before - mean after| sqrt(k (n - k) / n)."""
    series = np.random.default_rng(seed).normal(size=n)
    found = change_point(series, Draw(0), 1)
    assert found.at == brute(series)[0]
    assert found.before == pytest.approx(series[: found.at].mean())


def test_the_p_value_is_that_of_all_permutations():
    """Ten numbers, one of them 1: the sum is cut at 5, all permutations are alike, and p is 1."""
    series = np.zeros(10)
    series[7] = 1
    assert change_point(series, Draw(0), 50).p_value == 1
    # Two ones on one side: exactly the share 2 (5 choose 2) / (10 choose 2) = 20 / 45 of orders is as extreme.
    series[8] = 1
    share = np.mean([(a < 5) == (b < 5) for a, b in permutations(range(10), 2)])
    assert change_point(series, Draw(0), 20_000).p_value == pytest.approx(share, abs=0.02)


def test_a_series_without_change_is_seldom_cut():
    """300 series of 60 numbers, level .05: more than 36 have P < 1e-5 (binomial tail at .05)."""
    hits = sum(change_point(steps(seed, (0, 60)), Draw(seed), 99).p_value <= 0.05 for seed in range(300))
    assert hits <= 36


def test_changes_by_segmentation():
    series = steps(3, (0, 80), (3, 60), (-1, 70), noise=0.5)
    found = change_points(series, Draw(0), repeats=199)
    assert [change.at for change in found] == pytest.approx([80, 140], abs=2)
    assert found[0].before == pytest.approx(0, abs=0.3)
    assert change_points(steps(5, (0, 80)), Draw(0), level=0.001, repeats=199) == ()


@pytest.mark.parametrize("series", [np.zeros(9), np.full(20, np.nan), np.zeros((10, 2))])
def test_what_is_no_series_is_refused(series):
    with pytest.raises(NotApplicable, match="at least 10 numbers"):
        change_point(series, Draw(0))


def bandit(seed, n, shift=0.0, centre=0.0):
    """x ~ N(centre, 1), a a fair coin, r = x a + noise; a later half has arm b `shift` better."""
    generator = np.random.default_rng(seed)
    x = centre + generator.normal(size=n)
    actions = (generator.random(n) < 0.5).astype(np.intp)
    late = np.arange(n) >= n / 2
    rewards = actions * (x + shift * late) + 0.5 * generator.normal(size=n)
    order = generator.permutation(n)
    times = np.arange(n, dtype=float)
    return Logged(
        actions[order],
        rewards[order],
        ARMS,
        np.full(n, 0.5),
        contexts=x[order, None],
        times=times[order],
    )


def test_slices_follow_the_times():
    found = time_slices(Evaluation.of(bandit(0, 4_000, shift=2.0), [0.0, 1.0]), snipw, 4)
    values = [one.value.value for one in found.slices]
    assert values == pytest.approx([0, 0, 2, 2], abs=0.25)
    assert [(one.first, one.last, one.rounds) for one in found.slices][1] == (1000.0, 1999.0, 1000)
    assert found.p_value < 1e-6
    assert time_slices(Evaluation.of(bandit(1, 4_000), [0.0, 1.0]), snipw).p_value > 1e-4


def test_slices_without_support_have_no_value():
    log = Logged(np.array([0, 0, 1, 1]), np.arange(4.0), ARMS, np.full(4, 0.5))
    found = time_slices(Evaluation.of(log, [0.0, 1.0]), snipw, 2)
    assert [one.value is None for one in found.slices] == [True, False]
    assert found.p_value is None
    with pytest.raises(NotApplicable, match="2 to 4 slices"):
        time_slices(Evaluation.of(log, [0.0, 1.0]), snipw, 1)


def test_slices_of_equal_values_are_seldom_told_apart():
    """400 logs: the chi-square p-value is below .05 in at most 44 of them but with probability below 1e-5."""
    logs = (bandit(seed, 400) for seed in range(400))
    assert sum(time_slices(Evaluation.of(log, [0.0, 1.0]), naive).p_value < 0.05 for log in logs) <= 44


def test_weights_are_the_density_ratio():
    """N(0, 1) to N(1, 1): exp(x - 1/2), which a logistic regression can express; 5 standard errors are below .1."""
    generator = np.random.default_rng(0)
    x, target = generator.normal(size=20_000), 1 + generator.normal(size=20_000)
    weights = period_weights(x[:, None], target[:, None], Draw(0))
    near = np.abs(x) < 1.5
    assert np.log(weights[near]) == pytest.approx(x[near] - 0.5, abs=0.15)
    assert weights.mean() == pytest.approx(1)
    assert effective_size(weights) / len(x) == pytest.approx(np.exp(-1), abs=0.1)


def test_weights_of_a_round_come_from_the_other_folds():
    """The nearest neighbour of a round that was learned from is itself, of the log: no weight would be left."""
    generator = np.random.default_rng(1)
    x, target = generator.normal(size=(60, 1)), generator.normal(size=(60, 1))
    weights = period_weights(x, target, Draw(0), estimator=KNeighborsClassifier(1))
    assert np.isfinite(weights).all()
    assert (weights > 0).sum() > 10
    with pytest.raises(NotApplicable, match="same features"):
        period_weights(x, np.zeros((60, 2)), Draw(0))
    with pytest.raises(NotApplicable, match="nothing in common"):
        period_weights(x, target + 1e3, Draw(0), estimator=KNeighborsClassifier(1))


def test_reweighting_finds_the_value_of_the_other_period():
    """r = x a: the value of arm b is the mean of x, 0 in the log and 1 in the target period."""
    log, target = bandit(2, 20_000), 1 + np.random.default_rng(3).normal(size=(20_000, 1))
    weights = period_weights(log.contexts, target, Draw(0))
    evaluation = Evaluation.of(log, [0.0, 1.0])
    plain, moved = snipw(evaluation).value, reweighted(evaluation, weights)
    assert plain == pytest.approx(0, abs=0.05)
    assert moved.value == pytest.approx(1, abs=0.15)
    model = np.stack([np.zeros(len(log)), log.contexts[:, 0]], 1)
    doubly = reweighted(Evaluation.of(log, [0.0, 1.0], model), weights)
    assert doubly.value == pytest.approx(1, abs=0.1)
    assert doubly.standard_error < moved.standard_error
    empty = reweighted(Evaluation.of(log, [0.0, 1.0], np.zeros(2)), weights)
    assert empty.value == pytest.approx(np.mean(weights * evaluation.weighted) / np.mean(weights))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_equal_weights_change_nothing(seed):
    evaluation = Evaluation.of(bandit(seed, 50), [0.3, 0.7])
    one, other = reweighted(evaluation, np.full(50, 3.0)), snipw(evaluation)
    assert one.value == pytest.approx(other.value, abs=1e-12)
    assert one.influence == pytest.approx(other.influence, abs=1e-9)


def test_weights_that_are_none_are_refused():
    evaluation = Evaluation.of(bandit(0, 20), [0.3, 0.7])
    for weights in (np.ones(3), np.full(20, -1.0)):
        with pytest.raises(NotApplicable, match="weight of at least 0"):
            reweighted(evaluation, weights)
    with pytest.raises(NotApplicable, match="carries weight"):
        reweighted(evaluation, np.zeros(20))


@pytest.mark.slow
def test_reweighted_intervals_cover():
    """1,000 logs of 600 rounds with known density ratio exp(x / 2 - 1/8): a right 95 % interval covers fewer than 915
    or more than 980 times with probability below 1e-5 (exact binomial).
    """
    held = 0
    for seed in range(1_000):
        log = bandit(seed, 600)
        interval = reweighted(Evaluation.of(log, [0.0, 1.0]), np.exp(log.contexts[:, 0] / 2 - 1 / 8)).estimate()
        held += interval.low <= 0.5 <= interval.high
    assert 915 <= held <= 980
