"""Alignment: the real preferences, where they are, and logs that lack what is needed. The world proves itself."""

from __future__ import annotations

import csv
import gzip
import json
from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit

from ifonly.agents.errors import InputError, UnknownName
from ifonly.scenarios.alignment.analyses import queries, without_quality
from ifonly.scenarios.alignment.arms import contrasts
from ifonly.scenarios.alignment.log import read_log
from ifonly.scenarios.alignment.published import agreement, reproduce
from ifonly.scenarios.alignment.rater_figures import rater_figures
from ifonly.scenarios.alignment.raters import (
    HARMLESS,
    HUMANS,
    JUDGES,
    PANDALM,
    Pairs,
    chance,
    read_harmless,
    read_pairs,
)
from ifonly.scenarios.alignment.real import study_log
from ifonly.scenarios.alignment.style import RATIO
from ifonly.scenarios.study import Study
from ifonly.scm.errors import NotIdentified

STYLE = ("chars", "bullets", "numbered", "headers", "bold")
MODELS = ("base", "good", "long", "long_concise", "plain")
COUNT = 120


def written(folder, models=MODELS, change=lambda row: row, drop=()):
    """A small log in the form of the real one: preferences by a law with a length effect, and a leaderboard."""
    generator = np.random.default_rng(0)
    level = dict(zip(MODELS, (0.0, 0.5, -1.0, -1.0, -1.5), strict=True))
    size = dict(zip(MODELS, (1_000, 900, 1_400, 500, 700), strict=True))
    hard, base = generator.normal(size=COUNT), generator.lognormal(np.log(1_000), 0.3, COUNT).round()
    rows, outputs = [], []
    for model in models:
        for at in range(COUNT):
            own = base[at] if model == "base" else round(size[model] * generator.lognormal(0, 0.3))
            odds = level[model] + 1.2 * np.tanh((own - base[at]) / 400) + hard[at] + 0.3 * generator.normal()
            liked = 0.5 if model == "base" else 1 / (1 + np.exp(-odds))
            style = dict.fromkeys(STYLE, 0) | {
                "bullets": int(generator.integers(4)),
                "bold": int(generator.integers(3)),
            }
            row = {"model": model, "instr_id": f"i{at}", "generator_1": "base", "preference": 1 + liked}
            row |= {f"o1_{name}": 0 for name in STYLE} | {"o1_chars": base[at]}
            row |= {f"o2_{name}": value for name, value in style.items()} | {"o2_chars": own}
            rows.append(change({name: cell for name, cell in row.items() if name not in drop}))
            if model.startswith("long"):
                outputs.append({"model": model, "instr_id": f"i{at}", **style, "chars": own})
    board = [
        {"": m, "win_rate": 30, "standard_error": 1, "length_controlled_winrate": 35 + at, "n_total": 200}
        for at, m in enumerate(models)
    ]
    table(folder / "annotations.csv.gz", rows)
    table(
        folder / "verbosity_arm_outputs.csv.gz",
        outputs or [{"model": "x", "instr_id": "i0", **dict.fromkeys(STYLE, 1)}],
    )
    table(folder / "leaderboard_published.csv", board)
    return folder


def table(path, rows):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def test_a_small_log_is_studied(tmp_path):
    study = study_log(written(tmp_path), 0)
    assert isinstance(study, Study)
    names = [one.name for one in study.asked]
    assert "change of long's win rate from base to concise" in names
    arms = study.asked[-1]
    observed = {one.name: one.estimate for one in arms.answers}
    assert observed["observed"].value < -0.1
    assert observed["style held"].low <= observed["observed"].value <= observed["style held"].high
    assert len([note for note in study.notes if note.startswith("No ")]) == 2


@pytest.mark.parametrize(
    ("made", "error", "told"),
    [
        ({"models": ("base",)}, InputError, "one arm only: base"),
        ({"models": ("base", "good", "plain")}, InputError, "one arm only of every model"),
        ({"drop": ("o2_chars",)}, UnknownName, "o2_chars"),
        ({"change": lambda row: row | {"preference": 3}}, InputError, "from 3 to 3"),
        ({"change": lambda row: row | {"o2_chars": row["o1_chars"] + 10}}, NotIdentified, "style is constant"),
        ({"change": lambda row: row | {"generator_1": row["model"]}}, InputError, "5 baselines"),
        ({"change": lambda row: row | {"preference": "high"}}, InputError, "no finite numbers"),
    ],
)
def test_logs_that_lack_what_is_needed_say_what_to_do(tmp_path, made, error, told):
    with pytest.raises(error, match=told):
        study_log(written(tmp_path, **made), 0)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"there is no annotations\.csv\.gz"):
        read_log(tmp_path)
    (tmp_path / PANDALM).mkdir()
    with pytest.raises(InputError, match=r"there is no pairs\.jsonl\.gz"):
        rater_figures(tmp_path)


