"""The law of a choice is read exactly where the log-probabilities tell it, and not at all where they do not."""

import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifonly.agents.completion import Completion
from ifonly.agents.optionlaw import MARK, forced, from_counts, option_law, option_of, option_token
from ifonly.agents.records import AssistantMessage, Request, TokenLogprob, ToolCall, ToolSpec, UserMessage
from ifonly.agents.wire import to_body

ASK = (UserMessage(content="?"),)


def by_schema(*names, **settings):
    tools = tuple(ToolSpec(name=name) for name in names)
    return Request(model="m", messages=ASK, tools=tools, settings={"tool_mode": "schema", **settings})


def enumerated(*values, inside=None, **settings):
    schema = {"type": "string", "enum": list(values)}
    if inside:
        schema = {"type": "object", "properties": {inside: schema}}
    asked = {"type": "json_schema", "json_schema": {"name": "choice", "schema": schema}}
    return Request(model="m", messages=ASK, settings={"response_format": asked, **settings})


def token(text, **top):
    logs = {other: min(math.log(p), 0.0) for other, p in top.items()}
    return TokenLogprob(token=text, logprob=logs[text], top=logs)


def sure(*texts):
    return [TokenLogprob(token=text, logprob=0.0, top={text: 0.0}) for text in texts]


def law(request, *tokens, **options):
    return option_law(request, Completion(reply=AssistantMessage(), logprobs=tuple(tokens)), **options)


def table(found):
    return {option: round(p, 9) for option, p in found.table.items()}


def says(name):
    return AssistantMessage(tool_calls=(ToolCall(name=name, arguments={}),))


def test_options_of_replies():
    assert option_of(says("a")) == "tool:a"
    assert option_of(AssistantMessage(tool_calls=(*says("a").tool_calls, *says("b").tool_calls))) == "tool:a+tool:b"
    assert option_of(AssistantMessage(content="hi")) == option_of(AssistantMessage()) == "say"
    assert option_of(AssistantMessage(content='"red"'), enumerated("red", "blue")) == "say:red"
    assert option_of(AssistantMessage(content='{ "c": "blue" }'), enumerated("red", "blue", inside="c")) == "say:blue"
    assert option_of(AssistantMessage(content="green"), enumerated("red", "blue")) == "say"


def test_one_token_parts_all():
    found = law(by_schema("get", "put"), *sure('{"', "tool", '":', ' "'), token("put", put=0.2, get=0.6, X=0.2))
    assert table(found) == {"tool:get": 0.75, "tool:put": 0.25}
    assert found.rest == pytest.approx(0.2)


def test_two_tokens_part_the_options_one_after_the_other():
    """First the key parts tools from answer, then the name parts the tools."""
    first = token("tool", tool=0.8, answer=0.1, the=0.1)
    found = law(by_schema("get", "put"), *sure('{"'), first, *sure('": "'), token("get", get=0.3, put=0.7))
    assert table(found) == pytest.approx({"tool:get": 8 / 9 * 0.3, "tool:put": 8 / 9 * 0.7, "say": 1 / 9})
    assert found.rest == pytest.approx(0.1)


def test_an_answer_does_not_tell_the_law_of_the_tools():
    request = by_schema("get", "put")
    tokens = [*sure('{"'), token("answer", tool=0.8, answer=0.2), *sure('": "Hi"}')]
    assert law(request, *tokens) is None
    # With one tool it does, and where the tools' share is small enough to be left open.
    assert table(law(by_schema("get"), *tokens)) == {"tool:get": 0.8, "say": 0.2}
    assert table(law(request, *sure('{"'), token("answer", tool=1e-3, answer=1 - 1e-3))) == {"say": 1.0}


def test_names_that_begin_alike():
    request = by_schema("get_a", "get_b", "put", tool_choice="required")
    prefix = sure('{"tool": "')
    found = law(request, *prefix, token("get", get=0.6, put=0.4), *sure("_"), token("a", a=0.5, b=0.5))
    assert table(found) == {"tool:get_a": 0.3, "tool:get_b": 0.3, "tool:put": 0.4}
    assert law(request, *prefix, token("put", get=0.6, put=0.4)) is None


