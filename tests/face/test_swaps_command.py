"""A swap of the model that recordings leave open, asked on the command line; and the benchmark of swaps."""

import pytest

from ifonly.agents.importers.native_export import write
from ifonly.agents.records import AssistantMessage, Outcome, Request, SystemMessage, Trajectory, UserMessage
from ifonly.agents.sites import steps_of
from ifonly.sim.answers import WhatIfAnswer

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


def test_it_stands_beside_the_corpus_answer(cli, corpus):
    done = cli("whatif", "small/2", "--corpus", corpus, *SWAP)
    assert done.status == 4
    for told in (
        "needs live or fitted",
        "fitted item-response world",
        "solved with large, this run's outcome known: ",
        "whatever the two runs' noise shares, between ",
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
    assert "index.csv.gz" in done.err


@pytest.mark.slow
@pytest.mark.data
def test_the_benchmark_of_swaps(cli, data):
    done = cli("bench", "swaps", "--data", data / "agentdojo_runs", "--quick", "--no-steps", "--json")
    assert done.status == 0
    rows = [row for row in done.json["rows"] if row["split"] == "cells" and row["estimator"] == "item response"]
    assert {row["world"] for row in rows} == {"clean utility", "attacked utility", "attacked security"}
    assert all(row["gain_low"] > 0 for row in rows)
