"""`ifonly bench whowhen` on synthetic logs."""

import json

import pytest


def record(number, part="Algorithm-Generated"):
    return {
        "log_id": f"{part}/{number}",
        "question": f"How many lanterns hang in street {number}?",
        "question_ID": f"q{number}",
        "ground_truth": "7",
        "history": [
            {"content": "Here is the task and the plan.", "role": "assistant", "name": "A"},
            {"content": "Let us assume there are 3.", "role": "user", "name": "B"},
            {"content": f"There are 3 lanterns in street {number}.", "role": "assistant", "name": "A"},
        ],
        "mistake_agent": "B",
        "mistake_step": "1",
        "mistake_reason": "It assumed.",
    }


@pytest.fixture
def logs(tmp_path):
    path = tmp_path / "logs.jsonl"
    path.write_text("".join(json.dumps(record(number)) + "\n" for number in range(12)))
    return path


def test_the_table(cli, logs):
    done = cli("bench", "whowhen", str(logs))
    assert done.status == 0
    for told in ("Algorithm-Generated: 12 failed logs", "random", "always step 1", "signs, learned", "MRR"):
        assert told in done.out


def test_json_and_predictions(cli, logs, tmp_path):
    mine = tmp_path / "mine.jsonl"
    mine.write_text(json.dumps({"log_id": "Algorithm-Generated/0", "step": 1}) + "\n")
    done = cli("bench", "whowhen", "--data", str(logs), "--predictions", str(mine), "--json")
    assert done.status == 0
    assert "says nothing of 11 of 12 logs" in done.err
    assert done.json.keys() == {"rows", "seconds"}
    by = {row["estimator"]: row for row in done.json["rows"]}
    assert by["mine.jsonl"]["step"] == pytest.approx(1 / 12)
    assert by["always step 1"]["step"] == 1
    assert by["random"]["step"] == pytest.approx(1 / 3)
    assert by["mine.jsonl"]["estimates"]["difference"]["value"] == pytest.approx(-11 / 12)


def test_a_limit_and_more_to_learn_from(cli, logs, tmp_path):
    more = tmp_path / "more.jsonl"
    more.write_text("".join(json.dumps(record(number)) + "\n" for number in range(20, 24)))
    done = cli("bench", "whowhen", str(logs), "--limit", "3", "--learn-from", str(more), "--json")
    assert {row["logs"] for row in done.json["rows"]} == {3}


def test_a_bad_prediction_is_told_with_its_place(cli, logs, tmp_path):
    mine = tmp_path / "mine.jsonl"
    mine.write_text(json.dumps({"log_id": "Algorithm-Generated/0", "step": "1"}) + "\n")
    done = cli("bench", "whowhen", str(logs), "--predictions", str(mine))
    assert done.status == 3
    assert "record 1, field step" in done.err


def test_logs_that_are_not_there(cli, tmp_path):
    done = cli("bench", "whowhen", str(tmp_path / "none"))
    assert done.status == 3
    assert "no such file or folder" in done.err


def test_a_paid_model_needs_a_budget(cli, logs, tmp_path):
    done = cli("bench", "whowhen", str(logs), "--model", "gpt-4o-mini", "--cassette", str(tmp_path / "c.jsonl"))
    assert done.status == 4
    assert "no budget" in done.err
