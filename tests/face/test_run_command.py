"""`ifonly run` and `ifonly record`."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from typer.testing import CliRunner

from ifonly.agents.errors import ActionError, InputError
from ifonly.agents.provider import scripted
from ifonly.agents.reading import read
from ifonly.agents.records import AssistantMessage, ModelStep, ToolCall
from ifonly.cli import record as record_command
from ifonly.cli import run as run_command

# litellm silences these two of pydantic when it is imported, which pytest undoes after that test.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Accessing the .* attribute on the instance is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),
]

TOOLS = '''
from ifonly.agents.toolbox.tools import tool

@tool(effect="pure")
def look() -> str:
    """Look."""
    return "rain"

def score(messages, state):
    return {"solved": messages[-1].content == "rain"}
'''
AGENT = """
name: looker
model: scripted/cli
prompt: How is the weather?
tools: tools.py
settings: {temperature: 1.0}
"""


def law(request):
    if request.messages[-1].role == "user":
        return [(AssistantMessage(tool_calls=(ToolCall(name="look", arguments={}),)), 1.0)]
    return [(AssistantMessage(content="rain"), 0.5), (AssistantMessage(content="sun"), 0.5)]


@pytest.fixture
def agent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "tools.py").write_text(TOOLS, encoding="utf-8")
    (tmp_path / "agent.yaml").write_text(AGENT, encoding="utf-8")
    with scripted("cli", law, price_per_call=0.25):
        yield "agent.yaml"


def run(*arguments):
    done = CliRunner().invoke(run_command.app, [str(one) for one in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_run_is_shown_and_appended(agent, tmp_path):
    done = run(agent, "--seed", 1, "--id", "first")
    assert done.exit_code == 0
    for told in ("first", "look/0", "agent/1", "solved", "1 of 1 runs appended to runs.jsonl"):
        assert told in done.output
    (kept,) = read(tmp_path / "runs.jsonl").trajectories
    assert kept.sites == ("user/0", "agent/0", "look/0", "agent/1")
    assert kept.environment.name == "python"
    assert [step.cost for step in kept.steps if isinstance(step, ModelStep)] == [0.25, 0.25]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent.yaml", "runs.jsonl", "tools.py"]


def test_repeats_have_seeds_of_their_own(agent, tmp_path):
    done = run(agent, "--seed", 5, "--repeat", 6, "--json")
    runs = read(tmp_path / "runs.jsonl").trajectories
    shown = json.loads(done.stdout)["runs"]
    assert [view["id"] for view in shown] == [one.id for one in runs]
    assert [one.steps[1].request.settings["seed"] for one in runs] == [5, 6, 7, 8, 9, 10]
    assert {one.outcome.scores["solved"] for one in runs} == {True, False}


def test_a_cassette_gives_the_same_again_without_a_model(agent, tmp_path):
    run(agent, "--seed", 5, "--repeat", 3, "--cassette", "calls.jsonl", "--out", "a.jsonl")
    again = run(agent, "--seed", 5, "--repeat", 3, "--cassette", "calls.jsonl", "--record", "none", "--out", "b.jsonl")
    assert again.exit_code == 0
    first, second = (read(tmp_path / name).trajectories for name in ("a.jsonl", "b.jsonl"))
    assert [one.messages for one in first] == [one.messages for one in second]
    missing = run(agent, "--seed", 99, "--cassette", "calls.jsonl", "--record", "none", "--out", "c.jsonl")
    assert missing.exit_code == 4
    assert "settings.seed" in missing.output
    assert not (tmp_path / "c.jsonl").exists()
    assert not list(tmp_path.glob("*.partial"))


def test_a_budget_stops_a_run_and_keeps_what_was_paid_for(agent, tmp_path):
    done = run(agent, "--repeat", 3, "--budget-usd", 0.8, "--json")
    assert done.exit_code == 4
    runs = read(tmp_path / "runs.jsonl").trajectories
    assert [len(one.steps) for one in runs] == [4, 3]
    assert runs[1].outcome.error.startswith("BudgetSpent")
    assert run(agent, "--max-calls", 1, "--out", "b.jsonl").exit_code == 4


def test_what_cannot_be_run_is_told(agent, tmp_path):
    with pytest.raises(InputError, match="No such file"):
        run("none.yaml")
    with pytest.raises(InputError, match="no such cassette"):
        run(agent, "--cassette", "none.jsonl", "--record", "none")
    (tmp_path / "agent.yaml").write_text(AGENT + "odd: 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="field odd"):
        run(agent)


def test_record_says_what_it_needs(tmp_path):
    for arguments in ([], ["--proxy"], ["--proxy", "--cassette", "c.jsonl", "--record", "new"]):
        done = CliRunner().invoke(record_command.app, arguments)
        assert isinstance(done.exception, ActionError)


def test_record_recovers(tmp_path):
    done = CliRunner().invoke(record_command.app, ["--recover", "--out", str(tmp_path / "runs.jsonl")])
    assert done.exit_code == 0
    assert "0 runs recovered" in done.output


def test_the_proxy_serves_a_cassette_until_it_is_told_to_end(agent, tmp_path):
    run(agent, "--seed", 5, "--cassette", "calls.jsonl")
    program = "from ifonly.cli.record import app; app()"
    given = ["--proxy", "--cassette", "calls.jsonl", "--port", "0", "--out", "heard.jsonl"]
    command = [sys.executable, "-P", "-c", program, *given]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env={**os.environ}) as child:
        told = child.stderr.readline()
        url = told.strip().rpartition("=")[2]
        with urllib.request.urlopen(f"{url}/models", timeout=30) as answer:
            assert json.load(answer)["data"][0]["id"] == "scripted/cli"
        body = {
            "model": "scripted/cli",
            "messages": [{"role": "user", "content": "How is the weather?"}],
            "temperature": 1.0,
            "seed": 5,
            "tools": [{"type": "function", "function": tool} for tool in tools_of(tmp_path)],
        }
        request = urllib.request.Request(
            f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "look"
        time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
        assert "1 runs appended" in child.stderr.read()
    (heard,) = read(tmp_path / "heard.jsonl").trajectories
    assert heard.sites == ("user/0", "agent/0")


def tools_of(tmp_path):
    (kept,) = read(tmp_path / "runs.jsonl").trajectories
    return [tool.model_dump() for tool in kept.steps[1].request.tools]
