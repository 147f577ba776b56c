"""Values of runs of several choices: a small world whose every run can be listed, identities, and coverage."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.fitted_q import fit_q, fqe
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.sequence_support import sequence_support
from ifonly.scm.policy.sequence_weighting import naive_return, pdis, snpdis, sntis, tis
from ifonly.scm.policy.sequences import SequenceEvaluation, Sequences
from ifonly.scm.policy.sequential_dr import sequential_dr
from ifonly.scm.policy.weighting import ipw, snipw

ARMS = ("a", "b")
STEPS, DISCOUNT = 3, 0.9
START = np.array([0.6, 0.4])
# P(next | state, action), mean reward, and policies: two states, two arms; a run ends after arm b in state 1.
MOVES = np.array([[[0.8, 0.2], [0.3, 0.7]], [[0.5, 0.5], [0.1, 0.9]]])
REWARD = np.array([[1.0, 0.2], [0.0, 2.0]])
LOGGING = np.array([[0.7, 0.3], [0.4, 0.6]])
TARGET = np.array([[0.2, 0.8], [0.9, 0.1]])
CERTAIN = np.array([[0.0, 1.0], [1.0, 0.0]])


def ends(state, arm):
    return state == 1 and arm == 1


def planned(policy):
    """q_t(s, a) and the value, by dynamic programming."""
    q, value = np.zeros((STEPS, 2, 2)), np.zeros(2)
    for t in reversed(range(STEPS)):
        for s, a in product(range(2), range(2)):
            q[t, s, a] = REWARD[s, a] + (0 if ends(s, a) else DISCOUNT * MOVES[s, a] @ value)
        value = (policy * q[t]).sum(1)
    return q, float(START @ value)


def listed():
    """Every run of the world, each with its probability under the logging policy."""
    runs = [([s], [], START[s]) for s in range(2)]
    done = []
    for t in range(STEPS):
        grown = []
        for states, arms, mass in runs:
            for a in range(2):
                taken = mass * LOGGING[states[-1], a]
                if ends(states[-1], a) or t == STEPS - 1:
                    done.append((states, [*arms, a], taken))
                else:
                    grown += [([*states, s], [*arms, a], taken * MOVES[states[-1], a, s]) for s in range(2)]
        runs = grown
    return done


def log_of(runs, clusters=None):
    return Sequences.of_runs(
        [arms for _, arms, *_ in runs],
        [[REWARD[s, a] for s, a in zip(states, arms, strict=True)] for states, arms, *_ in runs],
        [[LOGGING[s, a] for s, a in zip(states, arms, strict=True)] for states, arms, *_ in runs],
        ARMS,
        [np.eye(2)[states] for states, *_ in runs],
        clusters,
    )


def state_of(log):
    return log.states[..., 1].astype(int)


def under(log, policy, model=None):
    return SequenceEvaluation.of(log, policy[state_of(log)], DISCOUNT, model)


def model_of(log, q):
    return q[np.arange(STEPS), state_of(log)]


def drawn(seed, runs, policy=LOGGING):
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(runs):
        states, arms = [int(generator.random() < START[1])], []
        for t in range(STEPS):
            arms.append(int(generator.random() < policy[states[-1], 1]))
            if ends(states[-1], arms[-1]) or t == STEPS - 1:
                break
            states.append(int(generator.random() < MOVES[states[-1], arms[-1], 1]))
        made.append((states, arms))
    return made


@pytest.mark.parametrize("policy", [TARGET, CERTAIN, LOGGING])
@pytest.mark.parametrize("estimator", [tis, pdis, sequential_dr])
def test_the_expectation_over_all_runs_is_the_value_by_dynamic_programming(policy, estimator):
    runs = listed()
    mass = np.array([mass for *_, mass in runs])
    assert mass.sum() == pytest.approx(1)
    log = log_of(runs)
    wrong = model_of(log, planned(LOGGING)[0])  # of another policy
    found = estimator(under(log, policy, wrong))
    assert mass @ (found.value + found.influence) == pytest.approx(planned(policy)[1], abs=1e-12)


def test_the_mean_weight_is_one_at_every_step():
    """So the self-normalised values have the same limits as the others."""
    runs = listed()
    log = log_of(runs)
    evaluation = under(log, TARGET)
    mass = np.array([mass for *_, mass in runs])
    assert mass @ evaluation.weights == pytest.approx(np.ones(STEPS))
    assert mass @ (evaluation.weights * log.rewards) @ evaluation.discounts == pytest.approx(planned(TARGET)[1])


def test_the_right_model_leaves_no_variance_but_the_start_and_moves():
    """With deterministic moves and rewards and right q, every score is V(s_0): only the start varies."""
    still = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
    generator = np.random.default_rng(3)
    runs = []
    for _ in range(60):
        states, arms = [0], []
        for _ in range(STEPS):
            arms.append(int(generator.random() < LOGGING[states[-1], 1]))
            states.append(int(still[states[-1], arms[-1], 1]))
        runs.append((states[:-1], arms))
    log = log_of(runs)
    value, q = np.zeros(2), np.zeros((STEPS, 2, 2))
    for t in reversed(range(STEPS)):
        q[t] = REWARD + DISCOUNT * still @ value
        value = (TARGET * q[t]).sum(1)
    found = sequential_dr(under(log, TARGET, model_of(log, q)))
    assert found.value == pytest.approx(value[0], abs=1e-12)
    assert np.abs(found.influence).max() < 1e-12
    assert np.abs(pdis(under(log, TARGET)).influence).max() > 0.1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.booleans())
def test_doubly_robust_without_a_model_is_per_decision(seed, runs, grouped):
    log = log_of(drawn(seed, runs), np.arange(runs) // 2 if grouped else None)
    plain = under(log, TARGET)
    one, other = sequential_dr(replace(plain, model=np.zeros(plain.policy.shape))), pdis(plain)
    assert one.value == pytest.approx(other.value, abs=1e-12)
    assert one.influence == pytest.approx(other.influence, abs=1e-9)
    same = under(log, LOGGING)
    for estimator in (tis, pdis, sntis, snpdis):
        assert estimator(same).value == pytest.approx(naive_return(same).value)
    returns = log.rewards @ plain.discounts
    assert returns.min() - 1e-9 <= sntis(plain).value <= returns.max() + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_one_step_is_the_bandit(seed, rounds):
    generator = np.random.default_rng(seed)
    behaviour = generator.dirichlet([2.0, 2.0], size=rounds)
    actions = (generator.random(rounds) < behaviour[:, 1]).astype(np.intp)
    chances, rewards = behaviour[np.arange(rounds), actions], generator.normal(size=rounds)
    policy = generator.dirichlet([1.0, 1.0], size=rounds)
    bandit = Evaluation.of(Logged(actions, rewards, ARMS, chances), policy)
    log = Sequences.of_runs(actions[:, None], rewards[:, None], chances[:, None], ARMS)
    evaluation = SequenceEvaluation.of(log, policy[:, None])
    for one, other in ((tis, ipw), (pdis, ipw), (sntis, snipw), (snpdis, snipw)):
        assert one(evaluation).value == pytest.approx(other(bandit).value, abs=1e-10)
        assert one(evaluation).influence == pytest.approx(other(bandit).influence, abs=1e-8)


def test_fitted_q_finds_q_where_its_regression_can():
    """One-hot states and least squares on every run there is, in its proportion: q exact up to the count of copies."""
    runs = drawn(0, 20_000)
    log = log_of(runs)
    fitted = fit_q(under(log, TARGET), folds=2, estimator=LinearRegression())
    q, value = planned(TARGET)
    assert fitted.value == pytest.approx(value, abs=0.03)
    seen = log.mask
    assert fitted.model[seen] == pytest.approx(model_of(log, q)[seen], abs=0.1)
    assert (fitted.model[~seen] == 0).all()


def test_fitted_q_keeps_groups_whole_and_refuses_one():
    log = log_of(drawn(1, 40), np.arange(40) // 4)
    fitted = fit_q(under(log, TARGET), folds=5)
    assert all(len(set(fitted.folds[4 * g : 4 * g + 4])) == 1 for g in range(10))
    with pytest.raises(NotApplicable, match="1 group"):
        fit_q(under(log_of(drawn(1, 4), np.zeros(4, int)), TARGET))


def test_a_run_never_meets_the_model_it_is_corrected_with():
    """Changing the rewards of one run leaves its own cross-fitted model as it was."""
    log = log_of(drawn(2, 60))
    changed = log.rewards.copy()
    changed[7, 0] += 100
    one, other = (fit_q(under(one, TARGET)) for one in (log, replace(log, rewards=changed)))
    assert one.model[7] == pytest.approx(other.model[7])
    assert np.abs(one.model - other.model).max() > 1


def test_weights_of_ended_runs_stay():
    log = log_of([([1], [1]), ([0, 0, 1], [0, 0, 0])])
    weights = under(log, TARGET).weights
    assert weights[0].tolist() == pytest.approx([1 / 6] * 3)
    assert log.lengths.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rewards": [[0.0, 1.0]]}, "have shape"),
        ({"propensities": np.array([[0.5, 0.0, 1.0]])}, "step 1 of run 0"),
        ({"rewards": np.array([[0.0, 0.0, 1.0]])}, "earns nothing"),
        ({"actions": np.array([[0, 2, 0]])}, "indices"),
        ({"lengths": np.array([4])}, "between 1 and 3"),
    ],
)
def test_a_log_that_cannot_be_is_refused(change, says):
    whole = {
        "actions": np.zeros((1, 3), np.intp),
        "rewards": np.zeros((1, 3)),
        "propensities": np.ones((1, 3)),
        "arms": ARMS,
        "lengths": np.array([2]),
        "states": np.zeros((1, 3, 0)),
    }
    with pytest.raises(NotApplicable, match=says):
        Sequences(**(whole | {name: np.asarray(array) for name, array in change.items()}))


def test_no_matching_run_is_told():
    log = log_of([([0, 0, 0], [0, 0, 0])] * 3)
    evaluation = under(log, np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert evaluation.matching == 0
    with pytest.raises(NotApplicable, match="needs a model"):
        sequential_dr(evaluation)
    modelled = replace(evaluation, model=np.zeros(evaluation.policy.shape))
    for estimator in (tis, pdis, sntis, snpdis, sequential_dr):
        with pytest.raises(NotApplicable, match="what the policy might have taken"):
            estimator(modelled)


@pytest.mark.nightly
def test_intervals_of_runs_cover():
    """1,000 logs of 400 runs; a right 95 % interval fails the bound of 92 to 98 % with probability below 2e-5 (exact
    binomial), for each of five estimators; the naive mean, which estimates another policy, must fail it.
    """
    truth, held = planned(TARGET)[1], dict.fromkeys(("tis", "pdis", "sntis", "snpdis", "sequential dr", "fqe"), 0)
    naive = 0
    for seed in range(1_000):
        log = log_of(drawn(seed, 400))
        evaluation = under(log, TARGET)
        fitted = fit_q(evaluation, folds=5, estimator=LinearRegression())
        values = [tis(evaluation), pdis(evaluation), sntis(evaluation), snpdis(evaluation)]
        values += [sequential_dr(replace(evaluation, model=fitted.model)), fqe(evaluation, fitted)]
        for value in values:
            interval = value.estimate()
            held[value.estimator] += interval.low <= truth <= interval.high
        done = naive_return(evaluation).estimate()
        naive += done.low <= truth <= done.high
    assert all(920 <= count <= 980 for count in held.values()), held
    assert naive < 500


def test_support_of_runs():
    evaluation = under(log_of([([0, 0, 0], [0, 0, 0])] * 40), np.array([[0.5, 0.5], [0.5, 0.5]]))
    known = sequence_support(evaluation)
    assert (known.rounds, known.matching, known.verdict) == (40, 40, "none")
    assert known.never == {"b": pytest.approx(0.5)}
    assert known.untried == pytest.approx(0.5)
    log = log_of(drawn(0, 2_000))
    same, other = sequence_support(under(log, LOGGING)), sequence_support(under(log, TARGET))
    assert (same.verdict, same.effective, same.why) == ("fine", pytest.approx(2_000), "")
    assert same.effective > other.effective
    assert other.untried == 0
