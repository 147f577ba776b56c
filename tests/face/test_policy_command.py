"""``ifonly policy`` on the command line: tables and runs, text, JSON and page, and what it says of mistakes."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from ifonly.agents.importers.native_export import write
from ifonly.scenarios.hidden_router import sample, truth


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A small log in which the large model is better, and is taken on hard prompts."""
    generator = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("log") / "log.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["model", "correct", "p", "hard", "cost", "when"])
        for when in range(600):
            hard = int(generator.random() < 0.5)
            chance = 0.7 if hard else 0.3
            large = generator.random() < chance
            correct = int(generator.random() < (0.8 if large else 0.5) - 0.3 * hard)
            rows.writerow(
                ["large" if large else "small", correct, chance if large else 1 - chance, hard, 3 if large else 1, when]
            )
    return path


OPTIONS = ("--action", "model", "--reward", "correct", "--propensity", "p", "--context", "hard")


def test_a_table(cli, log):
    done = cli(
        "policy",
        log,
        *OPTIONS,
        "--cost",
        "cost",
        "--target",
        "large",
        "--control",
        "hard",
        "--time",
        "when",
        "--since",
        "500",
    )
    assert done.status == 0
    for told in (
        "600 decisions",
        "large  answered",
        "would have been worth",
        "sndr",
        "E-value",
        "over time: ",
        "likeliest change at time",
        "with contexts as in the period of --since",
        "negative control hard",
    ):
        assert told in done.out
    answer = cli("policy", log, *OPTIONS, "--target", "large", "--json").json
    (one,) = answer["answers"]
    assert one["verdict"] == "answered"
    assert one["value"]["low"] < 0.65 < one["value"]["high"]
    assert one["logging"]["rung"] == "interventional"
    assert answer["log"]["propensities"] == "logged"


def test_intervals_by_resampling_groups(cli, log):
    asked = ("policy", log, *OPTIONS, "--cluster", "when", "--target", "large")
    plain = cli(*asked, "--json").json["answers"][0]
    done = cli(*asked, "--intervals", "bootstrap", "--repeats", "200", "--json")
    assert done.status == 0
    (one,) = done.json["answers"]
    assert one["intervals"] == "bootstrap"
    assert one["value"]["value"] == plain["value"]["value"]
    assert one["value"]["low"] != plain["value"]["low"]
    shown = cli(*asked, "--intervals", "bootstrap", "--repeats", "200").out
    assert "groups resampled" in " ".join(shown.split())


def test_a_design_is_saved_and_valued_again(cli, log, tmp_path):
    rule, page = tmp_path / "rule.json", tmp_path / "page.html"
    asked = ("policy", log, *OPTIONS, "--price", "small=1,large=3", "--design", "--budget", "2.5", "--depth", "1")
    done = cli(*asked, "--save", rule, "--html", page)
    assert done.status == 0
    assert "Quality against cost" in done.out
    assert json.loads(rule.read_text())["rule"]["kind"] == "tree"
    text = page.read_text()
    assert "<svg" in text
    assert "<script" not in text
    again = cli("policy", log, *OPTIONS, "--target", f"@{rule}", "--json")
    assert again.json["answers"][0]["target"]["name"] == f"@{rule}"


def test_runs(cli, made, tmp_path):
    runs = [
        made(f"r{i}", model="large" if i % 2 else "small", solved=bool(i % 3), task=f"t{i % 20}") for i in range(80)
    ]
    path = tmp_path / "runs.jsonl"
    write(path, runs)
    asked = ("policy", path, "--score", "solved", "--propensity", "uniform", "--cluster", "task", "--target", "large")
    done = cli(*asked, "--json")
    assert done.status == 0
    assert done.json["log"]["groups"] == 20
    assert done.json["log"]["propensities"] == "declared"


