import copy
import json

import pytest

from ifonly.agents.reading import read
from ifonly.agents.records import (
    AssistantMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)


def call(name, arguments, key):
    return {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}


CHAT = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [call("weather", '{"city": "Ulm"}', "c1"), call("time", "", "c2")],
    },
    {"role": "tool", "tool_call_id": "c2", "content": "noon"},
    {"role": "tool", "tool_call_id": "c1", "content": "sun"},
    {"role": "assistant", "content": "Sun at noon."},
]
TOOL = {"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}


def imported(folder, *records, **options):
    path = folder / "chat.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return read(path, **options)


def one(folder, record, **options):
    reading = imported(folder, record, **options)
    assert reading.problems == ()
    return reading.trajectories[0]


def test_a_list_of_messages(tmp_path):
    run = one(tmp_path, CHAT)
    assert run.messages == (
        SystemMessage(content="Be brief."),
        UserMessage(content=[{"type": "text", "text": "Weather?"}]),
        AssistantMessage(
            tool_calls=(
                ToolCall(name="weather", arguments={"city": "Ulm"}, id="c1"),
                ToolCall(name="time", arguments={}, id="c2"),
            )
        ),
        ToolMessage(tool_call_id="c2", name="time", content="noon"),
        ToolMessage(tool_call_id="c1", name="weather", content="sun"),
        AssistantMessage(content="Sun at noon."),
    )
    assert run.sites == ("system/0", "user/0", "agent/0", "time/0", "weather/0", "agent/1")
    assert run.id == run.task == f"{tmp_path.as_posix()}/chat.jsonl#1"
    assert (run.model, run.agent) == ("unknown", "unknown")
    assert run.steps[2].request.tools is None


def test_an_object_that_tells_more(tmp_path):
    record = {
        "messages": CHAT,
        "tools": [{"type": "function", "function": TOOL}, {"name": "time"}],
        "model": "gpt-x",
        "temperature": 0.2,
        "seed": 3,
        "top_p": None,
        "stream": True,
        "id": 17,
        "task": "weather",
        "agent": "helper",
        "scores": {"right": True, "stars": 4, "rate": 0.5},
        "metadata": {"user": "u", "n": 3, "on": True, "more": {"b": 1, "a": None}},
        "error": "late",
        "seconds": 3,
    }
    run = one(tmp_path, record)
    assert (run.id, run.task, run.agent, run.model, run.seconds) == ("17", "weather", "helper", "gpt-x", 3.0)
    request = run.steps[2].request
    assert request.tools == (ToolSpec(**TOOL), ToolSpec(name="time"))
    assert request.settings == {"seed": 3, "temperature": 0.2}
    assert run.outcome.scores == {"right": True, "stars": 4.0, "rate": 0.5}
    assert run.outcome.scores["right"] is True
    assert run.outcome.error == "late"
    assert run.labels == {"user": "u", "n": "3", "on": "true", "more": '{"a":null,"b":1}'}


def test_the_model_is_the_logs_else_the_one_told(tmp_path):
    assert one(tmp_path, {"messages": CHAT, "model": "a"}, model="b").model == "a"
    assert one(tmp_path, {"messages": CHAT}, model="b").model == "b"


def test_a_json_file_is_one_chat_or_many(tmp_path):
    for name, content in [("one.json", CHAT), ("two.json", [CHAT, CHAT]), ("three.json", [{"messages": CHAT}] * 3)]:
        (tmp_path / name).write_text(json.dumps(content, indent=1))
    ids = [run.id for run in read(tmp_path).trajectories]
    numbers = [
        ("one.json", 1),
        ("three.json", 1),
        ("three.json", 2),
        ("three.json", 3),
        ("two.json", 1),
        ("two.json", 2),
    ]
    assert ids == [f"{tmp_path.as_posix()}/{name}#{number}" for name, number in numbers]


def test_older_function_calls(tmp_path):
    chat = [
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"x": 1}'}},
        {"role": "function", "name": "f", "content": "1"},
    ]
    run = one(tmp_path, chat)
    assert run.sites == ("agent/0", "f/0")
    assert run.steps[1].call == ToolCall(name="f", arguments={"x": 1})


