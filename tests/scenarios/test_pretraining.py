"""The pretraining scenario: what RegMix's runs say of mixtures never run, and what its loader refuses."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from ifonly.agents.errors import InputError, UnknownName
from ifonly.scenarios.pretraining.regmix import regmix_study
from ifonly.scenarios.pretraining.runs import read_runs
from ifonly.scm.errors import NotIdentified, OffSimplex


def write(folder, change=lambda row: row, runs=45):
    """Runs of three domains at 1M whose loss falls with the web, two splits."""
    g = np.random.default_rng(0)
    rows = []
    for split in ("train", "test"):
        for index, shares in enumerate(g.dirichlet(np.ones(3), runs)):
            row = {"orig_split": split, "model_size": "1m", "index": index}
            row |= dict(zip(("w_pile_cc", "w_github", "w_arxiv"), shares, strict=True))
            rows.append(change({**row, "loss_pile_cc": 5 - shares[0] + 0.01 * g.normal()}))
    with (folder / "mixture_loss.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def without(*names):
    return lambda row: {name: cell for name, cell in row.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (lambda row: {**row, "w_github": row["w_github"] - 0.03}, OffSimplex, "sums to 0.97|has -"),
        (without("w_github"), OffSimplex, "sum to 1.*Add the domain that is missing"),
        (without("loss_pile_cc"), UnknownName, "loss_pile_cc.*has the columns"),
        (without("model_size"), UnknownName, "model_size"),
        (without("w_pile_cc", "w_github"), InputError, "1 column.*Write one column a domain"),
        (lambda row: {**row, "w_github": "much"}, InputError, "no finite numbers.*row 1"),
        (lambda row: {**row, "orig_split": "train"}, InputError, "0 run.*'test'"),
    ],
)
def test_wrong_inputs_say_what_to_do(tmp_path, change, error, told):
    with pytest.raises(error, match=told):
        read_runs(write(tmp_path, change))


def test_a_single_mixture_is_refused(tmp_path):
    same = {"w_pile_cc": 0.5, "w_github": 0.3, "w_arxiv": 0.2}
    with pytest.raises(NotIdentified, match=r"same mixture.*Add runs"):
        regmix_study(write(tmp_path, lambda row: {**row, **same}), 0)


def test_the_real_runs_are_read_whole(data):
    runs = read_runs(data / "regmix")
    assert {"1m", "60m", "1B"} == {size for _, size in runs}
    assert (runs["test", "1m"].shares == runs["test", "60m"].shares).all()
    assert all(part.shares.sum(1) == pytest.approx(1) for part in runs.values())


@pytest.mark.slow
def test_real_runs_held_out_are_predicted(data):
    """The figures of docs/pretraining.md, within what another seed moves."""
    study = regmix_study(data / "regmix", 0)
    methods, domains, carried, cursed, _ = study.figures
    ours, trees, linear = methods.rows
    assert ours[1] > 0.99 > trees[1] > 0.97 > linear[1]
    assert ours[2] < trees[2] < linear[2]
    assert 0.9 < ours[3] <= 1
    assert len(domains.rows) == 13
    assert min(row[1] for row in domains.rows) > 0.95
    line = {(row[0], row[1]): row for row in carried.rows}
    assert float(line["1m to 60m", "none"][2].split()[0]) > 0.98
    assert line["1m to 1B", "10 large runs"][5] < 0.05 < line["1m to 1B", "none"][5]
    assert 0.85 < line["1m to 1B", "10 large runs"][6] <= 1
    assert cursed.rows[0][1] > 0.9
    best = study.asked[2]
    assert best.answers[0].estimate.low <= best.truth <= best.answers[0].estimate.high
    web, spread = (one.answers[0].estimate for one in (study.asked[1], study.asked[0]))
    assert web.low > spread.high > spread.low > 0
