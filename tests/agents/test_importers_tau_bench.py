import copy
import json

import pytest

from ifonly.agents.reading import read
from ifonly.agents.records import InputStep, SystemMessage

TRIAL = {
    "task_id": 4,
    "trial": 2,
    "reward": 1.0,
    "info": {"task": {"user_id": "u", "actions": []}},
    "traj": [
        {"role": "user", "content": "Change my flight."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "think", "arguments": '{"thought": "hm"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "name": "think", "content": ""},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "###STOP###"},
    ],
}


def imported(folder, *records, **options):
    path = folder / "gpt-4o-airline.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return read(path, **options)


def test_a_trial(tmp_path):
    (run,) = imported(tmp_path, TRIAL).trajectories
    assert (run.id, run.task) == ("gpt-4o-airline/4/2", "4")
    assert (run.agent, run.model) == ("unknown", "unknown")
    assert run.sites == ("user/0", "agent/0", "think/0", "agent/1", "user/1")
    assert run.outcome.scores == {"reward": 1.0}
    assert run.labels == {"trial": "2"}
    assert run.environment is None
    assert isinstance(run.steps[-1], InputStep)
    assert run.steps[-1].reads == run.sites[:-1]


def test_the_model_can_be_told(tmp_path):
    (run,) = imported(tmp_path, TRIAL, model="gpt-4o").trajectories
    assert (run.model, run.agent, run.steps[1].request.model) == ("gpt-4o",) * 3


def test_the_policy_beside_the_file_comes_first(tmp_path):
    (tmp_path / "policy_system_prompt.md").write_text("# Policy\nBe kind.\n")
    own = copy.deepcopy(TRIAL)
    own["trial"] = 3
    own["traj"].insert(0, {"role": "system", "content": "Own."})
    shared, kept = imported(tmp_path, TRIAL, own).trajectories
    assert shared.messages[0] == SystemMessage(content="# Policy\nBe kind.\n")
    assert kept.messages[0] == SystemMessage(content="Own.")
    assert len(kept.messages) == len(shared.messages)


def test_a_policy_that_is_no_text_is_named(tmp_path):
    (tmp_path / "policy_system_prompt.md").write_bytes(b"\xff\xfe")
    (problem,) = imported(tmp_path, TRIAL).problems
    assert problem.file.endswith("policy_system_prompt.md")


@pytest.mark.parametrize("policy", [True, False])
@pytest.mark.parametrize(
    ("change", "field", "found"),
    [
        (lambda t: t.pop("reward"), "reward", "missing"),
        (lambda t: t.update(trial="two"), "trial", "the text 'two' where an integer"),
        (lambda t: t["traj"].pop(2), "traj.1.tool_calls", "no result for think"),
        (lambda t: t["traj"][2].update(tool_call_id="c7"), "traj.2.tool_call_id", "'c7'"),
        (
            lambda t: t["traj"][1]["tool_calls"][0]["function"].update(arguments="{"),
            "traj.1.tool_calls.0.function.arguments",
            "cut off",
        ),
    ],
)
def test_a_broken_trial_is_named_and_leaves_the_others(tmp_path, change, field, found, policy):
    if policy:
        (tmp_path / "policy_system_prompt.md").write_text("p")
    broken, other = copy.deepcopy(TRIAL), {**TRIAL, "trial": 0}
    change(broken)
    reading = imported(tmp_path, TRIAL, broken, other)
    assert len(reading.trajectories) == 2
    (problem,) = reading.problems
    assert (problem.record, problem.field) == (2, field)
    assert found in problem.found
    assert problem.fix


@pytest.mark.data
def test_all_real_trials_are_read_whole(data):
    reading = read(data / "tau_airline_gpt4o", model="gpt-4o")
    assert reading.problems == ()
    assert len(reading.trajectories) == 144
    assert all(run.messages[0].role == "system" for run in reading.trajectories)