@pytest.fixture
def met(tmp_path, made):
    """Half of 20 tasks are hard; each is run by one of two models, and all of them by three more, apart."""
    log, more = [], []
    for task in range(20):
        for model in ("large" if task % 2 else "small", "x", "y", "z"):
            run = made(f"{model}-{task}", model=model, solved=bool(task % 2 == 0 or model in "xy"), task=f"t{task}")
            (more if model in "xyz" else log).append(run)
    for name, runs in (("log", log), ("more", more)):
        write(tmp_path / f"{name}.jsonl", runs)
    return tmp_path


def test_whole_runs_are_replayed(cli, met, tmp_path):
    asked = ("policy", met / "log.jsonl", "--score", "solved", "--propensity", "uniform", "--target", "large")
    done = cli(*asked, "--corpus", met / "more.jsonl", "--html", tmp_path / "page.html")
    shown = " ".join(done.out.split())
    for told in ("abduction (item response)", "a world of 80 runs", "met by 3 others", "and on no propensity"):
        assert told in shown, told
    assert "abduction (item response)" in (tmp_path / "page.html").read_text()
    (one,) = cli(*asked, "--corpus", met / "more.jsonl", "--json").json["answers"]
    assert one["replayed"] == {"runs": 80, "of_models": 10, "share": 0.5, "others": 3.0}
    assert one["estimates"]["abduction (item response)"]["identified"] == "assumed"
    alone = cli(*asked, "--json").json["answers"][0]
    assert "cannot be told apart" in alone["refused"]["abduction (item response)"]
    left = cli(*asked, "--no-abduct", "--json").json["answers"][0]
    assert left["refused"] == {}
    assert left["replayed"] is None


def test_a_corpus_that_nothing_learns_from(cli, log, met):
    done = cli("policy", log, *OPTIONS, "--target", "large", "--corpus", met / "more.jsonl")
    assert done.status == 2
    assert "no whole runs" in " ".join(done.err.split())


@pytest.mark.parametrize("target", ["a", "b"])
def test_a_log_of_one_arm(cli, tmp_path, target):
    path = tmp_path / "log.csv"
    path.write_text("model,correct\na,1\na,0\n")
    done = cli("policy", path, "--action", "model", "--reward", "correct", "--target", target)
    assert done.status == 3
    assert "holds one arm only, 'a'" in " ".join(done.err.split())


