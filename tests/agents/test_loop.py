"""The ready agent: what it asks, what it records, and how it stops."""

import asyncio
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.agents.completion import Completion
from ifonly.agents.environments.agentdojo_ref import AgentDojoSettings
from ifonly.agents.environments.registry import environment_of
from ifonly.agents.errors import BudgetSpent, InputError, ProviderError, UnknownName
from ifonly.agents.importers.native_export import write
from ifonly.agents.loop import AgentSpec, Models, run_agent, workplace
from ifonly.agents.reading import find_run
from ifonly.agents.records import (
    AssistantMessage,
    EnvironmentRef,
    ModelStep,
    Request,
    StreamPart,
    SystemMessage,
    TokenLogprob,
    ToolCall,
    ToolStep,
    Usage,
    UserMessage,
)
from ifonly.agents.sites import steps_of
from ifonly.agents.toolbox.box import Toolbox
from ifonly.agents.toolbox.environment import PythonEnvironment
from ifonly.agents.toolbox.ledger import Ledger

TOOLS = '''
from ifonly.agents.toolbox.tools import tool

PRICES = {"apple": 3, "pear": 2}

def new_state():
    return []

@tool(effect="pure")
def price(item: str) -> int:
    """Price of an item."""
    return PRICES[item]

@tool(effect="sandboxed")
def put(item: str, state) -> list[str]:
    """Put an item into the basket."""
    state.append(item)
    return state

@tool
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"

def score(messages, state):
    return {"solved": "pear" in state and messages[-1].content == "done", "items": len(state)}
'''


def calls(*made, text=None):
    return AssistantMessage(content=text, tool_calls=tuple(made))


def call(name, id=None, **arguments):
    return ToolCall(name=name, arguments=arguments, id=id)


class Scripted:
    """Says its replies in order, with everything a provider measures; an error in their place is raised."""

    def __init__(self, *replies):
        self.replies, self.requests = list(replies), []

    async def complete(self, request):
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return Completion(
            reply=reply,
            usage=Usage(input_tokens=10, output_tokens=3),
            cost=0.001,
            seconds=0.5,
            first_token_seconds=0.1,
            logprobs=(TokenLogprob(token="a", logprob=-0.1),),
            stream=(StreamPart(seconds=0.1, text="a"),),
            finish="stop",
        )


SHOPPING = (
    calls(call("price", "c1", item="apple"), call("price", "c2", item="pear"), text="I look."),
    calls(call("price", item="plum"), call("put", item="pear")),
    calls(call("pay", amount=2), call("pay", amount="two"), call("fly")),
    calls(text="done"),
)


def spec_of(tmp_path, **fields):
    (tmp_path / "tools.py").write_text(TOOLS, encoding="utf-8")
    given = {
        "name": "shopper",
        "task": "shop/0",
        "model": "scripted/shopper",
        "system": "You shop.",
        "prompt": "Buy the cheaper fruit.",
        "tools": str(tmp_path / "tools.py"),
        "settings": {"temperature": 0.7},
    }
    return AgentSpec(**given | fields)


def run(spec, model, tmp_path, id="shop/0/0", **options):
    place = workplace(spec, id, Ledger(tmp_path / "effects"))
    return asyncio.run(run_agent(spec, model, place, id=id, **options))


def environment_for(spec, trajectory):
    return PythonEnvironment(Toolbox.load(spec.tools), trajectory)


def test_sites_reads_requests_and_results(tmp_path):
    spec, model, steps = spec_of(tmp_path), Scripted(*SHOPPING), []
    done = run(spec, model, tmp_path, on_step=steps.append)
    assert done.sites == (
        *("system/0", "user/0", "agent/0", "price/0", "price/1", "agent/1", "price/2", "put/0"),
        *("agent/2", "pay/0", "pay/1", "fly/0", "agent/3"),
    )
    assert tuple(steps) == done.steps
    contents = [step.result.content or step.result.error for step in done.steps if isinstance(step, ToolStep)]
    assert contents[:5] == ["3", "2", "KeyError: 'plum'", '["pear"]', "paid 2"]
    assert contents[5].startswith("InvalidArguments: amount")
    assert contents[6].startswith("UnknownTool: 'fly'")
    assert done.outcome.scores == {"solved": True, "items": 1.0}
    assert done.outcome.error is None
    assert (done.id, done.task, done.agent, done.model) == ("shop/0/0", "shop/0", "shopper", "scripted/shopper")
    assert done.labels == {"max_steps": "10"}
    request = model.requests[1]
    assert request.messages == done.messages[:5]
    assert [tool.name for tool in request.tools] == ["price", "put", "pay"]
    assert request.settings == {"temperature": 0.7}


def test_the_steps_are_those_of_the_conversation(tmp_path):
    """`steps_of` is the house's own reading of a conversation: the loop records nothing else."""
    spec = spec_of(tmp_path)
    done = run(spec, Scripted(*SHOPPING), tmp_path)
    frame = next(step.request for step in done.steps if isinstance(step, ModelStep))
    assert [(s.site, s.reads) for s in steps_of(done.messages, frame)] == [(s.site, s.reads) for s in done.steps]


