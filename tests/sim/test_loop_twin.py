"""Runs of the ready agent and of the recorder lift: each is its own twin, and nothing irreversible is executed."""

import asyncio

import pytest

from ifonly.agents.completion import Completion
from ifonly.agents.environments.registry import environment_of
from ifonly.agents.errors import ProviderError
from ifonly.agents.loop import AgentSpec, Models, run_agent, workplace
from ifonly.agents.recorder.events import Called, steps_of_events
from ifonly.agents.recorder.redacting import redacted
from ifonly.agents.records import (
    AssistantMessage,
    ModelStep,
    Request,
    StreamPart,
    TokenLogprob,
    ToolCall,
    ToolMessage,
    Trajectory,
    Usage,
    UserMessage,
)
from ifonly.agents.rerun import Rerun
from ifonly.agents.toolbox.box import Toolbox
from ifonly.agents.toolbox.environment import PythonEnvironment
from ifonly.agents.toolbox.ledger import Ledger
from ifonly.sim.twin import identical

SECRET = "sk-proj-" + "a1B2" * 12
TOOLS = '''
from pathlib import Path
from ifonly.agents.toolbox.tools import tool

def new_state():
    return []

@tool(effect="pure")
def price(item: str) -> int:
    """Price of an item."""
    return len(item)

@tool(effect="sandboxed")
def put(item: str, state) -> list[str]:
    """Put an item into the basket."""
    state.append(item)
    return state

@tool
async def pay(amount: int) -> str:
    """Pay."""
    with Path(__file__).with_name("paid").open("a") as file:
        file.write("x")
    return f"paid {amount} with {SECRET}"

def score(messages, state):
    return {"solved": "pear" in state, "items": len(state)}
'''


def reply(*calls, text=None):
    return AssistantMessage(content=text, tool_calls=calls)


def call(name, **arguments):
    return ToolCall(name=name, arguments=arguments)


REPLIES = (
    reply(call("price", item="pear"), call("put", item="pear"), text="first"),
    reply(call("pay", amount=4), call("pay", amount="x"), call("fly")),
    reply(call("put", item="fig")),
    reply(text="done"),
)


class Scripted:
    def __init__(self, *replies):
        self.replies = list(replies)

    async def complete(self, request):
        said = self.replies.pop(0)
        if isinstance(said, Exception):
            raise said
        return Completion(
            reply=said,
            usage=Usage(input_tokens=1, output_tokens=1),
            cost=0.1,
            seconds=0.5,
            first_token_seconds=0.1,
            logprobs=(TokenLogprob(token="a", logprob=-1.0),),
            stream=(StreamPart(seconds=0.1, text="a"),),
        )


def recorded(tmp_path, *replies, **fields):
    (tmp_path / "tools.py").write_text(TOOLS.replace("{SECRET}", SECRET), encoding="utf-8")
    tools = str(tmp_path / "tools.py")
    given = {"name": "a", "task": "t", "model": "m", "system": "s", "prompt": "p", "tools": tools} | fields
    spec = AgentSpec(**given)
    place = workplace(spec, "r", Ledger(tmp_path / "effects"))
    return asyncio.run(run_agent(spec, Scripted(*replies), place, id="r"))


def again(tmp_path, run):
    return Rerun(PythonEnvironment(Toolbox.load(tmp_path / "tools.py"), run))


@pytest.mark.parametrize(
    ("replies", "fields"),
    [
        (REPLIES, {}),
        (REPLIES, {"system": None}),
        (REPLIES, {"max_steps": 2}),
        (REPLIES, {"models": Models(options=("m", "n"))}),
        ((REPLIES[0], ProviderError("m", "no answer", "Wait.")), {}),
        ((REPLIES[3],), {}),
    ],
)
def test_the_twin_of_a_run_is_the_run(tmp_path, replies, fields):
    run = recorded(tmp_path, *replies, **fields)
    assert identical(run, again(tmp_path, run))
    assert identical(redacted(run), again(tmp_path, redacted(run)))
    paid = tmp_path / "paid"
    assert (paid.read_text() if paid.exists() else "") == "x" * (REPLIES[1] in replies)


def test_a_run_without_its_tools_is_its_own_twin_too(tmp_path):
    run = recorded(tmp_path, *REPLIES)
    assert identical(run, Rerun(environment_of(run)))


def test_a_heard_run_is_its_own_twin():
    """As a program tells its turns: with ids of its own, and empty texts."""
    ask = (UserMessage(content="p"),)
    made = ToolCall(name="look", arguments={}, id="c1")
    said = AssistantMessage(content=None, tool_calls=(made,))
    retold = AssistantMessage(content="", tool_calls=(made.model_copy(update={"id": "x"}),))
    seen = ToolMessage(tool_call_id="x", name="look", content="rain")
    turns = [(ask, said), ((*ask, retold, seen), AssistantMessage(content="."))]
    events = [
        Called(
            agent="agent",
            request=Request(model="m", messages=messages, tools=()),
            completion=Completion(reply=answer),
            started=started,
            ended=started + 1,
        )
        for started, (messages, answer) in enumerate(turns)
    ]
    steps = steps_of_events(events, "agent").steps
    assert sum(isinstance(step, ModelStep) for step in steps) == 2
    run = Trajectory(id="r", task="t", agent="agent", model="m", steps=steps)
    assert identical(run, Rerun(environment_of(run)))
