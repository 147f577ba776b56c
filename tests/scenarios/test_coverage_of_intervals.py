"""Intervals hold the truth as often as they say, over drawn workflows with exact answers; null sites are not flagged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from ifonly.scenarios.credit.coverage import CONSERVATIVE, coverage, drawn_what_if
from ifonly.scenarios.credit.nulls import null_flags

FEW, MANY = 40, 1_000
FALSE_FAILURE = 1e-6


def test_what_is_drawn_follows_the_posterior():
    # 5 standard errors of 2,000 draws, for 12 numbers: false-failure rate 7e-6.
    for seed in range(4):
        asked = drawn_what_if(np.random.default_rng(seed))
        uniforms = np.random.default_rng(100 + seed).random((2_000, asked.workflow.steps))
        for values, exact in (
            (asked.abducted(seed, 2_000), asked.posterior.counterfactual(asked.put)),
            (asked.fresh(asked.put, uniforms), asked.posterior.fresh(asked.k, asked.put)),
            (asked.fresh(asked.again, uniforms), asked.posterior.fresh(asked.k, asked.again)),
        ):
            assert abs(np.mean(values) - exact) <= 5 * np.sqrt(exact * (1 - exact) / 2_000) + 1e-12


def test_the_logged_option_done_again_fails_again():
    asked = drawn_what_if(np.random.default_rng(0))
    assert asked.posterior.counterfactual(asked.again) == pytest.approx(0)


def test_conservative_intervals_hold_in_a_few_worlds():
    rows = {row.estimator: row for row in coverage(FEW, 1)}
    assert rows.keys() >= CONSERVATIVE
    least = binom.ppf(FALSE_FAILURE, FEW, 0.95)
    assert all(rows[name].covered * FEW >= least for name in CONSERVATIVE)


@pytest.mark.slow
def test_95_percent_intervals_hold_in_95_percent_of_worlds():
    for row in coverage(MANY, 0):
        assert row.covered >= (0.95 if row.conservative else 0.93), row
        assert row.conservative or row.covered <= 0.97, row


@pytest.mark.slow
def test_null_sites_are_flagged_in_one_of_twenty_runs_at_most():
    rows = {(row.rule, row.null): row for row in null_flags(MANY, 0)}
    assert all(rows[rule, True].flagged <= 0.055 for rule in ("abducted", "edge", "paired"))
    # The rules see what there is: a third of the other sites, which need not decide, is flagged.
    assert all(rows[rule, False].flagged > 0.2 for rule in ("abducted", "paired"))
