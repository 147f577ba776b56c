"""Trust in a policy's value: placebo checks, support by stratum, and the coverage of bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.bounds import natural_bounds, support_bounds
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.marginal_sensitivity import breaking_gamma, sensitivity_bounds
from ifonly.scm.policy.placebo import contrast, negative_action, negative_control, permuted_action
from ifonly.scm.policy.support import support, support_by
from ifonly.scm.policy.weighting import naive, snipw

ARMS = ("a", "b")


def world(seed, n=1_000, *, effect=0.0, hidden=0.0):
    """U ~ N(0, 1) moves the choice (not in the propensity) by `hidden`, the reward and a column Z."""
    generator = np.random.default_rng(seed)
    u = generator.normal(size=n)
    chance = 1 / (1 + np.exp(-hidden * u))
    actions = (generator.random(n) < chance).astype(np.intp)
    rewards = u + effect * actions + generator.normal(size=n)
    column = u + generator.normal(size=n)
    log = Logged(actions, rewards, ARMS, np.full(n, 0.5), np.full((n, 2), 0.5))
    return Evaluation.of(log, [0.0, 1.0]), column


def test_the_contrast_is_the_paired_difference():
    evaluation, _ = world(0, effect=1.0)
    assert contrast(evaluation).value == pytest.approx(snipw(evaluation).value - naive(evaluation).value)
    same = Evaluation.of(evaluation.log, [0.5, 0.5])
    assert contrast(same).value == pytest.approx(0, abs=1e-12)
    assert contrast(same).standard_error == pytest.approx(0, abs=1e-12)


def test_negative_controls_see_what_is_hidden():
    """Confounded: p below 1e-6 with 1,000 rounds (the difference is some 8 standard errors); else above 1e-5."""
    sound, column = world(1, effect=1.0)
    assert negative_control(sound, column, "z").p_value > 1e-5
    confounded, column = world(1, effect=1.0, hidden=1.0)
    found = negative_control(confounded, column, "z", "pre-treatment outcome")
    assert (found.kind, found.name) == ("pre-treatment outcome", "z")
    assert found.p_value < 1e-6
    assert found.difference.low > 0
    assert negative_action(confounded, "greeting").kind == "negative-control action"
    with pytest.raises(NotApplicable, match="have shape"):
        negative_control(sound, column[:10], "z")


def test_p_values_of_controls_are_uniform():
    """1,000 sound logs: between 2.0 % and 8.8 % below .05, but with probability below 1e-5 (exact binomial)."""
    below = sum(negative_control(*world(seed, 150), "z").p_value < 0.05 for seed in range(1_000))
    assert 20 <= below <= 88


def test_permuted_actions_find_an_effect_and_no_other():
    found = permuted_action(world(2, 400, effect=1.0)[0], Draw(0), 199)
    assert found.p_value == pytest.approx(1 / 200)
    assert found.placebo.low < 0 < found.placebo.high
    assert found.placebo.high < found.difference.value
    below = sum(permuted_action(world(seed, 40)[0], Draw(seed), 39).p_value <= 0.05 for seed in range(400))
    assert below <= 44  # P < 1e-5 at the exact level 2 / 40


def test_permutation_keeps_strata():
    """Each stratum takes one arm alone: whatever changes places within it, the difference stays."""
    actions = np.array([0, 0, 1, 1])
    log = Logged(actions, np.array([0.0, 1.0, 2.0, 4.0]), ARMS, np.full(4, 0.5))
    evaluation = Evaluation.of(log, [0.0, 1.0])
    found = permuted_action(evaluation, Draw(0), 50, strata=["x", "x", "y", "y"])
    assert found.p_value == 1
    assert found.placebo.low == found.placebo.high == pytest.approx(contrast(evaluation).value)
    mixed = permuted_action(evaluation, Draw(0), 200, strata=["x"] * 4)
    assert mixed.placebo.low < mixed.placebo.high
    with pytest.raises(NotApplicable, match="strata within"):
        permuted_action(evaluation, Draw(0))


def test_permutation_is_the_exact_test_of_all_orders():
    """Two of four rounds took arm b, with the two largest rewards: one of six orders is as large, and one as small."""
    log = Logged(np.array([0, 0, 1, 1]), np.array([0.0, 1.0, 2.0, 3.0]), ARMS, np.full(4, 0.5))
    found = permuted_action(Evaluation.of(log, [0.0, 1.0]), Draw(0), 20_000, strata=["x"] * 4)
    assert found.p_value == pytest.approx(1 / 3, abs=0.02)


def test_support_in_a_stratum_that_never_saw_the_arm():
    actions = np.array([0, 1] * 50 + [0] * 100)
    evaluation = Evaluation.of(Logged(actions, np.zeros(200), ARMS, np.full(200, 0.5)), [0.5, 0.5])
    whole = support(evaluation)
    parts = support_by(evaluation, ["day"] * 100 + ["night"] * 100)
    assert (whole.never, whole.untried, whole.covered) == ({}, 0.0, 1.0)
    assert parts["day"].never == {}
    assert parts["night"].never == {"b": pytest.approx(0.5)}
    assert (parts["night"].verdict, parts["night"].covered) == ("none", 0.0)
    assert parts["night"].rounds == 100
    with pytest.raises(NotApplicable, match="each of 200 rounds"):
        support_by(evaluation, ["day"])


def test_covered_rounds_are_those_of_common_support():
    behaviour = np.array([[0.5, 0.5]] * 30 + [[0.999, 0.001]] * 10)
    log = Logged(np.array([0, 1] * 15 + [0] * 10), np.zeros(40), ARMS, behaviour=behaviour)
    assert support(Evaluation.of(log, [0.5, 0.5])).covered == pytest.approx(0.75)
    assert support(Evaluation.of(log, [1.0, 0.0])).covered == 1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_bounds_are_nested(seed):
    """More is assumed, less is left open: nothing, then propensities where arms were tried."""
    generator = np.random.default_rng(seed)
    n = 60
    actions = generator.integers(2, size=n)
    log = Logged(actions, generator.random(n), ("a", "b", "c"), np.full(n, 0.5))
    evaluation = Evaluation.of(log, generator.dirichlet([1.0, 1.0, 1.0]))
    untried = evaluation.policy[0, 2]
    tight = support_bounds(evaluation, 0, 1, level=1e-9)
    loose = natural_bounds(evaluation, 0, 1, level=1e-9)
    kept = evaluation.policy[np.arange(n), actions]
    assert (tight.value, tight.identified) == (None, "bounds")
    assert loose.high - loose.low == pytest.approx(1 - kept.mean(), abs=1e-6)
    assert loose.low == pytest.approx((kept * log.rewards).mean(), abs=1e-6)
    assert tight.high - tight.low <= untried + 1e-6 <= loose.high - loose.low + 2e-6


def test_limits_lie_where_rewards_can():
    """Hardly a round is the policy's: sampling error would carry the ends beyond the range."""
    actions, rewards = np.array([0] * 199 + [1]), np.zeros(200)
    found = natural_bounds(Evaluation.of(Logged(actions, rewards, ARMS), [0.0, 1.0]), 0.0, 1.0)
    assert found.low == 0.0
    assert 0.99 <= found.high <= 1.0


