"""Judges: rates of error, what moves them, selected labels, agreement, drift and ranks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import cohen_kappa_score

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.evaluation.agreement import agreement, kappa
from ifonly.scm.evaluation.drifting import judge_drift, slices
from ifonly.scm.evaluation.labels import Judged
from ifonly.scm.evaluation.leaning import leanings
from ifonly.scm.evaluation.misclassified import Rates, rates, rates_by, rogan_gladen, rogan_gladen_by
from ifonly.scm.evaluation.ranking import rank_systems
from ifonly.scm.evaluation.selected import doubly_robust, labelling, selection_bounds
from ifonly.scm.policy.value import Value


def pairs(*counts, hidden=0):
    """Items by (human, judge): counts of (1, 1), (1, 0), (0, 1), (0, 0); then hidden ones, which the judge approves."""
    human = np.repeat([1.0, 1, 0, 0, np.nan], [*counts, hidden])
    return Judged(human, np.repeat([1.0, 0, 1, 0, 1], [*counts, hidden]))


class TestRates:
    def test_they_are_counted(self):
        found = rates(pairs(8, 2, 3, 7, hidden=5))
        assert found == Rates(8, 10, 7, 10)
        assert (found.sensitivity().value, found.specificity().value) == (0.8, 0.7)

    def test_the_share_is_corrected(self):
        """(.5 + .7 - 1) / (.8 + .7 - 1) = .4 (Rogan and Gladen 1978, eq. 2)."""
        made = rogan_gladen(np.repeat([0.0, 1.0], 500), Rates(800, 1000, 700, 1000))
        assert made.value == pytest.approx(0.4)
        delta = np.sqrt(0.25 / 1000 + 0.4**2 * 0.16 / 1000 + 0.6**2 * 0.21 / 1000) / 0.5
        assert (made.high - made.low) / 2 == pytest.approx(norm.ppf(0.975) * delta, rel=0.02)

    def test_a_judge_without_error_is_believed(self):
        made = rogan_gladen(np.array([1.0, 0, 0, 0]), Rates(50, 50, 50, 50))
        assert made.value == 0.25

    @pytest.mark.slow
    def test_intervals_hold_the_share(self):
        """2,000 samples at 95 %: fewer than .927 with probability below 1e-5."""
        generator, held = np.random.default_rng(4), 0
        for _ in range(2_000):
            human = generator.random(700) < 0.4
            judge = np.where(human, generator.random(700) < 0.85, generator.random(700) < 0.25).astype(float)
            items = Judged(np.where(np.arange(700) < 150, human, np.nan), judge)
            made = rogan_gladen(judge[150:], rates(items))
            held += made.low <= 0.4 <= made.high
        assert held / 2_000 > 0.927

    def test_strata_keep_their_own_rates(self):
        generator = np.random.default_rng(5)
        style, human = generator.random((2, 40_000)) < [[0.5], [0.3]]
        judge = np.where(style, human, ~human & (generator.random(40_000) < 0.3)).astype(float)
        seen = generator.random(40_000) < np.where(style, 0.02, 0.2)
        items = Judged(np.where(seen, human, np.nan), np.where(style, judge, 1 - judge))
        made = rogan_gladen_by(items, style.tolist(), 1 - 1e-6)
        assert made.low <= 0.3 <= made.high
        assert made.high - made.low < 0.3

    def test_what_is_refused(self):
        with pytest.raises(NotApplicable, match="tells nothing that chance would not"):
            rogan_gladen(np.ones(3), Rates(5, 10, 5, 10))
        with pytest.raises(NotApplicable, match="no labelled item has the human verdict 'yes'"):
            rates(pairs(0, 0, 3, 3))
        with pytest.raises(NotApplicable, match="stratum 'b': no labelled item has the human verdict 'no'"):
            rates_by(Judged(np.array([1.0, 0, 1]), np.ones(3)), ["a", "a", "b"])
        with pytest.raises(NotApplicable, match="verdicts 0 and 1"):
            rates(Judged(np.array([0.5, 1]), np.ones(2)))
        with pytest.raises(NotApplicable, match="no item without a label"):
            rogan_gladen(np.ones(0), Rates(9, 10, 9, 10))


class TestLeanings:
    def test_a_judge_without_noise_shows_them(self):
        generator = np.random.default_rng(0)
        human, long, first = (generator.random((3, 60)) < 0.5).astype(float)
        found = leanings(Judged(human, 0.2 + 0.5 * human + 0.1 * long - 0.05 * first), {"long": long, "first": first})
        assert [found[name].value for name in ("long", "first")] == pytest.approx([0.1, -0.05])
        assert found["long"].standard_error == pytest.approx(0, abs=1e-9)

    def test_errors_are_those_of_a_difference_of_means(self):
        """With nothing else, HC1's error of a 0-1 feature is that of two means."""
        generator = np.random.default_rng(1)
        long = np.repeat([0.0, 1.0], 200)
        judge = generator.normal(size=400)
        human = np.tile([0.0, 1.0], 200)
        value = leanings(Judged(human, judge), {"long": long})["long"]
        two = np.sqrt(judge[:200].var(ddof=1) / 200 + judge[200:].var(ddof=1) / 200)
        assert value.standard_error == pytest.approx(two, rel=0.02)

    def test_what_is_refused(self):
        items = pairs(5, 5, 5, 5)
        with pytest.raises(NotApplicable, match="'long' is 1 in all 20 labelled items"):
            leanings(items, {"long": np.ones(20)})
        with pytest.raises(NotApplicable, match="not free of each other"):
            leanings(items, {"a": np.arange(20.0), "b": 2 * np.arange(20.0)})
        with pytest.raises(NotApplicable, match="finite number for each of 20 items"):
            leanings(items, {"long": np.ones(3)})


