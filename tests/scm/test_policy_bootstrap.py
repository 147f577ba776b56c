"""The cluster bootstrap: its counts have the multinomial law, and its replicates are plain resamplings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, chi2, multinomial

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.bootstrap import bootstrap, multinomial_counts
from ifonly.scm.policy.doubly_robust import dm, dr, dr_os, sndr, switch_dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.weighting import ipw, naive, snipw

ESTIMATORS = {
    "naive": naive,
    "ipw": ipw,
    "clipped": lambda e: ipw(e, 1.5),
    "snipw": snipw,
    "dm": dm,
    "dr": dr,
    "sndr": sndr,
    "switch-dr": lambda e: switch_dr(e, 1.5),
    "dr-os": lambda e: dr_os(e, 1.5),
}
SURE = 1e-6
"""Chance that a test of this module fails though the law holds, each."""


def made(rounds, seed=0, clusters=None):
    """A log of three arms with binary rewards, and a target policy that covers it."""
    rng = np.random.default_rng(seed)
    behaviour, policy = (0.85 * rng.dirichlet(np.ones(3), rounds) + 0.05 for _ in range(2))
    actions = (behaviour.cumsum(1) > rng.random((rounds, 1))).argmax(1)
    chance = np.array([0.3, 0.6, 0.8])[actions]
    if clusters is not None:
        chance = np.clip(chance + rng.normal(0, 0.25, clusters.max() + 1)[clusters], 0, 1)
    rewards = (rng.random(rounds) < chance).astype(float)
    log = Logged(actions, rewards, ("a", "b", "c"), behaviour[np.arange(rounds), actions], clusters=clusters)
    return Evaluation.of(log, policy, np.clip(rng.normal(0.5, 0.2, (rounds, 3)), 0, 1))


def counts_of(groups, repeats, draw):
    """The counts that `bootstrap` draws, which draws in one go where they fit."""
    return multinomial_counts(groups, repeats, np.random.Generator(np.random.SFC64(draw.key("bootstrap"))))


def taken(e, rows):
    return Evaluation.of(e.log.take(rows), e.policy[rows], e.model[rows])


@pytest.mark.parametrize("groups", [1, 2, 3, 9, 10, 100, 5_000])
def test_counts_are_whole_and_sum_to_the_number_of_groups(groups):
    counts = multinomial_counts(groups, 300, np.random.default_rng(groups))
    assert counts.shape == (300, groups)
    assert (counts >= 0).all()
    assert (counts == counts.round()).all()
    assert (counts.sum(1) == groups).all()


@pytest.mark.parametrize("groups", [2, 3, 4])
def test_few_groups_have_the_multinomial_law_exactly(groups):
    """Chi-square over all outcomes of 200,000 draws."""
    repeats = 200_000
    counts = multinomial_counts(groups, repeats, np.random.default_rng(1)).astype(int)
    outcomes, seen = np.unique(counts, axis=0, return_counts=True)
    expected = repeats * multinomial.pmf(outcomes, groups, np.full(groups, 1 / groups))
    assert expected.sum() == pytest.approx(repeats)  # every outcome was seen
    assert ((seen - expected) ** 2 / expected).sum() < chi2.isf(SURE, len(outcomes) - 1)


@pytest.mark.parametrize("groups", [9, 16, 50, 1_000])
def test_one_group_is_binomial_and_two_are_negatively_correlated(groups):
    """Above nine groups most counts come from the Poisson route."""
    repeats = 100_000 if groups <= 50 else 10_000
    counts = multinomial_counts(groups, repeats, np.random.default_rng(2))
    for column in (0, groups - 1):
        seen = np.bincount(np.minimum(counts[:, column].astype(int), 4), minlength=5)
        law = binom.pmf(np.arange(4), groups, 1 / groups)
        expected = repeats * np.append(law, 1 - law.sum())
        assert ((seen - expected) ** 2 / expected).sum() < chi2.isf(SURE, 4)
    # Sums of half the groups are binomial too: this sees the covariances.
    half = groups // 2
    sums, share = counts[:, :half].sum(1), half / groups
    variance = groups * share * (1 - share)
    assert abs(sums.mean() - half) < 5 * np.sqrt(variance / repeats)  # 6e-7
    assert sums.var() == pytest.approx(variance, rel=5.5 * np.sqrt(2 / repeats))  # below 1e-6: kurtosis is under 3


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_a_replicate_is_the_estimate_of_the_resampled_log(name):
    e = made(60)
    found = bootstrap([ESTIMATORS[name](e)], Draw(3), 40)[0]
    for counts, replicate in zip(counts_of(60, 40, Draw(3)), found.replicates, strict=True):
        rows = np.repeat(np.arange(60), counts.astype(int))
        assert replicate == pytest.approx(ESTIMATORS[name](taken(e, rows)).value, abs=1e-12)


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_a_replicate_takes_whole_groups_however_large(name):
    groups = np.sort(np.random.default_rng(4).choice([0, 1, 2, 3, 5, 6, 7, 8, 9, 11], 60))  # some numbers are not used
    used = np.unique(groups)
    e = made(60, clusters=groups)
    found = bootstrap([ESTIMATORS[name](e)], Draw(5), 40)[0]
    for counts, replicate in zip(counts_of(len(used), 40, Draw(5)), found.replicates, strict=True):
        times = dict(zip(used, counts.astype(int), strict=True))
        rows = np.repeat(np.arange(60), [times[group] for group in groups])
        assert replicate == pytest.approx(ESTIMATORS[name](taken(e, rows)).value, abs=1e-12)


def test_values_share_their_resamples_and_other_seeds_do_not():
    e = made(200)
    both = bootstrap([snipw(e), dr(e)], Draw(6), 100)
    alone = bootstrap([dr(e)], Draw(6), 100)[0]
    assert both[1].replicates == pytest.approx(alone.replicates, abs=1e-13)
    assert not np.allclose(alone.replicates, bootstrap([dr(e)], Draw(7), 100)[0].replicates)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_the_spread_of_replicates_is_the_standard_error(name, grouped):
    """Within 8 %: the standard deviation of 10,000 replicates errs by .7 %, n or 400 groups leave a few per cent."""
    groups = np.arange(1_200) // 3 if grouped else None
    value = ESTIMATORS[name](made(1_200, seed=8, clusters=groups))
    found = bootstrap([value], Draw(9), 10_000)[0]
    assert found.standard_error == pytest.approx(value.standard_error, rel=0.08)
    told, known = found.estimate(), value.estimate()
    assert told.value == known.value
    assert (told.low, told.high) == pytest.approx((known.low, known.high), abs=0.2 * value.standard_error)
    assert told.effective == known.effective


def test_dependent_rounds_widen_the_interval_only_if_the_groups_are_told():
    groups = np.repeat(np.arange(50), 20)
    e = made(1_000, seed=10, clusters=groups)
    alone = Evaluation.of(replace(e.log, clusters=None), e.policy, e.model)
    assert snipw(e).standard_error > 1.3 * snipw(alone).standard_error
    assert bootstrap([snipw(e)], Draw())[0].standard_error > 1.3 * bootstrap([snipw(alone)], Draw())[0].standard_error


def test_what_cannot_be_resampled_is_refused():
    e = made(10)
    with pytest.raises(NotApplicable, match="at least one value"):
        bootstrap([], Draw())
    with pytest.raises(NotApplicable, match="must come from one log"):
        bootstrap([dr(e), dr(made(11))], Draw())
    grouped = made(10, clusters=np.arange(10) // 2)
    with pytest.raises(NotApplicable, match="must come from one log"):
        bootstrap([dr(e), dr(grouped)], Draw())
    with pytest.raises(NotApplicable, match="at least two"):
        bootstrap([dr(made(10, clusters=np.full(10, 3)))], Draw())


def test_a_ratio_whose_weight_may_vanish_is_refused():
    e = made(10)
    policy = np.eye(3)[(e.log.actions + 1) % 3]
    policy[0] = np.eye(3)[e.log.actions[0]]  # one round alone carries weight
    with pytest.raises(NotApplicable, match="too few rounds carry weight"):
        bootstrap([snipw(Evaluation.of(e.log, policy))], Draw(), 200)
