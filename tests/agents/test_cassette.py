"""What was recorded is served again to the letter, never anything else, and nothing acknowledged is ever lost."""

import asyncio
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.agents.canonical import canonical_json
from ifonly.agents.cassette import Cassette, Mode, Recorded
from ifonly.agents.completion import Completion
from ifonly.agents.errors import CassetteMiss, IfonlyError, InputError, ProviderError
from ifonly.agents.records import (
    AssistantMessage,
    Request,
    StreamPart,
    SystemMessage,
    TokenLogprob,
    ToolCall,
    ToolMessage,
    ToolSpec,
    Usage,
    UserMessage,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "cassette-v1.jsonl"

SPECS = (
    ToolSpec(
        name="search", description="Searches.", parameters={"type": "object", "properties": {"q": {"type": "string"}}}
    ),
    ToolSpec(name="book", description="Books."),
)
CALL = ToolCall(name="search", arguments={"q": "Zürich ☃", "n": 1, "x": 1.0, "y": True, "z": None}, id="c1")
CHAT = (
    SystemMessage(content="You are careful. The key is sk-proj-1234567890abcdefghijklmn."),
    UserMessage(content=[{"type": "text", "text": "Find it."}]),
    AssistantMessage(tool_calls=(CALL, ToolCall(name="search", arguments={"a": {"b": [1, 2]}}, id="c2"))),
    ToolMessage(tool_call_id="c1", name="search", content="one"),
    ToolMessage(tool_call_id="c2", name="search", content="", error="ValueError: none"),
)
REQUEST = Request(model="m-1", messages=CHAT, tools=SPECS, settings={"temperature": 0.5, "seed": 7, "stop": ["a", "b"]})
WHOLE = Completion(
    reply=AssistantMessage(content="It is sk-proj-1234567890abcdefghijklmn.", tool_calls=(CALL,)),
    model="m-1-2026-11-01",
    usage=Usage(input_tokens=812, output_tokens=9),
    cost=0.00012345678901234567,
    seconds=1.25,
    first_token_seconds=0.1,
    logprobs=(
        TokenLogprob(token="It", logprob=-0.1, top={"It": -0.1, "There": -2.5}),
        TokenLogprob(token=" is", logprob=0.0, top={" is": 0.0, " was": float("-inf")}),
        TokenLogprob(token=" sk-proj-12345", logprob=-1e-300, top={" sk-proj-12345": -1e-300}),
        TokenLogprob(token="67890abcdefghijklmn.", logprob=-3.0000000000000004),
    ),
    stream=(
        StreamPart(seconds=0.1, text="It is sk-pr"),
        StreamPart(seconds=0.2, text="oj-1234567890abc"),
        StreamPart(seconds=0.30000000000000004, text="defghijklmn."),
    ),
    finish="tool_calls",
)


def said(text, **more):
    return Completion(reply=AssistantMessage(content=text), **more)


def asking(*texts, **more):
    return Request(model="m-1", messages=tuple(UserMessage(content=text) for text in texts)).model_copy(update=more)


def write_golden(path):
    with Cassette(path, Mode.NEW) as cassette:
        cassette.add(REQUEST.model_copy(update={"messages": CHAT[:2]}), said("one"))
        cassette.add(REQUEST, WHOLE)
        cassette.add(REQUEST, said("again", usage=Usage(input_tokens=1, output_tokens=1)))
        cassette.add(Request(model="m-2", messages=()), said(None))
    with Cassette(path, Mode.ALL) as cassette:
        cassette.add(REQUEST, said("a later session"))


class Refusing:
    """A model that must not be asked."""

    async def complete(self, request):
        raise AssertionError("the model was asked")


class Counting:
    """Says how often it was asked; may take time, and may fail."""

    def __init__(self, delays=(), failing=()):
        self.asked, self.delays, self.failing = 0, delays, failing

    async def complete(self, request):
        number = self.asked
        self.asked += 1
        await asyncio.sleep(self.delays[number] if number < len(self.delays) else 0)
        if number in self.failing:
            raise ProviderError("m-1", "no answer", "Ask again.")
        return said(f"answer {number}")


def ask(model, *requests):
    async def one_by_one():
        return [(await model.complete(request)).reply.content for request in requests]

    return asyncio.run(one_by_one())


# The file


def test_golden_file_opens_for_ever_and_is_written_byte_equal(tmp_path):
    path = tmp_path / "c.jsonl"
    write_golden(path)
    assert path.read_bytes() == GOLDEN.read_bytes()
    cassette = Cassette(GOLDEN)
    assert len(cassette) == 3
    assert cassette.find(REQUEST) == said("a later session", source="recorded")
    assert cassette.find(REQUEST, 1) is None
    assert cassette.find(REQUEST.model_copy(update={"messages": CHAT[:2]})).reply.content == "one"


def test_all_that_was_measured_survives_and_secrets_do_not(tmp_path):
    path = tmp_path / "c.jsonl"
    with Cassette(path, Mode.NEW) as cassette:
        cassette.add(REQUEST, WHOLE)
        now = cassette.find(REQUEST)
    served = Cassette(path).find(REQUEST)
    assert served == now
    assert served.source == "recorded"
    hidden = "[redacted:openai:1]"
    assert served.reply.content == f"It is {hidden}."
    assert canonical_json(served.reply.tool_calls[0].arguments) == canonical_json(CALL.arguments)
    assert list(served.reply.tool_calls[0].arguments) == list(CALL.arguments)
    assert [part.text for part in served.stream] == [f"It is {hidden}", "", "."]
    assert [part.seconds for part in served.stream] == [part.seconds for part in WHOLE.stream]
    assert [token.token for token in served.logprobs] == ["It", " is", f" {hidden}", "."]
    assert [token.logprob for token in served.logprobs] == [token.logprob for token in WHOLE.logprobs]
    assert [token.top for token in served.logprobs] == [WHOLE.logprobs[0].top, WHOLE.logprobs[1].top, {}, {}]
    same = ("model", "usage", "cost", "seconds", "first_token_seconds", "finish")
    assert served.model_dump(include=set(same)) == WHOLE.model_dump(include=set(same))
    assert b"1234567890abc" not in path.read_bytes()


def test_the_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "deep" / "c.jsonl"
    with Cassette(path, Mode.NEW) as cassette:
        cassette.add(REQUEST, WHOLE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_growing_conversation_takes_linear_space(tmp_path):
    sizes = []
    for length in (30, 60):
        path = tmp_path / f"{length}.jsonl"
        with Cassette(path, Mode.NEW, fsync=False) as cassette:
            messages = ()
            for turn in range(length):
                messages += (UserMessage(content=f"{turn} " * 50), AssistantMessage(content=f"r{turn} " * 50))
                cassette.add(REQUEST.model_copy(update={"messages": messages}), said("ok"))
        sizes.append(path.stat().st_size)
    assert sizes[1] < 2.1 * sizes[0]
    entries = list(Cassette(path).entries())
    assert [len(entry.request.messages) for entry in entries] == [2 * turn + 2 for turn in range(60)]
    assert entries[-1].request.messages == messages


def test_entries_give_each_message_with_the_ids_of_its_own_conversation(tmp_path):
    path = tmp_path / "c.jsonl"
    other = json.loads(canonical_json(REQUEST.model_dump()).replace('"c1"', '"d1"').replace('"c2"', '"d2"'))
    renamed = Request.model_validate_json(json.dumps(other))
    with Cassette(path, Mode.NEW) as cassette:
        cassette.add(REQUEST, said("one"))
        assert cassette.find(renamed).reply.content == "one"
        cassette.add(renamed, said("two"))
    first, second = Cassette(path).entries()
    assert (first.occurrence, second.occurrence) == (0, 1)
    assert [message.tool_call_id for message in first.request.messages[3:]] == ["c1", "c2"]
    assert [message.tool_call_id for message in second.request.messages[3:]] == ["d1", "d2"]


TEXTS = st.text(max_size=12) | st.sampled_from(["password=hunter22", "\ud800", "\u2028", "é", "e\u0301"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)
CALLS = st.builds(ToolCall, name=TEXTS, arguments=OBJECTS, id=st.none() | TEXTS)
CONTENTS = st.none() | TEXTS | st.lists(OBJECTS, max_size=2)
REPLIES = st.builds(AssistantMessage, content=CONTENTS, tool_calls=st.lists(CALLS, max_size=2).map(tuple))
MESSAGES = (
    st.builds(SystemMessage, content=CONTENTS)
    | st.builds(UserMessage, content=CONTENTS)
    | REPLIES
    | st.builds(ToolMessage, tool_call_id=st.none() | TEXTS, name=TEXTS, content=CONTENTS, error=st.none() | TEXTS)
)
REQUESTS = st.builds(
    Request,
    model=TEXTS,
    messages=st.lists(MESSAGES, max_size=3).map(tuple),
    tools=st.none() | st.lists(st.builds(ToolSpec, name=TEXTS, parameters=OBJECTS), max_size=2).map(tuple),
    toolset=st.none() | TEXTS,
    settings=OBJECTS,
)
AMOUNTS = st.none() | st.floats(0, 1e9)
COMPLETIONS = st.builds(
    Completion,
    reply=REPLIES,
    model=st.none() | TEXTS,
    usage=st.none() | st.builds(Usage, input_tokens=st.integers(0, 10**9), output_tokens=st.integers(0, 10**9)),
    cost=AMOUNTS,
    seconds=AMOUNTS,
    logprobs=st.none()
    | st.lists(st.builds(TokenLogprob, token=TEXTS, logprob=st.floats(max_value=0), top=st.just({})), max_size=2).map(
        tuple
    ),
    stream=st.none() | st.lists(st.builds(StreamPart, seconds=st.floats(0, 1e9), text=TEXTS), max_size=2).map(tuple),
    finish=st.none() | TEXTS,
)


@given(st.lists(st.tuples(REQUESTS, COMPLETIONS), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_round_trip(tmp_path_factory, calls):
    path = tmp_path_factory.mktemp("round") / "c.jsonl"
    with Cassette(path, Mode.NEW, fsync=False) as cassette:
        for request, completion in calls:
            cassette.add(request, completion)
        before = list(cassette.entries())
    read = Cassette(path)
    entries = list(read.entries())
    assert [repr(entry) for entry in entries] == [repr(entry) for entry in before]
    assert len(entries) == len(calls)
    counts = {}
    for request, completion in calls:
        key = read.key(request)
        served = read.find(request, counts.setdefault(key, 0))
        counts[key] += 1
        assert served.usage == completion.usage
        assert repr((served.cost, served.seconds)) == repr((completion.cost, completion.seconds))
        with Cassette(path.with_name("again.jsonl"), Mode.ALL, fsync=False) as again:
            again.add(request, served)
            assert again.find(request) == served


# Modes and occurrences


def test_none_never_asks(tmp_path):
    path = tmp_path / "c.jsonl"
    with Cassette(path, Mode.NEW) as cassette:
        cassette.add(asking("a"), said("one"))
    model = Recorded(Cassette(path), Refusing())
    assert ask(model, asking("a")) == ["one"]
    with pytest.raises(CassetteMiss, match=r"recorded 1 times, asked for the 2\. time"):
        ask(model, asking("a"))
    with pytest.raises(CassetteMiss, match=r"differs in messages\.0\.content: asked 'b', recorded 'a'"):
        ask(model, asking("b"))


def test_a_cassette_without_a_file_is_an_error_that_says_so(tmp_path):
    with pytest.raises(InputError, match="no such cassette"):
        Cassette(tmp_path / "c.jsonl")
    with pytest.raises(InputError, match="cannot be opened"):
        Cassette(tmp_path, Mode.NEW)


def test_new_serves_what_is_there_and_records_the_rest_in_order(tmp_path):
    path = tmp_path / "c.jsonl"
    with Cassette(path, Mode.NEW) as cassette:
        assert ask(Recorded(cassette, Counting()), *[asking("a")] * 2) == ["answer 0", "answer 1"]
    with Cassette(path, Mode.NEW) as cassette:
        model = Counting()
        assert ask(Recorded(cassette, model), *[asking("a")] * 3, asking("b")) == [
            "answer 0", "answer 1", "answer 0", "answer 1"]  # fmt: skip
        assert model.asked == 2
    assert ask(Recorded(Cassette(path)), *[asking("a")] * 3, asking("b")) == [
        "answer 0",
        "answer 1",
        "answer 0",
        "answer 1",
    ]


def test_each_user_of_a_cassette_counts_for_itself(tmp_path):
    with Cassette(tmp_path / "c.jsonl", Mode.NEW) as cassette:
        for _ in range(3):
            assert ask(Recorded(cassette, Counting()), *[asking("a")] * 2) == ["answer 0", "answer 1"]
        assert len(cassette) == 2


def test_all_asks_again_and_replaces_only_what_it_asked(tmp_path):
    path = tmp_path / "c.jsonl"
    with Cassette(path, Mode.NEW) as cassette:
        for text in "aaab":
            cassette.add(asking(text), said(f"old {text}"))
    size = path.stat().st_size
    with Cassette(path, Mode.ALL) as cassette:
        assert ask(Recorded(cassette, Counting()), *[asking("a")] * 2) == ["answer 0", "answer 1"]
        cassette.add(asking("a"), said("third"))
    assert path.stat().st_size > size
    cassette = Cassette(path)
    assert [cassette.find(asking("a"), n).reply.content for n in range(3)] == ["answer 0", "answer 1", "third"]
    assert cassette.find(asking("b")).reply.content == "old b"
    with Cassette(path, Mode.NEW) as cassette:
        assert ask(Recorded(cassette, Counting()), *[asking("a")] * 4) == ["answer 0", "answer 1", "third", "answer 0"]
    with Cassette(path, Mode.ALL) as cassette:
        cassette.add(asking("a"), said("newest"))
    assert [len(Cassette(path)), Cassette(path).find(asking("a"), 1)] == [2, None]


def test_the_default_mode_asks_nothing_in_continuous_integration(monkeypatch):
    modes = {}
    for value in ("", "0", "false", "1", "true"):
        monkeypatch.setenv("CI", value)
        modes[value] = Mode.default()
    monkeypatch.delenv("CI")
    assert Mode.default() is Mode.NEW
    assert modes == {"": Mode.NEW, "0": Mode.NEW, "false": Mode.NEW, "1": Mode.NONE, "true": Mode.NONE}


def test_many_equal_requests_at_once_each_get_the_occurrence_of_their_place(tmp_path):
    path = tmp_path / "c.jsonl"

    async def at_once(model):
        return [done.reply.content for done in await asyncio.gather(*(model.complete(asking("a")) for _ in range(20)))]

    delays = [0.001 * (20 - n) for n in range(20)]
    with Cassette(path, Mode.NEW) as cassette:
        recorded = asyncio.run(at_once(Recorded(cassette, Counting(delays))))
    assert recorded == [f"answer {n}" for n in range(20)]
    assert asyncio.run(at_once(Recorded(Cassette(path), Refusing()))) == recorded


def test_a_failed_asking_gives_its_occurrence_to_the_next(tmp_path):
    path = tmp_path / "c.jsonl"

    async def run():
        with Cassette(path, Mode.NEW) as cassette:
            model = Recorded(cassette, Counting(delays=[0.02, 0.0], failing={0}))
            outcomes = await asyncio.gather(*(model.complete(asking("a")) for _ in range(2)), return_exceptions=True)
            assert isinstance(outcomes[0], ProviderError)
            assert outcomes[1].reply.content == "answer 1"
            assert (await model.complete(asking("a"))).reply.content == "answer 2"
            hanging = asyncio.create_task(model.complete(asking("b")))
            await asyncio.sleep(0)
            hanging.cancel()
            await asyncio.gather(hanging, return_exceptions=True)
            assert (await model.complete(asking("b"))).reply.content == "answer 4"

    asyncio.run(run())
    assert ask(Recorded(Cassette(path)), asking("a"), asking("a"), asking("b")) == ["answer 2", "answer 1", "answer 4"]


# Equality


def changed(request, at, content):
    messages = list(request.messages)
    messages[at] = messages[at].model_copy(update={"content": content})
    return request.model_copy(update={"messages": tuple(messages)})


def spaced(request, draw):
    text = request.messages[0].content
    at = draw.randrange(len(text) + 1)
    return changed(request, 0, text[:at] + " " + text[at:])


def decomposed(request, draw):
    form = draw.choice(["NFC", "NFD", "NFKC", "NFKD"])
    return changed(request, 0, unicodedata.normalize(form, request.messages[0].content))


def swapped(request, draw):
    messages = list(request.messages)
    at = draw.randrange(len(messages) - 1)
    messages[at], messages[at + 1] = messages[at + 1], messages[at]
    return request.model_copy(update={"messages": tuple(messages)})


def retooled(request, draw):
    return request.model_copy(
        update={"tools": draw.choice([request.tools and request.tools[::-1], SPECS[:1], (), None])}
    )


def reset(request, draw):
    value = draw.choice([1, 1.0, True, "1", None, 0, False, -0.0, [1], [1.0]])
    return request.model_copy(update={"settings": {**request.settings, draw.choice("xy"): value}})


def called(request, draw):
    value = draw.choice([1, 1.0, True, "1", None])
    call = ToolCall(name="t", arguments={"a": {"b": [value]}})
    told = AssistantMessage(tool_calls=(call,) * draw.choice([1, 2]))
    return request.model_copy(update={"messages": (*request.messages, told)})


def cut(request, draw):
    return request.model_copy(update={"messages": request.messages[: draw.choice([1, 2])]})


def renamed(request, draw):
    return request.model_copy(update={"model": request.model + draw.choice("abc")})


def cast(request, draw):
    first = draw.choice([SystemMessage, AssistantMessage])(content=request.messages[0].content)
    return request.model_copy(update={"messages": (first, *request.messages[1:])})


def ended(request, draw):
    end = draw.choice(["\n", "\r\n", "\u00a0", "\t"])
    return changed(request, -1, (request.messages[-1].content or "") + end)


SPOILING = (spaced, decomposed, swapped, retooled, reset, called, cut, renamed, cast, ended)


def shuffled(value):
    """Equal JSON, written with its keys in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def near_duplicates(count):
    """Requests of which no two are equal as canonical JSON, each nearly equal to many others."""
    draw, found = random.Random(7), {}
    bases = [
        asking(f"Où est l'hôtel {n}?", "é " * n, "go", tools=SPECS, settings={"seed": n % 3, "t": {"a": 1, "b": 2}})
        for n in range(40)
    ]
    while len(found) < count:
        request = draw.choice(bases)
        for _ in range(draw.randrange(4)):
            if len(request.messages) > 1 and request.messages[0].content:
                request = draw.choice(SPOILING)(request, draw)
        found.setdefault(canonical_json(request.model_dump()), request)
    return list(found.values())


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_near_duplicates_without_a_wrong_hit_or_a_fall_through(tmp_path, count):
    path = tmp_path / "c.jsonl"
    requests = near_duplicates(count)
    with Cassette(path, Mode.NEW, fsync=False) as cassette:
        for number, request in enumerate(requests[: count // 2]):
            cassette.add(request, said(str(number)))
    cassette = Cassette(path)
    model = Recorded(cassette, Refusing())

    async def served():
        wrong = unmissed = 0
        for number, request in enumerate(requests):
            again = Request.model_validate_json(json.dumps(shuffled(request.model_dump())))
            if number < count // 2:
                wrong += (await model.complete(again)).reply.content != str(number)
            else:
                unmissed += cassette.find(again) is not None
        return wrong, unmissed

    assert asyncio.run(served()) == (0, 0)


# Misses


def library(path, conversations):
    """Twenty recorded requests of each of so many conversations that grow, each with a seed of its own."""
    draw = random.Random(3)
    words = ["".join(draw.choices("abcdefghij", k=6)) for _ in range(500)]
    with Cassette(path, Mode.NEW, fsync=False) as cassette:
        for number in range(conversations):
            messages = (SystemMessage(content="You are careful."),)
            for turn in range(20):
                messages += (UserMessage(content=f"{number}/{turn}: " + " ".join(draw.choices(words, k=12))),)
                frame = {"temperature": 0.5, "seed": number}
                cassette.add(REQUEST.model_copy(update={"messages": messages, "settings": frame}), said("ok"))
    return path


def timed(task):
    start = time.process_time()
    found = task()
    return found, time.process_time() - start


@pytest.mark.parametrize("conversations", [25, pytest.param(500, marks=pytest.mark.slow)])
def test_a_miss_names_the_nearest_and_the_difference_in_time(tmp_path, conversations):
    cassette, seconds = timed(lambda: Cassette(library(tmp_path / "c.jsonl", conversations)))
    _, seconds = timed(lambda: Cassette(tmp_path / "c.jsonl"))
    assert seconds < 2
    target = [entry.request for entry, _ in zip(cassette.entries(), range(389), strict=False)][-1]
    text, seed = target.messages[-1].content, target.settings["seed"]
    settings = {"temperature": 0.50001, "seed": seed}
    error, seconds = timed(
        lambda: cassette.miss(changed(target, -1, text[:-3] + "XYZ").model_copy(update={"settings": settings}))
    )
    assert seconds < 0.2
    assert [field for field, _, _ in error.difference] == [
        "settings.temperature", f"messages.{len(target.messages) - 1}.content"]  # fmt: skip
    assert error.difference[0][1:] == ("0.50001", "0.5")
    ours, theirs = error.difference[1][1:]
    assert ours.startswith("...")
    assert (ours[-4:], theirs[-4:]) == ("XYZ'", text[-3:] + "'")
    assert len(error.near) == 3
    error, seconds = timed(lambda: cassette.miss(Request(model="other", messages=(UserMessage(content="hello"),))))
    assert seconds < 0.2
    assert {"model", "tools", "settings.seed", "messages.0.role"} <= {field for field, _, _ in error.difference}


NFD = unicodedata.normalize("NFD", "Zürich ☃")


@pytest.mark.parametrize(
    ("update", "difference"),
    [
        ({"model": "m-2"}, [("model", "'m-2'", "'m-1'")]),
        ({"toolset": "t"}, [("toolset", "'t'", "null")]),
        ({"tools": None}, [("tools", "null", "...")]),
        ({"settings": {"temperature": 1, "seed": 7, "stop": ["a", "b"]}}, [("settings.temperature", "1", "0.5")]),
        ({"settings": {**REQUEST.settings, "seed": 7.0}}, [("settings.seed", "7.0", "7")]),
        ({"settings": {**REQUEST.settings, "stop": ["a"]}}, [("settings.stop.1", "absent", "'b'")]),
        ({"messages": CHAT[:4]}, [("messages.4", "absent", "...")]),
    ],
)
def test_a_miss_tells_the_fields_that_differ(tmp_path, update, difference):
    with Cassette(tmp_path / "c.jsonl", Mode.NEW) as cassette:
        cassette.add(REQUEST, WHOLE)
        found = cassette.miss(REQUEST.model_copy(update=update)).difference
    assert [field for field, _, _ in found] == [field for field, _, _ in difference]
    assert all("..." in expected or one == expected for one, expected in zip(found, difference, strict=True))


def test_a_miss_tells_what_only_looks_alike_and_no_secret(tmp_path):
    with Cassette(tmp_path / "c.jsonl", Mode.NEW) as cassette:
        cassette.add(asking("Zürich ☃ sk-proj-1234567890abcdefghijklmn"), WHOLE)
        error = cassette.miss(asking(f"{NFD} sk-proj-99934567890abcdefghijklmn"))
    assert error.difference[0][1].startswith("'Zu\\u0308rich")
    assert error.difference[0][2].startswith("'Z\\xfcrich")
    assert "567890" not in str(error)


def test_an_empty_cassette_says_so(tmp_path):
    with Cassette(tmp_path / "c.jsonl", Mode.NEW) as cassette:
        assert "nothing is recorded yet" in str(cassette.miss(asking("a")))


# Durability


def recorded_file(path, count=3):
    with Cassette(path, Mode.NEW) as cassette:
        for number in range(count):
            cassette.add(asking(*"abc"[: number + 1]), said(str(number)))
    return path.read_bytes()


def test_a_file_torn_at_any_byte_keeps_every_whole_call_and_is_appended_to(tmp_path):
    path = tmp_path / "c.jsonl"
    whole = recorded_file(path)
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 10]
    calls = [end for start, end in zip([0, *ends], ends, strict=False) if b'{"call"' in whole[start : start + 8]]
    for cut in sorted({*range(0, len(whole), 5), *ends, *(end - 1 for end in ends), *(end - 2 for end in ends)}):
        path.write_bytes(whole[:cut])
        kept = sum(end - 1 <= cut for end in calls)
        assert len(Cassette(path)) == kept, cut
        if cut % 7 == 0 or cut + 1 in ends:
            with Cassette(path, Mode.NEW, fsync=False) as cassette:
                cassette.add(asking("new"), said("new"))
            again = Cassette(path)
            assert len(again) == kept + 1
            assert again.find(asking("new")).reply.content == "new"


def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "c.jsonl"
    lines = recorded_file(path).splitlines(keepends=True)
    for number in range(1, len(lines) - 1):
        for damaged in (lines[number][:-9] + b"\n", b"\n", b"{}\n", lines[number].replace(b'"', b"'", 1)):
            path.write_bytes(b"".join([*lines[:number], damaged, *lines[number + 1 :]]))
            for mode in Mode:
                with pytest.raises(InputError) as caught:
                    Cassette(path, mode)
                assert (caught.value.file, caught.value.record) == (str(path), number + 1)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    with pytest.raises(InputError, match="names what is not there"):
        Cassette(path)


def test_a_later_format_and_another_file_are_refused_and_left_alone(tmp_path):
    path = tmp_path / "c.jsonl"
    for content, found in [
        (b'{"ifonly_cassette":2}\n{"x":1}', "Upgrade ifonly"),
        (b'{"id": 1}\n{"id"', "no cassette"),
        (b"# notes", "no cassette"),
    ]:
        path.write_bytes(content)
        for mode in Mode:
            with pytest.raises(InputError, match=found):
                Cassette(path, mode)
        assert path.read_bytes() == content


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path):
    path = tmp_path / "c.jsonl"
    with Cassette(path, Mode.NEW) as cassette:
        cassette.add(asking("a"), said("one"))
        for mode in (Mode.NEW, Mode.ALL):
            with pytest.raises(InputError, match=r"c\.jsonl: another recorder is writing to it"):
                Cassette(path, mode)
        program = "import sys; from ifonly.agents.cassette import *; Cassette(sys.argv[1], Mode.NEW)"
        other = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
        assert "another recorder is writing to it" in other.stderr
        assert len(Cassette(path)) == 1
    with Cassette(path, Mode.NEW) as cassette:
        assert len(cassette) == 1


def test_what_cannot_be_added_is_said_and_leaves_the_file_alone(tmp_path):
    path = tmp_path / "c.jsonl"
    with Cassette(path, Mode.NEW) as cassette:
        cassette.add(asking("a"), said("one"))
        before = path.read_bytes()
        with pytest.raises(IfonlyError, match="JSON cannot hold it"):
            cassette.add(asking("a", settings={"x": float("nan")}), said("two"))
        assert path.read_bytes() == before
    with pytest.raises(InputError, match="is closed"):
        cassette.add(asking("a"), said("two"))
    with pytest.raises(InputError, match="reading only"):
        Cassette(path).add(asking("a"), said("two"))
    assert cassette.find(asking("a")).reply.content == "one"
    cassette.close()


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "c.jsonl"
    with Cassette(path, Mode.NEW) as cassette:
        cassette.add(asking("a"), said("one"))
        before = path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
        try:
            with pytest.raises(IfonlyError, match="cannot be written"):
                cassette.add(asking("b"), said("two" * 100))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert path.read_bytes() == before
        cassette.add(asking("b"), said("two"))
    assert len(Cassette(path)) == 2


def record_for_ever(path, start, acknowledge):
    """Record calls, and say the number of each once it is recorded."""
    with Cassette(path, Mode.NEW, fsync=False) as cassette:
        messages = ()
        for number in range(start, start + 1_000_000):
            messages = (*messages[-3:], UserMessage(content=f"{number} " * 40))
            cassette.add(asking().model_copy(update={"messages": messages}), said(str(number)))
            os.write(acknowledge, b"%d\n" % number)


def kill_recorders(path, kills, seed):
    """Start and kill recorders of one file; gives how many calls were acknowledged, and which of them are lost."""
    draw, acknowledged = random.Random(seed), []
    for turn in range(kills):
        read, write = os.pipe()
        child = os.fork()
        if not child:
            try:
                record_for_ever(path, turn * 1_000_000, write)
            finally:
                os._exit(1)
        os.close(write)
        with open(read, "rb") as pipe:
            first = pipe.readline()
            time.sleep(draw.uniform(0, 0.02))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            assert os.WIFSIGNALED(status)
            # The last line may be torn: then it is no acknowledgement.
            acknowledged += [int(line) for line in (first + pipe.read()).split(b"\n")[:-1]]
    recorded = {entry.completion.reply.content for entry in Cassette(path).entries()}
    return len(acknowledged), [number for number in acknowledged if str(number) not in recorded]


@pytest.mark.parametrize("kills", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_killed_recorders_lose_no_acknowledged_call(tmp_path, kills):
    for batch in range(0, kills, 20):
        acknowledged, lost = kill_recorders(tmp_path / f"{batch}.jsonl", 20, seed=batch)
        assert lost == []
        assert acknowledged >= 20
