"""Support, bounds and sensitivity of a policy's value: known answers, brute force, and worlds that are confounded."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

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
from ifonly.scm.policy.support import pareto_k, support
from ifonly.scm.policy.weighting import snipw
from ifonly.scm.sensitivity import e_value, robustness_value

MANY = 1_000  # as many copies: at a level of one half their limits are the bounds themselves
FILE = Path(__file__).resolve().parents[3] / "shared" / "known_answers.json"


def log_of(actions, rewards, chances=None, arms=("a", "b"), **more):
    given = None if chances is None else np.asarray(chances, float)
    return Logged(np.asarray(actions, np.intp), np.asarray(rewards, float), arms, given, **more)


def drawn(seed, n=400, arms=2):
    generator = np.random.default_rng(seed)
    behaviour = generator.dirichlet(np.full(arms, 3.0), size=n)
    actions = (behaviour.cumsum(1) < generator.random((n, 1))).sum(1)
    rewards = (generator.random(n) < 0.3 + 0.4 * (actions == 0)).astype(float)
    return Logged(actions, rewards, tuple("abc"[:arms]), behaviour=behaviour)


def test_the_natural_bounds_of_the_known_answer():
    """P(x0,y0) = .2, P(x0,y1) = .3, P(x1,y0) = .1, P(x1,y1) = .4: the effect lies in [-.4, .6]."""
    log = log_of(([0] * 5 + [1] * 5) * MANY, [0, 0, 1, 1, 1, 0, 1, 1, 1, 1] * MANY)
    one, other = (
        natural_bounds(Evaluation.of(log, policy), 0, 1, level=0.5 + 1e-9) for policy in ([0.0, 1.0], [1.0, 0.0])
    )
    assert (one.low - other.high, one.high - other.low) == pytest.approx((-0.4, 0.6), abs=1e-6)
    if FILE.exists():
        entry = next(e for e in json.loads(FILE.read_text()) if e["id"] == "manski_natural_bounds")
        assert entry["expected"] == pytest.approx([-0.4, 0.6])


def test_rewards_outside_the_range_are_refused():
    with pytest.raises(NotApplicable, match="outside the range"):
        natural_bounds(Evaluation.of(log_of([0], [2.0]), [1, 0]), 0, 1)


def test_limits_are_wider_than_bounds_and_cover():
    """False-failure rate: 400 logs, 95 % limits of a value inside the bounds; fewer than 360 has P < 1e-6."""
    held = 0
    for seed in range(400):
        log = drawn(seed, 200)
        limits = natural_bounds(Evaluation.of(log, [1.0, 0.0]), 0, 1)
        held += limits.low <= 0.7 <= limits.high
    assert held >= 360


def test_what_was_never_tried_is_bounded():
    log = log_of([0, 0, 1, 1] * MANY, [1, 0, 1, 1] * MANY, [0.5] * 4 * MANY, arms=("a", "b", "c"))
    evaluation = Evaluation.of(log, [0.5, 0.2, 0.3])
    found = support(evaluation)
    assert found.never == {"c": pytest.approx(0.3)}
    assert (found.untried, found.verdict) == (pytest.approx(0.3), "none")
    bounds = support_bounds(evaluation, 0, 1, level=0.5 + 1e-9)
    known = np.mean([1.0, 0.0, 0.4, 0.4])
    assert (bounds.low, bounds.high) == pytest.approx((known, known + 0.3), abs=1e-6)


def test_all_tried_leaves_the_weighted_value():
    log = drawn(0, 5_000)
    bounds = support_bounds(Evaluation.of(log, [0.3, 0.7]), 0, 1)
    value = Evaluation.of(log, [0.3, 0.7]).weighted.mean()
    assert bounds.low < value < bounds.high
    assert bounds.high - bounds.low < 0.1


def test_support_is_fine_where_the_policy_is_the_logging_one():
    log = drawn(0)
    found = support(Evaluation.of(log, log.behaviour))
    assert (found.effective, found.verdict, found.why) == (pytest.approx(400), "fine", "")
    assert found.matching == 400


def test_support_is_thin_where_few_rounds_speak():
    log = log_of([0] * 960 + [1] * 40, [0.0] * 1000, [0.96] * 960 + [0.04] * 40)
    found = support(Evaluation.of(log, [0.0, 1.0]))
    assert found.effective == pytest.approx(40)
    assert found.verdict == "thin"
    assert "40 effective rounds" in found.why


def test_rare_chances_count_as_untried():
    behaviour = np.tile([0.995, 0.005], (1000, 1))
    log = Logged(np.zeros(1000, np.intp), np.zeros(1000), ("a", "b"), behaviour=behaviour)
    assert support(Evaluation.of(log, [0.9, 0.1])).untried == pytest.approx(0.1)


@pytest.mark.parametrize("shape", [0.2, 1.0])
def test_pareto_k_finds_the_tail(shape):
    """Pareto weights of tail index 1 / k; 424 in the tail of 20,000: k within .3 of the truth (5 standard errors)."""
    weights = np.random.default_rng(1).pareto(1 / shape, 20_000)
    assert pareto_k(weights) == pytest.approx(shape, abs=0.3)


def test_pareto_k_needs_a_tail():
    assert pareto_k(np.ones(1000)) is None
    assert pareto_k(np.zeros(10)) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1, 6))
def test_sensitivity_is_the_extreme_over_all_corners(seed, gamma):
    """A fractional linear program over boxes has its extremes at corners: 2^8 of them."""
    generator = np.random.default_rng(seed)
    chances, rewards = generator.uniform(0.1, 0.9, 8), generator.normal(size=8)
    policy = np.stack([generator.uniform(0.05, 1, 8)], 1)
    policy = np.concatenate([policy, 1 - policy], 1)
    evaluation = Evaluation.of(log_of([0] * 8, rewards, chances), policy)
    odds = 1 / chances - 1
    boxes = [(p * (1 + o / gamma), p * (1 + o * gamma)) for p, o in zip(policy[:, 0], odds, strict=True)]
    values = [np.dot(v, rewards) / np.sum(v) for v in product(*boxes)]
    bounds = sensitivity_bounds(evaluation, gamma, Draw(0), level=1e-9, repeats=2)
    assert bounds.low <= min(values) + 1e-9
    assert bounds.high >= max(values) - 1e-9
    threshold = min(values) - 1e-6
    point = snipw(evaluation).value
    if point > threshold:
        assert breaking_gamma(evaluation, threshold) >= gamma * (1 - 1e-3)


def test_no_hidden_cause_leaves_the_self_normalised_value():
    evaluation = Evaluation.of(drawn(3, 2_000), [0.5, 0.5])
    bounds, value = sensitivity_bounds(evaluation, 1.0, Draw(0)), snipw(evaluation).estimate()
    assert bounds.low == pytest.approx(value.low, abs=0.01)
    assert bounds.high == pytest.approx(value.high, abs=0.01)
    assert breaking_gamma(evaluation, value.value - 0.1) > 1
    assert breaking_gamma(evaluation, snipw(evaluation).value) == 1


def hidden_world(seed, strength, n=4_000):
    """A hidden U moves the choice (odds by sqrt(strength) each way) and the reward; E[r | do(a)] = .5 for both arms."""
    generator = np.random.default_rng(seed)
    u = generator.random(n) < 0.5
    chance = np.where(u, np.sqrt(strength), 1 / np.sqrt(strength))
    actions = (generator.random(n) >= chance / (1 + chance)).astype(np.intp)
    rewards = (generator.random(n) < np.where(u, 0.8, 0.2)).astype(float)
    return log_of(actions, rewards, np.full(n, 0.5))


def test_bounds_of_a_confounded_world_hold_the_truth_and_its_estimate_does_not():
    evaluation = Evaluation.of(hidden_world(0, 9.0), [1.0, 0.0])
    assert snipw(evaluation).estimate(0.999).low > 0.5
    wide = sensitivity_bounds(evaluation, 3.0, Draw(0))
    assert wide.low <= 0.5 <= wide.high
    assert 1.5 < breaking_gamma(evaluation, 0.5) <= 3.0


def test_bounds_widen_with_gamma():
    evaluation = Evaluation.of(drawn(5), [0.2, 0.8])
    found = [sensitivity_bounds(evaluation, gamma, Draw(0), repeats=50) for gamma in (1, 1.5, 2, 4)]
    assert [one.low for one in found] == sorted((one.low for one in found), reverse=True)
    assert [one.high for one in found] == sorted(one.high for one in found)
    with pytest.raises(NotApplicable, match="at least 1"):
        sensitivity_bounds(evaluation, 0.5, Draw(0))


def test_e_value_and_robustness_value():
    assert [e_value(3.9), e_value(1.8)] == pytest.approx([7.263034344160047, 3.0])
    # Cinelli and Hazlett 2020, the Darfur example: t = 4.18, 783 degrees of freedom, RV = 13.9 %.
    assert robustness_value(4.18, 783) == pytest.approx(0.139, abs=5e-4)
    assert robustness_value(0.0, 10) == 0
    with pytest.raises(NotApplicable, match="degrees of freedom"):
        robustness_value(1.0, 0)


def test_wrong_propensities_show_in_the_mean_weight():
    generator = np.random.default_rng(0)
    actions = (generator.random(2_000) < 0.5).astype(np.intp)
    rewards = generator.random(2_000)
    right = support(Evaluation.of(log_of(actions, rewards, np.full(2_000, 0.5)), [0.0, 1.0]))
    wrong = support(Evaluation.of(log_of(actions, rewards, np.full(2_000, 0.25)), [0.0, 1.0]))
    assert (right.verdict, right.mean_weight) == ("fine", pytest.approx(1, abs=0.1))
    assert (wrong.verdict, wrong.mean_weight) == ("thin", pytest.approx(2, abs=0.2))
    assert "do not fit the log" in wrong.why
