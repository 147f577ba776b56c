"""The inbox proves itself: samples agree with the closed form, and re-execute."""

import pytest
from scipy import stats

from ifonly.agents.rerun import Rerun
from ifonly.scenarios.inbox import POLICIES, Inbox, sample, sample_run, truth
from ifonly.sim.twin import identical


@pytest.mark.parametrize("model", POLICIES)
@pytest.mark.parametrize("attacked", [True, False])
def test_sampled_scores_agree_with_the_truth(model, attacked):
    runs = sample(2_000, seed=7, model=model, attacked=attacked)
    for score, share in truth(model, attacked=attacked).items():
        successes = sum(run.outcome.scores[score] for run in runs)
        # False failures: below 1e-6 for each of 8 comparisons.
        assert stats.binomtest(successes, len(runs), share).pvalue > 1e-6


def test_a_run_depends_on_its_name_and_seed_alone():
    assert sample_run("a", 1, "small", True) == sample_run("a", 1, "small", True)
    assert sample(5, seed=3)[4] == sample(9, seed=3)[4]


@pytest.mark.parametrize("run", sample(5, seed=9), ids=lambda run: run.id)
def test_runs_are_their_own_twins(run):
    assert identical(run, Rerun(Inbox()))
