"""Whatever is done to a valid record, an importer gives a sound trajectory or an `InputError`, nothing else."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.agents.errors import InputError
from ifonly.agents.importers import IMPORTERS
from ifonly.agents.importers.base import Place
from ifonly.agents.importers.native_export import line_of
from ifonly.agents.reading import read
from ifonly.agents.records import Trajectory

CALL = {"function": "f", "args": {"x": 1, "y": [True, None, 0.5]}, "id": "c1"}
ASKED = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": [1, {"y": null}]}'}}
CHAT = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": [{"type": "text", "text": "u"}]},
    {"role": "assistant", "content": None, "tool_calls": [ASKED], "refusal": None},
    {"role": "tool", "tool_call_id": "c1", "content": "r"},
    {"role": "assistant", "content": "a", "function_call": {"name": "g", "arguments": ""}},
    {"role": "function", "name": "g", "content": "r"},
]
AGENTDOJO = {
    "run_id": "r",
    "suite_name": "slack",
    "pipeline_name": "m-tool_filter",
    "user_task_id": "user_task_0",
    "injection_task_id": "injection_task_1",
    "attack_type": "direct",
    "injections": {"v": "x"},
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "r", "tool_call_id": "c1", "tool_call": CALL, "error": None},
    ],
    "error": None,
    "utility": True,
    "security": False,
    "duration": 1.5,
}
OPENAI = {
    "messages": CHAT,
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"a": {}}}}],
    "model": "m",
    "temperature": 0.5,
    "stop": ["x"],
    "id": "r",
    "task": 3,
    "scores": {"a": True, "b": 0.5},
    "metadata": {"a": "b", "c": [1]},
    "seconds": 1.0,
}
TAU = {"task_id": 1, "trial": 0, "reward": 1.0, "info": {"task": {}}, "traj": CHAT}
WHO = {
    "log_id": "r",
    "question": "q",
    "question_ID": "7",
    "ground_truth": "g",
    "system_prompt": {"A": "s"},
    "history": [
        {"content": "q", "role": "human"},
        {"content": "c", "role": "assistant", "name": "A"},
        {"content": "d", "role": "B (-> A)"},
    ],
    "mistake_agent": "A",
    "mistake_step": "1",
    "mistake_reason": "m",
    "level": 2,
    "is_correct": False,
}
ASKED_OF = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "m",
    "llm.token_count.prompt": "3",
    "llm.invocation_parameters": '{"seed": 1}',
    "llm.tools.0.tool.json_schema": '{"name": "f"}',
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.contents.0.message_content.text": "u",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"x": 1}',
}
USED_BY = {"openinference.span.kind": "TOOL", "tool.name": "f", "input.value": '{"args": [1], "kwargs": {}}'}
SPAN = {"span_name": "Step 1", "timestamp": "2025-03-19T16:32:08Z", "duration": "PT1.5S", "status_code": "Ok"}
NESTED = {
    "trace_id": "r",
    "messages": {"c1": {"role": "user", "content": "u"}},
    "scores": [{"overall": 1}],
    "spans": [
        SPAN
        | {
            "span_id": "a",
            "scope": ["smolagents", "1"],
            "attributes": {"openinference.span.kind": "CHAIN", "output.value": "o"},
            "child_spans": [
                SPAN | {"span_id": "b", "attributes": ASKED_OF | {"llm.input_messages.sha": ["c1"]}},
                SPAN | {"span_id": "c", "attributes": USED_BY | {"output.value": "o"}, "status_code": "Error"},
            ],
        }
    ],
}
OTLP = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "x"},
                    "spans": [
                        {
                            "traceId": "r",
                            "spanId": key,
                            "parentSpanId": parent,
                            "name": "n",
                            "startTimeUnixNano": "1700000000000000000",
                            "endTimeUnixNano": 1700000001000000000,
                            "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in told.items()],
                            "status": {"code": 1},
                        }
                        for key, parent, told in (("a", "", ASKED_OF), ("b", "a", USED_BY))
                    ],
                }
            ],
        }
    ]
}
PLACE = Place(Path("runs.jsonl"), 7)
BY_NAME = {importer.name: importer for importer in IMPORTERS}
NATIVE = json.loads(line_of(BY_NAME["openai_chat"].parse(OPENAI, PLACE)))
VALID = {
    "agentdojo": [AGENTDOJO],
    "openai_chat": [OPENAI, CHAT],
    "tau_bench": [TAU],
    "who_and_when": [WHO],
    "openinference": [NESTED, OTLP],
    "native": [NATIVE],
}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([10**30, 10**400, -1, 1e300, -0.0, 0.5])
    | st.text(max_size=4)
    | st.sampled_from(["system", "user", "assistant", "tool", "function", "c1", "f", "{}", "[", "none", "input"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.sampled_from(["role", "content", "id", "0"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value, path=()):
    """Every path in a value."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