def test_what_was_measured_is_kept(tmp_path):
    done = run(spec_of(tmp_path), Scripted(*SHOPPING), tmp_path)
    asked = next(step for step in done.steps if isinstance(step, ModelStep))
    assert (asked.usage, asked.cost, asked.seconds) == (Usage(input_tokens=10, output_tokens=3), 0.001, 0.5)
    assert asked.first_token_seconds == 0.1
    assert asked.stream
    assert asked.logprobs
    effects = {step.site: (step.effect, step.key is not None) for step in done.steps if isinstance(step, ToolStep)}
    assert effects["price/0"] == ("pure", False)
    assert effects["put/0"] == ("sandboxed", False)
    assert effects["pay/0"] == ("irreversible", True)
    assert effects["fly/0"] == (None, False)
    assert all(step.seconds is not None for step in done.steps if isinstance(step, ToolStep))
    assert done.seconds > 0


def test_the_run_is_written_and_read_again(tmp_path):
    done = run(spec_of(tmp_path), Scripted(*SHOPPING), tmp_path)
    write(tmp_path / "runs.jsonl", [done])
    assert find_run(tmp_path / "runs.jsonl") == done


def test_a_run_is_stopped_after_its_last_model_step(tmp_path):
    forever = Scripted(*[calls(call("price", item="pear"))] * 5)
    done = run(spec_of(tmp_path, max_steps=3, system=None), forever, tmp_path)
    assert done.sites == ("user/0", "agent/0", "price/0", "agent/1", "price/1", "agent/2", "price/2")
    assert done.outcome.error == "stopped after 3 model steps"
    assert done.outcome.scores == {"solved": False, "items": 0.0}
    assert done.labels == {"max_steps": "3"}


@pytest.mark.parametrize(
    "error", [ProviderError("model x", "no answer", "Wait."), BudgetSpent("call", "0 left", "Pay.")]
)
def test_an_error_keeps_what_was_done(tmp_path, error):
    heard = []
    done = run(spec_of(tmp_path), Scripted(SHOPPING[0], error), tmp_path, on_stop=heard.append)
    assert done.sites == ("system/0", "user/0", "agent/0", "price/0", "price/1")
    assert done.outcome.error == f"{type(error).__name__}: {error}"
    assert done.outcome.scores == {}
    assert heard == [error]


def test_an_effect_in_doubt_stops_the_run(tmp_path):
    spec = spec_of(tmp_path)
    first = run(spec, Scripted(*SHOPPING), tmp_path)
    key = next(step.key for step in first.steps if isinstance(step, ToolStep) and step.key)
    (tmp_path / "effects").write_text(f'{{"do":"begin","key":"{key}"}}\n')
    again = run(spec, Scripted(*SHOPPING), tmp_path)
    assert again.sites[-1] == "agent/2"
    assert f"may have happened (key {key})" in again.outcome.error


def test_a_run_started_again_takes_effects_from_the_ledger(tmp_path):
    spec = spec_of(tmp_path)
    first, again = (run(spec, Scripted(*SHOPPING), tmp_path) for _ in range(2))
    assert again.messages == first.messages
    assert (tmp_path / "effects").read_text().count("begin") == 1


def test_each_run_has_a_state_of_its_own(tmp_path):
    spec = spec_of(tmp_path)
    assert {run(spec, Scripted(*SHOPPING), tmp_path, id=id).outcome.scores["items"] for id in ("a", "b")} == {1.0}


REPLIES = st.lists(
    st.lists(
        st.builds(
            ToolCall,
            name=st.sampled_from(["price", "put", "pay", "none"]),
            arguments=st.dictionaries(st.sampled_from(["item", "amount"]), st.sampled_from(["apple", "pear", 1, 2])),
            id=st.none(),
        ),
        min_size=1,
        max_size=3,
    ),
    max_size=4,
)


@given(REPLIES)
@settings(max_examples=40, deadline=None)
def test_law_executing_the_calls_again_gives_the_recorded_run(tmp_path_factory, replies):
    tmp_path = tmp_path_factory.mktemp("law")
    spec = spec_of(tmp_path)
    done = run(spec, Scripted(*[calls(*made) for made in replies], calls(text="done")), tmp_path)
    session = environment_for(spec, done).open(done.environment)
    for step in done.steps:
        if isinstance(step, ToolStep):
            assert session.call(step.call) == step.result
    assert session.score(done.messages) == done.outcome.scores


def test_a_router_is_recorded_with_its_propensity(tmp_path):
    models = Models(options=("big", "small"), weights=(1.0, 3.0))
    spec = spec_of(tmp_path, model="big", models=models)
    model = Scripted(*SHOPPING)
    done = run(spec, model, tmp_path)
    steps = [step for step in done.steps if isinstance(step, ModelStep)]
    assert [step.request.model for step in steps] == [request.model for request in model.requests]
    for step in steps:
        assert step.routing.options == ("big", "small")
        assert step.routing.chosen == step.request.model
        assert step.routing.propensity == {"big": 0.25, "small": 0.75}[step.routing.chosen]