def test_a_name_that_begins_another():
    request = by_schema("go", "gone", tool_choice="required")
    found = law(request, *sure('{"tool": "go'), token('",', **{'",': 0.25, "ne": 0.75}))
    assert table(found) == {"tool:go": 0.25, "tool:gone": 0.75}


def test_the_same_text_cut_otherwise_counts_as_the_same():
    request = by_schema("get", "put", tool_choice="required")
    found = law(request, *sure('{"tool": "'), token("ge", ge=0.3, get=0.2, g=0.1, put=0.4))
    assert table(found) == {"tool:get": 0.6, "tool:put": 0.4}
    # Before the options part, nothing but the cutting is at stake.
    tokens = [token('{"', **{'{"': 0.5, "{": 0.2, "The": 0.3}), *sure('tool": "'), token("get", get=0.5, put=0.5)]
    assert table(law(request, *tokens)) == {"tool:get": 0.5, "tool:put": 0.5}


def test_values_of_an_enumeration():
    found = law(enumerated("red", "blue"), *sure('"'), token("red", red=0.9, blue=0.1), *sure('"'))
    assert table(found) == {"say:red": 0.9, "say:blue": 0.1}
    found = law(enumerated("red", "blue", inside="c"), *sure('{"c": "'), token("blue", red=0.9, blue=0.1))
    assert table(found) == {"say:red": 0.9, "say:blue": 0.1}


def test_alternatives_that_were_not_reported():
    """They might hold any option: a fifth of the probability is too much to leave open, unless told."""
    request = by_schema("a", "b", "c", tool_choice="required")
    tokens = [*sure('{"tool":"'), token("a", a=0.5, b=0.3)]
    assert law(request, *tokens) is None
    found = law(request, *tokens, unclear=0.25)
    assert table(found) == {"tool:a": 0.625, "tool:b": 0.375}
    assert found.rest == pytest.approx(0.2)
    # What the grammar masks counts for nothing: of the options nine tenths may be hidden here.
    assert law(request, *sure('{"tool":"'), token("a", a=0.01, The=0.9), unclear=0.85) is None
    greedy = by_schema("a", "b", "c", tool_choice="required", temperature=0)
    assert table(law(greedy, *tokens)) == {"tool:a": 1.0}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"temperature": 1.0}, {"a": 0.5, "b": 0.3, "c": 0.2}),
        ({"temperature": 0.5}, {"a": 25 / 38, "b": 9 / 38, "c": 4 / 38}),
        ({"temperature": 0}, {"a": 1.0}),
        ({"top_k": 2}, {"a": 0.625, "b": 0.375}),
        ({"top_p": 0.5}, {"a": 1.0}),
        ({"top_p": 0.6}, {"a": 0.625, "b": 0.375}),
        ({"temperature": 0.5, "top_p": 0.9}, {"a": 25 / 38, "b": 9 / 38, "c": 4 / 38}),
        ({"temperature": 0.5, "top_p": 0.8}, {"a": 25 / 34, "b": 9 / 34}),
    ],
)
def test_the_law_is_that_of_the_sampler(settings, expected):
    request = by_schema("a", "b", "c", tool_choice="required", **settings)
    found = law(request, *sure('{"tool":"'), token("a", a=0.25, b=0.15, c=0.1, The=0.5))
    assert found.table == pytest.approx({f"tool:{name}": p for name, p in expected.items()})


def test_where_nothing_is_told():
    request = by_schema("a", "b")
    assert option_law(request, Completion(reply=says("a"))) is None
    assert law(request, TokenLogprob(token='{"tool":"', logprob=0.0), TokenLogprob(token="a", logprob=-1.0)) is None
    assert law(request, *sure('{"tool":"')) is None
    assert law(request, *sure("Hello")) is None
    native = request.model_copy(update={"settings": {}})
    assert law(native, *sure('{"tool":"'), token("a", a=0.5, b=0.5)) is None