def drawn(seed, n, chance, mean):
    """Arm b with a known chance; rewards are coins; arm c is never taken."""
    generator = np.random.default_rng(seed)
    actions = (generator.random(n) < chance).astype(np.intp)
    rewards = (generator.random(n) < np.where(actions, mean, 0.4)).astype(float)
    chances = np.where(actions, chance, 1 - chance)
    return Logged(actions, rewards, ("a", "b", "c"), chances)


@pytest.mark.slow
@pytest.mark.parametrize("worth", [0.0, 0.5, 1.0])
def test_limits_of_bounds_cover_wherever_the_value_lies(worth):
    """1,000 logs; arm c, never taken, is worth the least, the middle or the most. 95 % limits cover at the ends of the
    bounds as they should (fewer than 915 of 1,000: P < 1e-5), more than that in the middle.
    """
    held = 0
    policy = [0.2, 0.5, 0.3]
    truth = 0.2 * 0.4 + 0.5 * 0.7 + 0.3 * worth
    for seed in range(1_000):
        bounds = support_bounds(Evaluation.of(drawn(seed, 300, 0.4, 0.7), policy), 0, 1)
        held += bounds.low <= truth <= bounds.high
    assert held >= 915
    assert worth != 0.5 or held == 1_000


@pytest.mark.slow
def test_limits_that_assume_nothing_cover_the_worst_world():
    """The reward of arm b is 0 wherever it was not taken: the value lies at the end of the bounds. 1,000 logs."""
    held = 0
    for seed in range(1_000):
        log = drawn(seed, 300, 0.4, 0.7)
        bounds = natural_bounds(Evaluation.of(log, [0.0, 1.0, 0.0]), 0, 1)
        held += bounds.low <= 0.4 * 0.7 <= bounds.high
    assert held >= 915


def least_favourable(seed, n, gamma):
    """The hidden U is the reward itself: of binary rewards, those of 1 are taken with odds Gamma times too large.

    Declared chance 1/2. P(take | r) with odds g for r = 1 and 1 / g for r = 0, so that P(take) is 1/2 for rewards that
    are fair coins; the value of the arm is 1/2, and the reweighted world lies on the edge of the model.
    """
    generator = np.random.default_rng(seed)
    potential = (generator.random(n) < 0.5).astype(float)
    take = generator.random(n) < np.where(potential == 1, gamma, 1.0) / (1 + np.where(potential == 1, gamma, gamma))
    actions = np.where(take, 0, 1).astype(np.intp)
    return Logged(actions, np.where(take, potential, 0.0), ARMS, np.full(n, 0.5))


@pytest.mark.slow
def test_bounds_at_the_right_gamma_cover_the_least_favourable_world():
    """1,000 logs with Gamma = 2 where the truth is the end of the bounds: fewer than 915 covered has P < 1e-5. With
    Gamma = 1 they must fail, and the Gamma that breaks the conclusion is some 2.
    """
    right = wrong = 0
    breaks = []
    for seed in range(1_000):
        evaluation = Evaluation.of(least_favourable(seed, 400, 2.0), [1.0, 0.0])
        bounds = sensitivity_bounds(evaluation, 2.0, Draw(seed), repeats=100)
        right += bounds.low <= 0.5 <= bounds.high
        if seed < 100:
            narrow = sensitivity_bounds(evaluation, 1.0, Draw(seed), repeats=100)
            wrong += narrow.low <= 0.5 <= narrow.high
            breaks.append(breaking_gamma(evaluation, 0.5))
    assert right >= 915
    assert wrong <= 50
    assert np.median(breaks) == pytest.approx(2.0, abs=0.3)
