"""What moves a preference: regression, length control, mixes of annotators, position."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.preference import (
    anchor_of,
    both_orders,
    by_design,
    cross_validated,
    discounted,
    fit_logistic,
    instruction_difficulty,
    length_controlled,
    length_term,
    remixed,
)

N = 600


def log(seed=0, n=N):
    generator = np.random.default_rng(seed)
    columns = {"one": np.ones(n), "a": generator.normal(size=n), "b": generator.normal(size=n)}
    return columns, expit(0.3 + 0.8 * columns["a"] - 1.1 * columns["b"] + 0.5 * generator.normal(size=n))


@pytest.mark.parametrize("penalty", [0.0, 1.0, 20.0, 300.0])
def test_the_fit_is_scikit_learns(penalty):
    columns, liked = log()
    design = np.stack(list(columns.values()), 1)
    theirs = LogisticRegression(
        C=1 / penalty if penalty else 1e8,
        l1_ratio=1,
        solver="liblinear",
        fit_intercept=False,
        tol=1e-10,
        max_iter=9_999,
    )
    theirs.fit(np.concatenate([design, design]), np.repeat([1, 0], N), sample_weight=np.concatenate([liked, 1 - liked]))
    ours = fit_logistic(columns, liked, penalty=penalty)
    np.testing.assert_allclose(ours.coefficients, theirs.coef_[0], atol=1e-5)


def test_a_saturated_fit_gives_the_means_and_their_standard_errors():
    """One column for each of two groups: predictions are the groups' means, influences those of means."""
    group = np.arange(N) % 3 == 0
    liked = np.random.default_rng(1).random(N)
    fit = fit_logistic({"in": group.astype(float), "out": (~group).astype(float)}, liked)
    mean = fit.mean(rows=group)
    assert mean.value == pytest.approx(liked[group].mean(), abs=1e-9)
    plain = liked[group].std() / np.sqrt(group.sum())
    assert mean.standard_error == pytest.approx(plain, rel=0.01)
    whole = fit.mean({"in": 1.0, "out": 0.0})
    assert whole.value == pytest.approx(liked[group].mean(), abs=1e-9)
    assert whole.standard_error == pytest.approx(plain, rel=0.01)


def test_influence_is_what_leaving_a_row_out_does():
    columns, liked = log(2, 200)
    fit = fit_logistic(columns, liked)
    for row in (0, 7, 191):
        kept = np.arange(200) != row
        without = fit_logistic({name: column[kept] for name, column in columns.items()}, liked[kept])
        np.testing.assert_allclose(
            fit.coefficients - without.coefficients, fit.influence[row] / 200, atol=2e-3, rtol=0.2
        )


def test_intervals_of_a_predicted_change_cover():
    """200 logs at 95 %: fewer than 175 covering has probability 1e-5 under a coverage of 94 %."""
    truth = 0.0
    generator = np.random.default_rng(3)
    a = generator.normal(size=200_000)
    truth = float((expit(0.3 + a + 0.7) - expit(0.3 + a)).mean())
    covered = 0
    for _ in range(200):
        a, s = generator.normal(size=400), generator.integers(0, 2, 400).astype(float)
        liked = (generator.random(400) < expit(0.3 + a + 0.7 * s)).astype(float)
        fit = fit_logistic({"one": 1.0, "a": a, "style": s}, liked)
        made = fit.mean({"style": 1.0}).less(fit.mean({"style": 0.0})).estimate()
        covered += made.low <= truth <= made.high
    assert covered >= 175


def test_cross_validation_drops_what_is_noise_and_keeps_what_is_not():
    columns, liked = log()
    grid = tuple(1 / np.logspace(-4, 4, 10))
    assert cross_validated(columns, liked, grid) < 10
    generator = np.random.default_rng(4)
    noise = {"a": generator.normal(size=N), "b": generator.normal(size=N)}
    assert cross_validated(noise, (generator.random(N) < 0.5).astype(float), grid) > 10


@pytest.mark.parametrize(
    ("columns", "liked", "error", "told"),
    [
        ({"one": [1, 1, 1], "style": [2, 2, 2]}, [0, 1, 1], NotIdentified, "'style' does not vary beside one"),
        ({"style": [0, 0, 0]}, [0, 1, 1], NotIdentified, "'style' does not vary"),
        ({"one": [1, 1, 1, 1], "style": [0, 0, 1, 1]}, [0, 0, 1, 1], NotIdentified, "separated"),
        ({"one": [1, 1]}, [0, 2], NotApplicable, "1/2 for a tie"),
        ({"one": []}, [], NotApplicable, "at least one"),
    ],
)
def test_what_cannot_be_fitted_says_why(columns, liked, error, told):
    with pytest.raises(error, match=told):
        fit_logistic({name: np.asarray(column, float) for name, column in columns.items()}, liked)


def test_an_unknown_column_is_told():
    fit = fit_logistic(*log())
    with pytest.raises(NotApplicable, match="no column 'length'"):
        fit.mean({"length": 0.0})
    with pytest.raises(NotApplicable, match="no comparison"):
        fit.mean(rows=np.zeros(N))


def test_discounting_goes_from_the_raw_rate_to_the_controlled_one():
    columns, liked = log()
    columns["a"] += 0.5
    full = fit_logistic(columns, liked)
    assert discounted(columns, liked, ["a"], 1.0).mean().value == pytest.approx(full.mean({"a": 0.0}).value, abs=1e-8)
    assert discounted(columns, liked, ["a"], 0.0).mean().value == pytest.approx(liked.mean(), abs=1e-8)


