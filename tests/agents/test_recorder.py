"""Recording any Python code: what is heard, what steps it makes, and what a crash leaves."""

import asyncio
import json
import subprocess
import sys

import pytest

from ifonly.agents.completion import Completion
from ifonly.agents.errors import ActionError, InputError
from ifonly.agents.provider import scripted
from ifonly.agents.reading import find_run, read
from ifonly.agents.recorder import Journal, agent, record, recover
from ifonly.agents.recorder.events import Called, Head, ToolUsed, steps_of_events
from ifonly.agents.recorder.redacting import redacted
from ifonly.agents.records import (
    AssistantMessage,
    InputStep,
    ModelStep,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolSpec,
    ToolStep,
    Trajectory,
    UserMessage,
)
from ifonly.agents.sites import steps_of
from ifonly.agents.toolbox.tools import Used, tool

litellm = pytest.importorskip("litellm")
pytestmark = [
    # Of litellm's own, when it first builds its types.
    pytest.mark.filterwarnings("ignore:Accessing the .* attribute on the instance is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),
]

SECRET = "sk-proj-" + "a1B2" * 12
LOOK = ToolCall(name="look", arguments={"where": "sky"})


@tool(effect="pure")
def look(where: str) -> str:
    """Look somewhere."""
    return f"{where}: rain"


def law(request):
    """Looks, then answers with what it saw; a worker only answers."""
    if request.messages[0].content == "work":
        return [(AssistantMessage(content="worked"), 1.0)]
    seen = [message.content for message in request.messages if message.role == "tool"]
    if not seen:
        return [(AssistantMessage(content="I look.", tool_calls=(LOOK,)), 1.0)]
    return [(AssistantMessage(content=f"It says {seen[-1]}"), 1.0)]


def answer_calls(messages, message):
    messages.append(message)
    for call in message.tool_calls or ():
        result = look(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def converse(model, messages, **more):
    """An agent as people write it."""
    tools = [{"type": "function", "function": look.spec.model_dump()}]
    while True:
        message = litellm.completion(model=model, messages=messages, tools=tools, **more).choices[0].message
        if not message.tool_calls:
            return message.content
        answer_calls(messages, message)


async def converse_async(model, messages):
    tools = [{"type": "function", "function": look.spec.model_dump()}]
    while True:
        message = (await litellm.acompletion(model=model, messages=messages, tools=tools)).choices[0].message
        if not message.tool_calls:
            return message.content
        answer_calls(messages, message)


def asking(text="How is the weather?"):
    return [{"role": "system", "content": "You look."}, {"role": "user", "content": text}]


def test_a_sync_agent_becomes_a_run(tmp_path):
    path = tmp_path / "runs.jsonl"
    with (
        scripted("rec", law) as model,
        record(path, task="weather/0", agent="looker", labels={"arm": "a"}) as recording,
    ):
        said = converse(model, asking(), temperature=0.5)
        recording.score("solved", True)
        assert list(tmp_path.glob("*.partial"))
    run = recording.trajectory
    assert said == "It says sky: rain"
    assert run.sites == ("system/0", "user/0", "looker/0", "look/0", "looker/1")
    asked, used = run.steps[2], run.steps[3]
    assert asked.request.settings == {"temperature": 0.5}
    assert asked.request.tools == (look.spec,)
    assert asked.usage is not None
    assert (used.call.name, used.result, used.effect) == ("look", ToolResult(content="sky: rain"), "pure")
    assert used.seconds is not None
    assert run.steps[4].request.messages == run.messages[:4]
    assert run.outcome.scores == {"solved": True}
    assert (run.task, run.agent, run.model, run.labels) == ("weather/0", "looker", "scripted/rec", {"arm": "a"})
    assert find_run(path) == run
    assert not list(tmp_path.glob("*.partial"))
    assert recording.problems == []


def test_the_steps_are_those_of_the_conversation():
    with scripted("rec", law) as model, record() as recording:
        converse(model, asking())
    run = recording.trajectory
    frame = run.steps[2].request
    assert [(s.site, s.reads) for s in steps_of(run.messages, frame)] == [(s.site, s.reads) for s in run.steps]


def test_an_async_agent_becomes_the_same_run():
    async def main(model):
        async with record() as recording:
            await converse_async(model, asking())
        return recording.trajectory

    with scripted("rec", law) as model:
        run = asyncio.run(main(model))
        with record() as recording:
            converse(model, asking())
    assert run.sites == recording.trajectory.sites
    assert [m.content for m in run.messages] == [m.content for m in recording.trajectory.messages]


def test_recordings_at_the_same_time_do_not_hear_each_other():
    async def one(model, text):
        async with record(id=text) as recording:
            await converse_async(model, asking(text))
        return recording.trajectory

    async def main(model):
        return await asyncio.gather(one(model, "a"), one(model, "b"))

    with scripted("rec", law) as model:
        runs = asyncio.run(main(model))
    assert [run.steps[1].message.content for run in runs] == ["a", "b"]
    assert {run.sites for run in runs} == {("system/0", "user/0", "agent/0", "look/0", "agent/1")}


def test_agents_have_sites_and_conversations_of_their_own():
    with scripted("rec", law) as model, record(agent="planner") as recording:
        converse(model, asking())
        for _ in range(2):
            with agent("worker"):
                converse(model, [{"role": "user", "content": "work"}])
    run = recording.trajectory
    assert run.sites == (
        *("system/0", "user/0", "planner/0", "look/0", "planner/1"),
        *("user/1", "worker/0", "user/2", "worker/1"),
    )
    assert run.steps[6].reads == ("user/1",)
    assert run.steps[8].reads == ("user/2",)


def test_a_streamed_call_is_heard():
    with scripted("rec", law) as model, record() as recording:
        pieces = list(litellm.completion(model=model, messages=[{"role": "user", "content": "work"}], stream=True))
    assert pieces
    assert recording.trajectory.sites == ("user/0", "agent/0")
    assert recording.trajectory.steps[1].reply.content == "worked"


def test_outside_a_recording_nothing_is_touched():
    with scripted("rec", law) as model:
        assert converse(model, asking()) == "It says sky: rain"
    assert look("here") == "here: rain"


def test_an_error_of_the_program_is_the_programs_own(tmp_path):
    recording = record(tmp_path / "r.jsonl")

    def program(model):
        with recording:
            converse(model, asking())
            raise LookupError("mine")

    with scripted("rec", law) as model, pytest.raises(LookupError):
        program(model)
    assert recording.trajectory.outcome.error == "LookupError: mine"
    assert find_run(tmp_path / "r.jsonl").sites[-1] == "agent/1"


def test_a_model_that_fails_is_told_in_the_outcome():
    with record() as recording, pytest.raises(litellm.RateLimitError):
        litellm.completion(
            model="gpt-4o",
            messages=[{"role": "user", "content": "hi"}],
            mock_response="litellm.RateLimitError",
            max_retries=0,
            num_retries=0,
        )
    assert recording.trajectory.steps == ()
    assert recording.trajectory.outcome.error.startswith("ProviderError")


def test_a_recording_that_cannot_be_kept_does_not_stop_the_program(tmp_path):
    path = tmp_path / "runs.jsonl"
    recording = record(path)

    def program(model):
        with recording:
            path.mkdir()
            return converse(model, asking())

    with scripted("rec", law) as model, pytest.warns(RuntimeWarning, match="is not whole"):
        said = program(model)
    assert said == "It says sky: rain"
    assert recording.problems
    assert recording.trajectory.sites[-1] == "agent/1"
    path.rmdir()
    assert len(recover(path)) == 1  # the journal stayed


@pytest.mark.parametrize("name", ["", "user", "system", "outcome", "environment", "a/b"])
def test_names_that_would_make_other_sites_are_refused(name):
    with pytest.raises(ActionError), agent(name):
        pass
    with pytest.raises(ActionError):
        record(agent=name)


def test_secrets_are_on_no_disk(tmp_path):
    path = tmp_path / "runs.jsonl"
    with scripted("rec", law) as model, record(path) as recording:
        converse(model, asking(f"my key is {SECRET}"))
        (partial,) = tmp_path.glob("*.partial")
        assert SECRET not in partial.read_text()
    assert SECRET not in path.read_text()
    assert "[redacted:openai:1]" in path.read_text()
    assert SECRET in recording.trajectory.steps[1].message.content


# Steps of events, without litellm.

TOOLS = (ToolSpec(name="look"),)


def called(messages, reply, started, agent="agent"):
    request = Request(model="m", messages=tuple(messages), tools=TOOLS)
    completion = Completion(reply=reply)
    return Called(agent=agent, request=request, completion=completion, started=started, ended=started + 0.5)


def used(call, text, started, agent="agent"):
    what = Used(call=call, result=ToolResult(content=text), effect="pure", started=started, seconds=0.1)
    return ToolUsed(agent=agent, used=what)


ASK = (SystemMessage(content="s"), UserMessage(content="u"))
FIRST = AssistantMessage(content=None, tool_calls=(LOOK.model_copy(update={"id": "c1"}),))
SEEN = ToolMessage(tool_call_id="c1", name="look", content="rain")
LAST = AssistantMessage(content="done")


def test_events_in_any_order_make_the_same_steps():
    events = [called(ASK, FIRST, 1), used(LOOK, "rain", 2), called((*ASK, FIRST, SEEN), LAST, 3)]
    happened = [steps_of_events(order, "agent") for order in (events, events[::-1], events[1:] + events[:1])]
    assert happened[0] == happened[1] == happened[2]
    assert [step.site for step in happened[0].steps] == ["system/0", "user/0", "agent/0", "look/0", "agent/1"]
    assert happened[0].steps[3].effect == "pure"


def test_results_without_a_decorated_tool_come_from_the_next_request():
    steps = steps_of_events([called(ASK, FIRST, 1), called((*ASK, FIRST, SEEN), LAST, 3)], "agent").steps
    assert steps[3] == ToolStep(
        site="look/0", call=FIRST.tool_calls[0], result=ToolResult(content="rain"), reads=("agent/0",)
    )


def test_what_the_model_saw_counts_not_what_the_tool_said():
    events = [called(ASK, FIRST, 1), used(LOOK, "rain at noon", 2), called((*ASK, FIRST, SEEN), LAST, 3)]
    assert steps_of_events(events, "agent").steps[3].result.content == "rain"


def test_a_last_result_that_no_request_shows_is_kept():
    steps = steps_of_events([called(ASK, FIRST, 1), used(LOOK, "rain", 2)], "agent").steps
    assert [step.site for step in steps] == ["system/0", "user/0", "agent/0", "look/0"]
    assert steps[3].call == FIRST.tool_calls[0]


def test_a_tool_that_nobody_asked_for_reads_nothing():
    steps = steps_of_events([used(LOOK, "rain", 0), called(ASK, LAST, 1)], "agent").steps
    assert [(step.site, step.reads) for step in steps][:2] == [("look/0", ()), ("system/0", ())]


def test_ids_and_empty_texts_do_not_part_a_conversation():
    retold = AssistantMessage(content="", tool_calls=(LOOK.model_copy(update={"id": "other"}),))
    seen = SEEN.model_copy(update={"tool_call_id": "other"})
    steps = steps_of_events([called(ASK, FIRST, 1), called((*ASK, retold, seen), LAST, 3)], "agent").steps
    assert steps[4].request.messages == (*ASK, FIRST, SEEN)


def test_a_turn_whose_text_was_dropped_goes_on_with_the_conversation():
    said = FIRST.model_copy(update={"content": "I look."})
    steps = steps_of_events([called(ASK, said, 1), called((*ASK, FIRST, SEEN), LAST, 3)], "agent").steps
    assert [step.site for step in steps] == ["system/0", "user/0", "agent/0", "look/0", "agent/1"]
    assert steps[4].request.messages[2] == FIRST  # as it was asked


def test_the_same_request_twice_is_two_conversations():
    steps = steps_of_events([called(ASK, FIRST, 1), called(ASK, LAST, 2)], "agent").steps
    assert [step.site for step in steps] == ["system/0", "user/0", "agent/0", "system/1", "user/1", "agent/1"]


def test_a_user_who_answers_reads_what_was_said():
    more = UserMessage(content="more")
    steps = steps_of_events([called(ASK, LAST, 1), called((*ASK, LAST, more), LAST, 2)], "agent").steps
    assert steps[3] == InputStep(site="user/1", message=more, reads=("system/0", "user/0", "agent/0"))


def test_results_that_pair_with_no_call_part_no_program():
    stray = SEEN.model_copy(update={"tool_call_id": "c9"})
    steps = steps_of_events([called(ASK, FIRST, 1), called((*ASK, FIRST, stray), LAST, 3)], "agent").steps
    assert [step.site for step in steps] == ["system/0", "user/0", "agent/0", "agent/1"]
    assert isinstance(steps[3], ModelStep)
    assert steps[3].request.messages[3] == stray


def test_a_tool_called_as_an_agent_has_another_site():
    call = ToolCall(name="agent", arguments={})
    reply = AssistantMessage(tool_calls=(call,))
    steps = steps_of_events([called(ASK, reply, 1), used(call, "x", 2)], "agent").steps
    assert steps[-1].site == "tool:agent/0"


# Journals.


def run_of(steps, id="r"):
    return Trajectory(id=id, task="t", agent="agent", model="m", steps=tuple(steps))


STEPS = steps_of_events([called(ASK, FIRST, 1), called((*ASK, FIRST, SEEN), LAST, 3)], "agent").steps


def test_a_journal_becomes_a_run(tmp_path):
    path = tmp_path / "runs.jsonl"
    journal = Journal(path, Head(id="r", task="t", agent="agent"))
    for step in STEPS[:4]:
        journal.step(step)
    assert recover(path) == ()  # it is being recorded
    journal.leave()
    assert recover(path) == ("r",)
    run = find_run(path)
    assert run.steps == STEPS[:4]
    assert run.outcome.error.startswith("interrupted")
    assert not list(tmp_path.glob("*.partial"))
    assert recover(path) == ()


def test_a_run_that_was_appended_before_the_crash_is_not_appended_again(tmp_path):
    path = tmp_path / "runs.jsonl"
    journal = Journal(path, Head(id="r", task="t", agent="agent"))
    for step in STEPS:
        journal.step(step)
    left = journal.path.read_bytes()
    journal.close(run_of(STEPS))
    journal.path.write_bytes(left)
    assert recover(path) == ()
    assert len(read(path).trajectories) == 1
    assert not journal.path.exists()


def test_one_run_has_one_recorder(tmp_path):
    head = Head(id="r", task="t", agent="agent")
    journal = Journal(tmp_path / "runs.jsonl", head)
    with pytest.raises(InputError, match="another process"):
        Journal(tmp_path / "runs.jsonl", head)
    journal.discard()
    Journal(tmp_path / "runs.jsonl", head).discard()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_journal_is_told_with_its_place(tmp_path):
    path = tmp_path / "runs.jsonl"
    journal = Journal(path, Head(id="r", task="t", agent="agent"))
    journal.leave()
    with journal.path.open("ab") as file:
        file.write(b"nonsense\n")
    with pytest.raises(InputError, match="record 2"):
        recover(path)


def test_a_run_is_redacted_alike_throughout():
    told = UserMessage(content=f"key {SECRET}")
    reply = AssistantMessage(content=None, tool_calls=(ToolCall(name="look", arguments={"where": SECRET}),))
    seen = ToolMessage(tool_call_id=None, name="look", content=f"at {SECRET}")
    happened = steps_of_events([called((told,), reply, 1), called((told, reply, seen), LAST, 2)], "agent")
    clean = redacted(run_of(happened.steps))
    assert SECRET not in clean.model_dump_json()
    assert clean.steps[-1].request.messages == clean.messages[:-1]
    assert clean.steps[2].call == clean.steps[1].reply.tool_calls[0]


# One clean process, in which litellm has made no threads yet, forks a recording program for each round, and kills it at
# a random point after it said that so many calls are kept.
KILLS = """
import json, os, random, signal, sys, time
from pathlib import Path
import litellm
from ifonly.agents.recorder import record

folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

def program(path, said):
    with record(path, id="crash") as recording:
        messages = [{"role": "user", "content": "go"}]
        for number in range(10_000):
            reply = litellm.completion(model="gpt-4o", messages=messages, mock_response=f"reply {number}")
            messages += [reply.choices[0].message, {"role": "user", "content": "on"}]
            while recording.heard <= number:
                time.sleep(0.0002)
            os.write(said, b"x")

chance = random.Random(seed)
for number in range(kills):
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            program(folder / f"{number}.jsonl", theirs)
        finally:
            os._exit(1)
    os.close(theirs)
    kept = sum(len(os.read(ours, 1)) for _ in range(chance.randrange(1, 12)))
    time.sleep(chance.uniform(0, 0.01))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(ours, 4096):
        kept += len(more)
    os.close(ours)
    print(json.dumps([f"{number}.jsonl", kept]))
"""


def lost_after_kills(folder, kills, seed=0):
    """How many calls that were acknowledged are lost, and how many there were."""
    command = [sys.executable, "-P", "-c", KILLS, str(folder), str(kills), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    lost = acknowledged = 0
    for name, kept in map(json.loads, done.stdout.splitlines()):
        assert recover(folder / name) == ("crash",)
        replies = [step.reply.content for step in find_run(folder / name).steps if isinstance(step, ModelStep)]
        assert replies == [f"reply {number}" for number in range(len(replies))]
        lost += max(0, kept - len(replies))
        acknowledged += kept
    return lost, acknowledged


@pytest.mark.slow
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path):
    lost, acknowledged = lost_after_kills(tmp_path, 6)
    assert lost == 0
    assert acknowledged >= 6


@pytest.mark.slow
def test_four_hundred_kills_lose_nothing_that_was_acknowledged(tmp_path):
    lost, acknowledged = lost_after_kills(tmp_path, 400)
    assert lost == 0
    assert acknowledged >= 400


def test_a_provider_error_is_no_step():
    error = Called(
        agent="agent", request=Request(model="m", messages=ASK), error="ProviderError: x", started=1, ended=2
    )
    assert steps_of_events([error], "agent") == ((), "ProviderError: x")
    assert steps_of_events([error, called(ASK, LAST, 3)], "agent").error is None
