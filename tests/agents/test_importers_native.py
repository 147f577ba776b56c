import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.agents.errors import IfonlyError
from ifonly.agents.importers import native_export
from ifonly.agents.importers.native_export import append, line_of, write
from ifonly.agents.reading import read
from ifonly.agents.records import (
    AssistantMessage,
    EnvironmentRef,
    InputStep,
    ModelStep,
    Outcome,
    Request,
    Routing,
    StreamPart,
    SystemMessage,
    TokenLogprob,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolSpec,
    ToolStep,
    Trajectory,
    Usage,
    UserMessage,
)
from ifonly.agents.sites import steps_of

GOLDEN = Path(__file__).parents[1] / "golden"

CALL = ToolCall(name="search", arguments={"q": "Zürich \u2603", "n": 1, "x": 1.0, "y": True, "z": None}, id="c1")
CHAT = (
    SystemMessage(content="You are careful."),
    UserMessage(content=[{"type": "text", "text": "Find it."}]),
    AssistantMessage(tool_calls=(CALL, ToolCall(name="search", arguments={}, id="c2"))),
    ToolMessage(tool_call_id="c2", name="search", content="two"),
    ToolMessage(tool_call_id="c1", name="search", content="", error="ValueError: none"),
    AssistantMessage(content="Done."),
    UserMessage(content="Thanks."),
    AssistantMessage(content=""),
)
SPEC = ToolSpec(name="search", description="Searches.", parameters={"type": "object", "properties": {}})
FRAME = Request(model="m-1", messages=(), tools=(SPEC,), toolset="t/1", settings={"temperature": 0.5, "seed": 7})

WHOLE = Trajectory(
    id="golden/whole",
    task="task 1",
    agent="m-1-guarded",
    model="m-1",
    steps=steps_of(CHAT, FRAME),
    outcome=Outcome(scores={"utility": True, "reward": 0.25, "loss": -0.0}, error="stopped"),
    environment=EnvironmentRef(name="env", version="v1", task="a/b", settings={"injections": {"v": "x"}}),
    labels={"attack": "none", "trial": "3"},
    seconds=1.5,
)
ODD = Trajectory(
    id="golden/odd",
    task="",
    agent="",
    model="",
    steps=(
        ToolStep(site="f/0", call=ToolCall(name="f", arguments={}), result=ToolResult(content=None), cost=0.1),
        InputStep(site="user/0", message=UserMessage(content=None), reads=("nowhere/7", "f/0")),
        ModelStep(
            site="agent/0",
            request=Request(model="m-2", messages=(UserMessage(content="b"), UserMessage(content="a"))),
            reply=AssistantMessage(content="r"),
            reads=("user/0", "agent/0", "f/0"),
            usage=Usage(input_tokens=3, output_tokens=1),
            cost=0.002,
            seconds=0.5,
            logprobs=(TokenLogprob(token="r", logprob=-0.125, top={"s": -2.5}),),
        ),
        ModelStep(
            site="agent/0",
            request=Request(model="m-2", messages=(UserMessage(content="a"), UserMessage(content="b")), tools=()),
            reply=AssistantMessage(content="r"),
        ),
    ),
)
EMPTY = Trajectory(id="golden/empty", task="t", agent="a", model="m", steps=())
SAMPLES = (WHOLE, ODD, EMPTY)
LIVE = Trajectory(
    id="golden/live",
    task="t",
    agent="a",
    model="m-1",
    steps=(
        ModelStep(
            site="agent/0",
            request=FRAME,
            reply=AssistantMessage(tool_calls=(CALL,)),
            seconds=0.5,
            first_token_seconds=0.25,
            stream=(StreamPart(seconds=0.25, text="r"), StreamPart(seconds=0.5, text="")),
            routing=Routing(options=("m-1", "m-2"), chosen="m-1", propensity=0.75, policy="cheap first"),
        ),
        ToolStep(site="f/0", call=CALL, result=ToolResult(content="ok"), effect="irreversible", key="k-1"),
    ),
)
TRACED = Trajectory(
    id="golden/traced",
    task="t",
    agent="a",
    model="m-1",
    steps=(
        ModelStep(
            site="agent/0", request=FRAME, reply=AssistantMessage(), started=1742402282.236243, span="b1", error="busy"
        ),
        ModelStep(
            site="agent/1",
            request=FRAME,
            reply=AssistantMessage(tool_calls=(CALL,)),
            seconds=0.5,
            started=1742402283.0,
            span="b2",
        ),
        ToolStep(site="f/0", call=CALL, result=ToolResult(content="ok"), started=1742402283.5, span="c1"),
    ),
)


def same(one, other):
    """Equal to the letter: 1, 1.0 and true differ, and so do orders of keys."""
    return [t.model_dump_json() for t in one] == [t.model_dump_json() for t in other]


@pytest.mark.parametrize("name", ["native-v1.jsonl", "native-v1.jsonl.gz"])
def test_files_of_version_one_open_for_ever(name):
    reading = read(GOLDEN / name)
    assert reading.problems == ()
    assert reading.trajectories == SAMPLES
    assert same(reading.trajectories, SAMPLES)


