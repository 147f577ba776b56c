"""Runs that another program recorded, as runs of the user's own tools; and the first draft of these tools."""

import json

import pytest

from ifonly.agents.checks import check_run
from ifonly.agents.errors import ToolEnvironmentError
from ifonly.agents.reading import read
from ifonly.agents.records import ToolCall, ToolStep
from ifonly.agents.toolbox.adopting import adopt, judge
from ifonly.agents.toolbox.box import Toolbox
from ifonly.agents.toolbox.drafting import draft
from ifonly.agents.toolbox.environment import PythonEnvironment

TOOLS = """
from ifonly import tool

def new_state():
    return []

@tool(effect="pure")
def price(sku: str) -> float:
    return {"A1": 40.0, "B2": 25.0}[sku]

@tool(effect="sandboxed")
def order(sku: str, state: list) -> str:
    state.append(sku)
    return f"ordered {sku}"

@tool
def mail(to: str) -> str:
    raise AssertionError("it would be sent once more")

def score(messages, state):
    return {"cheapest": state == ["B2"], "recorded": False}
"""


def _call(number, name, arguments):
    return {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _messages():
    said = [{"role": "user", "content": "Order the cheapest."}]
    calls = [
        ("price", '{"sku": "A1"}', "40.0"),
        ("order", '{"sku": "A1"}', "ordered A1"),
        ("mail", '{"to": "a"}', "sent"),
    ]
    for number, (name, arguments, result) in enumerate(calls):
        said.append({"role": "assistant", "content": None, "tool_calls": [_call(number, name, arguments)]})
        said.append({"role": "tool", "tool_call_id": f"c{number}", "content": result})
    return [*said, {"role": "assistant", "content": "Done."}]


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"id": "r", "messages": _messages(), "scores": {"recorded": True}}))
    return read([path]).trajectories[0]


@pytest.fixture
def box(tmp_path):
    return _box(tmp_path, TOOLS)


def _box(folder, text):
    path = folder / "tools.py"
    path.write_text(text, encoding="utf-8")
    return Toolbox.load(path)


def test_a_foreign_run_gets_the_tools_as_its_environment(run, box):
    adopted = adopt(run, box)
    session = PythonEnvironment(box, adopted).open(adopted.environment)
    assert adopted.steps == run.steps
    assert session.call(ToolCall(name="price", arguments={"sku": "B2"})).content == "25.0"


def test_an_adopted_run_keeps_its_environment(run, box, tmp_path):
    adopted = adopt(run, box)
    other = _box(tmp_path, TOOLS.replace("25.0", "26.0"))
    assert adopt(adopted, other) is adopted


def test_the_judge_adds_what_was_not_recorded_and_nothing_else(run, box):
    assert judge(adopt(run, box), box).outcome.scores == {"cheapest": False, "recorded": True}


def test_a_tool_that_is_missing_is_named(run, tmp_path):
    with pytest.raises(ToolEnvironmentError, match=r"the run calls mail, order, and the file has price"):
        adopt(run, _box(tmp_path, TOOLS[: TOOLS.index('@tool(effect="sandboxed")')]))


def test_a_judge_that_fails_is_an_error_and_no_score(run, tmp_path):
    box = _box(tmp_path, TOOLS.replace("state == [", "1 / 0 == ["))
    with pytest.raises(ToolEnvironmentError, match="ZeroDivisionError"):
        judge(adopt(run, box), box)


def test_calls_that_the_log_answers_are_no_check(run, box):
    adopted = adopt(run, box)
    check = check_run(adopted, PythonEnvironment(box, adopted))
    assert ([call.site for call in check.calls], check.logged) == (["price/0", "order/0"], 1)
    assert all(call.verdict == "exact" for call in check.calls)


def test_a_draft_declares_every_tool_irreversible_and_leaves_the_judge_open(run, tmp_path):
    box = _box(tmp_path, draft([run]))
    adopted = adopt(run, box)
    session = PythonEnvironment(box, adopted).open(adopted.environment)
    recorded = [step for step in run.steps if isinstance(step, ToolStep)]
    assert [session.call(step.call) for step in recorded] == [step.result for step in recorded]
    assert all(tool.effect == "irreversible" for tool in box.tools.values())
    with pytest.raises(ToolEnvironmentError, match="say in score"):
        judge(adopted, box)


HOSTILE = ['"""\nimport os', "a.b", "a-b", "class", "score", "tool", "\\", "é\u202e", "9lives", "{x}"]


def test_a_draft_of_strange_names_is_python_and_takes_the_calls(run, tmp_path):
    steps = [step for step in run.steps if isinstance(step, ToolStep)]
    strange = [
        steps[0].model_copy(update={"site": f"t/{n}", "call": ToolCall(name=name, arguments={name: 1, "q": None})})
        for n, name in enumerate(HOSTILE)
    ]
    box = _box(tmp_path, draft([run.model_copy(update={"steps": (*run.steps, *strange)})]))
    assert set(HOSTILE) <= set(box.tools)
    assert len(box.tools) == len(HOSTILE) + len(steps)
