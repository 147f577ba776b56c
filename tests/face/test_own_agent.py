"""An engineer whose own agent failed: a list of messages, tools of her own, no score. Each command says the next."""

import json
import re
import shlex
import sys

import pytest
from typer.testing import CliRunner

from ifonly.cli import app
from ifonly.cli.output import complain

TOOLS = """
from ifonly import tool

PRICES = {"A1": 40.0, "B2": 25.0}

def new_state():
    return []

@tool(effect="pure")
def price(sku: str) -> float:
    return PRICES[sku]

@tool(effect="sandboxed")
def order(sku: str, state: list) -> str:
    state.append(sku)
    return f"ordered {sku}"

def score(messages, state):
    return {"cheapest": state == ["B2"]}
"""


def _turn(number, name, sku, result):
    call = {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": json.dumps({"sku": sku})}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": result},
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Her folder, whose name has a space and a letter that is not ASCII."""
    home = tmp_path / "my runs é"
    home.mkdir()
    said = [{"role": "user", "content": "Order the cheapest kettle."}]
    said += [*_turn(1, "price", "A1", "40.0"), *_turn(2, "order", "A1", "ordered A1")]
    (home / "run.json").write_text(json.dumps([*said, {"role": "assistant", "content": "Done."}]), encoding="utf-8")
    (home / "mine.py").write_text(TOOLS, encoding="utf-8")
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def ask(monkeypatch):
    """Types a command; gives the exit status and all that was said."""

    def typed(*words):
        monkeypatch.setattr(sys, "argv", ["ifonly", *words])
        result = CliRunner().invoke(app, list(words), prog_name="ifonly")
        if isinstance(result.exception, SystemExit | None):
            return result.exit_code, result.output
        complain(result.exception)
        return result.exception, result.output

    return typed


def _commands(out):
    return [shlex.split(line.strip())[1:] for line in re.findall(r"^    ifonly .*", out, re.MULTILINE)]


def test_blame_of_a_run_without_score_says_what_to_type(ask, folder):
    status, out = ask("blame", "run.json")
    assert status == 1
    assert "no score of the run was recorded" in out
    draft, again, *_ = _commands(out)
    assert draft == ["tools", "run.json", "--out", "tools.py"]
    assert again == ["blame", "run.json", "--tools", "tools.py"]
    assert ask(*draft)[0] == 0
    assert "def order(sku: str)" in (folder / "tools.py").read_text(encoding="utf-8")
    assert "say in score()" in ask(*again)[0].found


def test_a_draft_never_overwrites(ask, folder):
    error, _ = ask("tools", "run.json", "--out", "mine.py")
    assert error.found == "it is there already"
    assert (folder / "mine.py").read_text(encoding="utf-8") == TOOLS


@pytest.mark.usefixtures("folder")
def test_her_tools_settle_a_what_if_on_a_plain_list_of_messages(ask):
    changed = ("--at", "order/0", "--call", "order", "--arguments", '{"sku": "B2"}')
    status, out = ask("whatif", "run.json", *changed, "--tools", "mine.py")
    assert status == 0
    assert "cheapest was false; it would have been true" in out
    assert "type next" not in out
    status, out = ask("whatif", "run.json", *changed)
    assert status == 1
    assert ["whatif", "run.json", *changed, "--tools", "tools.py"] in _commands(out)


@pytest.mark.usefixtures("folder")
def test_verify_executes_her_tools_and_sees_what_differs(ask, folder):
    assert "--tools" in ask("verify", "run.json")[1]
    status, out = ask("verify", "run.json", "--tools", "mine.py")
    assert status == 0
    assert "Every run is reproduced" in out
    (folder / "other.py").write_text(TOOLS.replace("40.0", "41.0"), encoding="utf-8")
    status, out = ask("verify", "run.json", "--tools", "other.py")
    assert status == 1
    assert "price/0 differs" in out


@pytest.mark.usefixtures("folder")
def test_what_stays_open_names_the_live_command_which_plans_at_no_cost(ask):
    status, out = ask("blame", "run.json", "--tools", "mine.py")
    assert status == 1
    plan, paid = _commands(out)
    assert plan[:4] == ["blame", "run.json", "--tools", "mine.py"]
    assert plan[-1] == "--dry-run"
    assert paid[-2:] == ["--budget-usd", "1"]
    named = [word.replace("PROVIDER/MODEL", "smollm2") for word in plan]
    status, out = ask(*named)
    assert status == 0
    assert "what-ifs are open" in out
    assert "0.0000 US dollars expected" in out


@pytest.mark.usefixtures("folder")
def test_a_model_that_the_run_does_not_name_is_asked_for(ask):
    error, _ = ask("blame", "run.json", "--tools", "mine.py", "--continue", "live", "--dry-run")
    assert "--alias unknown=PROVIDER/MODEL" in error.fix


@pytest.mark.usefixtures("folder")
def test_a_score_that_may_be_the_failure_is_named(ask, folder):
    record = {"id": "r", "scores": {"overall": 2.5}, "messages": json.loads((folder / "run.json").read_bytes())}
    (folder / "scored.json").write_text(json.dumps(record), encoding="utf-8")
    _, out = ask("blame", "scored.json")
    (command,) = _commands(out)
    assert command == ["blame", "scored.json", "--score", "overall=2.5"]
    assert "Which step led to overall=2.5?" in ask(*command)[1]


@pytest.mark.usefixtures("folder")
def test_the_pages_say_what_would_settle_it(ask, folder):
    ask("blame", "run.json", "--html", "blame.html")
    ask("whatif", "run.json", "--at", "order/0", "--drop", "--html", "whatif.html")
    for page in ("blame.html", "whatif.html"):
        assert "ifonly tools run.json --out tools.py" in (folder / page).read_text(encoding="utf-8")


@pytest.mark.usefixtures("folder")
def test_a_score_that_the_tools_do_not_judge_is_told_with_what_they_do(ask, folder):
    record = {"id": "r", "scores": {"reward": 0}, "messages": json.loads((folder / "run.json").read_bytes())}
    (folder / "scored.json").write_text(json.dumps(record), encoding="utf-8")
    _, out = ask("blame", "scored.json", "--tools", "mine.py", "--score", "reward=0")
    assert "nothing judges reward anew (the environment gives cheapest)" in " ".join(out.split())
    assert ["blame", "scored.json", "--tools", "mine.py", "--score", "cheapest=false"] in _commands(out)


@pytest.mark.usefixtures("folder")
def test_a_run_of_several_conversations_says_what_can_be_asked(ask, folder):
    def span(number, said):
        told = {"openinference.span.kind": "LLM"}
        told |= {"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": said}
        told |= {"llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "Yes."}
        start = f"2025-01-01T00:00:0{number}Z"
        return {"span_id": f"s{number}", "span_name": "llm", "timestamp": start, "attributes": told}

    trace = {"trace_id": "t", "spans": [span(1, "One?"), span(2, "Two?")]}
    (folder / "trace.json").write_text(json.dumps(trace), encoding="utf-8")
    error, _ = ask("whatif", "trace.json", "--at", "user/0", "--prompt", "Three?", "--continue", "bounds")
    assert "several agents" in error.found
    assert "`ifonly show` and `ifonly simulate`" in error.fix


@pytest.mark.usefixtures("folder")
def test_a_wrong_id_is_told_with_those_that_are_there(ask):
    error, _ = ask("blame", "nobody", "--in", "run.json")
    assert "(run.json#1)" in error.fix
