import copy
import json

import pytest

from ifonly.agents.reading import find_run, read
from ifonly.agents.records import InputStep, ModelStep
from ifonly.sim.script import Script

GROUP = {
    "log_id": "Algorithm-Generated/7",
    "question": "How many lanterns hang there?",
    "question_ID": "q-7",
    "ground_truth": "a secret",
    "level": "2",
    "is_correct": False,
    "system_prompt": {"Counting_Expert": "You count.", "Checking_Expert": "You check."},
    "history": [
        {"content": "Your task: count.", "role": "assistant", "name": "Counting_Expert"},
        {"content": "```python\nprint(3)\n```", "role": "user", "name": "Checking_Expert"},
        {"content": "exitcode: 0 (execution succeeded)\nCode output: 3", "role": "user", "name": "Computer_terminal"},
        {"content": "TERMINATE", "role": "assistant", "name": "Counting_Expert"},
    ],
    "mistake_agent": "Checking_Expert",
    "mistake_step": "1",
    "mistake_reason": "It counted wrongly.",
}
TEAM = {
    "log_id": "Hand-Crafted/7",
    "question": "How many lanterns hang there?",
    "question_ID": "q-7",
    "ground_truth": "a secret",
    "is_corrected": False,
    "history": [
        {"content": "How many lanterns hang there?", "role": "human"},
        {"content": "Initial plan: look.", "role": "Orchestrator (thought)"},
        {"content": "Please look.", "role": "Orchestrator (-> WebSurfer)"},
        {"content": "I see three.", "role": "WebSurfer"},
        {"content": "No agent selected.\nFINAL ANSWER: 3", "role": "Orchestrator (termination condition)"},
    ],
    "mistake_agent": "WebSurfer",
    "mistake_step": "3",
    "mistake_reason": "It looked too briefly.",
}


def imported(folder, *records, name="logs.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return read(path)


def test_a_group_chat(tmp_path):
    (run,) = imported(tmp_path, GROUP).trajectories
    assert (run.id, run.task, run.agent, run.model) == (
        "Algorithm-Generated/7",
        "q-7",
        "Algorithm-Generated",
        "unknown",
    )
    assert run.sites == (
        "system/0",
        "system/1",
        "Counting_Expert/0",
        "Checking_Expert/0",
        "Computer_terminal/0",
        "Counting_Expert/1",
    )
    assert [step.kind for step in run.steps] == ["input", "input", "model", "model", "input", "model"]
    assert run.steps[3].reads == run.sites[:3]
    assert run.outcome.scores == {"correct": False}
    assert run.labels["mistake_site"] == "Checking_Expert/0"
    assert run.labels["mistake_step"] == "1"
    assert "mistake_speaker" not in run.labels


def test_a_team_with_an_orchestrator(tmp_path):
    (run,) = imported(tmp_path, TEAM).trajectories
    assert run.sites == ("user/0", "Orchestrator/0", "Orchestrator/1", "WebSurfer/0", "Orchestrator/2")
    assert isinstance(run.steps[0], InputStep)
    assert isinstance(run.steps[-1], InputStep)
    assert run.labels["mistake_site"] == "WebSurfer/0"


def test_no_request_is_made_up_and_no_answer_spread(tmp_path):
    for run in imported(tmp_path, GROUP, TEAM).trajectories:
        assert all(step.request.messages == () for step in run.steps if isinstance(step, ModelStep))
        assert "a secret" not in run.model_dump_json()


def test_a_label_whose_turn_another_speaks_says_so(tmp_path):
    (run,) = imported(tmp_path, {**GROUP, "mistake_step": 2}).trajectories
    assert run.labels["mistake_agent"] == "Checking_Expert"
    assert run.labels["mistake_speaker"] == "Computer_terminal"


def test_the_authors_files_are_named_after_folder_and_file(tmp_path):
    folder = tmp_path / "Hand-Crafted"
    folder.mkdir()
    own = {key: value for key, value in TEAM.items() if key != "log_id"}
    (folder / "12.json").write_text(json.dumps(own, indent=4))
    assert find_run(tmp_path, "Hand-Crafted/12").task == "q-7"


def test_lifting_says_that_the_requests_are_missing(tmp_path):
    (run,) = imported(tmp_path, GROUP).trajectories
    with pytest.raises(Exception, match="does not say what Counting_Expert/0 was asked with"):
        Script(run)


@pytest.mark.parametrize(
    ("change", "field", "found"),
    [
        (lambda log: log.pop("question"), "question", "missing"),
        (lambda log: log.update(mistake_step="4"), "mistake_step", "'4' where the index of one of 4 turns"),
        (lambda log: log.update(mistake_step="1 or 2"), "mistake_step", "'1 or 2'"),
        (lambda log: log.update(mistake_step=-1), "mistake_step", "-1"),
        (lambda log: log.update(mistake_step="²"), "mistake_step", "where the index"),
        (lambda log: log["history"].clear(), "history", "a log of 0 turns"),
        (lambda log: log["history"][1].pop("content"), "history.1.content", "missing"),
        (lambda log: log["history"][2].update(role=3), "history.2.role", "the number 3 where text"),
    ],
)
def test_a_broken_log_is_named_and_leaves_the_others(tmp_path, change, field, found):
    broken = copy.deepcopy(GROUP)
    broken["log_id"] = "Algorithm-Generated/8"
    change(broken)
    path = tmp_path / "logs.jsonl"
    path.write_text(json.dumps(GROUP) + "\n" + json.dumps(broken) + "\n" + json.dumps(TEAM) + "\n")
    reading = read(path, "who_and_when")
    assert [run.id for run in reading.trajectories] == ["Algorithm-Generated/7", "Hand-Crafted/7"]
    (problem,) = reading.problems
    assert (problem.record, problem.field) == (2, field)
    assert found in problem.found
    assert problem.fix


@pytest.mark.data
def test_all_real_logs_are_read_whole(data):
    reading = read(data / "who_and_when")
    assert reading.problems == ()
    assert len(reading.trajectories) == 123
    assert sum("mistake_speaker" in run.labels for run in reading.trajectories) == 4
    for run in reading.trajectories:
        assert run.labels["mistake_site"] in run.sites
        assert len(set(run.sites)) == len(run.sites)
