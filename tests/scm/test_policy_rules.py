"""Rules, the search for trees, and budgets: held to brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.budgeted import LinearLearner, Scored, TreeLearner, multipliers_of, path, within
from ifonly.scm.policy.rules import Constant, Leaf, Linear, Mixed, Rule, Split, Tree
from ifonly.scm.policy.tree import best_tree, cuts_of

ARMS = ("large", "small")
NAMES = ("words", "code")
FEATURES = np.array([[10.0, 0], [200, 0], [30, 1], [400, 1]])
TREE = Tree(
    arms=("small", "large"),
    root=Split(
        feature="code",
        at=0.5,
        at_most=Leaf(arm="small"),
        above=Split(feature="words", at=100, at_most=Leaf(arm="small"), above=Leaf(arm="large")),
    ),
)
LINEAR = Linear(arms=("small", "large"), features=("words",), intercepts=(0.0, -1.0), weights=((0.0,), (0.01,)))


def chosen(rule, features=FEATURES, names=NAMES, arms=ARMS):
    return rule.policy(names, features, arms).tolist()


def test_rules_choose_among_the_arms_of_the_log_in_its_order():
    small, large = [0.0, 1.0], [1.0, 0.0]
    assert chosen(Constant(arms=("small",))) == [small] * 4
    assert chosen(Mixed(arms=("small", "large"), shares=(0.25, 0.75))) == [[0.75, 0.25]] * 4
    assert chosen(TREE) == [small, small, small, large]
    assert chosen(LINEAR) == [small, large, small, large]


def test_rules_survive_json():
    read = TypeAdapter(Rule)
    for rule in (TREE, LINEAR, Constant(arms=("small",)), Mixed(arms=("small", "large"), shares=(0.25, 0.75))):
        assert read.validate_json(rule.model_dump_json()) == rule


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "constant", "arms": ["a", "b"]},
        {"kind": "mixed", "arms": ["a", "b"], "shares": [0.5, 0.4]},
        {"kind": "mixed", "arms": ["a", "b"], "shares": [1.0]},
        {"kind": "linear", "arms": ["a"], "features": ["x"], "intercepts": [0], "weights": [[1, 2]]},
        {"kind": "linear", "arms": ["a", "b"], "features": ["x"], "intercepts": [0], "weights": [[1]]},
        {"kind": "tree", "arms": ["a"], "root": {"arm": "b"}},
        {"kind": "tree", "arms": ["a"], "root": {"arm": "a"}, "more": 1},
        {"kind": "forest", "arms": ["a"]},
    ],
)
def test_rules_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValidationError):
        TypeAdapter(Rule).validate_python(bad)


def test_a_rule_names_what_the_log_lacks():
    with pytest.raises(NotApplicable, match=r"chooses \['small'\].*its arms are \['large'\]"):
        TREE.policy(NAMES, FEATURES, ("large",))
    with pytest.raises(NotApplicable, match=r"reads \['code'\]"):
        TREE.policy(("words",), FEATURES[:, :1], ARMS)


def every_tree(cuts, depth, arms):
    """All trees over the cuts: an arm for each round."""
    constant = [np.full(len(cuts.below), arm) for arm in range(arms)]
    if depth == 0:
        yield from constant
        return
    smaller = list(every_tree(cuts, depth - 1, arms))
    for cut, (low, high) in product(range(len(cuts.at)), product(smaller, smaller)):
        yield np.where(cuts.below[:, cut] == 1, low, high)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2), st.integers(2, 3))
def test_trees_are_the_best_of_all(seed, depth, arms):
    generator = np.random.default_rng(seed)
    features = generator.integers(0, 3, size=(12, 2)).astype(float)
    scores = generator.normal(size=(12, arms))
    cuts, names = cuts_of(("x", "y"), features), tuple("abc"[:arms])
    best = max(scores[np.arange(12), choice].sum() for choice in every_tree(cuts, depth, arms))
    tree = best_tree(scores, cuts, names, depth, least=0)
    assert (tree.policy(("x", "y"), features, names) * scores).sum() == pytest.approx(best, abs=1e-9)


def test_leaves_are_not_smaller_than_asked():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(400, 3))
    tree = best_tree(generator.normal(size=(400, 2)), cuts_of("abc", features), ARMS, depth=3, least=60)

    def sizes(node, rows):
        if isinstance(node, Leaf):
            return [len(rows)]
        low = features[rows, "abc".index(node.feature)] <= node.at
        return sizes(node.at_most, rows[low]) + sizes(node.above, rows[~low])

    assert min(sizes(tree.root, np.arange(400))) >= 60


def test_cuts_separate_neighbouring_values():
    cuts = cuts_of(("x",), np.array([[0.0], [1], [1], [3]]))
    assert cuts.at == (0.5, 2.0)
    assert cuts.below.tolist() == [[1, 1], [0, 1], [0, 1], [0, 0]]
    assert len(cuts_of(("x",), np.arange(1000.0)[:, None], most=16).at) == 16
    assert cuts_of(("x",), np.zeros((5, 1))).at == ()


def priced_world(n=4_000, seed=0):
    """The large model gains .4 on code alone, and costs 2 more: at a mean cost of 2 it should be used on all code."""
    generator = np.random.default_rng(seed)
    code = (generator.random(n) < 0.5).astype(float)
    words = generator.gamma(2, 50, n)
    gains = np.stack([0.4 * code, np.zeros(n)], 1) + generator.normal(0, 0.3, (n, 2))
    return Scored(("words", "code"), np.stack([words, code], 1), ARMS, gains, np.tile([3.0, 1.0], (n, 1)))


@pytest.mark.parametrize("learner", [TreeLearner(), LinearLearner()])
def test_a_budget_is_met_and_spent_where_it_gains(learner):
    scored = priced_world()
    found = path(scored, learner, multipliers_of(scored))
    assert within(found, 1.0).cost == 1.0
    rule = within(found, 2.03)
    assert rule.cost <= 2.03
    large = rule.rule.policy(scored.names, scored.features, ARMS)[:, 0]
    assert large[scored.features[:, 1] == 1].mean() > 0.97
    assert large[scored.features[:, 1] == 0].mean() < 0.03
    half = within(found, 1.5)
    assert half.cost <= 1.5
    assert half.gain <= rule.gain + 1e-12


def test_budgets_below_the_cheapest_arm_give_the_cheapest_arm():
    scored = priced_world(500)
    assert within(path(scored, TreeLearner(1), [0.0]), 0.1).rule == Constant(arms=("small",))


def test_arms_of_one_price_need_no_multiplier():
    scored = priced_world(500)
    assert multipliers_of(Scored(scored.names, scored.features, ARMS, scored.gains, np.ones((500, 2)))) == [0.0]


def test_features_that_do_not_vary_are_left_alone():
    scored = priced_world(500)
    flat = Scored(("c",), np.ones((500, 1)), ARMS, scored.gains, scored.costs)
    (rule,) = LinearLearner().rules(flat, [0.0])
    assert rule.policy(("c",), flat.features, ARMS)[:, 0].all()
