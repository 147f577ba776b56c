"""Sharp bounds of the marginal sensitivity model: known answers by linear programming, laws, and coverage."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.doubly_robust import dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.marginal_sensitivity import _boxes, _extremes, breaking_gamma
from ifonly.scm.policy.sharp_sensitivity import _scores, sharp_bounds, sharp_breaking_gamma

N = 20_000
"""Rounds of a population: all shares below are whole numbers of these."""
TOLERANCE = 2e-3
"""What rounding of drawn shares to N rounds does to bounds, at most."""


def by_programming(chances, laws, policy, values, gamma, sign):
    """The extreme of V in one context, over every joint law of potential rewards and choice.

    q[a, y_1..y_K] = P(A = a, Y(1..K) = y) are the unknowns: their margins (a, y_a) are what the log shows, and the odds
    of each arm given all potential rewards are within Gamma of those that the log tells. Potential rewards stand for
    any hidden cause: the mean of a chance over what is beyond them lies within the same odds.
    """
    arms = len(chances)
    worlds = list(product(range(len(values)), repeat=arms))
    index = {key: n for n, key in enumerate(product(range(arms), range(len(worlds))))}
    worth = [-sign * sum(policy[b] * values[world[b]] for b in range(arms)) for _ in range(arms) for world in worlds]
    equal, equals, under = [], [], []
    for a, y in product(range(arms), range(len(values))):
        row = np.zeros(len(index))
        row[[index[a, n] for n, world in enumerate(worlds) if world[a] == y]] = 1
        equal.append(row)
        equals.append(chances[a] * laws[a][y])
    for (a, n), place in index.items():
        odds = chances[a] / (1 - chances[a])
        for factor, side in ((gamma * odds, 1), (odds / gamma, -1)):
            row = np.zeros(len(index))
            row[place] = side
            row[[index[b, n] for b in range(arms) if b != a]] = -side * factor
            under.append(row)
    found = linprog(worth, under, np.zeros(len(under)), equal, equals, method="highs")
    assert found.status == 0
    return -sign * found.fun


def population(shares, chances, laws, values):
    """A log that is the law itself, up to rounding: shares of contexts, chances of arms, laws of rewards."""
    counts = {
        (x, a, y): round(N * shares[x] * chances[x][a] * laws[x][a][y])
        for x, a, y in product(range(len(shares)), range(len(chances[0])), range(len(values)))
    }
    x, a, y = (np.repeat([key[n] for key in counts], list(counts.values())) for n in range(3))
    arms = tuple(f"arm {n}" for n in range(len(chances[0])))
    model = np.asarray(laws) @ np.asarray(values)
    log = Logged(a.astype(np.intp), np.asarray(values, float)[y], arms, np.asarray(chances)[x, a])
    return log, model[x], x


CHANCES = {2: [[0.3, 0.7], [0.6, 0.4]], 3: [[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]}
BINARY = {2: [[[0.8, 0.2], [0.3, 0.7]], [[0.5, 0.5], [0.05, 0.95]]]}
BINARY[3] = [[*rows, [0.6, 0.4]] for rows in BINARY[2]]
ONE = {2: [[1.0, 0.0], [0.0, 1.0]], 3: [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]}
MIXED = {2: [[0.3, 0.7], [0.9, 0.1]], 3: [[0.3, 0.5, 0.2], [0.2, 0.2, 0.6]]}


@pytest.mark.parametrize("gamma", [1.0, 1.3, 2.0, 6.0])
@pytest.mark.parametrize(
    ("arms", "policy", "sharp"), [(2, ONE, True), (2, MIXED, True), (3, ONE, True), (3, MIXED, False)]
)
def test_they_are_the_extremes_over_all_worlds(arms, policy, sharp, gamma):
    """Binary rewards: no world of the model lies outside, and, but for mixtures of three arms, some lies at the end."""
    shares = [0.4, 0.6]
    log, model, x = population(shares, CHANCES[arms], BINARY[arms], [0.0, 1.0])
    evaluation = Evaluation.of(log, np.asarray(policy[arms])[x], model)
    for sign in (-1, 1):
        truth = sum(
            share * by_programming(CHANCES[arms][n], BINARY[arms][n], policy[arms][n], [0.0, 1.0], gamma, sign)
            for n, share in enumerate(shares)
        )
        told = float(_scores(evaluation, gamma, sign).mean())
        assert sign * (told - truth) >= -1e-6
        if sharp:
            assert told == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize("sign", [-1, 1])
def test_rewards_of_many_values(sign):
    """Sharp where what the model leaves has one law for an arm; elsewhere wider than sharp, and never narrower."""
    shares, gamma, policy = [0.5, 0.5], 2.0, ONE[2]
    values = [0.0, 1.0, 2.0, 3.0]
    alike = [[[0.2, 0.5, 0.3, 0.0]] * 2, [[0.0, 0.2, 0.5, 0.3]] * 2]
    unlike = [[[0.2, 0.5, 0.3, 0.0]] * 2, [[0.0, 0.05, 0.05, 0.9]] * 2]
    for laws, exact in ((alike, True), (unlike, False)):
        log, model, x = population(shares, CHANCES[2], laws, values)
        evaluation = Evaluation.of(log, np.asarray(policy)[x], model)
        truth = sum(
            share * by_programming(CHANCES[2][n], laws[n], policy[n], values, gamma, sign)
            for n, share in enumerate(shares)
        )
        told = float(_scores(evaluation, gamma, sign).mean())
        assert sign * (told - truth) >= -1e-6
        assert not exact or told == pytest.approx(truth, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1.0, 8.0), st.booleans())
def test_valid_bounds_contain_sharp_ones_and_a_wrong_model_only_widens(seed, gamma, mixed):
    generator = np.random.default_rng(seed)
    shares, chances = generator.dirichlet([2.0, 2.0]), generator.dirichlet([2.0, 2.0], size=2) * 0.9 + 0.05
    laws = generator.dirichlet([1.0, 1.0], size=(2, 2))
    log, model, x = population(shares, chances, laws, [0.0, 1.0])
    policy = generator.dirichlet([1.0, 1.0], size=2) if mixed else np.eye(2)[generator.integers(2, size=2)]
    evaluation = Evaluation.of(log, policy[x], model)
    low, high = (float(_scores(evaluation, gamma, sign).mean()) for sign in (-1, 1))
    widest = _extremes(*_boxes(evaluation, gamma))
    assert widest[0] - TOLERANCE <= low <= high + 1e-12
    assert high <= widest[1] + TOLERANCE
    wrong = Evaluation.of(log, policy[x], generator.random((2, 2))[x])
    assert float(_scores(wrong, gamma, -1).mean()) <= low + TOLERANCE
    assert float(_scores(wrong, gamma, 1).mean()) >= high - TOLERANCE


def test_a_factor_of_one_is_doubly_robust():
    log, model, x = population([0.4, 0.6], CHANCES[2], BINARY[2], [0.0, 1.0])
    evaluation = Evaluation.of(log, np.asarray(MIXED[2])[x], model)
    bounds, plain = sharp_bounds(evaluation, 1.0, 0.0, 1.0), dr(evaluation).estimate()
    assert (bounds.low, bounds.high) == pytest.approx((plain.low, plain.high), abs=1e-6)
    assert bounds.identified == "bounds"


def test_contexts_make_the_breaking_factor_larger():
    """Rewards follow the context alone: within one nothing can be hidden, while weights out of balance move much."""
    laws = [[[1.0, 0.0]] * 2, [[0.0, 1.0]] * 2]
    log, model, x = population([0.5, 0.5], [[0.5, 0.5]] * 2, laws, [0.0, 1.0])
    evaluation = Evaluation.of(log, [1.0, 0.0], model)
    assert sharp_breaking_gamma(evaluation, 0.45) == float("inf")
    assert breaking_gamma(evaluation, 0.45) < 1.3
    assert x.mean() == pytest.approx(0.5, abs=1e-3)
    log, model, x = population([1.0], [[0.5, 0.5]], [[[0.5, 0.5]] * 2], [0.0, 1.0])
    # e p + (1 - e) p / Gamma = .375 at Gamma = 2.
    assert sharp_breaking_gamma(Evaluation.of(log, [1.0, 0.0], model), 0.375) == pytest.approx(2.0, rel=1e-3)
    assert sharp_breaking_gamma(Evaluation.of(log, [1.0, 0.0], model), 0.5) == 1.0


def test_what_they_need():
    log, model, _ = population([1.0], [[0.5, 0.5]], [[[0.5, 0.5]] * 2], [0.0, 1.0])
    with pytest.raises(NotApplicable, match="reward model"):
        sharp_bounds(Evaluation.of(log, [1.0, 0.0]), 2.0, 0.0, 1.0)
    with pytest.raises(NotApplicable, match="at least 1"):
        sharp_bounds(Evaluation.of(log, [1.0, 0.0], model), 0.5, 0.0, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("fitted", [False, True])
def test_limits_cover_the_end_of_the_bounds(fitted):
    """1,000 logs of 400 rounds, the truth being the sharp lower bound: fewer than 915 covered has P < 1e-5 at 95 %.

    Two contexts, e = .5; P(R = 1 | x, a) = .3 and .8. At Gamma = 2 the arm is worth .5 p + .5 max(p / 2, 1 - 2 (1 - p))
    in the worst world: .225 and .7, on average .4625. More than 985 would say that limits are too
    wide. Once with the right model, once with the means of the same log.
    """
    covered = 0
    for seed in range(1_000):
        generator = np.random.default_rng(seed)
        x, a = (generator.random(400) < 0.5).astype(int), (generator.random(400) < 0.5).astype(np.intp)
        rewards = (generator.random(400) < np.where(x, 0.8, 0.3)).astype(float)
        mean = np.array([[rewards[(x == c) & (a == b)].mean() for b in range(2)] for c in range(2)])
        model = mean[x] if fitted else np.array([[0.3, 0.3], [0.8, 0.8]])[x]
        log = Logged(a, rewards, ("a", "b"), np.full(400, 0.5))
        bounds = sharp_bounds(Evaluation.of(log, [1.0, 0.0], model), 2.0, 0.0, 1.0)
        covered += bounds.low <= 0.4625 <= bounds.high
    assert 915 <= covered <= 985
