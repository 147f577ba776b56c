"""Tools: what a model is told, how its arguments are checked, and what a re-run may execute."""

import asyncio
import dataclasses
import subprocess
import sys
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import InputError, ToolEnvironmentError
from ifonly.agents.records import EnvironmentRef, Outcome, ToolCall, ToolResult, ToolStep, Trajectory
from ifonly.agents.toolbox.box import Toolbox
from ifonly.agents.toolbox.environment import PythonEnvironment
from ifonly.agents.toolbox.ledger import Ledger
from ifonly.agents.toolbox.rendering import rendered
from ifonly.agents.toolbox.tools import LISTENER, tool


class Place(BaseModel):
    city: str
    street: str | None = None


@tool(effect="pure")
def find(
    what: str, near: Place, limit: Annotated[int, Field(ge=1)] = 5, order: Literal["price", "way"] = "way"
) -> list[str]:
    """Find shops.

    Args:
        what: that is sold there,
            in one word.
        near (Place): where to look.
        limit: how many at most.

    Returns:
        Names of shops.
    """
    return [f"{what} in {near.city}"] * limit


@tool
async def send(to: str, idempotency_key: str = "") -> dict[str, str]:
    """Send it."""
    await asyncio.sleep(0)
    return {"sent": to}


def execute(one, **arguments):
    return asyncio.run(one.execute(arguments))


def test_a_tool_is_told_by_its_signature_and_docstring():
    spec = find.spec
    assert (spec.name, spec.description) == ("find", "Find shops.")
    properties = spec.parameters["properties"]
    assert properties["what"] == {"type": "string", "description": "that is sold there, in one word."}
    assert properties["limit"] == {"type": "integer", "minimum": 1, "default": 5, "description": "how many at most."}
    assert properties["order"] == {"type": "string", "enum": ["price", "way"], "default": "way"}
    assert properties["near"] == {"$ref": "#/$defs/Place", "description": "where to look."}
    assert spec.parameters["required"] == ["what", "near"]
    assert spec.parameters["additionalProperties"] is False


def test_what_the_session_gives_is_not_told():
    assert list(send.spec.parameters["properties"]) == ["to"]


def test_a_tool_is_called_as_before():
    assert find("pears", Place(city="Bern"), limit=1) == ["pears in Bern"]
    assert asyncio.run(send("you")) == {"sent": "you"}
    assert (find.__name__, find.effect, send.effect) == ("find", "pure", "irreversible")


def test_arguments_are_converted_and_results_are_json():
    result = execute(find, what="pears", near={"city": "Bern"}, limit=2)
    assert result == ToolResult(content='["pears in Bern", "pears in Bern"]')
    assert execute(send, to="you") == ToolResult(content='{"sent": "you"}')


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, ("what: Field required", "near: Field required")),
        ({"what": "x", "near": {"city": 3}}, ("near.city: Input should be a valid string",)),
        ({"what": "x", "near": {"city": "B"}, "limit": 0}, ("limit: Input should be greater than or equal to 1",)),
        ({"what": "x", "near": {"city": "B"}, "lim": 1}, ("lim: Extra inputs are not permitted",)),
    ],
)
def test_bad_arguments_are_a_result(arguments, told):
    result = execute(find, **arguments)
    assert result.content == ""
    assert result.error.startswith("InvalidArguments: ")
    assert all(part in result.error for part in told)


def test_a_failure_is_a_result():
    @tool(effect="pure")
    def fail(text: str):
        raise LookupError(f"no {text}")

    assert execute(fail, text="pear") == ToolResult(content="", error="LookupError: no pear")
    assert execute(fail, text="\ud800").error == "LookupError: no \\ud800"


@pytest.mark.parametrize("name", ["schema", "copy", "json", "_hidden", "self_", "model_config"])
def test_names_that_pydantic_uses_itself_can_be_parameters(name):
    space = {}
    exec(f"def f({name}: int = 1): return {name} + 1", space)
    made = tool(effect="pure")(space["f"])
    assert list(made.spec.parameters["properties"]) == [name]
    assert execute(made, **{name: 2}).content == "3"


