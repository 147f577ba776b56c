"""Strengths of systems from few labels and a judge: what they are with two systems, by ppi-python, and over logs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.evaluation.labels import Judged
from ifonly.scm.evaluation.powered import powered
from ifonly.scm.evaluation.ranking import rank_systems
from ifonly.scm.evaluation.strengths import powered_logistic, powered_strengths
from ifonly.scm.preference.logistic import fit_logistic

STRENGTHS = {"a": 0.6, "b": 0.1, "c": -0.7}
FAVOUR = {"a": 0.0, "b": 0.0, "c": 1.2}


def compared(n=600, labels=150, seed=0):
    """Comparisons of three systems, c mostly with a, and a judge that leans to c; the first ones have a label."""
    g = np.random.default_rng(seed)
    pairs = np.array([("a", "b"), ("b", "c"), ("a", "c"), ("c", "a")])[g.choice(4, n, p=[0.2, 0.1, 0.3, 0.4])]
    first, second = pairs.T
    gap = np.array([STRENGTHS[a] - STRENGTHS[b] for a, b in pairs])
    lean = np.array([FAVOUR[a] - FAVOUR[b] for a, b in pairs])
    human = (g.random(n) < expit(gap)).astype(float)
    judge = (g.random(n) < expit(3 * (human - 0.5) + lean)).astype(float)
    human[labels:] = np.nan
    return tuple(first.tolist()), tuple(second.tolist()), Judged(human, judge)


def design_of(first, second):
    sides = [[(a == k) - (b == k) for k in ("b", "c")] for a, b in zip(first, second, strict=True)]
    return np.array(sides, dtype=float)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1_000), st.one_of(st.none(), st.floats(0, 1)))
@example(277, None)  # at lambda = 1 there is no solution to start from
def test_two_systems_have_the_log_odds_of_the_powered_mean(seed, tuning):
    g = np.random.default_rng(seed)
    human = np.concatenate([[0.0, 1.0], (g.random(18) < 0.6).astype(float), np.full(60, np.nan)])
    items = Judged(human, 0.1 + 0.8 * g.random(80))
    mean = powered(items, tuning)
    assume(0.02 < mean.value < 0.98)
    made = powered_logistic(np.ones((80, 1)), items, tuning)
    assert made.tuning == pytest.approx(mean.tuning, abs=1e-8)
    assert made.coefficients[0] == pytest.approx(logit(mean.value), abs=1e-8)
    strengths = powered_strengths(["a"] * 80, ["b"] * 80, items)
    if tuning is None:
        assert strengths["a"].value - strengths["b"].value == pytest.approx(logit(mean.value), abs=1e-8)


def test_without_the_judge_it_is_the_regression_of_the_labels():
    first, second, items = compared()
    design = design_of(first, second)
    made = powered_logistic(design, items, 0.0)
    seen = items.labelled
    plain = fit_logistic({"b": design[seen, 0], "c": design[seen, 1]}, items.human[seen])
    assert made.coefficients == pytest.approx(plain.coefficients, abs=1e-8)
    whole = Judged(np.where(seen, items.human, items.judge), items.judge)
    assert powered_logistic(design, whole).tuning == 0.0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_ppi_python_says_the_same(seed):
    """As closely as its optimiser comes to the minimum."""
    theirs = pytest.importorskip("ppi_py", reason="pip install ppi-python")
    first, second, items = compared(seed=seed)
    design, seen = design_of(first, second), items.labelled
    given = (design[seen], items.human[seen], items.judge[seen], design[~seen], items.judge[~seen])
    exact = {"ftol": 1e-15, "gtol": 1e-12, "maxls": 100}
    for tuning in (None, 0.0, 0.4, 1.0):
        point = theirs.ppi_logistic_pointestimate(*given, lam=tuning, optimizer_options=exact)
        assert powered_logistic(design, items, tuning).coefficients == pytest.approx(point, abs=1e-7)


def test_the_influence_is_what_leaving_an_item_out_changes():
    """The jackknife, which hangs on no formula: within a tenth for half of the items, and for the standard error."""
    first, second, items = compared(160, 60, seed=3)
    design = design_of(first, second)
    whole = powered_logistic(design, items, 0.5)
    left = []
    for row in range(len(items)):
        rest = np.arange(len(items)) != row
        left.append(powered_logistic(design[rest], items.take(rest), 0.5).coefficients)
    jackknife = (whole.coefficients - np.array(left)) * (len(items) - 1)
    jackknife -= jackknife.mean(0)
    assert np.corrcoef(jackknife[:, 1], whole.influence[:, 1])[0, 1] > 0.99
    assert jackknife.std(0) == pytest.approx(whole.influence.std(0), rel=0.15)


def test_strengths_are_held_by_their_intervals_and_the_judge_alone_misses():
    """Over 200 logs; Binomial(200, .95) leaves these ends less often than once in a hundred thousand."""
    held, alone, both = np.zeros(3), 0.0, 0.0
    truth = {name: value - np.mean(list(STRENGTHS.values())) for name, value in STRENGTHS.items()}
    for seed in range(200):
        first, second, items = compared(seed=seed)
        found = powered_strengths(first, second, items)
        for at, (name, value) in enumerate(truth.items()):
            told = found[name].estimate()
            held[at] += told.low <= value <= told.high
        both += found["a"].standard_error
        alone += powered_strengths(first[:150], second[:150], items.take(items.seen))["a"].standard_error
    assert (held >= 176).all()
    assert both < 0.95 * alone
    first, second, items = compared(seed=1)
    judge = powered_strengths(first, second, Judged(items.judge, items.judge))
    assert max(judge, key=lambda name: judge[name].value) != "a"
    ranks = rank_systems(powered_strengths(first, second, items), Draw(0))
    assert [one.system for one in ranks][-1] == "c"
    assert sum(one.value.value for one in ranks) == pytest.approx(0, abs=1e-9)


def test_what_cannot_be_ranked_is_refused():
    first, second, items = compared()
    with pytest.raises(NotIdentified, match="do not tell the 3 columns apart"):
        powered_strengths(
            [*first, "d"], [*second, "a"], Judged(np.append(items.human, np.nan), np.append(items.judge, 1))
        )
    with pytest.raises(NotIdentified, match="won or lost all"):
        powered_strengths(first, second, Judged(np.array([a == "a" for a in first]) + 0.0, items.judge))
    with pytest.raises(NotApplicable, match=r"preferences in \[0, 1\].*to 2"):
        powered_strengths(first, second, Judged(items.human, items.judge + 1))
    with pytest.raises(NotApplicable, match="one comparison a row"):
        powered_strengths(first[1:], second, items)
    with pytest.raises(NotApplicable, match="take two systems"):
        powered_strengths(["a"] * 600, ["a"] * 600, items)