def test_choices_follow_the_weights_and_the_seed():
    """False-failure rate below 1e-5: 4.5 standard errors at the seed given; the draws are a fixed function of it."""
    models, number = Models(options=("a", "b", "never"), weights=(1.0, 4.0, 0.0)), 4000
    requests = [Request(model="a", messages=(UserMessage(content=str(n)),)) for n in range(number)]
    route = models.router("7")
    chosen = [route(request).chosen for request in requests]
    assert set(chosen) == {"a", "b"}
    assert abs(chosen.count("a") / number - 0.2) < 4.5 * math.sqrt(0.2 * 0.8 / number)
    assert [models.router("7")(request).chosen for request in reversed(requests)] == chosen[::-1]
    assert [models.router("8")(request).chosen for request in requests] != chosen


AGENT = """
name: shopper
model: openai/some-model
system: You shop.
prompt: Buy the cheaper fruit.
tools: tools.py
settings: {temperature: 1, stop: ["x"]}
max_steps: 4
"""


def written(tmp_path, text):
    (tmp_path / "agent.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "agent.yaml"


def test_an_agent_is_read_from_yaml(tmp_path):
    spec = AgentSpec.load(written(tmp_path, AGENT))
    assert spec.task == "shopper"
    assert spec.tools == str(tmp_path / "tools.py")
    assert spec.settings == {"temperature": 1, "stop": ["x"]}
    assert spec.max_steps == 4


def test_models_stand_for_a_model(tmp_path):
    text = AGENT.replace("model: openai/some-model", "models: {options: [a, b], weights: [9, 1]}")
    spec = AgentSpec.load(written(tmp_path, text))
    assert spec.model == "a"
    assert spec.models == Models(options=("a", "b"), weights=(9.0, 1.0))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (AGENT + "sistem: x\n", ("agent.yaml", "field sistem", "near: system")),
        (AGENT.replace("max_steps: 4", "max_steps: four"), ("field max_steps", "integer")),
        (AGENT.replace("prompt: Buy the cheaper fruit.\n", ""), ("field prompt", "required")),
        (AGENT.replace("model: openai/some-model\n", ""), ("field model", "required")),
        (AGENT.replace("model: openai/some-model", "models: {options: [a], weights: [1, 2]}"), ("2 weights for 1",)),
        (AGENT + "environment: {name: agentdojo, version: v1, task: t}\n", ("not both",)),
        (AGENT.replace("temperature: 1", "temperature: .nan"), ("JSON cannot hold",)),
        (AGENT.replace("temperature: 1", "since: 2026-11-22"), ("JSON cannot hold",)),
        ("name: [", ("no YAML in line",)),
        ("just text", ("agent.yaml", "object")),
    ],
)
def test_a_file_that_is_no_agent_is_told_with_its_place(tmp_path, text, told):
    with pytest.raises(InputError) as caught:
        AgentSpec.load(written(tmp_path, text))
    for part in told:
        assert part in str(caught.value)


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        AgentSpec.load(tmp_path / "none.yaml")


def test_no_such_environment(tmp_path):
    spec = spec_of(tmp_path, tools=None, environment=EnvironmentRef(name="agentdoj", version="v1", task="t"))
    with pytest.raises(UnknownName, match="near: agentdojo"):
        workplace(spec, "r", Ledger(tmp_path / "effects"))


def test_an_agent_without_tools(tmp_path):
    done = run(spec_of(tmp_path, tools=None), Scripted(calls(text="hello")), tmp_path)
    assert done.environment is None
    assert done.sites == ("system/0", "user/0", "agent/0")
    assert environment_of(done).executes is False


@pytest.mark.slow
def test_an_agent_in_agentdojo(tmp_path):
    pytest.importorskip("agentdojo")
    ref = EnvironmentRef(
        name="agentdojo", version="v1", task="banking/user_task_1", settings=AgentDojoSettings().model_dump()
    )
    spec = spec_of(tmp_path, tools=None, environment=ref)
    model = Scripted(calls(call("get_most_recent_transactions", n=100)), calls(text="The total is 1050.00."))
    done = run(spec, model, tmp_path)
    assert done.sites == ("system/0", "user/0", "agent/0", "get_most_recent_transactions/0", "agent/1")
    assert done.steps[3].effect == "sandboxed"
    assert "utility" in done.outcome.scores
    assert "get_balance" in [tool.name for tool in model.requests[0].tools]


def test_the_system_prompt_may_be_left_out(tmp_path):
    done = run(spec_of(tmp_path, system=None), Scripted(*SHOPPING), tmp_path)
    assert not any(isinstance(message, SystemMessage) for message in done.messages)
