import json

import pytest
from pydantic import TypeAdapter, ValidationError

from ifonly.agents.records import (
    AssistantMessage,
    InputStep,
    Message,
    ModelStep,
    Outcome,
    Record,
    Request,
    Step,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolSpec,
    ToolStep,
    Trajectory,
    Usage,
    UserMessage,
    message_of,
    tool_message,
)

CALL = ToolCall(name="f", arguments={"x": 1}, id="c1")
REPLY = AssistantMessage(content=None, tool_calls=(CALL,))
STEPS = (
    InputStep(site="user/0", message=UserMessage(content="Hi")),
    ModelStep(
        site="agent/0",
        request=Request(model="m", messages=(UserMessage(content="Hi"),), tools=(ToolSpec(name="f"),)),
        reply=REPLY,
        reads=("user/0",),
        usage=Usage(input_tokens=1, output_tokens=2),
    ),
    ToolStep(site="f/0", call=CALL, result=ToolResult(content="1", error="e"), reads=("agent/0",)),
)
RUN = Trajectory(id="r", task="t", agent="a", model="m", steps=STEPS, outcome=Outcome(scores={"s": True}))


def records(cls=Record):
    for sub in cls.__subclasses__():
        if sub.__module__ == "ifonly.agents.records":
            yield sub
        yield from records(sub)


@pytest.mark.parametrize("record", sorted(set(records()), key=lambda cls: cls.__name__), ids=lambda cls: cls.__name__)
def test_records_are_frozen_closed_and_strict(record):
    assert record.model_config["frozen"]
    assert record.model_config["strict"]
    assert record.model_config["extra"] == "forbid"


def test_records_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        RUN.id = "other"


def test_a_misspelt_field_is_told_with_its_place():
    line = json.loads(RUN.model_dump_json())
    line["steps"][1]["reply"]["tool_cals"] = []
    with pytest.raises(ValidationError) as caught:
        Trajectory.model_validate_json(json.dumps(line))
    assert caught.value.errors()[0]["loc"] == ("steps", 1, "model", "reply", "tool_cals")


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (ToolCall, {"name": 1, "arguments": {}}),
        (ToolCall, {"name": "f", "arguments": "{}"}),
        (ToolCall, {"name": "f", "arguments": {}, "id": 3}),
        (ToolMessage, {"name": "f", "content": "x"}),
        (Usage, {"input_tokens": 1.0, "output_tokens": 1}),
        (Usage, {"input_tokens": -1, "output_tokens": 1}),
        (SystemMessage, {"role": "user", "content": "x"}),
        (UserMessage, {"content": b"x"}),
        (Outcome, {"scores": {"s": "high"}}),
    ],
)
def test_nothing_is_coerced(record, fields):
    with pytest.raises(ValidationError):
        record(**fields)


def test_kinds_and_roles_tell_records_apart():
    for step in STEPS:
        again = TypeAdapter(Step).validate_json(step.model_dump_json())
        assert type(again) is type(step)
        assert again == step
    for message in RUN.messages:
        assert TypeAdapter(Message).validate_json(message.model_dump_json()) == message


def test_scores_keep_verdicts_and_numbers_apart():
    scores = Outcome(scores={"verdict": True, "number": 1.0, "whole": 1}).scores
    assert [type(score) for score in scores.values()] == [bool, float, float]
    again = Outcome.model_validate_json(Outcome(scores=scores).model_dump_json()).scores
    assert [type(score) for score in again.values()] == [bool, float, float]


def test_json_round_trip():
    assert Trajectory.model_validate_json(RUN.model_dump_json()) == RUN


def test_a_run_tells_its_sites_and_messages():
    assert RUN.sites == ("user/0", "agent/0", "f/0")
    shown = ToolMessage(tool_call_id="c1", name="f", content="1", error="e")
    assert RUN.messages == (UserMessage(content="Hi"), REPLY, shown)
    assert tool_message(CALL, STEPS[2].result) == shown == message_of(STEPS[2])