@st.composite
def mutated(draw, record):
    record = copy.deepcopy(record)
    for _ in range(draw(st.integers(1, 3))):
        paths = [path for path in places(record) if path]
        if not paths:
            break
        *outer, last = draw(st.sampled_from(paths))
        holder = record
        for key in outer:
            holder = holder[key]
        match draw(st.sampled_from(["drop", "replace", "rename", "repeat", "nest", "swap", "empty"])):
            case "drop":
                del holder[last]
            case "replace":
                holder[last] = draw(values)
            case "rename" if isinstance(holder, dict):
                holder[draw(st.text(max_size=3)) or f"{last}s"] = holder.pop(last)
            case "repeat" if isinstance(holder, list):
                holder.insert(draw(st.integers(0, len(holder))), copy.deepcopy(holder[last]))
            case "nest":
                for _ in range(draw(st.sampled_from([1, 3, 300]))):
                    holder[last] = [holder[last]]
            case "swap" if isinstance(holder, list):
                other = draw(st.integers(0, len(holder) - 1))
                holder[last], holder[other] = holder[other], holder[last]
            case "empty":
                holder[last] = type(holder[last])() if holder[last] is not None else ""
    return record


def check(importer, record):
    detected = importer.detect(record, PLACE.file)
    assert isinstance(detected, bool)
    name = importer.identify(record, PLACE)
    assert name is None or isinstance(name, str)
    try:
        run = importer.parse(record, PLACE)
    except InputError as error:
        assert str(error).startswith("runs.jsonl, record 7")  # noqa: PT017
        return
    assert name == run.id
    assert Trajectory.model_validate(run.model_dump()) == run


@pytest.mark.parametrize("name", VALID)
def test_samples_are_valid(name):
    for record in VALID[name]:
        assert [one.name for one in IMPORTERS if one.detect(record, PLACE.file)] == [name]
        run = BY_NAME[name].parse(record, PLACE)
        assert Trajectory.model_validate(run.model_dump()) == run


@pytest.mark.parametrize("name", VALID)
def test_mutated_records(name):
    importer = BY_NAME[name]

    @settings(max_examples=150, deadline=None)
    @given(record=st.sampled_from(VALID[name]).flatmap(mutated))
    def every(record):
        check(importer, record)

    every()


@pytest.mark.parametrize("name", VALID)
def test_records_of_other_formats_and_none(name):
    importer = BY_NAME[name]

    @settings(max_examples=50, deadline=None)
    @given(record=values | st.sampled_from([record for records in VALID.values() for record in records]))
    def every(record):
        check(importer, record)

    every()


@pytest.mark.parametrize("name", VALID)
def test_bytes_changed_anywhere(name, tmp_path):
    whole = b"\n".join(json.dumps(record).replace('"r"', '"other"').encode() for record in VALID[name])
    good = json.dumps(VALID[name][0]).encode()
    path = tmp_path / "runs.jsonl"

    @settings(max_examples=60, deadline=None)
    @given(at=st.integers(0, len(whole) - 1), length=st.integers(0, 60), new=st.binary(max_size=4))
    def every(at, length, new):
        path.write_bytes(good + b"\n" + whole[:at] + new + whole[at + length :] + b"\n")
        for format in (None, name):
            reading = read(path, format)
            assert len(reading.trajectories) + reading.left_out >= 1
            assert len(reading.trajectories) >= 1

    every()


@pytest.mark.slow
@pytest.mark.parametrize("name", VALID)
def test_many_mutated_records(name):
    importer = BY_NAME[name]

    @settings(max_examples=2000, deadline=None)
    @given(record=st.sampled_from(VALID[name]).flatmap(mutated))
    def every(record):
        check(importer, record)

    every()
