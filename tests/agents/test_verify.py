from __future__ import annotations

import importlib.util
import json
from importlib import metadata
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from ifonly.agents import reading
from ifonly.agents.checks import check_run
from ifonly.agents.environments.agentdojo_ref import reference
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.records import (
    AssistantMessage,
    EnvironmentRef,
    Message,
    Outcome,
    Request,
    Score,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolSpec,
    Trajectory,
    UserMessage,
)
from ifonly.agents.sites import steps_of
from ifonly.agents.verify import verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

installed = pytest.mark.skipif(
    importlib.util.find_spec("agentdojo") is None, reason="agentdojo is not installed: pip install 'ifonly[agentdojo]'"
)


class Adding:
    """An environment of one tool: `add` gives the sum so far; 13 is more than it can say."""

    executes = True

    def logs(self, call):
        return False

    def doubt(self, ref: EnvironmentRef) -> None:
        return None

    def open(self, ref: EnvironmentRef) -> Adding:
        fresh = Adding()
        fresh.sum = 0
        return fresh

    def tools(self, ref: EnvironmentRef) -> tuple[ToolSpec, ...]:
        return (ToolSpec(name="add"),)

    def call(self, call: ToolCall) -> ToolResult | Undetermined:
        number = call.arguments["n"]
        assert isinstance(number, int)
        self.sum += number
        return Undetermined(why="13") if number == 13 else ToolResult(content=str(self.sum))

    def score(self, messages: Sequence[Message]) -> Mapping[str, Score | Undetermined]:
        return {"even": self.sum % 2 == 0}


def run(
    results: list[tuple[int, str]],
    scores: dict[str, Score],
    *,
    name: str = "r",
    task: str = "sums/0",
    error: str | None = None,
    ref: EnvironmentRef | None = None,
) -> Trajectory:
    messages: list[Message] = [UserMessage(content="add")]
    for number, text in results:
        messages.append(AssistantMessage(tool_calls=(ToolCall(name="add", arguments={"n": number}),)))
        messages.append(ToolMessage(tool_call_id=None, name="add", content=text))
    messages.append(AssistantMessage(content="done"))
    return Trajectory(
        id=name,
        task=task,
        agent="a",
        model="m",
        steps=steps_of(messages, Request(model="m", messages=())),
        outcome=Outcome(scores=scores, error=error),
        environment=ref or EnvironmentRef(name="adding", version="1", task=task),
    )


def test_a_run_that_happens_again() -> None:
    check = check_run(run([(1, "1"), (3, "4.0")], {"even": True}), Adding())
    assert [(call.site, call.verdict) for call in check.calls] == [("add/0", "exact"), ("add/1", "equivalent")]
    assert check.reproduced
    assert check.first_differing is None
    assert check.group == "sums"


def test_the_first_call_that_differs_is_named_and_the_rest_is_executed() -> None:
    check = check_run(run([(1, "1"), (3, "5"), (13, "17"), (1, "18")], {"even": False, "odd": True}), Adding())
    assert [call.verdict for call in check.calls] == ["exact", "differs", "undetermined", "exact"]
    assert check.first_differing is not None
    assert check.first_differing.site == "add/1"
    assert check.first_differing.executed == ToolResult(content="4")
    assert [(score.name, score.reproduced) for score in check.scores] == [("even", False), ("odd", False)]
    assert isinstance(check.scores[1].executed, Undetermined)


def test_a_log_is_not_executed() -> None:
    trajectory = run([(1, "1")], {"even": False})
    report = verify([trajectory])
    assert report.total.looked_up == report.total.runs == 1
    assert report.total.calls == 0
    assert report.total.calls_reproduced_share is None
    assert report.total.scores_reproduced_share is None
    assert report.differing == ()


def test_progress_counts_runs_and_order_is_kept() -> None:
    runs = [run([(n, str(n))], {}, name=str(n), task=f"s{n % 3}/t") for n in range(301)]
    alone, together = list[int](), list[int]()
    report = verify(iter(runs), workers=1, progress=alone.append)
    assert report == verify(iter(runs), workers=2, progress=together.append)
    assert alone == together == list(range(1, 302))
    assert list(report.by) == ["s0", "s1", "s2"]
    assert [tally.runs for tally in report.by.values()] == [101, 100, 100]


