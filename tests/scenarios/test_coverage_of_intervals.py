"""Intervals hold the truth as often as they say, over drawn workflows of known answers; null sites are not flagged."""

from __future__ import annotations

import numpy as np
import pytest

from ifonly.scenarios.coverage.intervals import CONSERVATIVE, coverage, drawn_what_if
from ifonly.scenarios.coverage.nulls import null_flags

DRAWS, WORLDS = 400, 1_000


def test_what_is_drawn_follows_the_posterior():
    # 5 standard errors of 400 draws, for 6 numbers: false-failure rate 4e-6.
    for seed in range(2):
        asked = drawn_what_if(np.random.default_rng(seed))
        uniforms = np.random.default_rng(100 + seed).random((DRAWS, asked.workflow.steps))
        for values, exact in (
            (asked.abducted(seed, DRAWS), asked.posterior.counterfactual(asked.put)),
            (asked.fresh(asked.put, uniforms), asked.posterior.fresh(asked.k, asked.put)),
            (asked.fresh(asked.again, uniforms), asked.posterior.fresh(asked.k, asked.again)),
        ):
            assert abs(np.mean(values) - exact) <= 5 * np.sqrt(exact * (1 - exact) / DRAWS) + 1e-12


def test_the_logged_option_done_again_fails_again():
    asked = drawn_what_if(np.random.default_rng(0))
    assert asked.posterior.counterfactual(asked.again) == pytest.approx(0)


def test_every_conservative_interval_is_measured():
    rows = coverage(2, 1)
    assert {row.estimator for row in rows if row.conservative} == CONSERVATIVE
    assert all(row.worlds == 2 and row.width > 0 for row in rows)


@pytest.mark.nightly
def test_95_percent_intervals_hold_in_95_percent_of_worlds():
    for row in coverage(WORLDS, 0):
        assert row.covered >= (0.95 if row.conservative else 0.93), row
        assert row.conservative or row.covered <= 0.97, row


@pytest.mark.nightly
def test_null_sites_are_flagged_in_one_of_twenty_runs_at_most():
    rows = {(row.rule, row.null): row for row in null_flags(WORLDS, 0)}
    assert all(rows[rule, True].flagged <= 0.055 for rule in ("abducted", "drawn", "edge", "paired"))
    # The rules see what there is: a third of the other sites, which need not decide, is flagged.
    assert all(rows[rule, False].flagged > 0.2 for rule in ("abducted", "drawn", "paired"))
