import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifonly.agents.canonical import (
    Equality,
    canonical_json,
    context_digest,
    digest,
    extend,
    message_digest,
    request_digest,
)
from ifonly.agents.records import (
    AssistantMessage,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(value=values)
def test_canonical_json_can_be_read_again(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


def turned(value):
    """The same value with the keys of every object in the other order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value


@given(value=values)
def test_the_order_of_keys_does_not_matter(value):
    assert canonical_json(turned(value)) == canonical_json(value)


def test_unlike_values_have_unlike_texts():
    unlike = [1, 1.0, True, "1", None, "null", [], {}, "", [1], {"1": 1}, 0.0, -0.0, "é", "e\u0301"]
    texts = [canonical_json(value) for value in unlike]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [-float("inf")]}])
def test_what_json_does_not_have_raises(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


def test_digests_are_the_same_for_ever():
    assert digest("") == "cae66941d9efbd404e4d88758ea67670"
    assert digest("\ud800") != digest("\udfff") != digest("?")
    known = request_digest(Request(model="m", messages=(UserMessage(content="Hi"),)))
    assert known == request_digest(Request(model="other", messages=(UserMessage(content="Hi"),)))
    assert known == "9f24d7ee870ec74caba64fa23973fecb"


def call(name="f", key="a", **arguments):
    return ToolCall(name=name, arguments=arguments, id=key)


UNLIKE = [
    SystemMessage(content="x"),
    UserMessage(content="x"),
    UserMessage(content=None),
    UserMessage(content=[{"type": "text", "text": "x"}]),
    AssistantMessage(content="x"),
    AssistantMessage(content="x", tool_calls=(call(),)),
    AssistantMessage(content="y", tool_calls=(call(),)),
    AssistantMessage(content="x", tool_calls=(call("g"),)),
    AssistantMessage(content="x", tool_calls=(call(n=1),)),
    AssistantMessage(content="x", tool_calls=(call(n=1.0),)),
    AssistantMessage(content="x", tool_calls=(call(), call())),
    ToolMessage(tool_call_id="a", name="f", content="x"),
    ToolMessage(tool_call_id="a", name="g", content="x"),
    ToolMessage(tool_call_id="a", name="f", content="y"),
    ToolMessage(tool_call_id="a", name="f", content="x", error="e"),
    ToolMessage(tool_call_id="a", name="f", content="x", error=""),
]


def test_unlike_messages_have_unlike_digests():
    digests = [message_digest(message) for message in UNLIKE]
    assert len(set(digests)) == len(digests)


def test_ids_of_calls_do_not_matter():
    for one, other in itertools.pairwise(["a", "b", None]):
        assert message_digest(AssistantMessage(tool_calls=(call(key=one, x=1, y=2),))) == message_digest(
            AssistantMessage(tool_calls=(call(key=other, y=2, x=1),))
        )
        assert message_digest(ToolMessage(tool_call_id=one, name="f", content="x")) == message_digest(
            ToolMessage(tool_call_id=other, name="f", content="x")
        )


def test_no_text_and_empty_text_of_a_reply_count_as_one():
    for calls in ((), (call(),)):
        empty = AssistantMessage(content="", tool_calls=calls)
        assert message_digest(empty) == message_digest(AssistantMessage(content=None, tool_calls=calls))


def test_calls_only_ignores_the_text_beside_calls_and_nothing_else():
    digests = {message_digest(message, Equality.CALLS_ONLY) for message in UNLIKE}
    assert len(digests) == len(UNLIKE) - 1


FRAME = Request(model="m", messages=())


@pytest.mark.parametrize(
    "change",
    [
        {"toolset": "t"},
        {"tools": ()},
        {"tools": (ToolSpec(name="f"),)},
        {"tools": (ToolSpec(name="f", description="d"),)},
        {"settings": {"seed": 1}},
        {"settings": {"seed": 1.0}},
    ],
)
def test_what_stands_beside_the_messages_matters_and_the_model_does_not(change):
    changed = FRAME.model_copy(update=change)
    assert context_digest(changed) != context_digest(FRAME)
    assert request_digest(changed) != request_digest(FRAME)
    assert context_digest(changed) == context_digest(changed.model_copy(update={"model": "other"}))


@given(picked=st.lists(st.sampled_from(UNLIKE), max_size=6))
@pytest.mark.parametrize("equality", Equality)
def test_a_request_is_its_prefix_and_one_message_more(picked, equality):
    digests = [
        request_digest(FRAME.model_copy(update={"messages": tuple(picked[:n])}), equality)
        for n in range(len(picked) + 1)
    ]
    for before, message, after in zip(digests, picked, digests[1:], strict=False):
        assert extend(before, message_digest(message, equality)) == after
    assert len(set(digests)) == len(digests)