def test_version_one_is_written_as_it_always_was(tmp_path):
    for name in ("native-v1.jsonl", "native-v1.jsonl.gz"):
        assert write(tmp_path / name, SAMPLES) == 3
    assert (tmp_path / "native-v1.jsonl").read_bytes() == (GOLDEN / "native-v1.jsonl").read_bytes()
    again = read(tmp_path / "native-v1.jsonl.gz").trajectories
    assert same(again, SAMPLES)


def test_files_of_version_two_open_for_ever_and_are_written_as_they_were(tmp_path):
    reading = read(GOLDEN / "native-v2.jsonl")
    assert reading.problems == ()
    assert same(reading.trajectories, [LIVE])
    write(tmp_path / "native-v2.jsonl", [LIVE])
    assert (tmp_path / "native-v2.jsonl").read_bytes() == (GOLDEN / "native-v2.jsonl").read_bytes()
    assert json.loads(line_of(LIVE))["ifonly"] == 2


def test_files_of_version_three_open_for_ever_and_are_written_as_they_were(tmp_path):
    reading = read(GOLDEN / "native-v3.jsonl")
    assert reading.problems == ()
    assert same(reading.trajectories, [TRACED])
    write(tmp_path / "native-v3.jsonl", [TRACED])
    assert (tmp_path / "native-v3.jsonl").read_bytes() == (GOLDEN / "native-v3.jsonl").read_bytes()
    assert json.loads(line_of(TRACED))["ifonly"] == 3


def test_equal_content_gives_equal_packed_files(tmp_path):
    write(tmp_path / "a.jsonl.gz", SAMPLES)
    write(tmp_path / "b.jsonl.gz", SAMPLES)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_shared_messages_stand_once():
    assert line_of(WHOLE).decode().count("You are careful.") == 1
    long = [SystemMessage(content="s"), *[AssistantMessage(content=f"turn {n}") for n in range(200)]]
    run = Trajectory(id="x", task="t", agent="a", model="m", steps=steps_of(long, FRAME))
    assert len(line_of(run)) < 60_000
    assert len(run.model_dump_json()) > 1_000_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(st.text(max_size=5), json_values, max_size=3)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
contents = st.none() | st.text(max_size=10) | st.lists(objects, max_size=2)
sites = st.sampled_from(["a/0", "a/1", "b/0", "c/0"])
reads = st.lists(sites, max_size=5).map(tuple)
calls = st.builds(ToolCall, name=st.text(max_size=3), arguments=objects, id=st.none() | st.text(max_size=2))
prompts = st.builds(SystemMessage, content=contents) | st.builds(UserMessage, content=contents)
replies = st.builds(AssistantMessage, content=contents, tool_calls=st.lists(calls, max_size=2).map(tuple))
errors = st.none() | st.text(max_size=3)
results = st.builds(ToolMessage, tool_call_id=errors, name=st.text(max_size=3), content=contents, error=errors)
requests = st.builds(
    Request,
    model=st.text(max_size=2),
    messages=st.lists(prompts | replies | results, max_size=4).map(tuple),
    tools=st.none() | st.just((SPEC,)) | st.just(()),
    toolset=errors,
    settings=objects,
)
tool_results = st.builds(ToolResult, content=contents, error=errors)
steps = st.one_of(
    st.builds(InputStep, site=sites, message=prompts, reads=reads),
    st.builds(ModelStep, site=sites, request=requests, reply=replies, reads=reads, cost=numbers, seconds=numbers),
    st.builds(ToolStep, site=sites, call=calls, result=tool_results, reads=reads, cost=numbers),
)
trajectories = st.builds(
    Trajectory,
    id=st.text(max_size=3),
    task=st.text(max_size=3),
    agent=st.text(max_size=3),
    model=st.text(max_size=3),
    steps=st.lists(steps, max_size=4).map(tuple),
    outcome=st.builds(
        Outcome,
        scores=st.dictionaries(st.text(max_size=3), st.booleans() | numbers.filter(lambda n: n is not None)),
        error=errors,
    ),
    labels=st.dictionaries(st.text(max_size=3), st.text(max_size=3)),
    seconds=numbers,
)


@settings(max_examples=100, deadline=None)
@given(run=trajectories)
def test_import_of_an_export_is_the_same_run_and_its_export_the_same_bytes(tmp_path_factory, run):
    path = tmp_path_factory.mktemp("native") / "a.jsonl"
    line = line_of(run)
    path.write_bytes(line)
    reading = read(path)
    assert reading.problems == ()
    (again,) = reading.trajectories
    assert again == run
    assert same([again], [run])
    assert line_of(again) == line


@pytest.mark.parametrize(
    ("value", "found"),
    [(float("nan"), "not JSON compliant"), ("\ud800", "surrogates"), (10**5000, "4300")],
    ids=["NaN", "surrogate", "digits"],
)
def test_what_cannot_be_read_again_is_not_written(tmp_path, value, found):
    environment = EnvironmentRef(name="e", version="1", task="t", settings={"v": value})
    run = EMPTY.model_copy(update={"environment": environment})
    with pytest.raises(IfonlyError, match=found):
        write(tmp_path / "a.jsonl", [WHOLE, run])
    assert os.listdir(tmp_path) == []


