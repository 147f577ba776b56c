"""Gumbel-max in closed form: rows, chains, couplings and bounds, against each other and against sampling."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from ifonly.scm.actions import Put
from ifonly.scm.chains import GumbelChain, alias_table
from ifonly.scm.couplings import bounds, choice_estimates, inverse_cdf, stable_bounds
from ifonly.scm.discrete import GumbelMax
from ifonly.scm.draw import Draw
from ifonly.scm.errors import ImpossibleEvidence
from ifonly.scm.gumbel import transition
from ifonly.scm.kernel import endogenous
from ifonly.scm.queries import counterfactual


def laws(options, count, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(options), size=count)


def test_rows_are_laws_and_mix_to_the_changed_law():
    p, q = laws(6, 50), laws(6, 50, seed=1)
    matrix = transition(p, q)
    assert matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(-1), 1, atol=1e-12)
    np.testing.assert_allclose(np.einsum("ni,nij->nj", p, matrix), q, atol=1e-12)


def test_no_change_is_the_identity_exactly():
    p = laws(5, 20)
    assert (transition(p, p) == np.eye(5)).all()


def test_one_option():
    assert transition([1.0], [1.0]).tolist() == [[1.0]]


def test_zeros_and_ties():
    p, q = [0.5, 0.25, 0.25, 0.0], [0.0, 0.25, 0.25, 0.5]
    matrix = transition(p, q)
    # Options 1 and 2 keep their odds against each other, lose to 3, and never to 0, which cannot be taken. Option 3
    # runs from time 0 at rate .5, they from T ~ Exp(1) at rate .25: it loses with probability E[exp(-T / 2)] / 2 = 1/3.
    np.testing.assert_allclose(matrix[0], [0, 1 / 6, 1 / 6, 2 / 3], atol=1e-15)
    assert matrix[1, 2] == matrix[2, 1] == matrix[1, 0] == 0.0
    np.testing.assert_allclose(matrix[1], [0, 2 / 3, 0, 1 / 3], atol=1e-15)
    assert np.isnan(matrix[3]).all()


def test_tiny_probabilities_do_not_overflow():
    matrix = transition([0.5, 0.5, 0.0], [1e-320, 0.5, 0.5])
    np.testing.assert_allclose(matrix[0].sum(), 1, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_bounds_are_the_linear_program_over_all_couplings(seed):
    p, q = laws(3, 2, seed)
    low, high = bounds(p, q)
    cells = np.arange(9).reshape(3, 3)
    marginals = np.stack([np.isin(cells, line).ravel() for line in (*cells, *cells.T)]).astype(float)
    for i, j in product(range(3), repeat=2):
        target = np.eye(9)[cells[i, j]]
        solved = [linprog(sign * target, A_eq=marginals, b_eq=[*p, *q]).fun * sign / p[i] for sign in (1, -1)]
        np.testing.assert_allclose([low[i, j], high[i, j]], solved, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_points_lie_in_their_bounds(seed):
    p, q = laws(4, 2, seed)
    low, high = bounds(p, q)
    stable_low, stable_high = stable_bounds(p, q)
    point = transition(p, q)
    assert ((low - 1e-9 <= stable_low) & (stable_high <= high + 1e-9)).all()
    assert ((stable_low - 1e-9 <= point) & (point <= stable_high + 1e-9)).all()
    other = inverse_cdf(p, q)
    assert ((low - 1e-12 <= other) & (other <= high + 1e-12)).all()
    np.testing.assert_allclose(p @ other, q, atol=1e-12)


def test_bounds_of_impossible_rows_are_not_numbers():
    low, high = bounds([0.0, 1.0], [0.5, 0.5])
    assert np.isnan(low[0]).all()
    assert high[1].tolist() == [0.5, 0.5]
    assert np.isnan(stable_bounds([0.0, 1.0], [0.5, 0.5])[0][0]).all()
    assert np.isnan(inverse_cdf([0.0, 1.0], [0.5, 0.5])[0]).all()


RECORD = np.array([[0, 1, 2, 2, 0, 1], [2, 2, 1, 0, 0, 2], [1, 1, 1, 1, 1, 1]])
P, Q = laws(3, 3), laws(3, 3, seed=7)


def test_chain_without_change_is_the_record():
    marginals = GumbelChain(P, P).marginals(RECORD, {})
    assert (marginals == np.eye(3)[RECORD]).all()


def test_chain_agrees_with_paths_by_hand():
    """Marginals from the sum over all paths of the products of their rows."""
    chain, record = GumbelChain(P, Q), RECORD[:1]
    marginals = chain.marginals(record, {1: 2})
    expected = np.zeros((6, 3))
    for path in product(range(3), repeat=6):
        if path[0] == record[0, 0] and path[1] == 2:
            mass = 1.0
            for t in range(2, 6):
                row = transition(P[record[0, t - 1]], Q[path[t - 1]])[record[0, t]]
                mass *= row[path[t]]
            for t, state in enumerate(path):
                expected[t, state] += mass
    np.testing.assert_allclose(marginals[0], expected, atol=1e-12)


def test_chain_samples_have_the_exact_marginals():
    """Largest of 54 errors, each beyond 5.2 standard errors with probability 2e-7."""
    chain, draws, held = GumbelChain(P, Q), 200_000, {2: 1}
    marginals, sample = chain.marginals(RECORD, held), chain.sample(RECORD, held, draws, Draw(3))
    assert sample.shape == (draws, 3, 6)
    for state in range(3):
        share, exact = (sample == state).mean(0), marginals[..., state]
        assert (np.abs(share - exact) <= 5.2 * np.sqrt(exact * (1 - exact) / draws) + 1e-12).all()


def test_chain_agrees_with_top_down_noise_through_the_kernel():
    """The same trajectories as a world of Gumbel-max sites; false-failure rate below 1e-5 over all entries."""
    old, new, draws = torch.from_numpy(P).log(), torch.from_numpy(Q).log(), 100_000
    step = GumbelMax(lambda state, law: torch.where(law.bool().unsqueeze(-1), new[state], old[state]))

    def world():
        law = endogenous("law", GumbelMax(lambda: torch.tensor([0.0, -torch.inf])))
        state = endogenous("s/0", GumbelMax(lambda: torch.zeros(3)))
        for t in range(1, 6):
            state = endogenous(f"s/{t}", step, state, law)

    facts = {f"s/{t}": torch.tensor(int(state)) for t, state in enumerate(RECORD[0])}
    twin = counterfactual(world, facts, {"law": Put(torch.tensor(1)), "s/2": Put(torch.tensor(1))}, particles=draws)
    exact = GumbelChain(P, Q).marginals(RECORD[:1], {2: 1})[0]
    for t in range(6):
        states = torch.as_tensor(twin[f"s/{t}"]).expand(draws)
        for state in range(3):
            p = exact[t, state]
            share = float((states == state).double().mean())
            assert abs(share - p) <= 5.2 * np.sqrt(p * (1 - p) / draws) + 1e-9


def test_chain_refuses_an_impossible_record():
    chain = GumbelChain(np.array([[0.5, 0.5], [0.0, 1.0]]), np.full((2, 2), 0.5))
    with pytest.raises(ImpossibleEvidence, match=r"record 0, time 2.*1 -> 0"):
        chain.marginals(np.array([[0, 1, 0]]), {})


def test_alias_tables_hold_their_laws():
    rows = np.concatenate([laws(5, 20), np.eye(5)])
    keep, alias = alias_table(rows)
    mass = keep / 5
    for k in range(5):
        np.add.at(mass, (np.arange(len(rows)), alias[:, k]), (1 - keep[:, k]) / 5)
    np.testing.assert_allclose(mass, rows, atol=1e-14)


def test_bounds_stand_beside_each_point():
    stay, second, third = choice_estimates([0.7, 0.2, 0.1], [0.6, 0.3, 0.1], 0)
    assert (stay.low, stay.value, stay.high) == pytest.approx((3 / 7, 6 / 7, 6 / 7))
    assert (second.low, second.high) == pytest.approx((0, 3 / 7))
    assert second.value == pytest.approx(0.12987012987012972)
    assert third.noise == "gumbel-max"
    assert third.identified == "assumed"
    with pytest.raises(ImpossibleEvidence, match="probability 0"):
        choice_estimates([0.0, 1.0], [0.5, 0.5], 0)