def test_what_cannot_be_named_is_refused():
    with pytest.raises(ToolEnvironmentError, match="args"):
        tool(effect="pure")(lambda *args: None)
    with pytest.raises(ToolEnvironmentError, match="irreversible and takes `state`"):
        tool(lambda state: None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("plain", "plain"),
        (3, "3"),
        (True, "true"),
        ({"b", "a"}, '["a", "b"]'),
        (Place(city="Bern"), '{"city": "Bern", "street": null}'),
        ({"x": (1, {2})}, '{"x": [1, [2]]}'),
        (dataclasses.make_dataclass("D", ["a"])(1), '{"a": 1}'),
        ("\ud800", "\\ud800"),
    ],
)
def test_values_are_rendered(value, text):
    assert rendered(value).content == text


@given(st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text() | st.lists(st.text()), max_size=4))
def test_no_arguments_make_a_tool_raise(arguments):
    assert isinstance(asyncio.run(find.execute(arguments)), ToolResult)


def test_a_listener_is_told_of_calls_and_nothing_else_changes():
    heard = []
    token = LISTENER.set(heard.append)
    try:
        find("pears", near=Place(city="Bern"))
        asyncio.run(send("you", idempotency_key="k"))
        with pytest.raises(TypeError):
            find()
        with pytest.raises(AttributeError):
            find("pears", None)
    finally:
        LISTENER.reset(token)
    assert [used.call.name for used in heard] == ["find", "send", "find"]
    assert heard[0].call.arguments == {"what": "pears", "near": {"city": "Bern", "street": None}}
    assert heard[1].call.arguments == {"to": "you"}
    assert heard[2].result.error.startswith("AttributeError")


MODULE = '''
from __future__ import annotations
from ifonly.agents.toolbox.tools import tool
from pathlib import Path

def new_state():
    return {"basket": []}

@tool(effect="pure")
def price(item: str) -> int:
    """Price of an item."""
    return len(item)

@tool(effect="sandboxed")
def put(item: str, state) -> list[str]:
    """Put into the basket."""
    state["basket"].append(item)
    return state["basket"]

@tool
async def pay(amount: int, log: str) -> str:
    """Pay."""
    with open(log, "a") as file:
        file.write(f"{amount}\\n")
    return f"paid {amount}"

def score(messages, state):
    return {"bought": bool(state["basket"]), "items": len(state["basket"])}
'''


@pytest.fixture
def box(tmp_path):
    (tmp_path / "tools.py").write_text(MODULE, encoding="utf-8")
    return Toolbox.load(tmp_path / "tools.py")


def call(name, **arguments):
    return ToolCall(name=name, arguments=arguments)


def recording(environment, tmp_path, calls):
    """A run that made these calls live."""
    ref = environment.ref("t")
    session = environment.live(ref, "r", Ledger(tmp_path / "effects"))
    steps, count = [], {}
    for one in calls:
        number = count[one.name] = count.get(one.name, -1) + 1
        steps.append(ToolStep(site=f"{one.name}/{number}", call=one, result=session.call(one)))
    scores = session.score(())
    return Trajectory(
        id="r", task="t", agent="a", model="m", steps=tuple(steps), outcome=Outcome(scores=scores), environment=ref
    )


def calls_of(tmp_path):
    log = str(tmp_path / "paid")
    return [
        call("price", item="pear"),
        call("put", item="pear"),
        call("pay", amount=4, log=log),
        call("put", item="fig"),
        call("pay", amount=3, log=log),
        call("pay", amount="much", log=log),
    ]


def test_a_module_is_a_toolbox(box):
    assert list(box.tools) == ["price", "put", "pay"]
    assert len(box.version) == 32


def test_live_everything_is_executed(box, tmp_path):
    run = recording(PythonEnvironment(box), tmp_path, calls_of(tmp_path))
    assert [step.result.content for step in run.steps] == ["4", '["pear"]', "paid 4", '["pear", "fig"]', "paid 3", ""]
    assert (tmp_path / "paid").read_text() == "4\n3\n"
    assert run.outcome.scores == {"bought": True, "items": 2.0}


