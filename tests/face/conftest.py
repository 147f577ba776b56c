"""Synthetic runs in a folder, and the command line called in this process."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

import pytest

from ifonly.agents.importers.native_export import write
from ifonly.agents.records import (
    AssistantMessage,
    EnvironmentRef,
    Outcome,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    Trajectory,
    UserMessage,
)
from ifonly.agents.sites import steps_of
from ifonly.cli import main


class Done(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def make_run(id, result="rain", reply="Take an umbrella.", *, model="small", solved=True, **fields):
    """A run with one look-up and one answer."""
    call = ToolCall(name="weather", arguments={"city": "Bern"}, id="c1")
    messages = [
        SystemMessage(content="You help."),
        UserMessage(content="What do I need today?"),
        AssistantMessage(content=None, tool_calls=(call,)),
        ToolMessage(tool_call_id="c1", name="weather", content=result),
        AssistantMessage(content=reply),
    ]
    given = {
        "id": id,
        "task": "weather/0",
        "agent": "helper",
        "model": model,
        "steps": steps_of(messages, Request(model=model, messages=(), toolset="weather")),
        "outcome": Outcome(scores={"solved": solved}),
        "labels": {"arm": "plain"},
    }
    return Trajectory(**given | fields)


def make_runs():
    """Two worlds, rain and sun, three recorded draws in each; one of the sunny ones goes wrong."""
    return [
        make_run("rain/0"),
        make_run("rain/1", task="weather/1"),
        make_run("rain/2", reply="An umbrella."),
        make_run("sun/0", "sun", "A hat."),
        make_run("sun/1", "sun", "A hat."),
        make_run("sun/2", "sun", "An umbrella.", solved=False, labels={"arm": "odd"}),
    ]


@pytest.fixture
def cli(monkeypatch, capsys):
    """Calls `ifonly` with these arguments."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["ifonly", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "160")
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def runs(tmp_path):
    """A file of six runs."""
    path = tmp_path / "runs.jsonl"
    write(path, make_runs())
    return path


@pytest.fixture
def run(tmp_path):
    """A file of one run."""
    path = tmp_path / "run.jsonl"
    write(path, make_runs()[:1])
    return path


@pytest.fixture
def broken(tmp_path):
    """A file of two runs with a broken line between them."""
    path = tmp_path / "broken.jsonl"
    write(path, make_runs()[:2])
    first, second = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f'{first}\n{{"id": \n{second}\n', encoding="utf-8")
    return path


@pytest.fixture
def made():
    """Makes a synthetic run."""
    return make_run


@pytest.fixture
def hostile():
    """Makes a run that says a payload in every text field."""

    def make(text):
        call = ToolCall(name=f"tool{text}", arguments={f"key{text}": [f"value{text}"]}, id=text)
        messages = [
            SystemMessage(content=f"system {text}"),
            UserMessage(content=[{"type": "text", "text": f"user {text}"}, {"type": f"odd{text}"}]),
            AssistantMessage(content=f"says {text}", tool_calls=(call,)),
            ToolMessage(tool_call_id=text, name=f"tool{text}", content=f"result {text}", error=f"error {text}"),
            AssistantMessage(content=f"done {text}"),
        ]
        model = f"model{text}"
        return Trajectory(
            id=f"run{text}",
            task=f"task{text}",
            agent=f"agent{text}",
            model=model,
            steps=steps_of(messages, Request(model=model, messages=(), toolset="t"), agent=f"agent{text}"),
            outcome=Outcome(scores={f"score{text}": True}, error=f"stopped {text}"),
            environment=EnvironmentRef(
                name=f"place{text}", version=text, task=text, settings={"injections": {"vector": f"result {text}"}}
            ),
            labels={f"label{text}": f"value{text}"},
        )

    return make
