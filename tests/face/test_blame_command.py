"""`ifonly blame`, on runs whose tools execute and on runs that are only logged."""

import base64
import hashlib
import io
import json
import re
import shlex
import sys
from html.parser import HTMLParser

import pytest
from rich.console import Console

from ifonly.agents.errors import IfonlyError
from ifonly.agents.importers.native_export import write
from ifonly.agents.records import AssistantMessage, Outcome, Request, ToolCall, Trajectory, UserMessage, tool_message
from ifonly.agents.sites import steps_of
from ifonly.agents.toolbox.box import Toolbox
from ifonly.agents.toolbox.environment import PythonEnvironment
from ifonly.cli.blame import app
from ifonly.cli.output import complain
from ifonly.cli.show_blame import render_blame
from ifonly.cli.status import status_of
from ifonly.report.blame import blame_page
from ifonly.sim.blame import blame
from ifonly.views.blame import blame_view
from ifonly.views.fixes import Places
from ifonly.views.text import visible

TOOLS = '''
from ifonly.agents.toolbox.tools import tool

def new_state():
    return {"fire": 0, "water": 0}

@tool(effect="pure")
def look() -> str:
    """Look."""
    return "a shed"

@tool(effect="sandboxed")
def burn(state) -> str:
    """Light it."""
    state["fire"] += 1
    return "it burns"

@tool(effect="sandboxed")
def fetch(state) -> str:
    """Fetch water."""
    state["water"] += 1
    return "water"

def score(messages, state):
    return {"safe": not state["fire"], "wet": bool(state["water"])}
'''


@pytest.fixture
def tools(tmp_path):
    path = tmp_path / "tools.py"
    path.write_text(TOOLS, encoding="utf-8")
    return path


@pytest.fixture
def shed(tools):
    """Makes a run of a keeper who makes these calls, one a turn."""
    environment = PythonEnvironment(Toolbox.load(str(tools)))
    ref = environment.ref("mind the shed")

    def make(id, *names, task="shed", said="Done."):
        session, messages = environment.open(ref), [UserMessage(content="Mind the shed.")]
        for number, name in enumerate(names):
            call = ToolCall(name=name, arguments={}, id=f"c{number}")
            messages += [AssistantMessage(tool_calls=(call,)), tool_message(call, session.call(call))]
        messages.append(AssistantMessage(content=said))
        return Trajectory(
            id=id,
            task=task,
            agent="keeper",
            model="small",
            steps=steps_of(messages, Request(model="small", messages=(), toolset="shed")),
            outcome=Outcome(scores=dict(session.score(messages))),
            environment=ref,
        )

    return make


@pytest.fixture
def shelf(tmp_path, shed):
    """A file of five runs: two burnt sheds, and three that were kept."""
    path = tmp_path / "shelf.jsonl"
    write(
        path,
        [
            shed("burnt/0", "look", "burn", "fetch"),
            shed("burnt/1", "burn", "burn", task="other"),
            shed("kept/0", "look", "fetch"),
            shed("kept/1", "look"),
            shed("kept/2", "fetch"),
        ],
    )
    return path


@pytest.fixture
def ask(monkeypatch, capsys):
    """Calls `ifonly blame` with these arguments; gives status, output, and what was said beside it."""

    def call(*arguments):
        given = [str(one) for one in arguments]
        monkeypatch.setattr(sys, "argv", ["ifonly", "blame", *given])
        monkeypatch.setenv("COLUMNS", "200")
        capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                app(given, prog_name="ifonly blame")
            status = ended.value.code or 0
        except IfonlyError as error:
            complain(error)
            status = status_of(error)
        return status, *capsys.readouterr()

    return call


def test_a_run_is_blamed_on_its_call(ask, shelf, tools):
    status, out, _ = ask("burnt/0", "--in", shelf, "--tools", tools, "--score", "safe=false")
    assert status == 0
    assert "Most to blame: burn/0 (the call; certain, share 1)." in out
    assert "Earliest and latest step whose change averts it: burn/0." in out
    for said in ("last step: agent/3", "no log-probabilities were recorded", "no corpus of other runs was named"):
        assert said in out
    assert "assumes" in out
    assert "0 model calls" in out


def test_every_fix_is_a_command_that_averts_the_failure(ask, cli, shelf, tools):
    _, out, _ = ask("burnt/1", "--in", shelf, "--tools", tools, "--corpus", shelf)
    commands = [line.strip() for line in out.splitlines() if line.strip().startswith("ifonly whatif")]
    assert commands
    for command in commands:
        done = cli(*shlex.split(command)[1:], "--json")
        assert done.status == 0, done.err
        assert done.json["outcomes"]["safe"]["counterfactual"]["value"] > 0.5


def test_two_burning_calls_are_told_as_overdetermined(ask, shelf, tools):
    status, out, _ = ask("burnt/1", "--in", shelf, "--tools", tools)
    assert status == 0
    assert "No single change averts the failure for certain." in out
    assert "overdetermination: burn/0 and burn/1 each sufficed" in out
    assert "Least change that averts it: 2 actions" in out


def test_json_is_the_answer(ask, shelf, tools):
    status, out, _ = ask("burnt/0", "--in", shelf, "--tools", tools, "--json", "--level", "0.9")
    assert status == 0
    answer = json.loads(out)
    assert answer["verdict"] == "blamed"
    assert answer["flip_set"] == ["burn/0"]
    assert {"interventional", "counterfactual", "necessity", "sufficiency", "shapley"} <= answer["steps"][0].keys()
    assert answer["fixes"][0]["actions"] == [{"do": "drop", "site": "burn/0"}]