def test_arguments_as_an_object_and_calls_without_ids(tmp_path):
    chat = [
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}] * 2},
        {"role": "tool", "content": "1", "name": "f"},
        {"role": "tool", "content": "2", "error": "bad"},
    ]
    run = one(tmp_path, chat)
    assert [(step.call.name, step.result.content, step.result.error) for step in run.steps[1:]] == [
        ("f", "1", None),
        ("f", "2", "bad"),
    ]


def test_a_refusal_is_kept(tmp_path):
    run = one(tmp_path, [{"role": "assistant", "content": None, "refusal": "No."}])
    assert run.messages == (AssistantMessage(content=[{"type": "refusal", "refusal": "No."}]),)


def test_calls_at_the_end_were_never_executed(tmp_path):
    assert one(tmp_path, CHAT[:3]).sites == ("system/0", "user/0", "agent/0")


def test_a_conversation_that_would_fill_memory_is_refused(tmp_path):
    turn = [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}]
    reading = imported(tmp_path, turn * 6000, CHAT)
    assert len(reading.trajectories) == 1
    assert "12,000 messages; the limit is 10,000" in reading.problems[0].found
    assert one(tmp_path, turn * 500).sites[-1] == "agent/499"


def spoilt(change, wrap=False):
    chat = copy.deepcopy(CHAT)
    change(chat)
    return {"messages": chat} if wrap else chat


BAD = {
    "missing result": (lambda c: c.pop(3), "2.tool_calls", "no result for time (id 'c2')", "Add the missing"),
    "orphan id": (lambda c: c[4].update(tool_call_id="c3"), "4.tool_call_id", "'c3'", "the call it answers"),
    "orphan result": (lambda c: c.insert(2, c[3]), "2.tool_call_id", "answers no call", "right after"),
    "duplicate ids": (
        lambda c: c[2]["tool_calls"][1].update(id="c1"),
        "2.tool_calls",
        "two calls with the id 'c1'",
        "its own id",
    ),
    "broken arguments": (
        lambda c: c[2]["tool_calls"][0]["function"].update(arguments='{"city": "Ul'),
        "2.tool_calls.0.function.arguments",
        "cut off",
        "Write it again",
    ),
    "no object": (
        lambda c: c[2]["tool_calls"][0]["function"].update(arguments="[1]"),
        "2.tool_calls.0.function.arguments",
        "a list of 1",
        "Put an object",
    ),
    "NaN in arguments": (
        lambda c: c[2]["tool_calls"][0]["function"].update(arguments='{"a": {"b": NaN}}'),
        "2.tool_calls.0.function.arguments.a.b",
        "NaN",
        "null or a finite",
    ),
    "deep arguments": (
        lambda c: c[2]["tool_calls"][0]["function"].update(arguments='{"a":' * 200 + "1" + "}" * 200),
        "2.tool_calls.0.function.arguments.a.a.a.a.a.a...",
        "deeper than 100",
        "Flatten",
    ),
    "no name": (
        lambda c: c[2]["tool_calls"][0]["function"].pop("name"),
        "2.tool_calls.0.function.name",
        "missing",
        "Add it",
    ),
    "role": (lambda c: c[1].update(role="asistant"), "1.role", "'asistant'", "Use one of"),
    "content": (lambda c: c[1].update(content=5), "1.content", "the number 5", "Put text"),
}


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("kind", BAD)
def test_a_broken_chat_is_named_and_leaves_the_others(tmp_path, kind, wrap):
    change, field, found, fix = BAD[kind]
    reading = imported(tmp_path, CHAT, spoilt(change, wrap), CHAT)
    assert len(reading.trajectories) == 2
    (problem,) = reading.problems
    assert (problem.record, problem.field) == (2, f"messages.{field}" if wrap else field)
    assert found in problem.found
    assert fix in problem.fix
    assert str(problem).startswith(f"{tmp_path}/chat.jsonl, record 2, field ")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"model": 4}, "model"),
        ({"tools": [{"type": "function"}]}, "tools.0"),
        ({"scores": {"a": "b"}}, "scores.a"),
        ({"scores": {"a": 10**400}}, "scores.a"),
        ({"seconds": True}, "seconds"),
        ({"metadata": []}, "metadata"),
    ],
)
def test_a_broken_object_is_named(tmp_path, more, field):
    (problem,) = imported(tmp_path, {"messages": CHAT, **more}).problems
    assert problem.field is not None
    assert problem.field.startswith(field)