def test_a_broken_row_of_a_table_is_told_as_such(cli, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"model": "a", "correct": 1}\n{"model": \n')
    done = cli("policy", path, "--action", "model", "--reward", "correct", "--target", "a")
    assert done.status == 3
    assert "log.jsonl, record 2" in done.err


@pytest.mark.parametrize(
    ("options", "found", "status"),
    [
        (OPTIONS, "neither a target nor a design", 2),
        (("--reward", "correct", "--target", "large"), "no column of actions", 2),
        (("--action", "model", "--target", "large"), "no column of rewards", 2),
        ((*OPTIONS[:2], "--reward", "corect", "--target", "large"), "corect", 2),
        ((*OPTIONS[:4], "--target", "large"), "no propensities", 2),
        ((*OPTIONS[:4], "--propensity", "q", "--target", "large"), "column of --propensity", 2),
        ((*OPTIONS, "--target", "huge"), "huge", 2),
        ((*OPTIONS, "--design"), "no costs", 2),
        ((*OPTIONS, "--target", "large", "--reward-range", "0", "0.5"), "outside the range", 2),
        ((*OPTIONS, "--target", "large", "--since", "3"), "no times", 2),
        ((*OPTIONS, "--target", "large", "--time", "when", "--since", "9e3"), "times go from 0 to 599", 2),
        ((*OPTIONS[:2], "--reward", "model", "--target", "large"), "no finite numbers", 3),
    ],
)
def test_mistakes_say_what_to_do(cli, log, options, found, status):
    done = cli("policy", log, *options)
    assert done.status == status
    assert found in " ".join(done.err.split())
    assert "fix" in done.err
    assert done.out == ""


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """Runs of two steps; the large model is better at each."""
    generator = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("steps") / "steps.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["run", "model", "p", "solved", "before"])
        for run in range(600):
            large = generator.random(2) < 0.5
            solved = int(generator.random() < 0.3 + 0.3 * large.sum())
            for step in range(2):
                before = int(step and large[0])
                rows.writerow([run, "large" if large[step] else "small", 0.5, solved * step, before])
    return path


def test_whole_runs(cli, steps, tmp_path):
    page = tmp_path / "runs.html"
    asked = ("policy", steps, "--run", "run", "--action", "model", "--reward", "solved", "--propensity", "p")
    asked = (*asked, "--context", "before", "--target", "large@1 else small", "--target", "large")
    done = cli(*asked, "--html", page)
    assert done.status == 0, done.err
    shown = " ".join(done.out.split())
    for told in (
        "600 runs of 1,200 decisions",
        "large@1 else small answered",
        "sequential dr",
        "fqe",
        "effective of 600 runs",
    ):
        assert told in shown, told
    assert "sequential dr" in page.read_text()
    first, second = cli(*asked, "--json").json["answers"]
    assert first["value"]["low"] < 0.6 < first["value"]["high"]
    assert second["value"]["low"] < 0.9 < second["value"]["high"]


def test_what_whole_runs_do_not_go_with(cli, steps):
    asked = ("policy", steps, "--run", "run", "--action", "model", "--reward", "solved", "--propensity", "p")
    done = cli(*asked, "--design", "--cost", "p")
    assert done.status == 2
    assert "--design, --cost: not for whole runs" in " ".join(done.err.split())


@pytest.mark.slow
@pytest.mark.data
def test_the_benchmark_of_whole_runs(cli, data):
    done = cli("bench", "sequences", "--data", data / "credit_world", "--json")
    assert done.status == 0
    rows = done.json["rows"]
    replayed = [row for row in rows if row["estimator"] == "abduction replay, laws asked"]
    assert len(replayed) == 8
    assert all(row["value"]["low"] <= row["truth"] <= row["value"]["high"] for row in replayed)
    assert not [row for row in rows if row["estimator"] == "sequential dr" and row["matching"] == 0]


@pytest.fixture(scope="module")
def routed(tmp_path_factory):
    """Runs of an agent whose router knew what the log hides."""
    path, table = tmp_path_factory.mktemp("steps") / "steps.csv", sample(300, seed=1)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(table.columns)
        rows.writerows(zip(*table.columns.values(), strict=True))
    return path


ROUTED = ("--run", "run", "--action", "model", "--reward", "solved", "--propensity", "fit", "--context", "draft")


def test_runs_are_replayed_in_a_world_of_ones_own(cli, routed, tmp_path):
    path = tmp_path / "my agent.py"
    path.write_text("from ifonly.scenarios.hidden_router import world\n\nnothing = 3\n")
    asked = ("policy", routed, *ROUTED, "--target", "large", "--target", "large@0 else small")
    done = cli(*asked, "--world", f"{path}:world")
    shown = " ".join(done.out.split())
    assert done.status == 0
    assert shown.count("abduction (stated world)") == 3
    assert "rests on the world that was stated" in shown
    answers = cli(*asked, "--world", "ifonly.scenarios.hidden_router:world", "--json").json["answers"]
    for answer, policy in zip(answers, (lambda step, draft: 0, lambda step, draft: step), strict=True):
        told = answer["estimates"]["abduction (stated world)"]
        # .022 is its standard error; 4.5 of them fail below 1e-5.
        assert abs(told["value"] - truth(policy)) < 0.1
        assert told["noise"] == "ifonly.scenarios.hidden_router:world"
    for world, status, said in (
        (path, 3, "names no function"),
        (f"{path}:wolrd", 2, "near world"),
        (f"{path}:nothing", 2, "is a int, no function"),
        (f"{tmp_path / 'none.py'}:world", 3, "cannot be read"),
    ):
        refused = cli(*asked, "--world", world)
        assert refused.status == status
        assert said in " ".join(refused.err.split())
    assert "--run" in cli("policy", routed, *ROUTED[2:], "--target", "large", "--world", f"{path}:world").err
