"""Credit in a chain of choices, against the sum over all faults and all changed runs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.scm.contamination import Contamination, moves
from ifonly.scm.credit_chain import CreditChain, decisive_step, flip_set

STEPS, OPTIONS, STATES = 3, 3, 4


def drawn(seed, family):
    """A random chain whose logged run passes state 0 of every step, with laws by step and state."""
    generator = np.random.default_rng(seed)
    sizes = [1] + [STATES] * STEPS
    taken = generator.integers(OPTIONS, size=STEPS)
    following = []
    for k in range(STEPS):
        rows = generator.integers(sizes[k + 1], size=(sizes[k], OPTIONS))
        rows[0, taken[k]] = 0
        following.append(rows)
    laws = [generator.dirichlet(np.ones(OPTIONS), size=size) for size in sizes[:-1]]
    other = [generator.dirichlet(np.ones(OPTIONS), size=size) for size in sizes[:-1]]
    success = generator.integers(2, size=STATES).astype(float)
    ratios = generator.exponential(size=STEPS) * 2
    contamination = Contamination(family, 0.3, (1.0,))
    chain = CreditChain(tuple(following), tuple(taken.tolist()), success, contamination.hazards(ratios))
    return chain, laws, other, contamination, ratios


def fault_sets(contamination, ratios):
    """Every set of steps at fault with its posterior weight."""
    weights = {}
    for faulty in product((False, True), repeat=STEPS):
        own = np.prod([ratio for ratio, hit in zip(ratios, faulty, strict=True) if hit])
        if contamination.family == "independent":
            weights[faulty] = own * np.prod([contamination.rate if hit else 1 - contamination.rate for hit in faulty])
        elif sum(faulty) <= 1:
            weights[faulty] = own * (contamination.rate / STEPS if any(faulty) else 1 - contamination.rate)
    total = sum(weights.values())
    return {faulty: weight / total for faulty, weight in weights.items()}


def summed(chain, matrices, posterior, start, put):
    """P(success) by every fault set and every run of options; what comes before `start` is held."""
    result = 0.0
    for faulty, weight in posterior.items():
        for run in product(range(OPTIONS), repeat=STEPS):
            chance, state = weight, 0
            for k, option in enumerate(run):
                if k in put:
                    chance *= option == put[k]
                elif k < start or faulty[k]:
                    chance *= option == chain.taken[k]
                else:
                    chance *= matrices[k][state, option]
                state = chain.following[k][state, option]
            result += chance * chain.success[state]
    return result


def matrices_of(chain, laws, changed):
    return [moves(law[0], new, taken) for law, new, taken in zip(laws, changed, chain.taken, strict=True)]


@pytest.mark.parametrize("family", ["independent", "single"])
@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_against_the_sum_over_all_runs(family, seed):
    chain, laws, other, contamination, ratios = drawn(seed, family)
    posterior = fault_sets(contamination, ratios)
    own, swapped = matrices_of(chain, laws, laws), matrices_of(chain, laws, other)
    options = chain.of_options(chain.values(own))
    swaps = chain.from_steps(chain.values(swapped))
    for k in range(STEPS):
        assert swaps[k] == pytest.approx(summed(chain, swapped, posterior, k, {}), abs=1e-12)
        for option in range(OPTIONS):
            assert options[k, option] == pytest.approx(summed(chain, own, posterior, k, {k: option}), abs=1e-12)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_doing_what_was_done_changes_nothing(seed):
    chain, laws, _, _, _ = drawn(seed, "single")
    options = chain.of_options(chain.values(matrices_of(chain, laws, laws)))
    np.testing.assert_allclose(options[np.arange(STEPS), chain.taken], chain.success[0], atol=1e-15)


def test_flip_sets_and_decisive_steps():
    flips = np.array([0.05, 0.4, 0.8, 0.6])
    members, false = flip_set(flips, 0.1)
    assert members == (1, 2, 3)
    assert false == pytest.approx(0.4)
    assert flip_set(flips, 0.9) == ((), 0.0)
    assert decisive_step(flips) == 2
    assert decisive_step(np.array([0.1, 0.3, 0.3])) == 1
    assert decisive_step(np.zeros(3)) is None