def test_a_rater_who_says_something_else_is_told(tmp_path):
    row = {"cmp_key": "a_b", "instruction": "x", "input": "", "annotator1": 1, "annotator2": 2, "annotator3": 0}
    row |= {"judge_gpt35": "3", "judge_pandalm7b": 1} | {f"r{i}_{name}": 1 for i in (1, 2) for name in STYLE}
    (tmp_path / "pairs.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    with pytest.raises(InputError, match="'judge_gpt35' holds '3'"):
        read_pairs(tmp_path)


def placed(strength, first, seed, n=400):
    """Ten pairs of five models, each in one order, a rater who favours what stands first, and humans who do not."""
    g = np.random.default_rng(seed)
    pairs = list(combinations("abcde", 2))
    which = np.arange(n * len(pairs)) % len(pairs)
    gap = np.array([strength(one, other) for one, other in pairs])[which]
    humans = {name: (g.random(len(which)) < expit(gap)).astype(float) for name in HUMANS}
    judges = {name: (g.random(len(which)) < expit(gap + first)).astype(float) for name in JUDGES}
    levels = {f"{a}_{b}": (which == at).astype(float) for at, (a, b) in enumerate(pairs)}
    none = np.zeros(len(which))
    return Pairs({}, levels, {**humans, **judges}, np.arange(len(which)) // 2, none, 0)


def test_strengths_that_add_up_tell_what_standing_first_does():
    """Intervals that fail once in a million; three models that beat each other in a ring do not add up."""
    ladder = placed(lambda a, b: 0.3 * (ord(b) - ord(a)), 0.6, 0)
    for rater, truth in (("humans", 0.0), (JUDGES[0], 0.6)):
        odds, adding = ladder.placed(rater)
        told = odds.estimate(1 - 1e-6)
        assert told.low <= truth <= told.high
        assert told.high - told.low < 1
        assert adding > 1e-6
    gap = ladder.placed(JUDGES[0]).odds.less(ladder.placed("humans").odds).estimate()
    assert gap.low <= 0.6 <= gap.high
    ring = placed(lambda a, b: -1.0 if (a, b) == ("a", "c") else 0.5, 0.0, 1)
    assert ring.placed("humans").adding < 1e-6


def test_unseen_quality_breaks_every_style_held_answer():
    rate, model, _, length = queries()[:4]
    assert without_quality("rate") < rate.truth - 0.05
    assert without_quality("model") < model.truth - 0.05
    assert without_quality("length") > length.truth + 0.02


@pytest.fixture(scope="module")
def alpaca(data):
    return read_log(data / "alpaca_eval_style")


@pytest.mark.data
@pytest.mark.slow
def test_published_rates_are_made_again(alpaca):
    made = reproduce(alpaca)
    found = agreement(made.values())
    assert found.models == 56
    assert found.pearson > 0.995
    assert found.spearman > 0.97
    assert found.largest < 0.045
    assert found.inside > 0.7


@pytest.mark.data
@pytest.mark.slow
def test_style_alone_predicts_what_being_told_does(alpaca):
    arms = contrasts(alpaca, reproduce(alpaca, ["gpt-3.5-turbo-1106", "claude-2.1"]))
    assert len(arms) == 12
    assert sum(one.paired for one in arms) == 5
    off = [one for one in arms if one.gap.estimate().low > 0 or one.gap.estimate().high < 0]
    assert len(off) <= 2
    error, none = (
        np.sqrt(np.mean([(of(one) - one.observed.value) ** 2 for one in arms]))
        for of in (lambda one: one.predicted.value, lambda one: 0.0)
    )
    assert error < 0.03
    assert none > 0.1


@pytest.mark.data
def test_humans_and_judges_move_with_length(data):
    """Humans prefer the longer of two answers in PandaLM, and the shorter one where harm is to be avoided."""
    pairs = read_pairs(data / PANDALM)
    assert (len(pairs.longer), pairs.left_out) == (680, 18)
    assert chance(pairs.effect("humans", RATIO), RATIO).low > 0.55
    held = [chance(pairs.effect(judge, RATIO, content=True), RATIO).value for judge in JUDGES]
    assert all(value < chance(pairs.effect("humans", RATIO), RATIO).value for value in held)
    harmless = read_harmless(data / HARMLESS)
    assert len(harmless.fit.design) == 1_632
    assert chance(harmless.fit.coefficient(RATIO), RATIO).high < 0.5
