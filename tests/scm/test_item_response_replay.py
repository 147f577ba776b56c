"""Means of replayed units: exact parts, the spread of groups and of the posterior, and what ties units together."""

from __future__ import annotations

import numpy as np
import pytest

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.item_response.replay import connected, mean_of_replays


def test_the_value_is_the_mean_over_units_and_draws():
    sums, sizes = np.array([[1.0, 0.0, 2.0], [2.0, 1.0, 2.0]]), np.array([2.0, 1.0, 4.0])
    found = mean_of_replays(sums, sizes, Draw(0))
    assert found.value == pytest.approx((1.5 + 0.5 + 2.0) / 7)
    assert (found.rung, found.identified) == ("counterfactual", "assumed")
    assert found.effective == pytest.approx(49 / 21)


def test_what_is_certain_has_the_spread_of_groups_alone():
    """200 groups, a fair half at 1: the Bayesian bootstrap has standard deviation sqrt(.25 / 201); to 5 %."""
    sums = np.tile(np.repeat([0.0, 1.0], 100), (4_000, 1))
    found = mean_of_replays(sums, np.ones(200), Draw(0))
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(np.sqrt(0.25 / 201), rel=0.05)


def test_what_is_common_to_all_groups_does_not_average_out():
    """Every unit has the same chance, which the draws know to +-.1: groups add nothing."""
    chance = 0.5 + 0.1 * np.random.default_rng(0).standard_normal((4_000, 1))
    found = mean_of_replays(np.broadcast_to(chance, (4_000, 50)), np.ones(50), Draw(0))
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(0.1, rel=0.05)


def test_one_group_tells_nothing_of_groups_to_come():
    with pytest.raises(NotApplicable, match="at least two"):
        mean_of_replays(np.ones((10, 1)), np.ones(1), Draw(0))


def test_units_are_tied_by_items_that_both_met_or_by_a_third():
    left, right = np.array([0, 1, 1, 2, 3]), np.array([0, 0, 1, 1, 2])
    parts = connected(left, right)
    assert len(set(parts[:4])) == 1
    assert parts[4] != parts[0]