def leaderboard(seed, models=12, instructions=300):
    """Preferences by the law of arXiv 2404.04475 itself."""
    generator = np.random.default_rng(seed)
    gamma = generator.normal(size=instructions)
    theta, phi = generator.normal(-1, 1, models), generator.normal(1.5, 0.2, models)
    own = generator.lognormal(7, 0.4, (models, instructions))
    base = generator.lognormal(7.2, 0.4, instructions)
    term = np.stack([length_term(row, base) for row in own])
    chance = expit(theta[:, None] + phi[:, None] * term + gamma)
    return term, gamma, chance, expit(theta[:, None] + gamma).mean(1)


def test_length_control_finds_the_rate_under_do():
    """With the chances themselves for preferences, the law is found again."""
    term, gamma, chance, truth = leaderboard(0)
    for at in range(3):
        made = length_controlled(term[at], gamma, chance[at])
        assert made.rate.value == pytest.approx(truth[at], abs=5e-3)
        assert abs(chance[at].mean() - truth[at]) > 0.02
        assert made.under(term[at]).value == pytest.approx(chance[at].mean(), abs=5e-3)


def test_difficulty_is_found_up_to_scale():
    term, gamma, chance, _ = leaderboard(1)
    models, instructions = np.indices(term.shape)
    rows = (models.ravel(), instructions.ravel(), term.ravel(), chance.ravel())
    assert np.corrcoef(instruction_difficulty(*rows, strength=300.0), gamma)[0, 1] > 0.9999
    assert np.corrcoef(instruction_difficulty(*rows), gamma)[0, 1] > 0.98
    with pytest.raises(NotApplicable, match="at least two"):
        instruction_difficulty(np.zeros(5, int), np.arange(5), np.zeros(5), np.full(5, 0.5))


def test_an_anchor_has_the_rates_it_was_given_and_holds_the_length_effect():
    term, gamma, chance, truth = leaderboard(2)
    anchor = anchor_of(term[0], gamma, float(chance[0].mean()), float(truth[0]))
    np.testing.assert_allclose(anchor.liked, chance[0], atol=1e-6)
    # A model gamed so that only its longer answers are any good: anchors pull the length effect back.
    gamed = np.where(term[1] > 0, 0.9, 0.02)
    free, held = (length_controlled(term[1], gamma, gamed, anchors) for anchors in ((), (anchor, anchor)))
    effects = [one.fit.coefficient("longer").value for one in (free, held)]
    assert effects[0] > effects[1] > 1
    with pytest.raises(NotIdentified, match="no preferences have"):
        anchor_of(np.zeros(300), gamma, 0.7, 0.2)


def test_the_error_of_a_part_is_none_for_the_whole():
    term, gamma, chance, _ = leaderboard(3)
    made = length_controlled(term[0], gamma, chance[0])
    assert made.gap_error(300) == 0
    assert made.gap_error(10**9) == pytest.approx(made.rate.standard_error, rel=1e-3)


def test_constant_style_is_told():
    with pytest.raises(NotIdentified, match="style is constant"):
        length_term([5, 6, 7], [4, 5, 6])


@given(share=st.floats(0, 1), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_a_mix_is_the_mean_of_groups(share, seed):
    generator = np.random.default_rng(seed)
    liked, crowd = generator.random(80), np.arange(80) % 4 > 0
    groups = np.where(crowd, "crowd", "expert").tolist()
    made = remixed(liked, groups, {"crowd": share, "expert": 1 - share})
    assert made.value == pytest.approx(share * liked[crowd].mean() + (1 - share) * liked[~crowd].mean())
    assert made.influence.mean() == pytest.approx(0, abs=1e-12)


def test_mixes_that_are_none_are_told():
    with pytest.raises(NotApplicable, match="sum to 1"):
        remixed([1, 0], ["a", "b"], {"a": 0.5, "b": 0.6})
    with pytest.raises(NotIdentified, match="no comparison by users: it has a, b"):
        remixed([1, 0], ["a", "b"], {"a": 0.5, "users": 0.5})


def test_both_orders_take_content_away():
    content = np.random.default_rng(5).random(50) * 0.6
    made = both_orders(content + 0.3, content)
    assert made.effect.value == pytest.approx(0.3)
    assert made.effect.standard_error == pytest.approx(0, abs=1e-12)
    assert made.balanced.value == pytest.approx(content.mean() + 0.15)
    with pytest.raises(NotApplicable, match="both orders"):
        both_orders([1.0], [])


def test_a_drawn_order_gives_the_same_without_bias():
    """Order drawn with a chance that goes along with content: weighting by it is right, the plain difference is not."""
    generator = np.random.default_rng(6)
    n = 40_000
    good = generator.random(n) < 0.5
    chance = np.where(good, 0.8, 0.3)
    first = (generator.random(n) < chance).astype(float)
    liked = (generator.random(n) < 0.2 + 0.4 * good + 0.2 * first).astype(float)
    made = by_design(liked, first, chance)
    effect, balanced = made.effect.estimate(1 - 1e-6), made.balanced.estimate(1 - 1e-6)
    assert effect.low <= 0.2 <= effect.high
    assert balanced.low <= 0.5 <= balanced.high
    assert liked[first == 1].mean() - liked[first == 0].mean() > effect.high


def test_one_order_alone_is_told():
    with pytest.raises(NotIdentified, match="every comparison shows the candidate first"):
        by_design([1, 0, 1], [1, 1, 1])
    with pytest.raises(NotApplicable, match="lies in"):
        by_design([1, 0, 1], [1, 0, 1], 1.0)


def test_log_odds_of_a_lone_intercept_are_those_of_the_mean():
    fit = fit_logistic({"one": np.ones(4)}, [0.5, 1.0, 1.0, 0.3])
    assert fit.coefficients[0] == pytest.approx(float(logit(0.7)))