def banking(results: list[tuple[str, dict[str, str], str]], **changes: object) -> Trajectory:
    """A run of the real environment, as its authors' data would have it."""
    messages: list[Message] = [UserMessage(content="?")]
    for name, arguments, text in results:
        messages.append(AssistantMessage(tool_calls=(ToolCall(name=name, arguments=dict(arguments)),)))
        messages.append(ToolMessage(tool_call_id=None, name=name, content=text))
    messages.append(AssistantMessage(content="done"))
    made = Trajectory(
        id="r",
        task="banking/user_task_0",
        agent="gpt-4o-2024-05-13",
        model="gpt-4o-2024-05-13",
        steps=steps_of(messages, Request(model="m", messages=())),
        outcome=Outcome(scores={"utility": False}),
        environment=reference("banking", "user_task_0", None, None, {}, "gpt-4o-2024-05-13"),
    )
    return made.model_copy(update=changes)


IBAN = ("get_iban", {}, "DE89370400440532013000")


@installed
def test_what_is_in_a_share_and_what_is_not() -> None:
    detector = reference("banking", "user_task_0", None, None, {}, "gpt-4o-2024-05-13-transformers_pi_detector")
    runs = [
        banking([IBAN, IBAN]),
        banking([IBAN, ("get_balance", {}, "1810")]),
        banking([("get_iban", {}, "GB1")], id="wrong call"),
        banking([IBAN], id="wrong score", outcome=Outcome(scores={"utility": True})),
        banking([("get_iban", {}, "<Data omitted because a prompt injection was detected>")], environment=detector),
        banking([("get_iban", {}, "GB1")], outcome=Outcome(scores={"utility": True}, error="503")),
        banking([], steps=()),
    ]
    report = verify(runs)
    total = report.total
    assert (total.runs, total.empty, total.stopped, total.looked_up) == (7, 1, 1, 0)
    assert (total.calls, total.rewritten_calls, total.redacted_calls) == (6, 1, 1)
    assert total.calls_reproduced_share == 4 / 6
    assert total.calls_equivalent_share == 5 / 6
    assert total.calls_equivalent_share_with_rewritten == 5 / 7
    assert total.runs_equivalent_share == 4 / 5
    assert (total.scored_runs, total.scores_reproduced_share) == (5, 4 / 5)
    assert [(run.run, run.site) for run in report.differing] == [("wrong call", "get_iban/0"), ("wrong score", None)]
    assert report.differing[1].scores[0].name == "utility"


@installed
def test_the_json_form() -> None:
    shown = json.loads(verify([banking([("get_iban", {}, "GB1")])]).model_dump_json())
    assert shown.keys() == {"total", "by", "differing"}
    assert shown["by"].keys() == {"banking"}
    assert shown["total"] == shown["by"]["banking"]
    assert shown["total"].keys() >= {
        "runs",
        "calls",
        "calls_reproduced_share",
        "calls_equivalent_share",
        "scores_reproduced_share",
    }
    (run,) = shown["differing"]
    assert run["recorded"] == {"content": "GB1", "error": None}
    assert run["executed"] == {"content": "DE89370400440532013000", "error": None}
    assert (run["run"], run["site"], run["verdict"]) == ("r", "get_iban/0", "differs")


@installed
@pytest.mark.data
@pytest.mark.parametrize("file", ["gpt-4o-2024-05-13__direct", "gemini-1.5-pro-002", "meta-llama_Llama-3-70b-chat-hf"])
def test_recorded_runs_happen_again(agentdojo_runs: Path, file: str) -> None:
    """Every 17th run of three editions; the rates over all runs stand in the benchmark."""
    path = agentdojo_runs / f"{file}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no such file of runs: {path}")
    found = islice(reading.stream(path), 0, None, 17)
    report = verify((run for run in found if isinstance(run, Trajectory)), workers=1)
    assert report.total.calls > 50
    # Later releases have other data in workspace.
    exact = metadata.version("agentdojo") == "0.1.20"
    assert report.total.calls_equivalent_share is not None
    assert report.total.calls_equivalent_share >= (1.0 if exact else 0.95)
    assert report.total.scores_reproduced_share is not None
    assert report.total.scores_reproduced_share > 0.9
