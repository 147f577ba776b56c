"""Cross-fitted nuisances: groups whole, own rewards never seen, known worlds recovered; and designs held to theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression

from ifonly.scenarios.bandit import ARMS, FEATURES, known_bandit
from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.budgeted import LinearLearner, TreeLearner
from ifonly.scm.policy.costs import Costs, dr_scores
from ifonly.scm.policy.doubly_robust import dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.front import design, dominated
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.nuisance import RewardModel, assign_folds, fit_propensities, fit_rewards

WORLD = known_bandit()
COSTS = np.array([1.0, 2.0, 10.0])


def drawn(rounds, seed=0):
    return WORLD.log(rounds, Draw(seed))


@settings(max_examples=50)
@given(st.lists(st.integers(0, 12), min_size=5, max_size=60), st.integers(2, 5), st.integers(0, 99))
def test_folds_keep_groups_whole_and_hold_as_many(groups, folds, seed):
    groups = np.array(groups)
    n = len(groups)
    log = Logged(np.zeros(n, int), np.zeros(n), ("a",), clusters=groups)
    used = len(np.unique(groups))
    if used < folds:
        with pytest.raises(NotApplicable, match="cannot be cut into"):
            assign_folds(log, folds, Draw(seed))
        return
    assigned = assign_folds(log, folds, Draw(seed))
    held = [np.unique(groups[assigned == fold]) for fold in range(folds)]
    assert sorted(np.concatenate(held).tolist()) == np.unique(groups).tolist()  # each group once
    assert {len(part) for part in held} <= {used // folds, -(-used // folds)}


@pytest.mark.parametrize("folds", [0, 1, 11])
def test_folds_that_cannot_be_are_refused(folds):
    with pytest.raises(NotApplicable, match="cannot be cut"):
        assign_folds(drawn(10)[0], folds)


@pytest.mark.parametrize("estimator", [None, LogisticRegression()])
def test_a_prediction_never_depends_on_the_rewards_of_its_own_fold(estimator):
    log, cells = drawn(600)
    folds = assign_folds(log, 3)
    mine = folds == 1
    other = replace(log, rewards=np.where(mine, 1 - log.rewards, log.rewards))
    for policy in (None, WORLD.target[cells]):
        before, after = (fit_rewards(one, folds, estimator, policy) for one in (log, other))
        assert (before[mine] == after[mine]).all()
        assert not np.allclose(before[~mine], after[~mine])


def test_a_propensity_never_depends_on_the_arms_of_its_own_fold():
    log, _ = drawn(600)
    folds = assign_folds(log, 3)
    mine = folds == 1
    other = replace(log, actions=np.where(mine, (log.actions + 1) % 3, log.actions))
    before, after = fit_propensities(log, folds), fit_propensities(other, folds)
    assert (before[mine] == after[mine]).all()
    assert not np.allclose(before[~mine], after[~mine])


def test_the_logit_of_the_known_world_is_recovered():
    """Within .05: 30,000 rounds leave standard errors below .01 in each of eight contexts and three arms."""
    log, cells = drawn(30_000)
    assert np.abs(fit_propensities(log) - WORLD.behaviour[cells]).max() < 0.05
    assert np.abs(fit_rewards(log, estimator=LogisticRegression()) - WORLD.rewards[cells]).max() < 0.06
    error = fit_rewards(log) - WORLD.rewards[cells]  # trees
    assert np.sqrt(np.square(error).mean()) < 0.04


def test_a_regressor_learns_what_is_no_share():
    log, cells = drawn(3_000)
    paid = COSTS[log.actions] * (2 + log.contexts[:, 0])
    found = fit_rewards(replace(log, rewards=paid), estimator=LinearRegression())
    assert found == pytest.approx(COSTS * (2 + WORLD.contexts[cells][:, :1]), abs=1e-9)
    with pytest.raises(NotApplicable, match="a classifier predicts rewards of 0 and 1"):
        fit_rewards(replace(log, rewards=np.floor(3 * paid)), estimator=LogisticRegression())


def test_propensities_are_distributions_that_leave_every_arm_a_chance():
    log, _ = drawn(400)
    rare = replace(log, actions=np.zeros(400, int))  # arms 1 and 2 were never taken
    for one in (log, rare, replace(log, contexts=None), replace(rare, contexts=None)):
        found = fit_propensities(one)
        assert found.sum(1) == pytest.approx(1)
        assert (found >= 0.99e-3).all()
    assert fit_propensities(rare)[:, 0] == pytest.approx(1 / 1.002)


def test_without_contexts_chances_and_rewards_are_shares_of_the_other_folds():
    log, _ = drawn(200)
    bare = replace(log, contexts=None)
    folds = assign_folds(bare, 4)
    chances, model = fit_propensities(bare, folds), fit_rewards(bare, folds)
    for fold in range(4):
        outside = folds != fold
        for arm in range(3):
            rows = outside & (log.actions == arm)
            assert chances[folds == fold, arm] == pytest.approx(rows.sum() / outside.sum())
            assert model[folds == fold, arm] == pytest.approx(log.rewards[rows].mean())


def test_an_arm_that_was_never_taken_is_worth_what_all_are_and_a_rare_one_its_mean():
    log, _ = drawn(500)
    actions = np.where(log.actions == 2, 1, log.actions)
    actions[:20] = 2
    model = RewardModel.of(Logged(actions, log.rewards, (*ARMS, "never"), contexts=log.contexts))
    found = model.predict(log.contexts)
    assert found[:, 3] == pytest.approx(log.rewards.mean())
    assert found[:, 2] == pytest.approx(log.rewards[:20].mean())
    assert np.ptp(found[:, 1]) > 0.1


@pytest.mark.parametrize("constant", [0.0, 1.0, 7.5])
def test_rewards_that_never_vary_are_foreseen(constant):
    log, _ = drawn(300)
    assert fit_rewards(replace(log, rewards=np.full(300, constant))) == pytest.approx(constant)


def test_mrdr_weighs_rounds_by_the_variance_that_they_bring():
    """With no contexts the prediction of an arm is the weighted mean of the other folds: weights read off it."""
    log, cells = drawn(300)
    bare, folds, policy = replace(log, contexts=None), np.arange(300) % 2, WORLD.target[cells]
    found = fit_rewards(bare, folds, policy=policy)
    p, pi = log.propensities, policy[np.arange(300), log.actions]
    weights = pi**2 * (1 - p) / p**2
    for fold in (0, 1):
        for arm in range(3):
            rows = (folds != fold) & (log.actions == arm)
            want = (weights * log.rewards)[rows].sum() / weights[rows].sum()
            assert found[folds == fold, arm] == pytest.approx(want, rel=1e-9)


def test_mrdr_of_a_policy_that_never_met_the_log_still_fits():
    log, _ = drawn(300)
    other = np.eye(3)[(log.actions + 1) % 3]
    assert np.isfinite(fit_rewards(log, policy=other)).all()


def test_scores_of_arms_weighed_with_the_policy_are_dr():
    log, cells = drawn(200)
    policy, model = WORLD.target[cells], WORLD.rewards[cells]
    scores = (policy * dr_scores(log, model)).sum(1)
    assert scores.mean() == pytest.approx(dr(Evaluation.of(log, policy, model)).value, rel=1e-12)


def test_known_costs_are_exact_and_logged_ones_doubly_robust():
    log, cells = drawn(2_000)
    policy = WORLD.target[cells]
    known = Costs(log, np.tile(COSTS, (2_000, 1))).value(policy)
    assert known.value == pytest.approx((policy @ COSTS).mean())
    seen = Costs(log, COSTS[log.actions]).value(policy)  # costs that the model foresees but for its penalty
    assert seen.value == pytest.approx(known.value, abs=0.02)


@pytest.mark.parametrize("learner", [TreeLearner(), LinearLearner()])
@pytest.mark.parametrize("logged", [False, True])
def test_designs_meet_their_budgets_and_their_intervals_hold_the_true_value(learner, logged):
    """Intervals of 99.9999 %: three tests of four cases fail falsely with chance below 1.2e-5 together."""
    log, cells = drawn(4_000, seed=1)
    budgets = (1.0, 3.0, 6.0)
    costs = COSTS[log.actions] if logged else np.tile(COSTS, (4_000, 1))
    told = []
    found = design(log, FEATURES, costs, learner, budgets, progress=lambda done, of: told.append((done, of)))
    assert told == [(k, 6) for k in range(1, 7)]
    for one, budget in zip(found, budgets, strict=True):
        assert one.budget == budget
        # A rule meets its budget on the rounds that it was learned from; on others up to sampling.
        assert (one.policy @ COSTS).mean() <= budget + 0.15
        rule = one.rule.policy(FEATURES, WORLD.contexts, ARMS)
        assert WORLD.chances @ (rule @ COSTS) <= budget + 0.15
        held = one.value.estimate(1 - 1e-6)
        # What these rules are worth, given the contexts: the rules of the folds differ, the contexts are the log's.
        truth = (one.policy * WORLD.rewards[cells]).sum(1).mean()
        assert held.low <= truth <= held.high
    values = [WORLD.value(one.rule.policy(FEATURES, WORLD.contexts, ARMS)) for one in found]
    assert values[0] + 0.1 < values[1] < values[2] - 0.04  # the dear arm is traded at fine prices
    assert values[2] <= WORLD.value(WORLD.best)
    constant = [WORLD.rewards[:, arm] @ WORLD.chances for arm in range(3)]
    assert values[0] == pytest.approx(constant[0])  # the budget of the cheapest arm buys that one alone
    assert values[1] > constant[1]  # and that of less than the dear one buys more than the coder everywhere


def test_without_budgets_seven_are_laid_between_the_cheapest_arm_and_the_dearest():
    log, _ = drawn(500)
    found = design(log, FEATURES, np.tile(COSTS, (500, 1)), LinearLearner(), folds=2)
    assert [one.budget for one in found] == pytest.approx([1, 1.9, 2.8, 4.15, 5.5, 7.75, 10])


def test_a_design_needs_propensities_and_costs_that_fit():
    log, _ = drawn(300)
    with pytest.raises(NotApplicable, match="no propensities"):
        design(replace(log, propensities=None, behaviour=None), FEATURES, COSTS[log.actions], LinearLearner())
    with pytest.raises(NotApplicable, match=r"costs of shape \(300, 2\)"):
        design(log, FEATURES, np.ones((300, 2)), LinearLearner())


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_dominated_points_are_those_that_another_beats(points):
    def beats(a, b):
        return all(x <= y for x, y in zip(a, b, strict=True)) and a != b

    assert dominated(points) == [any(beats(other, one) for other in points) for one in points]
    assert not all(dominated(points))