class TestSelected:
    @pytest.fixture
    def items(self):
        generator = np.random.default_rng(2)
        hard = generator.random(6_000) < 0.5
        human = generator.random(6_000) < np.where(hard, 0.2, 0.8)
        seen = generator.random(6_000) < np.where(hard, 0.4, 0.05)
        return Judged(np.where(seen, human, np.nan), hard.astype(float)), np.where(hard, 0.4, 0.05)

    def test_it_is_the_augmented_mean(self, items):
        """m(x) + 1{labelled} / e (Y - m(x)), whatever m is (Robins, Rotnitzky and Zhao 1994)."""
        judged, chances = items
        evaluation = labelling(judged, None, chances)
        m, seen = evaluation.model[:, 0], judged.labelled
        scores = m + np.where(seen, (np.where(seen, judged.human, 0) - m) / chances, 0)
        assert doubly_robust(evaluation).value == pytest.approx(scores.mean())

    def test_it_undoes_the_selection(self, items):
        judged, _ = items
        made = doubly_robust(labelling(judged)).estimate(1 - 1e-6)
        assert made.low <= 0.5 <= made.high
        assert judged.human[judged.seen].mean() < 0.35

    def test_bounds_assume_nothing(self, items):
        judged, _ = items
        share, mean = judged.labelled.mean(), judged.human[judged.seen].mean()
        made = selection_bounds(judged, 0, 1)
        assert made.low <= share * mean <= share * mean + 1 - share <= made.high
        assert made.value is None

    def test_what_is_refused(self, items):
        with pytest.raises(NotApplicable, match="all 2 items are labelled"):
            labelling(Judged(np.ones(2), np.ones(2)))
        with pytest.raises(NotApplicable, match=r"chance of a label, in \(0, 1\]"):
            labelling(items[0], None, np.zeros(6_000))


class TestAgreement:
    def test_plain_kappa_is_cohens(self):
        items = pairs(20, 7, 4, 30, hidden=9)
        seen = items.labelled
        assert agreement(items).value == 50 / 61
        assert kappa(items).value == pytest.approx(cohen_kappa_score(items.human[seen], items.judge[seen]))

    def test_its_error_is_that_of_the_jackknife(self):
        generator = np.random.default_rng(3)
        human = generator.integers(0, 3, 300).astype(float)
        judge = np.where(generator.random(300) < 0.6, human, generator.integers(0, 3, 300)).astype(float)
        strata = generator.integers(0, 2, 300)
        value = kappa(Judged(human, judge), strata.tolist())
        left = [
            kappa(Judged(np.delete(human, i), np.delete(judge, i)), np.delete(strata, i).tolist()).value
            for i in range(300)
        ]
        jackknife = np.sqrt(299 * np.var(left))
        assert value.standard_error == pytest.approx(jackknife, rel=0.03)
        assert value.influence.sum() == pytest.approx(0, abs=1e-9)

    def test_what_both_have_from_style_is_no_agreement(self):
        """Long answers: 9 of 10 approved by both, independently; short ones: 1 of 10."""
        long, short = pairs(81, 9, 9, 1), pairs(1, 9, 9, 81)
        both = Judged(np.concatenate([long.human, short.human]), np.concatenate([long.judge, short.judge]))
        assert kappa(both).value == pytest.approx(0.64)
        assert kappa(both, [1] * 100 + [0] * 100).value == pytest.approx(0, abs=1e-12)

    def test_what_is_refused(self):
        with pytest.raises(NotApplicable, match="nothing is left to agree on"):
            kappa(pairs(5, 0, 0, 0))
        with pytest.raises(NotApplicable, match="need a stratum each"):
            kappa(pairs(5, 1, 0, 0), [1])


