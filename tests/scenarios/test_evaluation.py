"""The evaluation family: worlds by table, and the real data."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ifonly.agents.errors import InputError, UnknownName
from ifonly.report.scenario import scenario_picture
from ifonly.scenarios.catalog import find_scenario
from ifonly.scenarios.evaluation.pandalm import read_pairs
from ifonly.scenarios.evaluation.routellm import judge_gap
from ifonly.scenarios.evaluation.subsets import hide_labels, label_subsets
from ifonly.scenarios.known import Estimator, draw, sampled_query
from ifonly.scenarios.scenario import answer
from ifonly.scenarios.tabular import Site, Tabular
from ifonly.scm.draw import Draw
from ifonly.scm.nested import EXACT

TABLE = Tabular({"x": Site((0.2, 0.3, 0.5)), "y": Site(lambda x: 0.1 + 0.2 * x, ("x",))})


def test_a_table_gives_law_means_and_program():
    assert TABLE.edges == {("x", "y")}
    assert TABLE.law()[2, 1] == pytest.approx(0.25)
    assert sum(TABLE.law().values()) == pytest.approx(1)
    assert TABLE.mean(lambda v: v["y"], lambda v: v["x"] > 0) == pytest.approx((0.3 * 0.3 + 0.5 * 0.5) / 0.8)
    drawn = draw(TABLE.program, 20_000, 0)
    assert drawn["y"][drawn["x"] == 2].mean() == pytest.approx(0.5, abs=0.03)


def test_a_sampled_query_needs_a_right_estimator_and_a_number():
    wrong = Estimator("w", lambda sample, level: None, right=False)
    with pytest.raises(ValueError, match="right estimator first"):
        sampled_query("q", (0.0, lambda: 0.0), (0.0, ""), (wrong,), lambda n, seed: {}, EXACT)


def test_the_picture_of_the_page_is_what_the_command_makes(root):
    """After a change: `ifonly scenario biased-judge --svg docs/evaluation.svg`."""
    drawn = scenario_picture(answer(find_scenario("biased-judge")))
    assert (root / "docs" / "evaluation.svg").read_text() == drawn


@pytest.fixture
def pandalm(data):
    return data / "pandalm_judges"


@pytest.mark.data
def test_pandalm_is_read(pandalm):
    pairs = read_pairs(pandalm)
    assert len(pairs.human) == 698
    assert pairs.systems == ("bloom-7b", "cerebras-gpt-6.7B", "llama-7b", "opt-7b", "pythia-6.9b")
    assert set(pairs.human) == {0.0, 0.5, 1.0}
    assert sum(len(pairs.wins(name, pairs.human)) for name in pairs.systems) == 2 * 698
    assert sum(pairs.wins(name, pairs.human).sum() for name in pairs.systems) == pytest.approx(698)


@pytest.mark.data
def test_corrected_intervals_hold_the_value_of_all_labels(pandalm):
    """1,000 sets of 60 labels: .91 and fewer with probability below 1e-5 if .945 are right; narrower than without."""
    pairs = read_pairs(pandalm)
    human, judge = (pairs.wins("bloom-7b", scores) for scores in (pairs.human, pairs.judges["GPT-3.5"]))
    found = label_subsets(human, judge, 60, Draw(0))
    assert found.covered > 0.91
    assert found.ratio < 0.85


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["biased-judge", "own-favourite", "stand-in"])
def test_the_whole_on_real_data(data, name):
    """The judge makes intervals narrower, and over 1,000 sets of labels they hold the value of all."""
    made = answer(find_scenario(name), 0, data)
    assert made.data is not None
    for asked in made.data.asked:
        best, alone = asked.answers
        assert best.estimate.high - best.estimate.low < alone.estimate.high - alone.estimate.low
    coverage = next(figures for figures in made.data.figures if "coverage" in figures.titles)
    at, ratio = (coverage.titles.index(name) for name in ("coverage", "ratio of widths"))
    assert all(row[at] > 0.91 and row[ratio] < 1 for row in coverage.rows)


@pytest.mark.data
def test_a_judge_of_other_prompts_tells_a_direction(data):
    gap, means = judge_gap(data / "routellm_routing")
    assert gap.low > 0
    assert gap.value == pytest.approx(means["large"] - means["small"])


def test_hidden_labels_hang_on_the_seed():
    human = np.arange(50.0)
    kept = hide_labels(human, 10, Draw(1))
    assert np.isfinite(kept).sum() == 10
    assert (kept[np.isfinite(kept)] == human[np.isfinite(kept)]).all()
    np.testing.assert_array_equal(kept, hide_labels(human, 10, Draw(1)))


def test_mistakes_in_files_are_told(tmp_path):
    with pytest.raises(InputError):
        read_pairs(tmp_path)
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"cmp_key": "a_b", "annotator1": 1}\n')
    with pytest.raises(UnknownName, match=r"instruction.*has the columns cmp_key, annotator1"):
        read_pairs(path)
    row = {"cmp_key": "a_b", "instruction": "?", "input": "", "judge_gpt35": "1", "judge_pandalm7b": 2}
    row |= {"r1_chars": 5, "r2_chars": 7}
    for votes, told in (
        ((None, None, None), "no pair has a human's vote"),
        (("1", "maybe", "2"), "no pair has a human's vote"),
        (("0", "1", "2"), "1 pairs have three different votes"),
    ):
        path.write_text(json.dumps(row | {f"annotator{n}": vote for n, vote in enumerate(votes, 1)}) + "\n")
        with pytest.raises(InputError, match=told):
            read_pairs(path)
    scores = tmp_path / "mt.csv"
    scores.write_text("question_id,turn,model,score\n1,1,gpt-4,9\n")
    with pytest.raises(InputError, match="one model only"):
        judge_gap(scores)
    scores.write_text("question_id,turn,model\n1,1,gpt-4\n")
    with pytest.raises(UnknownName, match=r"score.*has the columns question_id, turn, model"):
        judge_gap(scores)
    with pytest.raises(InputError, match="is no folder"):
        answer(find_scenario("biased-judge"), 0, tmp_path / "nowhere")
