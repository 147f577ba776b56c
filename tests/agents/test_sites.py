import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifonly.agents.records import (
    AssistantMessage,
    InputStep,
    ModelStep,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolStep,
    UserMessage,
)
from ifonly.agents.sites import ConversationError, SiteNamer, pair_results, steps_of

FRAME = Request(model="m", messages=(UserMessage(content="ignored"),), toolset="t", settings={"seed": 1})


def call(name, key=None, **arguments):
    return ToolCall(name=name, arguments=arguments, id=key)


def reply(*calls, content=None):
    return AssistantMessage(content=content, tool_calls=calls)


def result(name, key=None, content=""):
    return ToolMessage(tool_call_id=key, name=name, content=content)


@st.composite
def conversations(draw):
    """Conversations in order, with calls by id or by position, results in any order where there are ids."""
    messages, number = [], 0
    for kind in draw(st.lists(st.sampled_from(["system", "user", "say", "ids", "positions"]), max_size=8)):
        match kind:
            case "system":
                messages.append(SystemMessage(content=draw(st.text(max_size=3))))
            case "user":
                messages.append(UserMessage(content=draw(st.text(max_size=3))))
            case "say":
                messages.append(reply(content=draw(st.text(max_size=3))))
            case _:
                names = draw(st.lists(st.sampled_from(["f", "g", "agent", "user"]), min_size=1, max_size=3))
                keys = [f"c{number + n}" if kind == "ids" else None for n in range(len(names))]
                number += len(names)
                calls = [call(name, key) for name, key in zip(names, keys, strict=True)]
                order = draw(st.permutations(calls)) if kind == "ids" else calls
                messages += [reply(*calls), *(result(one.name, one.id, draw(st.text(max_size=3))) for one in order)]
    return messages


@given(messages=conversations())
def test_steps_make_up_the_conversation(messages):
    steps = steps_of(messages, FRAME)
    run = [step for step in steps if isinstance(step, ModelStep)]
    assert len(steps) == len(messages)
    for index, (step, message) in enumerate(zip(steps, messages, strict=True)):
        match step:
            case InputStep():
                assert step.message == message
            case ModelStep():
                assert step.reply == message
                assert step.request == FRAME.model_copy(update={"messages": tuple(messages[:index])})
            case ToolStep():
                assert (step.result.content, step.call.name) == (message.content, message.name)
                assert step.call.id == message.tool_call_id
    assert len({step.site for step in steps}) == len(steps)
    assert [step.site for step in run] == [f"agent/{n}" for n in range(len(run))]


@given(messages=conversations())
def test_steps_read_what_came_before_them(messages):
    seen, spoken = [], False
    for step in steps_of(messages, FRAME):
        match step:
            case ModelStep():
                assert step.reads == tuple(seen)
                spoken = True
            case ToolStep():
                assert len(step.reads) == 1
                assert step.reads[0] in seen
            case InputStep():
                assert step.reads == (tuple(seen) if spoken else ())
        seen.append(step.site)


def test_sites_count_by_name():
    site = SiteNamer()
    assert [site(name) for name in ("f", "g", "f", "agent", "f")] == ["f/0", "g/0", "f/1", "agent/0", "f/2"]


def test_the_agent_can_be_named():
    assert [step.site for step in steps_of([reply(), reply()], FRAME, agent="planner")] == ["planner/0", "planner/1"]


def test_results_come_in_the_order_of_execution():
    first, second = call("f", "a"), call("f", "b")
    steps = steps_of([reply(first, second), result("f", "b", "B"), result("f", "a", "A")], FRAME)
    assert [(step.site, step.call, step.result.content) for step in steps[1:]] == [
        ("f/0", second, "B"),
        ("f/1", first, "A"),
    ]


def test_calls_at_the_end_may_be_pending():
    messages = [reply(call("f", "a"))]
    assert [step.site for step in steps_of(messages, FRAME, pending=True)] == ["agent/0"]
    with pytest.raises(ConversationError, match="no result for f"):
        steps_of(messages, FRAME)
    with pytest.raises(ConversationError, match="no result for f"):
        steps_of([*messages, UserMessage(content="x")], FRAME, pending=True)


@pytest.mark.parametrize(
    ("messages", "field", "found"),
    [
        ([result("f", "a")], "messages.0.tool_call_id", "answers no call"),
        ([reply(), result("f", "a")], "messages.1.tool_call_id", "answers no call"),
        (
            [reply(call("f", "a")), UserMessage(content=""), result("f", "a")],
            "messages.0.tool_calls",
            "no result for f (id 'a')",
        ),
        ([reply(call("f", "a")), result("f", "b")], "messages.1.tool_call_id", "open calls: ['a']"),
        ([reply(call("f", "a")), result("f")], "messages.1.tool_call_id", "id None"),
        (
            [reply(call("f", "a")), result("f", "a"), result("f", "a")],
            "messages.2.tool_call_id",
            "open calls: none",
        ),
        (
            [reply(call("f", "a"), call("g", "a")), result("f", "a")],
            "messages.0.tool_calls",
            "two calls with the id 'a'",
        ),
        ([reply(call("f"), call("g")), result("f")], "messages.0.tool_calls", "no result for g (id None)"),
        ([reply(call("f")), result("f"), result("f")], "messages.2.tool_call_id", "open calls: none"),
    ],
)
def test_what_is_no_conversation_is_told(messages, field, found):
    for pending in (False, True):
        with pytest.raises(ConversationError) as caught:
            steps_of(messages, FRAME, pending=pending)
        assert caught.value.field == field
        assert found in caught.value.found
        assert caught.value.fix


def test_pairs_by_position_where_an_id_is_missing():
    calls = [call("f", "a"), call("g")]
    paired = pair_results(calls, [result("f", "zzz", "1"), result("g", None, "2")])
    assert [(one.name, given.content) for one, given in paired] == [("f", "1"), ("g", "2")]


@pytest.mark.parametrize("name", ["agent", "user", "system", "environment", "outcome"])
def test_a_tool_named_like_something_else_is_told_apart(name):
    site = SiteNamer()
    assert [site("agent"), site.tool(name), site("agent"), site.tool(name)] == [
        "agent/0", f"tool:{name}/0", "agent/1", f"tool:{name}/1"
    ]  # fmt: skip