def test_a_deep_value_is_not_written():
    deep = json.loads('{"a":' * 150 + "1" + "}" * 150)
    run = EMPTY.model_copy(update={"environment": EnvironmentRef(name="e", version="1", task="t", settings=deep)})
    with pytest.raises(IfonlyError, match="deeper than 100"):
        line_of(run)


def test_a_crash_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    write(path, [WHOLE])
    before = path.read_bytes()
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(native_export.os, name, lambda *_: (_ for _ in ()).throw(OSError("no space")))
            with pytest.raises(OSError, match="no space"):
                write(path, SAMPLES)
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["a.jsonl"]


def test_appending_goes_on_after_a_torn_line(tmp_path):
    path = tmp_path / "a.jsonl"
    assert append(path, [WHOLE]) == 1
    with path.open("ab") as file:
        file.write(line_of(ODD)[:50])
    assert append(path, [EMPTY]) == 1
    reading = read(path)
    assert reading.trajectories == (WHOLE, EMPTY)
    assert [problem.record for problem in reading.problems] == [2]
    with pytest.raises(IfonlyError, match="packed"):
        append(tmp_path / "a.jsonl.gz", [WHOLE])


def spoilt(**changes):
    line = json.loads(line_of(WHOLE))
    for path, value in changes.items():
        *outer, last = path.split("__")
        item = line
        for part in outer:
            item = item[int(part) if part.isdigit() else part]
        item[int(last) if last.isdigit() else last] = value
    return line


@pytest.mark.parametrize(
    ("changes", "field", "found"),
    [
        ({"ifonly": 4}, "ifonly", "written by a newer ifonly; this one reads up to 3"),
        ({"ifonly": True}, "ifonly", "true"),
        ({"colour": 1}, "colour", "unknown field"),
        ({"labels": {"a": 1}}, "labels.a", "the number 1 where text is needed"),
        ({"steps__0__message": 99}, "steps.0.message", "index 99 into a list of 8"),
        ({"steps__0__message": -1}, "steps.0.message", "index -1"),
        ({"steps__0__message": 5}, "steps.0.message", "role assistant"),
        ({"steps__2__frame": 1}, "steps.2.frame", "index 1 into a list of 1"),
        ({"steps__2__messages": [[0, 99]]}, "steps.2.messages.0", "range 0 to 99"),
        ({"steps__2__messages": [[2, 1]]}, "steps.2.messages.0", "range 2 to 1"),
        ({"steps__2__reply": 0}, "steps.2.reply", "role system"),
        ({"steps__2__reads": [[0, 77]]}, "steps.2.reads.0", "range 0 to 77"),
        ({"steps__3__call": [2, 9]}, "steps.3.call.1", "index 9"),
        ({"steps__3__call": [0, 0]}, "steps.3.call.0", "role system"),
        ({"steps__3__result": 1}, "steps.3.result", "role user"),
        ({"messages__0__role": "sistem"}, "messages.0.role", "'sistem'"),
        ({"messages__0__content": 5}, "messages.0.content", "the number 5 where text is needed"),
    ],
)
def test_damage_is_named(tmp_path, changes, field, found):
    path = tmp_path / "a.jsonl"
    path.write_bytes(line_of(ODD) + json.dumps(spoilt(**changes)).encode() + b"\n" + line_of(EMPTY))
    reading = read(path)
    assert reading.trajectories == (ODD, EMPTY)
    (problem,) = reading.problems
    assert (problem.file, problem.record, problem.field) == (str(path), 2, field)
    assert found in problem.found
    assert problem.fix


def test_a_line_that_would_unfold_to_gigabytes_is_refused(tmp_path):
    line = json.loads(line_of(WHOLE))
    line["messages"] = [{"role": "user", "content": ""}] * 30_000 + [{"role": "assistant"}]
    asked = {"kind": "model", "site": "agent/0", "frame": 0, "messages": [[0, 30_000]], "reply": 30_000}
    line["steps"] = [asked] * 30_000
    (tmp_path / "a.jsonl").write_bytes(json.dumps(line).encode() + b"\n" + line_of(EMPTY))
    reading = read(tmp_path)
    assert reading.trajectories == (EMPTY,)
    assert reading.problems[0].field == "steps"
    assert "900,000,000 messages and steps; the limit is 60,000,000" in reading.problems[0].found


def test_a_missing_field_is_named_with_what_is_near(tmp_path):
    line = spoilt()
    line["stepz"] = line.pop("steps")
    (tmp_path / "a.jsonl").write_text(json.dumps(line))
    (problem,) = read(tmp_path).problems
    assert (problem.field, problem.found, problem.near[0]) == ("steps", "missing", "stepz")


def test_packed_golden_has_no_name_or_time():
    raw = (GOLDEN / "native-v1.jsonl.gz").read_bytes()
    assert raw[3:8] == b"\0\0\0\0\0"
    assert gzip.decompress(raw) == (GOLDEN / "native-v1.jsonl").read_bytes()
