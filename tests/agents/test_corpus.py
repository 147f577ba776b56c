"""The prefix tree: equal requests meet, ids aside; all else stays apart and names what is nearest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifonly.agents.canonical import Equality
from ifonly.agents.corpus import Corpus
from ifonly.agents.records import AssistantMessage, ModelStep, ToolCall, UserMessage
from ifonly.scenarios.inbox import sample

RUNS = [*sample(30, seed=1), *sample(30, seed=2, model="large")]
CORPUS = Corpus(RUNS)


def requests(run):
    return [step.request for step in run.steps if isinstance(step, ModelStep)]


@pytest.mark.parametrize("equality", Equality)
def test_every_recorded_request_finds_its_own_reply(equality):
    corpus = Corpus(RUNS, equality)
    for run in RUNS:
        for position, step in enumerate(run.steps):
            if isinstance(step, ModelStep):
                turns = corpus.turns(corpus.key(step.request), model=run.model)
                assert (run.id, position) in {(turn.run.id, turn.position) for turn in turns}


def test_requests_that_differ_in_ids_alone_are_equal():
    request = requests(RUNS[0])[1]
    call = request.messages[2].tool_calls[0].model_copy(update={"id": "another"})
    tool = request.messages[3].model_copy(update={"tool_call_id": "another"})
    asked = request.model_copy(update={"messages": (*request.messages[:2], AssistantMessage(tool_calls=(call,)), tool)})
    assert CORPUS.key(asked) == CORPUS.key(request)


@given(st.data())
def test_near_duplicates_are_never_taken_for_equal(data):
    """Numbers of another type, white space, composed letters, an extra empty argument: each is another request."""
    first, second = data.draw(
        st.sampled_from([(1, 1.0), (1, True), ("a", "a "), ("\u00e9", "e\u0301"), (None, ""), ([], {})])
    )
    request = requests(RUNS[0])[1]

    def ask(value):
        call = ToolCall(name="read_mail", arguments={"x": value})
        return request.model_copy(update={"messages": (*request.messages[:2], AssistantMessage(tool_calls=(call,)))})

    assert CORPUS.key(ask(first)) != CORPUS.key(ask(second))


@pytest.mark.parametrize("update", [{"toolset": "other"}, {"tools": None}, {"settings": {"temperature": 1}}])
def test_other_tools_or_settings_are_another_request(update):
    request = requests(RUNS[0])[0]
    assert not CORPUS.turns(CORPUS.key(request.model_copy(update=update)), model="small")


def test_another_model_or_the_run_itself_is_left_out_when_asked_to():
    request = requests(RUNS[0])[0]
    key = CORPUS.key(request)
    assert {turn.run.model for turn in CORPUS.turns(key, model="large")} == {"large"}
    assert RUNS[0].id not in {turn.run.id for turn in CORPUS.turns(key, model="small", besides=RUNS[0].id)}
    assert CORPUS.models(key) == {"small", "large"}


def test_a_request_seen_nowhere_names_the_nearest():
    request = requests(RUNS[0])[1]
    asked = request.model_copy(update={"messages": (*request.messages[:3], UserMessage(content="wait"))})
    missing = CORPUS.missing(asked)
    assert "message 3 (user: wait) was never seen there" in missing.why
    assert "where message 3 is tool: Lunch at noon?" in missing.near
    unknown = CORPUS.missing(request.model_copy(update={"model": "huge"}))
    assert "no other run of huge" in unknown.why
    assert unknown.near is None


def test_a_clock_stamp_is_ignored_only_when_asked_to():
    request = requests(RUNS[0])[1]

    def stamped(stamp):
        tool = request.messages[3].model_copy(update={"content": f"sent\ntimestamp: 2024-06-04 16:43:{stamp}"})
        return request.model_copy(update={"messages": (*request.messages[:3], tool)})

    one, other, whole = stamped("23.699762"), stamped("59.000001"), stamped("24")
    assert CORPUS.key(one) != CORPUS.key(other)
    equivalent = Corpus([], Equality.EQUIVALENT)
    assert equivalent.key(one) == equivalent.key(other)
    assert equivalent.key(one) != equivalent.key(whole)


def test_free_text_is_ignored_only_before_calls_and_only_when_asked():
    request = requests(RUNS[0])[1]
    spoken = request.messages[2].model_copy(update={"content": "Let me see."})
    asked = request.model_copy(update={"messages": (*request.messages[:2], spoken, *request.messages[3:])})
    assert CORPUS.key(asked) != CORPUS.key(request)
    calls_only = Corpus(RUNS, Equality.CALLS_ONLY)
    assert calls_only.key(asked) == calls_only.key(request)


def test_a_request_that_only_the_run_itself_was_asked_is_told_as_such():
    run = RUNS[0]
    alone = Corpus([run])
    assert alone.missing(requests(run)[1], besides=run.id).why == "no other recorded run of small was asked this"
