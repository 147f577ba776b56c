"""The known bandit: its value against brute force and samples, and how often intervals hold it."""

from __future__ import annotations

import numpy as np
import pytest

from ifonly.scenarios.bandit import ARMS, known_bandit, with_heavy_tails, without_overlap
from ifonly.scenarios.bandit_bench import CASES, FITTED, coverage
from ifonly.scm.draw import Draw

WORLD = known_bandit()


def test_its_tables_are_laws_and_its_value_is_the_sum_over_all_that_can_happen():
    assert WORLD.chances.sum() == pytest.approx(1)
    for policy in (WORLD.behaviour, WORLD.target, WORLD.best):
        assert policy.sum(1) == pytest.approx(1)
        total = 0.0
        for x in range(8):
            for arm in range(len(ARMS)):
                total += WORLD.chances[x] * policy[x, arm] * WORLD.rewards[x, arm]
        assert WORLD.value(policy) == pytest.approx(total, rel=1e-14)
    assert WORLD.value(WORLD.best) > max(WORLD.value(WORLD.behaviour), WORLD.value(WORLD.target))


def test_logs_have_the_laws_of_the_tables():
    """Each within 5.5 standard errors: 4e-8 a number, 80 numbers."""
    n = 200_000
    log, cells = WORLD.log(n, Draw(1))
    for x in range(8):
        here = cells == x
        assert abs(here.mean() - WORLD.chances[x]) < 5.5 * np.sqrt(WORLD.chances[x] / n)
        for arm in range(3):
            share, rows = WORLD.behaviour[x, arm], here & (log.actions == arm)
            assert abs(rows.sum() / here.sum() - share) < 5.5 * np.sqrt(share * (1 - share) / here.sum())
            mean = WORLD.rewards[x, arm]
            assert abs(log.rewards[rows].mean() - mean) < 5.5 * np.sqrt(mean * (1 - mean) / rows.sum())
    assert (log.propensities == WORLD.behaviour[cells, log.actions]).all()
    assert (log.contexts == WORLD.contexts[cells]).all()


def test_what_is_hidden_is_hidden_where_it_matters():
    hidden = without_overlap(WORLD)
    assert ((hidden.behaviour == 0) & (WORLD.target > 0.2)).any()
    assert hidden.behaviour.sum(1) == pytest.approx(1)
    assert hidden.value(WORLD.target) == WORLD.value(WORLD.target)


def test_heavy_tails_are_those_of_rare_arms():
    heavy = with_heavy_tails(WORLD)
    assert heavy.behaviour.sum(1) == pytest.approx(1)
    assert (WORLD.target / heavy.behaviour).max() > 200
    assert heavy.value(WORLD.target) == WORLD.value(WORLD.target)


def test_rounds_of_a_group_share_context_and_luck():
    log, cells = WORLD.log(20_003, Draw(2), 5)
    assert log.clusters.tolist() == [n // 5 for n in range(20_003)]
    assert all(len(set(cells[log.clusters == group])) == 1 for group in range(50))
    alike = [log.rewards[(log.clusters == g) & (log.actions == 0)] for g in range(200)]
    assert all(len(set(rewards)) <= 1 for rewards in alike)
    # Five standard errors of 4,001 groups.
    assert abs(log.rewards.mean() - WORLD.value(WORLD.behaviour)) < 5 * 0.5 / np.sqrt(4_001)


def test_failures_stand_beside_their_remedies():
    """40 logs: a true 95 % is seen below 30 of 40 with chance 3e-6, by the binomial law."""
    rows = {(one.case.name, one.case.given): one for one in coverage([c for c in CASES if c.kind == "groups"], 40, 500)}
    for name in ("ipw", "dr"):
        ignored, told, resampled = (
            next(one for (n, given), one in rows.items() if n == name and given.endswith(end))
            for end in ("ignored", "told", "whole")
        )
        assert told.told > 1.3 * ignored.told
        assert resampled.told == pytest.approx(told.told, rel=0.1)
        assert min(told.share, resampled.share) >= 0.75


@pytest.mark.nightly
def test_intervals_hold_the_truth_where_the_assumptions_hold_and_only_there():
    """2,500 logs: a true 95 % is seen outside 93-97 % with chance 5e-6, by the normal law, each of sixteen."""
    for one in coverage(CASES, 2_500, 1_000):
        if one.case.holds:
            assert 0.93 <= one.share <= 0.97, one
            assert abs(one.bias) < 5.5 * one.spread / np.sqrt(2_500), one
            assert one.told == pytest.approx(one.spread, rel=0.08), one
        else:
            assert one.share < 0.9, one


@pytest.mark.nightly
def test_intervals_with_fitted_nuisances_hold_the_truth():
    """100 logs: a true 95 % is seen below 84 % with chance 2e-5 by the binomial law, each of three."""
    for one in coverage(FITTED, 100, 1_000):
        assert one.share >= 0.84, one
        assert abs(one.bias) < 5 * one.spread / np.sqrt(100), one
