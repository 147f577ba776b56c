"""Sums over runs: their intervals, their bounds, and what they say of an unsettled rest."""

import pytest

from ifonly.agents.corpus import Corpus
from ifonly.scenarios.inbox import Inbox, sample, truth
from ifonly.sim.clean import clean_environment
from ifonly.sim.continuations import Bounds, FromCorpus
from ifonly.sim.summary import summarise
from ifonly.sim.whatif import whatif

CLEAN = FromCorpus(Corpus(sample(40, seed=12, attacked=False)))


def attacked(tasks, each, seed=11):
    runs = sample(tasks * each, seed=seed)
    return [run.model_copy(update={"task": f"task {i % tasks}"}) for i, run in enumerate(runs)]


def ask(runs, continuation=CLEAN):
    return [whatif(run, [clean_environment(run)], continuation=continuation, environment=Inbox()) for run in runs]


def test_the_mean_change_is_the_difference_of_the_means():
    answers = ask(attacked(8, 4))
    security = summarise(answers).outcomes["security"]
    assert security.settled == security.runs == 32
    assert security.change.value == pytest.approx(security.counterfactual.value - security.factual.value, abs=1e-12)
    assert security.counterfactual.value == 0
    assert security.factual.low <= truth("small", attacked=True)["security"] <= security.factual.high


def test_unanimous_runs_get_an_interval_all_the_same():
    summary = summarise(ask(attacked(8, 2)))
    gone = summary.outcomes["security"].counterfactual
    # Clopper-Pearson: 0 of 8 tasks, upper limit 1 - .025 ** (1 / 8).
    assert (gone.low, gone.high) == (0, pytest.approx(1 - 0.025 ** (1 / 8)))
    assert gone.effective == 8
    assert summary.settled_share.value == 1
    assert summary.settled_share.low == pytest.approx(0.025 ** (1 / 8))


def test_unsettled_runs_widen_the_bounds_and_leave_the_mean():
    runs = attacked(6, 2)
    settled, unsettled = ask(runs[:6]), ask(runs[6:], Bounds())
    security = summarise([*settled, *unsettled]).outcomes["security"]
    assert (security.runs, security.settled) == (12, 6)
    assert (security.bounds.low, security.bounds.high) == (0, 0.5)
    nothing = summarise(unsettled).outcomes["security"]
    assert nothing.counterfactual is nothing.change is nothing.factual is None
    assert (nothing.bounds.low, nothing.bounds.high) == (0, 1)


def test_one_task_alone_says_little():
    summary = summarise(ask(attacked(1, 5)))
    assert summary.outcomes["security"].counterfactual.high == pytest.approx(0.975)


def test_the_same_seed_gives_the_same_summary():
    answers = ask(attacked(5, 3))
    assert summarise(answers, seed=3) == summarise(answers, seed=3)


def test_no_answers_make_no_summary():
    with pytest.raises(ValueError, match="no run was asked"):
        summarise([])
