"""Off-policy estimators: written out anew in bare numpy, and held to their identities and their influence functions.

Each formula below takes frequency weights v of the rounds, so that its derivative in one of them is that round's
influence: taken with a complex step, exact to rounding (Squire and Trapp 1998). The identities are
``ope_identities`` of ../shared/known_answers.json.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf, nan

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.doubly_robust import dm, dr, dr_os, sndr, switch_dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.weighting import ipw, naive, snipw

LAMBDA = 1.5
"""About the median of the weights that are not 0: both branches are taken."""


def made(rounds, arms, seed, zeros=True):
    """A log with random everything, a policy with arms that it never takes, and a reward model."""
    rng = np.random.default_rng(seed)
    behaviour = 0.9 * rng.dirichlet(np.ones(arms), rounds) + 0.1 / arms
    actions = (behaviour.cumsum(1) > rng.random((rounds, 1))).argmax(1)
    policy = rng.dirichlet(np.ones(arms), rounds)
    if zeros and arms > 1:
        policy[rng.random((rounds, arms)) < 0.3] = 0
        policy[policy.sum(1) == 0, 0] = 1
        policy /= policy.sum(1, keepdims=True)
    log = Logged(
        actions,
        rng.normal(1, 2, rounds),
        tuple(f"arm {a}" for a in range(arms)),
        behaviour[np.arange(rounds), actions],
        behaviour,
    )
    return Evaluation.of(log, policy, rng.normal(1, 2, (rounds, arms)))


logs = st.builds(made, st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1))
covered = st.builds(made, st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1), st.just(False))


def parts(e):
    """Reward, weight, expectation of the model, and its residual, loop by loop."""
    reward, weight, expected, residual = [], [], [], []
    for i in range(len(e.log)):
        a = e.log.actions[i]
        reward.append(e.log.rewards[i])
        weight.append(e.policy[i, a] / e.log.behaviour[i, a])
        expected.append(sum(e.policy[i, b] * e.model[i, b] for b in range(len(e.log.arms))))
        residual.append(e.log.rewards[i] - e.model[i, a])
    return map(np.array, (reward, weight, expected, residual))


def bare(name, e, v, lambda_=LAMBDA):
    """The estimator, from its definition, with round i counted v_i times."""
    r, w, x, d = parts(e)
    n = v.sum()
    return {
        "naive": lambda: (v * r).sum() / n,
        "ipw": lambda: (v * w * r).sum() / n,
        "clipped": lambda: (v * np.where(w > lambda_, lambda_, w) * r).sum() / n,
        "snipw": lambda: (v * w * r).sum() / (v * w).sum(),
        "dm": lambda: (v * x).sum() / n,
        "dr": lambda: (v * (x + w * d)).sum() / n,
        "dr clipped": lambda: (v * (x + np.where(w > lambda_, lambda_, w) * d)).sum() / n,
        "sndr": lambda: (v * x).sum() / n + (v * w * d).sum() / (v * w).sum(),
        "switch-dr": lambda: (v * (x + np.where(w <= lambda_, w, 0) * d)).sum() / n,
        "dr-os": lambda: (v * (x + lambda_ * w / (w**2 + lambda_) * d)).sum() / n,
    }[name]()


OURS = {
    "naive": naive,
    "ipw": ipw,
    "clipped": partial(ipw, lambda_=LAMBDA),
    "snipw": snipw,
    "dm": dm,
    "dr": dr,
    "dr clipped": partial(dr, lambda_=LAMBDA),
    "sndr": sndr,
    "switch-dr": partial(switch_dr, lambda_=LAMBDA),
    "dr-os": partial(dr_os, lambda_=LAMBDA),
}
RATIOS, UNWEIGHTED = {"snipw", "sndr"}, {"naive", "dm"}
every = pytest.mark.parametrize("name", list(OURS))


def near(found, want, e):
    """To 1e-12 of the largest term."""
    scale = max(1.0, np.abs(e.weights).max()) * max(1.0, np.abs(e.log.rewards).max(), np.abs(e.model).max())
    assert np.max(np.abs(np.asarray(found) - want)) <= 1e-12 * scale


def kept(name, e):
    """Whatever weighs needs a weight; ratios need one that is not tiny."""
    assume(name in UNWEIGHTED or e.mean_weight > (1e-3 if name in RATIOS else 0))


@every
@given(e=logs)
def test_the_estimator_is_its_formula(name, e):
    kept(name, e)
    near(OURS[name](e).value, bare(name, e, np.ones(len(e.log))), e)


@every
@settings(max_examples=30)
@given(e=logs)
def test_the_influence_is_the_derivative_in_the_frequency_of_a_round(name, e):
    kept(name, e)
    n, step = len(e.log), 1e-30
    slopes = [bare(name, e, np.ones(n) + 1j * step * (np.arange(n) == i)).imag / step for i in range(n)]
    ratio = 1 / min(1, e.weights.mean()) ** 2 if name in RATIOS else 1
    near(OURS[name](e).influence / ratio, n * np.array(slopes) / ratio, e)


@every
@settings(max_examples=30)
@given(e=logs)
def test_the_influence_is_what_leaving_a_round_out_changes(name, e):
    """The jackknife: (n - 1)(V - V without i) = psi_i of a mean; of a ratio, that times (n-1) mean(w)/(sum w - w_i)."""
    n = len(e.log)
    least = -1 if name in UNWEIGHTED else 1e-2 if name in RATIOS else 0
    assume(n > 1 and (e.weights.sum() - e.weights).min() > least)
    whole = OURS[name](e)
    without = []
    for i in range(n):
        rows = np.delete(np.arange(n), i)
        without.append(OURS[name](Evaluation.of(e.log.take(rows), e.policy[rows], e.model[rows])).value)
    plain, normalised = whole.influence, np.zeros(n)
    if name in RATIOS:
        plain, normalised = whole.influence - whole.normalised, whole.normalised
    left = e.weights.sum() - e.weights
    foreseen = plain / (n - 1) + (normalised * e.weights.mean() / left if name in RATIOS else 0)
    worst = max(1.0, 1 / left.min()) if name in RATIOS else 1.0
    near((whole.value - np.array(without)) / worst, foreseen / worst, e)


@every
@given(e=logs)
def test_influences_sum_to_nothing_and_give_the_standard_error(name, e):
    kept(name, e)
    found = OURS[name](e)
    n = len(e.log)
    near(found.influence.mean() * min(1, e.weights.mean() if name in RATIOS else 1), 0, e)
    if n == 1:
        assert found.standard_error == inf
    else:
        assert found.standard_error == pytest.approx(np.sqrt((found.influence**2).sum() / (n - 1) / n), rel=1e-12)


@given(logs)
def test_dr_with_a_model_of_nothing_is_ipw(e):
    kept("dr", e)
    none = Evaluation.of(e.log, e.policy, np.zeros(e.policy.shape))
    near(dr(none).value, ipw(e).value, e)
    near(dr(none, LAMBDA).value, ipw(e, LAMBDA).value, e)
    near(dm(none).value, 0, e)


@given(covered)
def test_switching_always_is_dm(e):
    assert (e.weights > 0).all()
    near(switch_dr(e, 0).value, dm(e).value, e)


@given(logs)
def test_where_no_weight_counts_the_rest_is_dm_and_where_all_do_dr(e):
    kept("dr", e)
    near(dr_os(e, 0).value, dm(e).value, e)
    near(dr(e, 0).value, dm(e).value, e)
    near(switch_dr(e, inf).value, dr(e).value, e)
    near(dr_os(e, inf).value, dr(e).value, e)
    near(switch_dr(e, e.weights.max()).value, dr(e).value, e)
    near(ipw(e, 0).value, 0, e)


@given(logs)
def test_the_policy_that_was_followed_is_worth_the_mean_reward(e):
    same = Evaluation.of(e.log, e.log.behaviour, e.model)
    for estimator in (ipw, snipw, naive):
        near(estimator(same).value, e.log.rewards.mean(), e)
    near(sndr(same).value, dr(same).value, e)


@given(logs)
def test_self_normalised_values_stay_inside_the_rewards(e):
    kept("snipw", e)
    seen = e.log.rewards[e.weights > 0]
    assert seen.min() - 1e-9 <= snipw(e).value <= seen.max() + 1e-9


@given(logs, st.floats(-100, 100))
def test_rewards_that_never_vary_are_the_self_normalised_value(e, constant):
    kept("snipw", e)
    found = snipw(Evaluation.of(replace(e.log, rewards=np.full(len(e.log), constant)), e.policy))
    assert found.value == pytest.approx(constant, rel=1e-12, abs=1e-12)
    assert found.influence == pytest.approx(0, abs=1e-9)


@given(logs)
def test_with_a_model_that_foresees_all_the_family_agrees(e):
    exact = replace(e.log, rewards=e.model[np.arange(len(e.log)), e.log.actions])
    seen = Evaluation.of(exact, e.policy, e.model)
    kept("sndr", seen)
    for name in ("dr", "dr clipped", "sndr", "switch-dr", "dr-os"):
        near(OURS[name](seen).value, dm(seen).value, e)


@given(logs)
def test_propensities_and_the_behaviour_policy_say_the_same(e):
    kept("ipw", e)
    for log in (replace(e.log, behaviour=None), replace(e.log, propensities=None)):
        assert ipw(Evaluation.of(log, e.policy)).value == ipw(e).value


def test_a_policy_or_model_of_one_row_is_that_in_every_round():
    e = made(20, 3, 1)
    row, model = np.array([0.2, 0.0, 0.8]), np.array([1.0, 2.0, 3.0])
    short = Evaluation.of(e.log, row, model)
    long = Evaluation.of(e.log, np.tile(row, (20, 1)), np.tile(model, (20, 1)))
    for estimator in OURS.values():
        assert estimator(short).value == pytest.approx(estimator(long).value, rel=1e-14)


def test_groups_make_the_standard_error_that_of_their_sums():
    e = made(12, 3, 2)
    groups = np.repeat(np.arange(4), 3)
    whole = dr(Evaluation.of(replace(e.log, clusters=groups), e.policy, e.model))
    sums = dr(e).influence.reshape(4, 3).sum(1)
    assert whole.value == dr(e).value
    assert whole.standard_error == pytest.approx(np.sqrt((sums**2).sum() * 4 / 3) / 12)


@pytest.mark.parametrize("name", [name for name in OURS if name not in {"naive", "dm"}])
def test_without_propensities_weighting_says_how_to_get_them(name):
    e = made(10, 3, 3)
    unknown = Evaluation.of(replace(e.log, propensities=None, behaviour=None), e.policy, e.model)
    with pytest.raises(NotApplicable, match=r"no propensities.*fit_propensities"):
        OURS[name](unknown)
    naive(unknown), dm(unknown)


@pytest.mark.parametrize("name", ["dm", "dr", "dr clipped", "sndr", "switch-dr", "dr-os"])
def test_without_a_reward_model_the_family_says_how_to_get_one(name):
    e = made(10, 3, 3)
    with pytest.raises(NotApplicable, match=r"needs a reward model.*fit_rewards"):
        OURS[name](Evaluation.of(e.log, e.policy))


@pytest.mark.parametrize("estimator", [ipw, dr, switch_dr, dr_os])
@pytest.mark.parametrize("lambda_", [-1e-9, -inf, nan])
def test_a_lambda_below_nought_is_refused(estimator, lambda_):
    with pytest.raises(NotApplicable, match="lambda_ must be at least 0"):
        estimator(made(10, 3, 3), lambda_=lambda_)


@pytest.mark.parametrize("estimator", [ipw, snipw, dr, sndr, switch_dr, dr_os])
def test_without_any_overlap_weighting_refuses(estimator):
    """A sum of nothing is 0 with an error of 0: the surest answer from the least evidence."""
    e = made(10, 3, 3)
    other = np.eye(3)[(e.log.actions + 1) % 3]
    with pytest.raises(NotApplicable, match="no logged action has a chance"):
        estimator(Evaluation.of(e.log, other, e.model))


@pytest.mark.parametrize(
    ("policy", "model", "match"),
    [
        (np.full((9, 3), 1 / 3), None, r"has that shape, not \(9, 3\)"),
        (np.full(4, 1 / 4), None, r"has that shape, not \(4,\)"),
        ([0.5, 0.6, -0.1], None, "must be a distribution"),
        ([0.5, 0.6, 0.1], None, "must be a distribution"),
        ([nan, 0.5, 0.5], None, "must be a distribution"),
        ([0.5, 0.5, 0], np.zeros((10, 2)), r"has that shape, not \(10, 2\)"),
        ([0.5, 0.5, 0], np.zeros(10), r"has that shape, not \(10,\)"),
        ([0.5, 0.5, 0], [nan, 0, 0], "must be finite"),
    ],
)
def test_policies_and_models_that_do_not_fit_are_refused(policy, model, match):
    with pytest.raises(NotApplicable, match=match):
        Evaluation.of(made(10, 3, 3).log, policy, model)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"actions": np.zeros(9, dtype=int)}, r"actions have shape \(9,\)"),
        ({"actions": np.full(10, 3)}, "actions must be indices"),
        ({"actions": np.full(10, -1)}, "actions must be indices"),
        ({"rewards": np.full(10, nan)}, "finite rewards"),
        ({"propensities": np.zeros(10)}, "propensities of 0 in rounds"),
        ({"propensities": np.full(10, 1.1)}, "must be probabilities"),
        ({"propensities": np.full(10, nan)}, "must be probabilities"),
        ({"behaviour": np.full((10, 2), 0.5)}, r"behaviour have shape \(10, 2\)"),
        ({"contexts": np.zeros(10)}, "one row for each of 10 rounds"),
        ({"clusters": np.zeros(11, dtype=int)}, "clusters have shape"),
    ],
)
def test_logs_that_make_no_sense_are_refused(change, match):
    with pytest.raises(NotApplicable, match=match):
        replace(made(10, 3, 3).log, **change)


def test_a_behaviour_policy_that_excludes_what_was_done_is_refused():
    e = made(10, 3, 3)
    excluded = np.eye(3)[(e.log.actions + 1) % 3]
    with pytest.raises(NotApplicable, match="gives it 0 in rounds"):
        ipw(Evaluation.of(replace(e.log, propensities=None, behaviour=excluded), e.policy))