def test_one_option_is_certain():
    only = forced(by_schema("a", "b"), "tool:a")
    assert table(law(only, *sure('{"tool":"a"'))) == {"tool:a": 1.0}


names = st.lists(st.text("abc_", min_size=1, max_size=4), min_size=2, max_size=5, unique=True)


@given(st.data(), names)
def test_every_law_that_is_read_is_the_model_s_own(data, tools):
    """A model with known option probabilities that writes pieces of one to three characters, and forbidden ones too.

    Its probability of a piece is the share of the options that go on with it; whichever option it takes, the law read
    along that path is the true one, or none.
    """
    request = by_schema(*tools)
    weights = data.draw(st.lists(st.integers(1, 9), min_size=len(tools) + 1, max_size=len(tools) + 1))
    options = {f"tool:{name}": f'{{"tool": {json.dumps(name)}, "arguments": {{}}}}' for name in tools}
    options["say"] = '{"answer": "Hi"}'
    truth = {option: weight / sum(weights) for option, weight in zip(options, weights, strict=True)}
    size, allowed = data.draw(st.integers(1, 3)), data.draw(st.sampled_from([1.0, 0.5]))
    taken = data.draw(st.sampled_from(list(options)))
    tokens, place, readable = [], 0, True
    while place < len(options[taken]):
        alive = {option for option, text in options.items() if text.startswith(options[taken][:place])}
        total = math.fsum(truth[option] for option in alive)
        beside = Counter(options[option][place : place + size] for option in alive)
        readable &= all(n == 1 for piece, n in beside.items() if piece != options[taken][place : place + size])
        top = {"\u2603": 1 - allowed} if allowed < 1 else {}
        for option in alive:
            piece = options[option][place : place + size]
            top[piece] = top.get(piece, 0.0) + allowed * truth[option] / total
        tokens.append(token(options[taken][place : place + size], **top))
        place += size
    found = law(request, *tokens, unclear=0.0)
    assert (found is not None) == readable
    if found is not None:
        assert found.table == pytest.approx(truth)
        assert math.fsum(found.table.values()) == pytest.approx(1)


@given(st.dictionaries(st.sampled_from(["say", "tool:a", "tool:a+tool:b", "say:x"]), st.integers(1, 99), min_size=1))
def test_a_scripted_token_tells_its_law_back(weights):
    total = sum(weights.values())
    truth = {option: weight / total for option, weight in weights.items()}
    spoken = option_token(truth, next(iter(truth)))
    assert spoken.token.startswith(MARK)
    assert law(Request(model="m", messages=ASK), spoken).table == pytest.approx(truth)


def test_shares_of_replies():
    found = from_counts([says("a"), says("b"), says("a"), AssistantMessage(content="x")])
    assert table(found) == {"say": 0.25, "tool:a": 0.5, "tool:b": 0.25}
    assert found.rest == 0
    with pytest.raises(ValueError, match="no replies"):
        from_counts([])


def test_a_request_with_its_options_narrowed_to_one():
    native = by_schema("a", "b").model_copy(update={"settings": {"seed": 1}})
    chosen = forced(native, "tool:b").settings
    assert chosen == {"seed": 1, "tool_choice": {"type": "function", "function": {"name": "b"}}}
    assert forced(native, "say").settings == {"seed": 1, "tool_choice": "none"}
    assert forced(native, "tool:c") is None
    assert forced(native, "tool:a+tool:b") is None
    one = forced(enumerated("red", "blue", inside="c"), "say:blue")
    assert one.settings["response_format"]["json_schema"]["schema"]["properties"]["c"]["enum"] == ["blue"]
    assert forced(enumerated("red"), "say:green") is None
    schema = to_body(forced(by_schema("a", "b"), "say"))["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["answer"]
