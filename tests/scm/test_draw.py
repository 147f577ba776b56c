"""Keyed uniforms: equal one by one and at once, uniform, and independent across places, sites and seeds."""

from __future__ import annotations

import numpy as np
from scipy import stats

from ifonly.scm.draw import Draw

SITES = [f"run/{i}\x1fplanner/0\x1f1" for i in range(20_000)]
LEAST = 1e-7  # seeds are fixed; drawn anew, the seventy p-values of this file would fall below in 1 of 140,000 runs


def test_one_by_one_and_at_once_are_equal_to_the_last_digit():
    draw = Draw(5)
    at_once = draw.eights(SITES[:500])
    assert at_once.tolist() == [list(draw.eight(site)) for site in SITES[:500]]
    assert draw.eights([]).shape == (0, 8)
    assert at_once.min() > 0.0
    assert at_once.max() < 1.0


def test_each_of_the_eight_is_uniform():
    for column in Draw(1).eights(SITES).T:
        assert stats.kstest(column, "uniform").pvalue > LEAST
    low_bits = (Draw(1).eights(SITES) * 2.0**53).astype(np.int64) % 16
    assert stats.chisquare(np.bincount(low_bits.ravel(), minlength=16)).pvalue > LEAST


def test_places_sites_and_seeds_are_independent():
    first, other = Draw(1).eights(SITES), Draw(2).eights(SITES)
    ours = [*first.T, other[:, 0], np.roll(first[:, 0], 1), Draw(1).generator("x").random(len(SITES))]
    for i, a in enumerate(ours):
        for b in ours[i + 1 :]:
            cells = np.bincount((8 * a).astype(int) * 8 + (8 * b).astype(int), minlength=64)
            assert stats.chisquare(cells).pvalue > LEAST
    assert Draw(1).eight("x")[0] != Draw(1).uniform("x")


def test_equal_seeds_and_sites_are_equal_for_ever():
    assert Draw(0).eight("planner/0")[:2] == (0.9283394631287339, 0.6508401418231093)
