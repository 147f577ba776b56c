"""Shapley credit: known answers, laws, sampling, causal orders, interactions."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations, permutations
from math import factorial, inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.scm.coalitions import coalitions, grow, interaction_values, on_sets, shapley_values
from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.games import Game, gains
from ifonly.scm.intervals import guarded_mean
from ifonly.scm.orders import asymmetric_shapley, exact_asymmetric, linear_extensions, sampled_asymmetric
from ifonly.scm.sequential import betting_interval
from ifonly.scm.shapley import exact_shapley, interactions, sampled_shapley, shapley

FILE = Path(__file__).resolve().parents[3] / "shared" / "known_answers.json"
ENTRIES = {
    entry["id"]: entry
    for entry in (json.loads(FILE.read_text()) if FILE.exists() else [])
    if entry["group"] == "credit assignment / Shapley"
}


def game_of(function, players):
    return Game(on_sets(function), players)


def credit_of(function, players):
    return exact_shapley(game_of(function, players))


def and_or(inputs=None):
    """All of the steps needed, or one; and what each alone would have changed in a run in which all succeeded."""
    rules = {"AND": lambda members: members.all(1), "OR": lambda members: members.any(1)}
    answer = {}
    for name, rule in rules.items():
        answer[name] = exact_shapley(Game(rule, 3))
        answer[f"butfor_{name}"] = rule(np.ones((1, 3), dtype=bool)) * 1 - rule(~np.eye(3, dtype=bool))
    return answer


SOLVED = {
    "shapley_glove": lambda: credit_of(lambda s: 0 in s and bool(s & {1, 2}), 3),
    "shapley_weighted_voting": lambda: credit_of(lambda s: sum((4, 3, 2, 1)[i] for i in s) >= 6, 4),
    "shapley_linear_model": lambda: exact_shapley(Game(lambda s: s @ (np.array([2, -1, 3]) * [1, 1, -2]), 3)),
    "shapley_and_or": and_or,
}


def test_every_known_answer_is_tested():
    assert set(ENTRIES) <= set(SOLVED)


@pytest.mark.parametrize("name", ENTRIES)
def test_known_answer(name):
    answer, entry = SOLVED[name](), ENTRIES[name]
    if not isinstance(answer, dict):
        answer, entry = {"phi": answer}, {**entry, "expected": {"phi": entry["expected"]}}
    assert set(answer) == set(entry["expected"])
    for key, expected in entry["expected"].items():
        np.testing.assert_allclose(answer[key], expected, rtol=0, atol=entry["tolerance"])


def test_glove_as_published():
    assert SOLVED["shapley_glove"]() == pytest.approx([4 / 6, 1 / 6, 1 / 6], abs=1e-12)


def by_orders(function, players, before=()):
    """The definition: the mean over all orders that respect the pairs, one after the other."""
    total, number = np.zeros(players), 0
    for order in permutations(range(players)):
        if any(order.index(i) > order.index(j) for i, j in before):
            continue
        number += 1
        for place, player in enumerate(order):
            total[player] += function(frozenset(order[: place + 1])) - function(frozenset(order[:place]))
    return total / number, number


def table_function(table, players):
    """The set function of a table, player 0 the most significant bit."""
    return lambda s: table[sum(2 ** (players - 1 - i) for i in s)]


values = st.integers(-10, 10)
tables = st.integers(1, 5).flatmap(lambda n: st.lists(values, min_size=2**n, max_size=2**n).map(np.array))


@settings(max_examples=50, deadline=None)
@given(tables)
def test_laws_of_shapley(table):
    players = len(table).bit_length() - 1
    credit, members = shapley_values(table), coalitions(players)
    assert credit.sum() == pytest.approx(table[-1] - table[0])  # efficiency
    assert credit == pytest.approx(by_orders(table_function(table, players), players)[0])
    # Linearity: k worlds at once are each their own, and their mean is that of the mean.
    worlds = np.stack([table, 3 * table + 1, members.sum(1)], 1)
    each = shapley_values(worlds)
    assert each[:, 1] == pytest.approx(3 * credit)
    assert each[:, 2] == pytest.approx(np.ones(players))
    assert each.mean(1) == pytest.approx(shapley_values(worlds.mean(1)))
    # A dummy adds what it has alone; twins get the same.
    swollen = np.concatenate([table, table + 7])
    assert shapley_values(swollen) == pytest.approx([7, *credit])
    twins = np.concatenate([table, table + 2, table + 2, 3 * table])
    first, second, *_ = shapley_values(twins)
    assert first == pytest.approx(second)


@settings(max_examples=50, deadline=None)
@given(tables.filter(lambda t: len(t) >= 4))
def test_interactions_are_the_definition(table):
    players = len(table).bit_length() - 1
    value, index = table_function(table, players), interaction_values(np.stack([table, table], 1))[..., 0]
    assert np.isnan(np.diag(index)).all()
    for i, j in combinations(range(players), 2):
        total, others = 0.0, [p for p in range(players) if p not in (i, j)]
        for size in range(len(others) + 1):
            weight = factorial(size) * factorial(players - size - 2) / factorial(players - 1)
            for chosen in combinations(others, size):
                s = frozenset(chosen)
                total += weight * (value(s | {i, j}) - value(s | {i}) - value(s | {j}) + value(s))
        assert index[i, j] == index[j, i] == pytest.approx(total)


def test_interactions_tell_and_from_or():
    """Steps that are both needed interact positively, steps of which one suffices negatively, others not at all."""
    both = interactions(Game(lambda s: (s[:, 0] & s[:, 1]) * 1.0 + s[:, 2], 3))
    either = interactions(Game(lambda s: (s[:, 0] | s[:, 1]) * 1.0 + s[:, 2], 3))
    assert (both[0, 1], either[0, 1]) == pytest.approx((1, -1))
    assert [both[0, 2], both[1, 2], either[0, 2]] == pytest.approx([0, 0, 0])
    with pytest.raises(NotApplicable, match="nobody"):
        interactions(Game(lambda s: s[:, 0], 1))


# ---- the prefix tree


def steps(noise, members):
    """A step fails by itself or because the last but one before it did; the outcome is that of the last two."""
    found = []
    for i in range(members.shape[1]):
        own = noise[i] < 0.3 + 0.5 * (found[i - 2] if i >= 2 else 0)
        found.append(own & ~members[:, i, None])
    return found[-1] | found[-2]


def test_the_prefix_tree_gives_the_table():
    noise = np.random.default_rng(0).random((7, 40))
    equations = [lambda v, i=i: noise[i] < 0.3 + 0.5 * (v[i - 2] if i >= 2 else 0) for i in range(7)]
    grown = grow([*equations, lambda v: v[-1] | v[-2]], [False] * 7, 40)
    np.testing.assert_array_equal(grown, steps(noise, coalitions(7)))


def test_a_put_may_differ_between_worlds():
    puts, alone = [np.array([1.0, 5.0])], [lambda v: np.array([0.0, 2.0]), lambda v: 10 * v[0]]
    assert grow(alone, puts, 2).tolist() == [[0.0, 20.0], [10.0, 50.0]]
    assert grow([lambda v: 1, lambda v: 3], [0], 2).tolist() == [[3, 3], [3, 3]]
    with pytest.raises(NotApplicable, match="n \\+ 1 equations"):
        grow([lambda v: 1], [0], 2)


# ---- estimates and sampling


def weighted(players, power=3):
    """A sum with interaction of all players, in [0, 1]."""
    weights = np.random.default_rng(0).dirichlet(np.ones(players))
    return Game(lambda s: (s @ weights) ** power, players, span=(0.0, 1.0))


def test_exact_credit_of_one_world_is_settled_and_of_many_an_estimate():
    (one,) = shapley(Game(lambda s: s[:, 0] * 2.0, 1, rung="interventional"))
    assert (one.value, one.identified, one.rung, one.level) == (2.0, "exact", "interventional", 1.0)
    draws = np.random.default_rng(0).normal(3.0, 1.0, 200)
    many, none = shapley(Game(lambda s: s[:, :1] * draws, 2, noise="gumbel-max"))
    assert many.value == pytest.approx(draws.mean())
    _, (low, high) = guarded_mean(draws, float(draws.max() - min(0.0, draws.min())))
    assert (many.low, many.high) == pytest.approx((low, high))
    assert high - low == pytest.approx(2 * 1.972 * draws.std(ddof=0) / 200**0.5, rel=0.03)
    assert (many.identified, many.noise, many.effective) == ("assumed", "gumbel-max", pytest.approx(200))
    # A player that added nothing in 200 worlds may add something in another.
    assert -0.1 < none.low < none.value == 0 < none.high < 0.1


def test_credit_over_worlds_with_a_span_is_betting():
    rare = np.zeros(60)
    (one,) = shapley(Game(lambda s: s[:, :1] * rare, 1, span=(0.0, 1.0)))
    assert one.value == 0
    assert (one.low, one.high) == pytest.approx(betting_interval(rare, -1, 1, planned=60))
    assert one.high > 0.02


@pytest.mark.parametrize("span", [False, True])
def test_sampled_credit_covers_the_exact_one(span):
    """12 players, 60 samplings: intervals of level .95 miss 12 x 60 x .05 = 36 times on average, and are dependent
    within a sampling; more than 100 misses have a probability below 1e-6 even if each came three times over.
    """
    game = weighted(12)
    game = game if span else Game(game.value, 12)
    exact, misses = exact_shapley(game), 0
    for seed in range(60 if not span else 10):
        found = sampled_shapley(game, pairs=40, draw=Draw(seed))
        assert sum(estimate.value for estimate in found) == pytest.approx(1.0)  # efficiency holds for every order
        misses += sum(not e.low <= value <= e.high for e, value in zip(found, exact, strict=True))
    assert misses <= (2 if span else 100)


def test_reverse_orders_cancel_pairwise_interaction():
    """Of a set function of degree 2, a pair of an order and its reverse is exact (Mitchell et al. 2022)."""
    game = weighted(9, power=2)
    for estimate, value in zip(sampled_shapley(Game(game.value, 9), pairs=2), exact_shapley(game), strict=True):
        assert estimate.value == pytest.approx(value, abs=1e-12)


def test_beyond_sixteen_players_orders_are_drawn():
    game = Game(lambda s: np.stack([s.all(1), s.any(1)], 1) * 1.0, 20, span=(0.0, 1.0))
    found = shapley(game, pairs=150)
    assert all(estimate.low <= 1 / 20 <= estimate.high for estimate in found)
    assert (found[0].identified, found[0].effective, found[0].level) == ("point", 150.0, 0.95)
    assert shapley(game, pairs=150) == found
    assert shapley(game, pairs=150, draw=Draw(1)) != found
    with pytest.raises(NotApplicable, match="20 players"):
        exact_shapley(game)
    with pytest.raises(NotApplicable, match="no interval"):
        sampled_shapley(game, pairs=1)


def test_what_is_no_set_function_is_refused():
    for value in (lambda s: np.ones(3), lambda s: np.full(len(s), inf), lambda s: np.ones((len(s), 2, 2))):
        with pytest.raises(NotApplicable, match="a set function gives"):
            shapley(Game(value, 4))
    with pytest.raises(NotApplicable, match="shape"):
        shapley_values(np.ones(6))


def test_gains_are_asked_for_in_blocks(monkeypatch):
    game, orders = weighted(5), np.array(list(permutations(range(5))))
    whole = gains(game, orders)
    monkeypatch.setattr("ifonly.scm.games._ROWS", 50)
    np.testing.assert_array_equal(gains(game, orders), whole)
    assert whole.mean(0) == pytest.approx(exact_shapley(game))
    assert gains(Game(lambda s: s[:, 0] * 2.0, 1), np.array([[0]])).tolist() == [[2.0]]


# ---- causal orders

partial_orders = st.integers(1, 5).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] < p[1]), max_size=6),
        st.permutations(range(n)),
        st.lists(values, min_size=2**n, max_size=2**n),
    )
)


@settings(max_examples=60, deadline=None)
@given(partial_orders)
def test_asymmetric_credit_is_the_mean_over_linear_extensions(case):
    players, pairs, names, table = case
    before = [(names[i], names[j]) for i, j in pairs]
    function = table_function(np.array(table), players)
    expected, number = by_orders(function, players, before)
    assert linear_extensions(players, before) == number
    assert exact_asymmetric(game_of(function, players), before) == pytest.approx(expected)


def test_the_earlier_cause_gets_the_credit():
    """A chain 0 -> 1 in which both do the same: symmetric credit halves it, causal order gives it to the first."""
    either = Game(lambda s: s.any(1) * 1.0, 2)
    assert exact_shapley(either).tolist() == [0.5, 0.5]
    assert exact_asymmetric(either, [(0, 1)]).tolist() == [1.0, 0.0]
    assert [e.value for e in asymmetric_shapley(either, [(0, 1)])] == [1.0, 0.0]
    both = Game(lambda s: np.stack([s.any(1), s.all(1)], 1) * 1.0, 2)
    assert exact_asymmetric(both, [(0, 1)]).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_no_order_is_the_symmetric_value():
    game = weighted(8)
    assert exact_asymmetric(game, []) == pytest.approx(exact_shapley(game))
    assert linear_extensions(16, []) == factorial(16)


def test_long_chains_are_exact_beyond_sixteen_players():
    """Two chains of 20 steps: 21 x 21 downsets, and (40 choose 20) orders."""
    before = [(i, i + 1) for i in range(39) if i != 19]
    assert linear_extensions(40, before) == pytest.approx(factorial(40) / factorial(20) ** 2)
    credit = asymmetric_shapley(Game(lambda s: (s[:, 19] | s[:, 39]) * 1.0, 40), before)
    assert [credit[19].value, credit[39].value] == pytest.approx([0.5, 0.5])
    assert credit[0].identified == "exact"


def test_wide_orders_are_sampled():
    """A root before 20 others, of which the last comes after the first five; false-failure rate 1e-6 an interval."""
    before = [(0, i) for i in range(1, 21)] + [(i, 20) for i in range(1, 6)]
    game = Game(lambda s: s[:, 1:].any(1) * s[:, 0] * 1.0, 21)
    with pytest.raises(NotApplicable, match="respect the order"):
        exact_asymmetric(game, before)
    found = asymmetric_shapley(game, before, orders=4_000, level=1 - 1e-6)
    # The first of the 20 gets it all: any of the 19 that are free to come first, and never the last.
    for player, expected in {0: 0.0, 1: 1 / 19, 6: 1 / 19, 20: 0.0}.items():
        assert found[player].low <= expected <= found[player].high
    assert found[1].effective < 4_000
    assert found[1].identified == "point"


def test_sampled_orders_weigh_as_the_uniform_law():
    """1 before 2 and 3, 0 free: choosing among free players is not uniform on the 8 orders, the weights make it so."""
    before, game = [(1, 2), (1, 3)], Game(lambda s: (s @ [8, 4, 2, 1]) % 5 * 1.0, 4)
    exact = exact_asymmetric(game, before)
    for estimate, value in zip(sampled_asymmetric(game, before, orders=20_000, level=1 - 1e-6), exact, strict=True):
        assert estimate.low <= value <= estimate.high
        assert estimate.high - estimate.low < 0.3


def test_orders_that_are_none():
    game = weighted(3)
    for function in (exact_asymmetric, sampled_asymmetric):
        with pytest.raises(NotApplicable, match="cycle"):
            function(game, [(0, 1), (1, 2), (2, 0)])
        with pytest.raises(NotApplicable, match="names no player"):
            function(game, [(0, 3)])


def test_no_torch_is_loaded():
    probe = "import sys; import ifonly.scm.orders, ifonly.scm.shapley, ifonly.scm.causation, ifonly.scm.instruments, "
    probe += "ifonly.scm.mediation, ifonly.scm.joint_causes, ifonly.scm.multiplicity; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
