"""Reward models of one arm each or of all together, and what scikit-learn estimators they take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.nuisance import RewardModel, assign_folds, fit_rewards

both = pytest.mark.parametrize("pooled", [False, True])


def linear_log(rounds=500):
    """Rewards without noise, the same slope for three arms."""
    generator = np.random.default_rng(0)
    contexts = generator.normal(size=(rounds, 2))
    actions = generator.integers(3, size=rounds)
    offsets = np.array([0.0, 1.0, -2.0])
    slope = contexts @ [2.0, -1.0]
    log = Logged(actions, slope + offsets[actions], ("a", "b", "c"), np.full(rounds, 1 / 3), contexts=contexts)
    return log, slope[:, None] + offsets


@both
def test_a_linear_world_is_learned_exactly(pooled):
    log, want = linear_log()
    assert fit_rewards(log, estimator=LinearRegression(), pooled=pooled) == pytest.approx(want, abs=1e-9)


@both
def test_no_round_moves_its_own_prediction(pooled):
    log, _ = linear_log()
    folds = assign_folds(log)
    tree = DecisionTreeRegressor(max_depth=3, random_state=0)
    before = fit_rewards(log, folds, tree, pooled=pooled)
    inside = folds == 2
    changed = replace(log, rewards=np.where(inside, -log.rewards, log.rewards))
    after = fit_rewards(changed, folds, tree, pooled=pooled)
    assert (after[inside] == before[inside]).all()
    assert (after[~inside] != before[~inside]).any()


def test_one_model_of_all_arms_learns_where_each_arm_alone_is_too_rare():
    """Forty arms of a dozen rounds each differ by an offset: alone each is a mean, together they share the slope."""
    generator = np.random.default_rng(1)
    contexts, actions = generator.normal(size=(480, 1)), np.tile(np.arange(40), 12)
    offsets = generator.normal(size=40)
    rewards = 3 * contexts[:, 0] + offsets[actions]
    log = Logged(actions, rewards, tuple(map(str, range(40))), np.full(480, 1 / 40), contexts=contexts)
    want = 3 * contexts + offsets
    alone, together = (
        np.square(fit_rewards(log, estimator=LinearRegression(), pooled=pooled) - want).mean()
        for pooled in (False, True)
    )
    assert together < 1e-9
    assert alone > 1


@both
def test_a_pipeline_takes_the_weights_of_mrdr(pooled):
    """A pipeline whose scaling changes nothing learns as its last step does, weights and all."""
    log, _ = linear_log()
    log = replace(log, rewards=np.square(log.rewards))
    policy = np.tile([0.1, 0.2, 0.7], (len(log), 1))
    ridge = Ridge(alpha=1e-3)
    scaled = make_pipeline(StandardScaler(with_mean=False, with_std=False), ridge)
    plain = fit_rewards(log, estimator=ridge, policy=policy, pooled=pooled)
    assert fit_rewards(log, estimator=scaled, policy=policy, pooled=pooled) == pytest.approx(plain, abs=1e-9)
    if pooled:  # one arm's rounds share one weight here: only together do the weights of arms tell
        assert np.abs(plain - fit_rewards(log, estimator=ridge, pooled=True)).max() > 0.01


@both
def test_a_classifier_of_numbers_is_refused(pooled):
    log, _ = linear_log()
    with pytest.raises(NotApplicable, match="give a regressor"):
        fit_rewards(log, estimator=LogisticRegression(), pooled=pooled)
    binary = replace(log, rewards=(log.rewards > 0).astype(float))
    found = fit_rewards(binary, estimator=LogisticRegression(), pooled=pooled)
    assert ((found > 0) & (found < 1)).all()


def test_an_arm_never_taken_is_predicted_by_the_mean_of_all():
    log, _ = linear_log()
    never = replace(log, actions=np.zeros(len(log), np.intp))
    found = RewardModel.of(never, LinearRegression()).predict(never.contexts)
    assert found[:, 2] == pytest.approx(np.full(len(log), log.rewards.mean()))
