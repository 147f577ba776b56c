"""The honest number, its intervals, and the noise that is keyed by name. None of it needs torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from ifonly.scm.draw import Draw
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import clopper_pearson, cluster_bootstrap, effective_size, guarded_mean, weighted_mean

GOOD = {
    "value": 0.5,
    "low": 0.25,
    "high": 0.75,
    "level": 0.95,
    "effective": 12.0,
    "rung": "interventional",
    "identified": "point",
    "noise": None,
}


def test_round_trip_and_names():
    estimate = Estimate.model_validate(GOOD)
    assert estimate.model_dump() == GOOD
    assert list(Estimate.model_json_schema()["properties"]) == list(GOOD)
    assert Estimate.model_validate_json(estimate.model_dump_json()) == estimate
    assert hash(estimate) == hash(Estimate.model_validate(GOOD))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"low": 0.8}, "above high"),
        ({"value": 0.9}, "outside"),
        ({"value": None}, "only bounds have no value"),
        ({"identified": "bounds"}, "only bounds have no value"),
        ({"identified": "exact"}, "level must be 1"),
        ({"identified": "assumed"}, "name its noise model"),
        ({"level": 0.0}, "greater than 0"),
        ({"effective": -1.0}, "greater than or equal to 0"),
        ({"value": float("nan")}, "finite"),
        ({"rung": "guess"}, "observed"),
        ({"lwo": 1.0}, "Extra inputs"),
    ],
)
def test_inconsistent_estimates_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        Estimate.model_validate({**GOOD, **wrong})


def test_makers():
    assert Estimate.settled(1.0, "counterfactual").identified == "exact"
    assert Estimate.settled(1.0, "counterfactual", "gumbel-max").identified == "assumed"
    bounded = Estimate.bounded(0.0, 0.5, "counterfactual")
    assert (bounded.value, bounded.identified, bounded.level) == (None, "bounds", 1.0)


def test_estimates_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Estimate.settled(1.0, "observed").low = 0.0


@pytest.mark.parametrize("module", ["estimate", "intervals", "draw", "errors", "gumbel", "chains", "graphs"])
def test_no_torch(module):
    probe = f"import ifonly.scm.{module}, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", probe], check=True)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10)])
def test_clopper_pearson_inverts_the_binomial(k, n):
    low, high = clopper_pearson(k, n)
    if k > 0:
        assert stats.binom.sf(k - 1, n, low) == pytest.approx(0.025)
    if k < n:
        assert stats.binom.cdf(k, n, high) == pytest.approx(0.025)
    assert low == 0.0 if k == 0 else low > 0.0
    assert high == 1.0 if k == n else high < 1.0


def test_clopper_pearson_refuses_nonsense():
    with pytest.raises(ValueError, match="successes"):
        clopper_pearson(3, 2)


def test_effective_size():
    assert effective_size([1, 1, 1, 1]) == 4.0
    assert effective_size([1, 0, 0]) == 1.0
    assert effective_size([0, 0]) == 0.0


def test_weighted_mean_with_equal_weights_is_the_t_interval():
    x = np.arange(10.0)
    mean, (low, high) = weighted_mean(x, np.ones(10))
    half = stats.t.ppf(0.975, 9) * x.std() / 10**0.5
    assert (mean, low, high) == pytest.approx((4.5, 4.5 - half, 4.5 + half))


def test_weighted_mean_of_successes_stays_a_proportion():
    mean, interval = weighted_mean(np.ones(20), np.ones(20))
    assert (mean, interval) == (1.0, clopper_pearson(20, 20))


@pytest.mark.parametrize(("values", "weights", "message"), [([1], [1], "no interval"), ([1, 2], [1], "one length")])
def test_weighted_mean_refuses(values, weights, message):
    with pytest.raises(ValueError, match=message):
        weighted_mean(values, weights)


def test_cluster_bootstrap_is_wider_than_its_records():
    """Ten copies of each of 20 clusters carry the information of 20 numbers, not of 200."""
    x = np.repeat(np.linspace(-1, 1, 20), 10)
    clusters = np.repeat(np.arange(20), 10).tolist()
    value, (low, high) = cluster_bootstrap(clusters, lambda i: float(x[i].mean()), Draw(0))
    assert value == pytest.approx(0.0)
    # 20 clusters know a t law with 19 degrees of freedom, and the divisor n - 1.
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 19) * x.std(ddof=1) / 20**0.5, rel=0.08)
    assert cluster_bootstrap(clusters, lambda i: float(x[i].mean()), Draw(0))[1] == (low, high)


def test_cluster_bootstrap_is_as_wide_as_a_t_interval():
    """Of 20 equal clusters: 10 % wider than plain percentiles, which cover too little."""
    x = np.random.default_rng(0).uniform(size=20)
    _, (low, high) = cluster_bootstrap(range(20), lambda i: float(x[i].mean()), Draw(0), repeats=20_000)
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 19) * x.std(ddof=1) / 20**0.5, rel=0.04)


def test_a_guarded_mean_is_no_point_and_all_but_the_t_interval_of_many_draws():
    mean, (low, high) = guarded_mean([0.0] * 40, 1.0)
    assert mean == 0
    assert high == -low == pytest.approx(stats.t.ppf(0.975, 41) * np.sqrt(0.5 / 41 / 42))
    assert guarded_mean([2.0] * 40, 0.0)[1] == (2.0, 2.0)
    x = np.tile([0.0, 1.0], 2_000)
    _, (low, high) = guarded_mean(x, 1.0)
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / 4_000**0.5, rel=0.002)
    with pytest.raises(ValueError, match="vector"):
        guarded_mean([], 1.0)


def test_cluster_bootstrap_needs_clusters():
    with pytest.raises(ValueError, match="at least two"):
        cluster_bootstrap(["a", "a"], lambda i: float(len(i)), Draw(0))


def test_draws_hang_on_seed_and_site_alone():
    draw = Draw(7)
    first = draw.uniform("search/0", (4,))
    draw.uniform("retry/0", (1000,))
    assert (draw.uniform("search/0", (4,)) == first).all()
    assert (draw.uniform("search/0", (9,))[:4] == first).all()
    assert not (Draw(8).uniform("search/0", (4,)) == first).any()
    assert not (draw.uniform("search/1", (4,)) == first).any()
    assert draw.uniform("search/0").shape == ()


def test_draws_are_the_same_on_every_machine():
    """Written down once: a change here changes every recorded answer."""
    assert Draw(0).uniform("search/0", (2,)).tolist() == [0.5615224399626327, 0.43540696942395296]


def test_draws_are_uniform():
    """Kolmogorov-Smirnov within a stream and across streams, false-failure rate 1e-6 each."""
    within = Draw(0).uniform("a", (100_000,))
    across = np.array([Draw(0).uniform(f"site/{i}") for i in range(5_000)])
    assert stats.kstest(within, "uniform").pvalue > 1e-6
    assert stats.kstest(across, "uniform").pvalue > 1e-6