def test_many_runs_are_summed_up(ask, shelf, tools):
    status, out, _ = ask(shelf, "--tools", tools, "--score", "safe=false")
    assert status == 0
    assert "2 of 5 runs failed, of 2 tasks" in out
    assert re.search(r"burn +1 \[", out)
    assert "calls together: overdetermination" in out
    status, out, _ = ask(shelf, "--tools", tools, "--score", "safe=false", "--limit", "1", "--json")
    summary = json.loads(out)["summary"]
    assert (summary["runs"], summary["failed"], summary["asked"]) == (5, 2, 1)


def test_where_chooses(ask, shelf, tools):
    _, out, _ = ask(shelf, "--tools", tools, "--where", "task=other", "--json")
    assert [one["run"] for one in json.loads(out)["answers"]] == ["burnt/1"]
    assert ask(shelf, "--where", "task=none", "--tools", tools)[0] == 2


def test_what_did_not_fail_abstains(ask, shelf, tools):
    status, out, _ = ask("kept/0", "--in", shelf, "--tools", tools)
    assert status == 1
    assert "Nobody is blamed: the run did not fail" in out
    assert ask(shelf, "--tools", tools, "--score", "safe=true", "--where", "safe=false")[0] == 2


def test_a_log_is_blamed_by_recorded_draws(ask, runs):
    """Tools that only a log answers: the other answer that the same model gave to the same request was right twice."""
    status, out, _ = ask("sun/2", "--corpus", runs)
    assert status == 0
    assert "Most to blame: agent/1 (the reply; likely" in out
    assert "asked again, unchanged: not failed in 1 [0.398, 1]" in out
    status, out, _ = ask("sun/2", "--in", runs)
    assert status == 1
    assert "no support" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("burnt/0",), "no such file"),
        (("nobody", "--in", "{shelf}"), "nobody"),
        (("{shelf}", "--score", "safe"), "no NAME=VALUE"),
        (("{shelf}", "--score", "safe=false", "--html", "x.html"), "--in PATH"),
        (("{shelf}", "--score", "speed=true"), "none of them failed"),
        (("burnt/0", "--in", "{shelf}", "--tools", "{tools}", "--score", "speed=true"), "has no score"),
    ],
)
def test_what_is_asked_wrongly_is_told(ask, shelf, tools, arguments, said):
    status, _, err = ask(*(one.format(shelf=shelf, tools=tools) for one in arguments))
    assert status == 2
    assert said in err


class Elements(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = [], set(), ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def test_the_page_shows_lanes_bars_flip_set_and_fixes(ask, shelf, tools, tmp_path):
    page = tmp_path / "blame.html"
    assert ask("burnt/0", "--in", shelf, "--tools", tools, "--html", page)[0] == 0
    html = page.read_text(encoding="utf-8")
    seen = Elements(html)
    assert seen.tags.count("svg") == 3  # one bar a call
    assert "script" not in seen.tags
    assert not {name for name in seen.attributes if name.startswith("on") or name in ("style", "src")}
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in html.replace("&#39;", "'")
    for said in (
        "burn/0",
        "earliest decisive step",
        "point of commitment",
        "--at burn/0 --drop",
        "ifonly blame burnt/0",
    ):
        assert said in seen.text


@pytest.mark.parametrize(
    "text", ["<script>owned()</script>", "\"'><img src=x onerror=owned()>", "{{7*7}}\x1b[31m\u202e"]
)
def test_text_of_strangers_stays_text(hostile, text):
    run = hostile(text).model_copy(update={"environment": None, "outcome": Outcome(scores={f"score{text}": False})})
    plain = hostile("x").model_copy(update={"environment": None, "outcome": Outcome(scores={"scorex": False})})
    places = Places(within=(f"in{text}",))
    seen = Elements(blame_page(run, blame(run), places, f"ifonly {text}"))
    assert seen.tags == Elements(blame_page(plain, blame(plain), Places(within=("inx",)), "ifonly x")).tags
    assert visible(text) in seen.text


def test_the_view_says_why_nothing_is_known(made):
    run = made("one", solved=False)
    view = blame_view(run, blame(run))
    assert view.verdict == "abstained"
    assert view.headline[0].startswith("Nobody is blamed: no support")


def test_an_interrupt_keeps_the_answers_until_then(ask, shelf, tools, monkeypatch):
    def interrupted(run, **given):
        if run.id == "burnt/1":
            raise KeyboardInterrupt
        return blame(run, **given)

    monkeypatch.setattr("ifonly.cli.blame.blame", interrupted)
    status, out, err = ask(shelf, "--tools", tools, "--score", "safe=false", "--json")
    assert status == 130
    assert [one["run"] for one in json.loads(out)["answers"]] == ["burnt/0"]
    assert "Interrupted after 1 of 2 runs" in err


@pytest.mark.parametrize(("width", "shown"), [(60, ["in this run"]), (80, ["share"]), (120, ["PN", "PS", "share"])])
def test_a_narrow_terminal_leaves_columns_out_and_names_them(tools, shed, width, shown):
    run = shed("burnt/0", "look", "burn", "fetch")
    console = Console(width=width, file=io.StringIO(), record=True)
    render_blame(console, blame_view(run, blame(run, environment=PythonEnvironment(Toolbox.load(tools), run))))
    table = console.export_text().partition("flip set")[0]
    assert all(title.split()[0] in table for title in shown)
    assert ("a wider terminal" in table) == (width < 100)
    assert re.search(r"burn/0 +the call +certain +\S+", table)
