"""A swap of the model that recordings leave open, asked on the command line; and the benchmark of swaps."""

import pytest

from ifonly.agents.importers.native_export import write
from ifonly.agents.records import AssistantMessage, Outcome, Request, SystemMessage, Trajectory, UserMessage
from ifonly.agents.sites import steps_of
from ifonly.report.swaps import swaps_page
from ifonly.scenarios.swaps.bench import Reliability, Row, SwapBench
from ifonly.scenarios.swaps.scores import Bin
from ifonly.sim.answers import WhatIfAnswer
from ifonly.views.swaps import swaps_view

SWAP = ("--at", "agent/1", "--model", "large")


def talk(model, n):
    """Two turns on task n, which the large model solves more often than the small one."""
    messages = [
        SystemMessage(content="You help."),
        UserMessage(content=f"Task {n}?"),
        AssistantMessage(content=f"{model}: a moment."),
        UserMessage(content="Well?"),
        AssistantMessage(content=f"{model}: done with {n}."),
    ]
    return Trajectory(
        id=f"{model}/{n}",
        task=f"task/{n}",
        agent="helper",
        model=model,
        steps=steps_of(messages, Request(model=model, messages=(), toolset="none")),
        outcome=Outcome(scores={"solved": n % 4 != 0 if model == "large" else n % 2 == 1}),
    )


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "talks.jsonl"
    write(path, [talk(model, n) for model in ("small", "large") for n in range(16)])
    return path


@pytest.mark.slow
def test_a_fitted_world_answers_what_the_corpus_leaves_open(cli, corpus):
    done = cli("whatif", "small/2", "--corpus", corpus, *SWAP, "--continue", "model", "--json")
    assert done.status == 0, done.err
    answer = WhatIfAnswer.model_validate(done.json, strict=False)
    assert (answer.continuation, answer.verdict) == ("model", "answered")
    fitted = answer.fitted.outcomes["solved"]
    assert answer.outcomes["solved"].counterfactual == fitted.counterfactual
    assert fitted.borrowed.task_by == {"large": 1, "small": 1}
    assert fitted.borrowed.model == 16
    assert "fitting an item-response world to 32 runs: solved" in done.err


@pytest.mark.slow
def test_it_stands_beside_the_corpus_answer(cli, corpus):
    done = cli("whatif", "small/2", "--corpus", corpus, *SWAP)
    assert done.status == 4
    for told in (
        "needs live or fitted",
        "fitted item-response world",
        "solved with large, this run's outcome known: ",
        "too few recorded swaps at this step to say what luck the two runs share: none is assumed",
        "whatever luck the two runs share, between ",
        "borrowed from 32 runs: 2 of this task by 2 models",
        "a live re-run would take some 1 calls, at a price not known here",
    ):
        assert told in " ".join(done.out.split()), told


def test_a_small_corpus_fits_nothing(cli, tmp_path):
    path = tmp_path / "few.jsonl"
    write(path, [talk(model, 1) for model in ("small", "large")])
    done = cli("whatif", "small/1", "--corpus", path, *SWAP, "--json")
    assert done.status == 4
    assert done.json["fitted"] is None


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--at", "agent/1", "--model", "large"), "no corpus"),
        (("--at", "agent/1", "--drop", "--corpus", "CORPUS"), "no swap of the model"),
        (("--at", "agent/1", "--model", "large", "--only-here", "--corpus", "CORPUS"), "no swap of the model"),
    ],
)
def test_what_a_fitted_world_does_not_answer(cli, corpus, arguments, found):
    given = [corpus if argument == "CORPUS" else argument for argument in arguments]
    done = cli("whatif", "small/2", "--in", corpus, *given, "--continue", "model")
    assert done.status == 2
    assert found in done.err


def test_the_benchmark_says_what_data_it_needs(cli, tmp_path):
    done = cli("bench", "swaps", "--data", tmp_path, "--no-steps")
    assert done.status == 3
    assert "ifonly data get agentdojo" in done.err


def test_the_page_of_the_benchmark_shows_reliability():
    bins = (
        Bin(low=0.1, high=0.2, cells=30, predicted=0.15, observed=0.2, observed_low=0.1, observed_high=0.3),
        Bin(low=0.8, high=0.9, cells=70, predicted=0.85, observed=0.8),
    )
    row = Row(
        world="clean utility", split="cells", estimator="<b>world</b>", cells=100, brier=0.1, log_loss=0.3,
        calibration=0.02, rival="ridge logistic", gain=0.05, gain_low=0.04, gain_high=0.06, covered=0.9,
    )  # fmt: skip
    found = SwapBench(
        rows=(row,),
        steps=(),
        reliability=(Reliability(world="clean utility", split="cells", estimator="world", bins=bins),),
    )
    page = swaps_page(found, "ifonly bench swaps")
    assert page.count("<circle") == 2
    assert "predicted 0.150, came true 0.200, 30 cells" in page
    assert "+0.0500 [+0.0400, +0.0600]" in page
    assert "<b>world</b>" not in page
    # .15 of 260 to the right of 40, and .2 of 260 above 270.
    assert 'cx="79.0" cy="218.0"' in page
    assert 'y1="192.0" x2="79.0" y2="244.0"' in page
    assert swaps_view(found).reliability[0].grid.rows[0] == ("0.1 to 0.2", "0.15", "0.2", "[0.1, 0.3]", "30")


@pytest.mark.slow
@pytest.mark.data
def test_the_benchmark_of_swaps(cli, data, tmp_path):
    page = tmp_path / "swaps.html"
    done = cli("bench", "swaps", "--data", data / "agentdojo_runs", "--quick", "--no-steps", "--json", "--html", page)
    assert done.status == 0
    assert "<svg" in page.read_text()
    rows = [row for row in done.json["rows"] if row["split"] == "cells" and row["estimator"] == "item response"]
    assert {row["world"] for row in rows} == {"clean utility", "attacked utility", "attacked security"}
    assert all(row["gain_low"] > 0 for row in rows)