def test_a_rerun_gives_the_same_and_executes_nothing_irreversible(box, tmp_path):
    run = recording(PythonEnvironment(box), tmp_path, calls_of(tmp_path))
    session = PythonEnvironment(box, run).open(run.environment)
    assert [session.call(step.call) for step in run.steps] == [step.result for step in run.steps]
    assert session.score(()) == run.outcome.scores
    assert (tmp_path / "paid").read_text() == "4\n3\n"


def test_after_another_irreversible_history_nobody_can_say(box, tmp_path):
    calls = calls_of(tmp_path)
    run = recording(PythonEnvironment(box), tmp_path, calls)
    session = PythonEnvironment(box, run).open(run.environment)
    said = session.call(calls[4])
    assert isinstance(said, Undetermined)
    assert "not executed" in said.why
    assert "pay/0" in said.near
    assert session.call(calls[1]).content == '["pear"]'  # sandboxed tools go on
    assert isinstance(session.call(calls[2]), Undetermined)
    assert (tmp_path / "paid").read_text() == "4\n3\n"


def test_pure_calls_may_differ_before_an_irreversible_one(box, tmp_path):
    calls = calls_of(tmp_path)
    run = recording(PythonEnvironment(box), tmp_path, calls)
    session = PythonEnvironment(box, run).open(run.environment)
    assert session.call(call("price", item="other")).content == "5"
    assert session.call(calls[2]).content == "paid 4"


def test_without_a_log_irreversible_tools_cannot_say(box, tmp_path):
    environment = PythonEnvironment(box)
    said = environment.open(environment.ref("t")).call(calls_of(tmp_path)[2])
    assert isinstance(said, Undetermined)
    assert not (tmp_path / "paid").exists()


def test_async_tools_work_inside_a_running_loop(box, tmp_path):
    environment = PythonEnvironment(box)
    session = environment.live(environment.ref("t"), "r", Ledger(tmp_path / "effects"))

    async def main():
        return session.call(calls_of(tmp_path)[2])

    assert asyncio.run(main()).content == "paid 4"


def test_a_tool_that_is_not_there_is_a_result(box):
    environment = PythonEnvironment(box)
    result = environment.open(environment.ref("t")).call(call("prices", item="x"))
    assert result.error == "UnknownTool: 'prices'; there is price"


def test_other_source_is_another_environment(box, tmp_path):
    environment = PythonEnvironment(box)
    ref = environment.ref("t")
    (tmp_path / "tools.py").write_text(MODULE.replace("len(item)", "7"), encoding="utf-8")
    changed = PythonEnvironment(Toolbox.load(tmp_path / "tools.py"))
    with pytest.raises(ToolEnvironmentError, match="other source"):
        changed.open(ref)
    with pytest.raises(ToolEnvironmentError, match="'agentdojo'"):
        changed.open(EnvironmentRef(name="agentdojo", version="v1", task="t"))


def test_a_judge_that_fails_says_nothing(tmp_path):
    path = tmp_path / "tools.py"
    path.write_text("def score(messages, state):\n    return {'a': messages[3]}\n", encoding="utf-8")
    environment = PythonEnvironment(Toolbox.load(path))
    scores = environment.open(environment.ref("t")).score(())
    assert "IndexError" in scores["score"].why


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("def broken(:", "SyntaxError"),
        (
            "from ifonly.agents.toolbox.tools import tool\na, b = map(tool(name='x'), (lambda: 1, lambda: 2))",
            "two tools are called 'x'",
        ),
        (
            "from ifonly.agents.toolbox.tools import tool\n@tool(effect='pure')\ndef f(state): pass",
            "nothing makes one",
        ),
    ],
)
def test_a_module_that_cannot_be_used_is_told(tmp_path, source, told):
    path = tmp_path / "tools.py"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        Toolbox.load(path)


def test_no_such_file_and_no_such_module(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Toolbox.load(tmp_path / "none.py")
    with pytest.raises(InputError, match="no such module"):
        Toolbox.load("no_such_package.tools")


def test_tools_bring_in_nothing_heavy():
    probe = "import sys, ifonly.agents.toolbox.tools; print(sorted({'torch', 'litellm', 'aiohttp'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
