"""`ifonly batch` from the command line."""

from __future__ import annotations

import importlib.util
import json

import pyarrow.parquet as pq
import pytest

from ifonly.cli import batch_work

ASK = ("--at", "weather/0", "--drop", "--continue", "hold", "--executor", "serial")
WORLD = ("--world", "credit-commit", "--units", "200", "--at", "check/0", "--model", "big", "--executor", "serial")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "batches"


def test_rows_are_where_it_says(cli, runs, out):
    done = cli("batch", runs, *ASK, "--out", out, "--json")
    assert done.status == 0, done.err
    assert done.json["units"] == 6
    rows = pq.read_table(done.json["rows"]).to_pylist()
    assert [row["unit"] for row in rows] == ["rain/0", "rain/1", "rain/2", "sun/0", "sun/1", "sun/2"]
    (score,) = done.json["summary"]["scores"]
    assert (score["question"], score["score"], score["settled"]) == ("drop weather/0", "solved", 0)


def test_the_same_again_does_nothing_and_another_says_what_differs(cli, out):
    first = cli("batch", *WORLD, "--out", out, "--json")
    again = cli("batch", *WORLD, "--out", out, "--json")
    assert first.json["rows_digest"] == again.json["rows_digest"]
    assert (again.json["before"], again.json["rate"]) == (200, None)
    assert "done before" in again.err
    other = cli("batch", *WORLD, "--seed", 1, "--out", out, "--json")
    assert other.json["digest"] != first.json["digest"]
    assert f"Another job than {first.json['digest'][:8]}: seed: 0 -> 1." in other.err


def test_text_tells_change_and_errors(cli, runs, out):
    questions = json.dumps(
        {"wet": [{"site": "weather/0", "do": "result", "content": "rain"}], "no": [{"site": "x/0", "do": "drop"}]}
    )
    done = cli("batch", runs, "--questions", questions, "--corpus", runs, "--executor", "serial", "--out", out)
    assert done.status == 1
    assert "6 x UnknownName" in done.out
    assert "rain/0: site 'x/0'" in done.out
    assert "Later replies: those that recorded runs" in done.out
    assert "solved" in done.out
    assert cli("batch", runs, "--questions", questions, "--corpus", runs, "--out", out, "--keep-going").status == 0


def test_runs_are_chosen(cli, runs, out):
    done = cli("batch", runs, *ASK, "--where", "arm=plain", "--limit", 3, "--out", out, "--json")
    assert done.json["units"] == 3
    assert cli("batch", runs, *ASK, "--where", "arms=plain", "--out", out).status == 2
    assert cli("batch", runs, *ASK, "--where", "arm=no", "--out", out).status == 2


def test_a_broken_record_is_told(cli, broken, out):
    done = cli("batch", broken, *ASK, "--out", out, "--json")
    assert done.status == 1
    assert done.json["units"] == 2


def test_ctrl_c_is_resumable(cli, out, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    engine = batch_work._engine
    monkeypatch.setattr(batch_work, "_engine", lambda m, n: interrupted if n == "run_batch" else engine(m, n))
    done = cli("batch", *WORLD, "--out", out)
    assert done.status == 130
    assert "Go on with the same command" in " ".join(done.err.split())


@pytest.mark.parametrize(
    "wrong",
    [
        ("batch",),
        ("batch", "--world", "credit-commit", "--at", "plan/0", "--model", "big"),
        ("batch", "--world", "nonsense", "--units", "5", "--at", "plan/0", "--drop"),
        (*("batch", "--world", "credit-commit", "--units", "5"), "--at", "plan/0", "--drop"),
        ("batch", "RUNS"),
        ("batch", "RUNS", "--clean", "--at", "weather/0"),
        ("batch", "RUNS", "--clean"),
        ("batch", "RUNS", *ASK, "--questions", "{}"),
        ("batch", "RUNS", "--questions", '{"a": [{"do": "drop"}]}'),
        ("batch", "RUNS", "--at", "weather/0", "--drop", "--continue", "corpus"),
        ("batch", "RUNS", *ASK, "--address", "auto"),
    ],
)
def test_usage_is_told_before_work_begins(cli, runs, out, wrong):
    done = cli(*(str(runs) if word == "RUNS" else word for word in wrong), "--out", out)
    assert (done.status, done.out) == (2, "")
    assert "fix" in done.err
    assert not out.exists()


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="ray is installed")
def test_a_missing_package_is_told(cli, out):
    done = cli("batch", *WORLD[:-2], "--executor", "ray", "--out", out)
    assert done.status == 2
    assert "ifonly[ray]" in done.err
