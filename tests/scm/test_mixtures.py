"""Mixtures: what is on the simplex, substitutions, double machine learning, curves, surfaces, choices, transport."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.linear_model import LinearRegression

from ifonly.scm.errors import NotApplicable, NotIdentified, OffSimplex
from ifonly.scm.mixtures.coordinates import others, pivot_coordinates, replace_zeros, scheffe
from ifonly.scm.mixtures.dose import effect_curve
from ifonly.scm.mixtures.partially_linear import partially_linear
from ifonly.scm.mixtures.selection import between, chosen_and_valued_apart, lowest
from ifonly.scm.mixtures.simplex import Mixture, check_shares, substitute
from ifonly.scm.mixtures.surface import LossSurface, cross_conformal
from ifonly.scm.mixtures.transport import rank_agreement, recalibrate
from ifonly.scm.sensitivity import omitted_bias, robustness_value

DOMAINS = ("web", "code", "books")
NOW = Mixture.of({"web": 0.6, "code": 0.25, "books": 0.15})


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ({"web": 0.6, "code": 0.37}, "sums to 0.97.*sum to 1.*Add the domain that is missing"),
        ({"web": 60.0, "code": 40.0}, "divide by 100"),
        ({"web": 1.2, "code": -0.2}, "code has -0.2.*at least 0"),
        ({"web": 0.5, "code": float("nan")}, "code has nan"),
        ({"web": 0.5, "cod": 0.5}, "nearest is code.*There are web, code, books"),
    ],
)
def test_what_is_no_mixture_is_told(shares, told):
    with pytest.raises(OffSimplex, match=told):
        Mixture.of(shares, DOMAINS if "cod" in shares else None)


def test_rounding_is_divided_out_and_no_more():
    assert Mixture.of({"a": 0.334, "b": 0.333, "c": 0.334}, rounding=0.001).row.sum() == pytest.approx(1, abs=1e-15)
    with pytest.raises(OffSimplex, match=r"row 1 sums to 0\.99"):
        check_shares([[0.5, 0.5], [0.5, 0.49]], ("a", "b"), 0.001)


def test_substitutions_take_from_where_they_say():
    assert NOW.with_more("code", 0.1).row == pytest.approx([0.6 * 0.65 / 0.75, 0.35, 0.15 * 0.65 / 0.75])
    assert NOW.with_more("code", 0.1, "web").row == pytest.approx([0.5, 0.35, 0.15])
    assert NOW.with_more("code", 0.1, {"web": 0.25, "books": 0.75}).row == pytest.approx([0.575, 0.35, 0.075])
    assert NOW.with_more("code", -0.25, "web")["web"] == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("code", 0.2, "books"), "1 of 1 mixture.*the least has 0.15"),
        (("code", 0.8, None), "all others together"),
        (("code", -0.3, None), "taken from code"),
        (("code", 0.1, "code"), "taken from itself"),
        (("code", 0.1, {"web": 0.5}), "sum to 1"),
        (("code", 0.1, "boks"), "nearest is books"),
    ],
)
def test_impossible_substitutions_are_told(more, told):
    with pytest.raises(OffSimplex, match=told):
        NOW.with_more(*more)


mixtures = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=6).map(lambda w: np.array(w) / sum(w))


@given(mixtures, st.floats(-1, 1))
def test_a_proportional_substitution_keeps_the_ratios_of_the_others(row, part):
    names = tuple("abcdef"[: len(row)])
    amount = part * (1 - row[0]) if part > 0 else part * row[0]
    after = substitute(row[None], names, "a", amount)[0]
    assert after.sum() == pytest.approx(1)
    assert after[0] == pytest.approx(row[0] + amount, abs=1e-12)
    assert after[1:] * row[1:].sum() == pytest.approx(row[1:] * after[1:].sum(), abs=1e-12)
    back = substitute(after[None], names, "a", -amount)[0]
    assert part > 0.999 or back == pytest.approx(row, abs=1e-9)


@given(mixtures, mixtures)
def test_pivot_coordinates_keep_the_distances_of_the_simplex(one, other):
    k = min(len(one), len(other))
    rows = np.stack([one[:k] / one[:k].sum(), other[:k] / other[:k].sum()])
    centred = np.log(rows) - np.log(rows).mean(1, keepdims=True)
    found = pivot_coordinates(rows)
    assert np.linalg.norm(found[0] - found[1]) == pytest.approx(np.linalg.norm(centred[0] - centred[1]), abs=1e-9)


def test_a_proportional_substitution_moves_the_first_pivot_coordinate_alone():
    rows = np.stack([[0.25, 0.6, 0.15], substitute([[0.25, 0.6, 0.15]], ("c", "w", "b"), "c", 0.1)[0]])
    before, after = pivot_coordinates(rows)
    assert after[0] > before[0]
    assert after[1] == pytest.approx(before[1])
    assert others(rows, 0)[0] == pytest.approx(others(rows, 0)[1])


def test_zeros_are_replaced_and_ratios_kept():
    made = replace_zeros(np.array([[0.0, 0.2, 0.8]]), 0.001)
    assert made[0] == pytest.approx([0.001, 0.2 * 0.999, 0.8 * 0.999])
    with pytest.raises(OffSimplex, match="infinite"):
        pivot_coordinates(np.array([[0.0, 0.2, 0.8]]))


def test_scheffe_spans_every_quadratic():
    rows = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    columns, names = scheffe(rows, DOMAINS)
    y = 1 + 2 * rows[:, 0] - rows[:, 1] ** 2 + rows[:, 0] * rows[:, 2]
    assert names[3] == "web x code"
    assert columns @ np.linalg.lstsq(columns, y, rcond=None)[0] == pytest.approx(y)


def confounded(n, seed):
    """Y = 1.5 D + cos X1 + X2 + noise whose spread hangs on X; D = sin X1 + X2 / 2 + noise."""
    g = np.random.default_rng(seed)
    x = g.normal(size=(n, 2))
    d = np.sin(x[:, 0]) + x[:, 1] / 2 + 0.7 * g.normal(size=n)
    return 1.5 * d + np.cos(x[:, 0]) + x[:, 1] + g.normal(size=n) * (1 + 0.5 * np.abs(x[:, 0])), d, x


def test_without_covariates_it_is_least_squares():
    y, d, _ = confounded(200, 0)
    found = partially_linear(y, np.column_stack([d, d**2]))
    design = np.column_stack([np.ones(200), d, d**2])
    assert found.coefficients == pytest.approx(np.linalg.lstsq(design, y, rcond=None)[0][1:])
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    inverse = np.linalg.inv(design.T @ design)
    hc = inverse @ (design.T * left**2) @ design @ inverse
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(np.sqrt(np.diag(hc))[1:], rel=0.02)


def test_double_machine_learning_covers_and_regression_alone_does_not():
    """Of 20 samples 95 % intervals cover at least 13: fewer has probability below 1e-5."""
    assert binom.cdf(12, 20, 0.95) < 1e-5
    covers = [partially_linear(*confounded(400, s), seed=s).effect([1.0]) for s in range(20)]
    assert sum(one.low <= 1.5 <= one.high for one in covers) >= 13
    y, d, _ = confounded(4_000, 0)
    assert partially_linear(y, d).effect([1.0], 1 - 1e-6).low > 1.5


def test_groups_widen_the_interval():
    y, d, x = confounded(300, 1)
    rows = np.repeat(np.arange(300), 3)
    alone, together = (partially_linear(y[rows], d[rows], x[rows], clusters=c).effect([1.0]) for c in (None, rows))
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    assert together.effective == 300


def test_what_runs_do_not_settle_is_refused():
    rows = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    found = partially_linear(rows[:, 0], rows)
    assert found.effect([1.0, -1.0, 0.0]).value == pytest.approx(1.0)
    with pytest.raises(NotIdentified, match="no two runs"):
        found.effect([1.0, 0.0, 0.0])
    with pytest.raises(NotIdentified, match="all have the same treatment"):
        partially_linear(rows[:, 0], np.tile([0.6, 0.25, 0.15], (60, 1)))
    with pytest.raises(NotApplicable, match="too few"):
        partially_linear([1.0, 2.0], [0.0, 1.0])
    with pytest.raises(NotApplicable, match="not finite in rows"):
        partially_linear([np.nan, *range(20)], np.arange(21.0))


def test_at_the_robustness_value_nothing_of_the_effect_is_left():
    """Cinelli and Hazlett 2020, sec. 4.2: with both partial R^2 at RV the bias is the estimate."""
    rv = robustness_value(5.0, 100)
    assert omitted_bias(0.2, 100, rv, rv) == pytest.approx(1.0)
    # Their example, Darfur: estimate .097, standard error .023, 783 degrees of freedom, RV .139.
    assert robustness_value(0.097 / 0.023, 783) == pytest.approx(0.139, abs=2e-3)
    y, d, x = confounded(500, 2)
    found = partially_linear(y, d, x)
    rv = found.robustness([1.0])
    bounds = found.confounded([1.0], rv, rv)
    plain = found.effect([1.0])
    assert bounds.low == pytest.approx(plain.low - plain.value, abs=1e-9)
    with pytest.raises(NotApplicable):
        omitted_bias(0.2, 100, 1.0, 0.5)


def test_an_effect_curve_finds_a_bend_that_confounding_hides():
    g = np.random.default_rng(3)
    x = g.normal(size=(800, 1))
    d = x[:, 0] + g.normal(size=800)
    y = d**2 - 2 * x[:, 0] + 0.5 * g.normal(size=800)
    curve = effect_curve(y, d, x, [-1.0, 0.0, 1.0])
    made = curve.change(0, 2, 1 - 1e-6)
    assert made.low <= 0.0 <= made.high
    assert made.high - made.low < 2.0  # what a regression gives: -2
    bend = curve.change(1, 2, 1 - 1e-6)
    assert bend.low <= 1.0 <= bend.high
    low, high = curve.band()
    assert (low < [one.low for one in map(curve.at, range(3))]).all()
    assert (high > curve.values).all()
    with pytest.raises(NotIdentified, match="have a dose like 9"):
        effect_curve(y, d, x, [9.0])


def law(rows):
    return 3 + 0.5 * np.exp(-4 * rows[:, 0]) - 0.2 * np.log(rows[:, 1] + 0.02)


@pytest.fixture(scope="module")
def randomised():
    g = np.random.default_rng(4)
    rows = g.dirichlet(np.ones(4), 160)
    return rows, law(rows) + 0.02 * g.normal(size=160)


def test_a_surface_predicts_held_out_runs_and_contrasts(randomised):
    rows, losses = randomised
    surface = LossSurface.of(rows[:100], losses[:100])
    middle, low, high = surface.run(rows[100:])
    covered = int(((low <= losses[100:]) & (losses[100:] <= high)).sum())
    assert binom.cdf(covered, 60, 0.95) > 1e-6
    assert np.corrcoef(middle, losses[100:])[0, 1] > 0.97
    pair = np.array([[0.25, 0.25, 0.25, 0.25], [0.4, 0.2, 0.2, 0.2]])
    made = surface.contrast(pair, [-1, 1], 1 - 1e-6)
    assert made.low <= law(pair)[1] - law(pair)[0] <= made.high < 0
    assert surface.contrast(pair[[0, 0]], [-1, 1]).high == pytest.approx(0, abs=1e-6)


def test_conformal_intervals_cover_whatever_the_regressor(randomised):
    rows, losses = randomised
    middle, low, high = cross_conformal(LinearRegression(), rows[:100], losses[:100], rows[100:])
    assert ((low < middle) & (middle < high)).all()
    covered = int(((low <= losses[100:]) & (losses[100:] <= high)).sum())
    assert binom.cdf(covered, 60, 0.9) > 1e-6


def test_the_chosen_mixture_is_valued_honestly(randomised):
    rows, losses = randomised
    candidates = between(rows, 200, 1)
    check_shares(candidates, "abcd")
    chosen = lowest(LossSurface.of(rows, losses), candidates)
    assert chosen.honest.low < chosen.plain.low < chosen.plain.high < chosen.honest.high
    assert chosen.honest.low <= law(candidates)[chosen.index] <= chosen.honest.high
    assert law(candidates)[chosen.index] < np.quantile(law(candidates), 0.05)
    apart = chosen_and_valued_apart(rows, losses, candidates)
    assert apart.honest.effective == 80
    with pytest.raises(NotApplicable, match="no candidate"):
        lowest(LossSurface.of(rows, losses), candidates[:0])


def test_a_single_mixture_tells_nothing():
    with pytest.raises(NotIdentified, match=r"same mixture.*Add runs"):
        LossSurface.of(np.tile([0.5, 0.5], (30, 1)), np.arange(30.0))
    with pytest.raises(NotApplicable, match="at least 20"):
        LossSurface.of([[0.5, 0.5]], [1.0])


def test_a_line_carries_small_losses_to_large_ones():
    g = np.random.default_rng(5)
    small = g.normal(5, 0.3, 400)
    large = 1 + 0.4 * small + 0.02 * g.normal(size=400)
    line = recalibrate(small[:10], large[:10])
    _, low, high = line.predict(small[10:], 1 - 1e-6)
    assert ((low <= large[10:]) & (large[10:] <= high)).all()
    assert line.slope == pytest.approx(0.4, abs=0.15)
    ranks = rank_agreement(small, large, 1 - 1e-6)
    assert ranks.low < ranks.value < ranks.high < 1
    bent = recalibrate(small[:40], 1 + 0.4 * np.square(small[:40] - 4) + 0.01 * g.normal(size=40))
    assert bent.straight < 1e-6 < recalibrate(small[:40], large[:40]).straight


def test_a_carried_change_has_both_errors():
    """Monte Carlo: the change of the small loss is told with an error, and the slope is fitted to twelve large runs."""
    g, held = np.random.default_rng(6), 0
    small = np.linspace(4.5, 5.5, 12)
    for _ in range(400):
        line = recalibrate(small, 1 + 0.4 * small + 0.05 * g.normal(size=12))
        carried = line.carried(-0.3 + 0.05 * g.normal(), 0.05)
        held += carried.low <= -0.12 <= carried.high
    # Binomial(400, .95) leaves these ends less often than twice in a million.
    assert 357 <= held <= 398
    assert line.carried(-0.3, 0.0).value == pytest.approx(-0.3 * line.slope)


def test_where_order_is_not_preserved_the_line_refuses():
    """Small models gain nothing by code that large ones live on: the best by small runs is the worst by large ones."""
    code = np.linspace(0.0, 0.4, 12)
    small, large = 5 + code, 3 - code
    with pytest.raises(NotIdentified, match="order is not preserved"):
        recalibrate(small, large)
    assert rank_agreement(small, large).high < -0.9
    assert large[np.argmin(small)] == large.max()
    with pytest.raises(NotIdentified, match="one predicted loss"):
        recalibrate(np.ones(6), np.arange(6.0))
    with pytest.raises(NotApplicable, match="at least 5"):
        recalibrate(small[:3], large[:3])