class TestDrift:
    @staticmethod
    def logged(change, seed=0, n=400):
        generator = np.random.default_rng(seed)
        times = generator.permutation(n).astype(float)
        human = generator.random(n) < 0.4 + 0.3 * times / n
        error = np.where(times < change, 0.1, 0.4)
        judge = np.where(generator.random(n) < error, 1.0, human)
        return Judged(human.astype(float), judge), times

    def test_a_change_is_found(self):
        found = judge_drift(*self.logged(200), Draw(0))
        assert found.p_value <= 0.01
        assert 150 <= found.at <= 250
        assert found.leaning.before < found.leaning.after

    @pytest.mark.slow
    def test_items_that_get_better_are_no_drift(self):
        found = [judge_drift(*self.logged(1_000, seed), Draw(seed), repeats=99).p_value for seed in range(30)]
        # At most .05 each: 10 or more of 30 with probability below 1e-5.
        assert sum(p <= 0.05 for p in found) < 10

    def test_noise_that_leans_nowhere_is_found_as_error(self):
        generator = np.random.default_rng(1)
        human = np.tile([0.0, 1.0], 200)
        flipped = generator.random(400) < np.where(np.arange(400) < 200, 0.05, 0.45)
        found = judge_drift(Judged(human, np.where(flipped, 1 - human, human)), np.arange(400.0), Draw(0))
        assert found.error.p_value <= 0.01
        assert 150 <= found.at <= 250

    def test_stretches_start_at_their_cuts(self):
        assert slices(np.array([0.0, 1, 2, 3]), (1.0, 3.0)).tolist() == [0, 1, 1, 2]
        with pytest.raises(NotApplicable, match="ascend"):
            slices(np.zeros(2), (2.0, 1.0))

    def test_what_is_refused(self):
        items, times = self.logged(200)
        with pytest.raises(NotApplicable, match="needs its time"):
            judge_drift(items, times[:5], Draw(0))
        with pytest.raises(NotApplicable, match="bin it"):
            judge_drift(Judged(times, items.judge), times, Draw(0))


class TestRanking:
    @staticmethod
    def values(means, n=400, seed=0):
        noise = np.random.default_rng(seed).normal(size=(len(means), n))
        noise -= noise.mean(1, keepdims=True)
        noise /= noise.std(1, keepdims=True)
        return {f"s{k}": Value("x", mean, row) for k, (mean, row) in enumerate(zip(means, noise, strict=True))}

    def test_clear_orders_are_told_and_others_are_left_open(self):
        ranks = rank_systems(self.values([0.0, 0.01, 1.0]), Draw(0))
        assert [(one.system, one.best, one.worst) for one in ranks] == [("s2", 1, 1), ("s1", 2, 3), ("s0", 2, 3)]

    def test_intervals_of_independent_systems_are_sidaks(self):
        (first, *_) = rank_systems(self.values([0.0] * 5, n=4_000), Draw(0))
        half = (first.value.high - first.value.low) / 2 * np.sqrt(4_000)
        assert half == pytest.approx(norm.ppf((1 + 0.95**0.2) / 2), abs=0.05)

    def test_systems_that_share_all_noise_are_told_apart(self):
        noise = self.values([0.0])["s0"].influence
        made = {"a": Value("x", 0.0, noise), "b": Value("x", 0.001, noise)}
        assert [one.worst for one in rank_systems(made, Draw(0))] == [1, 2]

    @pytest.mark.slow
    def test_ranks_hold_at_once(self):
        """200 samples, six systems, two pairs of equals: ranks wrong in .14 of them with probability below 1e-5."""
        truth, generator, missed = np.array([0, 0, 0.1, 0.1, 0.2, 0.4]), np.random.default_rng(6), 0
        least = [1 + int((truth > one).sum()) for one in truth]
        most = [len(truth) - int((truth < one).sum()) for one in truth]
        for seed in range(200):
            rows = truth[:, None] + generator.normal(size=(6, 150))
            made = {str(k): Value("x", row.mean(), row - row.mean()) for k, row in enumerate(rows)}
            ranks = rank_systems(made, Draw(seed), repeats=1_000)
            missed += any(one.best > most[int(one.system)] or one.worst < least[int(one.system)] for one in ranks)
        assert missed / 200 < 0.14

    def test_what_is_refused(self):
        with pytest.raises(NotApplicable, match="at least two systems"):
            rank_systems(self.values([0.0]), Draw(0))
        with pytest.raises(NotApplicable, match="one group"):
            rank_systems({k: Value("x", 0.0, np.ones(3), clusters=np.zeros(3, int)) for k in "ab"}, Draw(0))
