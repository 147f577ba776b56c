from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifonly.agents.environments.base import Undetermined
from ifonly.agents.environments.recorded import Recorded
from ifonly.agents.environments.registry import EXECUTING, environment_of
from ifonly.agents.errors import ToolEnvironmentError
from ifonly.agents.records import (
    AssistantMessage,
    EnvironmentRef,
    Message,
    Outcome,
    Request,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolSpec,
    ToolStep,
    Trajectory,
    UserMessage,
)
from ifonly.agents.sites import steps_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 2.5]) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
CALLS = st.builds(
    ToolCall, name=st.sampled_from(["get", "put"]), arguments=st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2)
)
EXCHANGES = st.lists(st.tuples(CALLS, st.text(max_size=3)), max_size=6)


def run(exchanges: list[tuple[ToolCall, str]], ref: EnvironmentRef | None = None) -> Trajectory:
    messages: list[Message] = [UserMessage(content="do it")]
    for call, text in exchanges:
        messages.append(AssistantMessage(tool_calls=(call,)))
        messages.append(ToolMessage(tool_call_id=call.id, name=call.name, content=text))
    messages.append(AssistantMessage(content="done"))
    return Trajectory(
        id="r",
        task="t",
        agent="a",
        model="m",
        steps=steps_of(messages, Request(model="m", messages=())),
        outcome=Outcome(scores={"solved": True, "points": 0.5}),
        environment=ref,
    )


@given(EXCHANGES)
def test_replaying_a_run_serves_every_call_and_its_scores(exchanges: list[tuple[ToolCall, str]]) -> None:
    trajectory = run(exchanges)
    environment = Recorded(trajectory)
    session = environment.open(environment.ref)
    for step in trajectory.steps:
        if isinstance(step, ToolStep):
            assert session.call(step.call) == step.result
    assert session.score(trajectory.messages) == trajectory.outcome.scores


@given(EXCHANGES, CALLS)
def test_a_call_that_was_never_recorded_is_never_served(exchanges: list[tuple[ToolCall, str]], call: ToolCall) -> None:
    session = Recorded(run(exchanges)).open(Recorded(run(exchanges)).ref)
    times = sum(repr(known) == repr(call) for known, _ in exchanges)
    answers = [session.call(call) for _ in range(times + 1)]
    assert all(isinstance(answer, ToolResult) for answer in answers[:-1])
    assert isinstance(answers[-1], Undetermined)
    assert (answers[-1].near is None) == (not exchanges)


def test_equal_calls_are_served_in_their_order_and_then_no_more() -> None:
    call = ToolCall(name="get", arguments={"a": 1, "b": 2})
    environment = Recorded(run([(call, "first"), (call, "second")]))
    session = environment.open(environment.ref)
    turned = call.model_copy(update={"arguments": {"b": 2, "a": 1}, "id": "other"})
    assert [session.call(turned), session.call(turned)] == [
        ToolResult(content="first"),
        ToolResult(content="second"),
    ]
    spent = session.call(turned)
    assert isinstance(spent, Undetermined)
    assert "2 recorded results are used up" in spent.why


def test_one_true_and_one_point_nought_are_three_arguments() -> None:
    environment = Recorded(run([(ToolCall(name="get", arguments={"a": 1}), "x")]))
    session = environment.open(environment.ref)
    for other in (True, 1.0, "1"):
        assert isinstance(session.call(ToolCall(name="get", arguments={"a": other})), Undetermined)


def test_an_unknown_call_names_the_nearest_of_the_same_tool() -> None:
    exchanges = [
        (ToolCall(name="put", arguments={"a": "blue"}), "x"),
        (ToolCall(name="get", arguments={"a": "bluer"}), "y"),
        (ToolCall(name="get", arguments={"a": "red"}), "z"),
    ]
    environment = Recorded(run(exchanges))
    unknown = environment.open(environment.ref).call(ToolCall(name="get", arguments={"a": "blue"}))
    assert isinstance(unknown, Undetermined)
    assert unknown.near == 'get/0: {"a":"bluer"}'
    assert "never called with these arguments" in unknown.why


@pytest.mark.parametrize("change", ["no call", "another reply"])
def test_a_log_does_not_judge_another_end(change: str) -> None:
    trajectory = run([(ToolCall(name="get", arguments={}), "x")])
    environment = Recorded(trajectory)
    session = environment.open(environment.ref)
    messages = trajectory.messages
    if change == "another reply":
        session.call(ToolCall(name="get", arguments={}))
        messages = (*messages[:-1], AssistantMessage(content="not done"))
    scores = session.score(messages)
    assert scores.keys() == {"solved", "points"}
    assert all(isinstance(score, Undetermined) for score in scores.values())


def test_a_log_opens_only_its_own_run() -> None:
    ref = EnvironmentRef(name="elsewhere", version="1", task="t", settings={"x": 1})
    environment = Recorded(run([], ref))
    assert environment.ref == ref
    with pytest.raises(ToolEnvironmentError, match="only the log of 'r'"):
        environment.open(ref.model_copy(update={"settings": {}}))


def test_tools_are_those_offered_else_those_called() -> None:
    trajectory = run([(ToolCall(name="put", arguments={}), "x"), (ToolCall(name="get", arguments={}), "y")])
    environment = Recorded(trajectory)
    assert environment.tools(environment.ref) == (ToolSpec(name="get"), ToolSpec(name="put"))
    offered = (ToolSpec(name="get", description="gets"),)
    steps = steps_of(trajectory.messages, Request(model="m", messages=(), tools=offered))
    environment = Recorded(trajectory.model_copy(update={"steps": steps}))
    assert environment.tools(environment.ref) == offered


def test_runs_without_a_known_environment_are_answered_by_their_log() -> None:
    assert not environment_of(run([])).executes
    assert not environment_of(run([], EnvironmentRef(name="unknown", version="1", task="t"))).executes
    for name in EXECUTING:
        environment = environment_of(run([], EnvironmentRef(name=name, version="v1", task="banking/user_task_0")))
        assert environment.executes
