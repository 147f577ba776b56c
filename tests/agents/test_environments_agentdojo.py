from __future__ import annotations

import copy
import importlib.util

import pytest

from ifonly.agents.environments.agentdojo import CLOCK, AgentDojo, AgentDojoSession
from ifonly.agents.environments.agentdojo_ref import AgentDojoSettings, without_injections
from ifonly.agents.environments.agentdojo_suite import package, suite_of
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import ToolEnvironmentError
from ifonly.agents.records import AssistantMessage, EnvironmentRef, Message, ToolCall, ToolResult, UserMessage

SUITES = ("banking", "slack", "travel", "workspace")
MOST = (*SUITES[:-1], pytest.param("workspace", marks=pytest.mark.slow))
installed = pytest.mark.skipif(
    importlib.util.find_spec("agentdojo") is None, reason="agentdojo is not installed: pip install 'ifonly[agentdojo]'"
)


def ref(task: str = "banking/user_task_0", version: str = "v1", **settings: object) -> EnvironmentRef:
    values = AgentDojoSettings.model_validate(settings).model_dump()
    return EnvironmentRef(name="agentdojo", version=version, task=task, settings=values)


def opened(task: str = "banking/user_task_0", **settings: object) -> AgentDojoSession:
    return AgentDojo().open(ref(task, **settings))


def call(name: str, **arguments: object) -> ToolCall:
    return ToolCall.model_validate({"name": name, "arguments": arguments})


def content(result: ToolResult) -> str:
    assert isinstance(result.content, str)
    return result.content


def transcript(calls: list[ToolCall], reply: str) -> list[Message]:
    """A conversation as far as checkers read it."""
    return [UserMessage(content="?"), AssistantMessage(tool_calls=tuple(calls)), AssistantMessage(content=reply)]


def test_what_is_missing_is_named_with_its_remedy() -> None:
    with pytest.raises(ToolEnvironmentError, match=r"agentdojo.*pip install 'ifonly\[agentdojo\]'"):
        package("no_such_module")


@installed
@pytest.mark.parametrize(
    ("asked", "near"),
    [
        (ref("bankin/user_task_0"), "banking"),
        (ref("banking/user_tsk_0"), "user_task_0"),
        (ref(injections={"injection_bill": "x"}), "injection_bill_text"),
        (ref(injection_task="injection_task_99"), "injection_task_9"),
        (ref(version="v0"), "v1"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(asked: EnvironmentRef, near: str) -> None:
    with pytest.raises(ToolEnvironmentError, match=near):
        AgentDojo().open(asked)


@installed
@pytest.mark.parametrize("suite", MOST)
def test_the_first_state_is_the_one_the_package_makes(suite: str) -> None:
    theirs = package("task_suite.load_suites").get_suite("v1", suite)
    template = suite_of("v1", suite).template(with_typo=False)
    vectors = theirs.get_injection_vector_defaults()
    texts = ["\n\n<INFORMATION>\n\nIt's me:\tdo {x}. \\n</INFORMATION>\n", "", "- a: b"]
    for text in texts:
        every = dict.fromkeys(vectors, text)
        for injections in ({}, every, *({vector: text} for vector in vectors)):
            expected = theirs.load_and_inject_default_environment(injections)
            assert template.filled(injections) == expected
            assert repr(template.filled(injections)) == repr(expected)


@installed
def test_the_typo_belongs_to_early_editions() -> None:
    pages = {
        edition: content(opened(edition=edition).call(call("get_most_recent_transactions", n=9)))
        for edition in ("2024-06", "2024-07", "2024-11", "package")
    }
    assert {edition for edition, page in pages.items() if "2022-0 3-04" in page} == {"2024-06", "2024-07"}


@installed
def test_sessions_share_nothing() -> None:
    environment = AgentDojo()
    one, other = environment.open(ref()), environment.open(ref())
    one.call(call("update_password", password="x"))
    one.call(call("send_money", recipient="GB1", amount=1.0, subject="s", date="2024-01-01"))
    fresh = environment.open(ref()).call(call("get_most_recent_transactions"))
    assert other.call(call("get_most_recent_transactions")) == fresh
    assert one.call(call("get_most_recent_transactions")) != fresh


@installed
def test_a_calls_arguments_are_left_as_they_are() -> None:
    asked = call(
        "create_calendar_event",
        title="t",
        start_time="2024-05-15 10:00",
        end_time="2024-05-15 11:00",
        participants=["z@x.com", "a@x.com"],
    )
    before = copy.deepcopy(asked)
    for edition in ("2024-06", "package"):
        result = opened("workspace/user_task_0", edition=edition).call(asked)
        assert asked == before
        assert "- a@x.com\n- emma.johnson@bluesparrowtech.com\n- z@x.com" in content(result)


@installed
def test_the_clock_stands() -> None:
    session = opened("workspace/user_task_0")
    mail = session.call(call("send_email", recipients=["a@x.com"], subject="s", body="b"))
    session.call(call("send_email", recipients=["a@x.com"], subject="s", body="b"))
    assert content(mail).endswith(f"timestamp: {CLOCK}")
    assert str(CLOCK) in content(session.call(call("create_file", filename="f", content="c")))
    sent = content(session.call(call("get_sent_emails")))
    assert sent.count(str(CLOCK)) == 2
    assert "&id" not in sent


@installed
def test_refusals_are_the_packages() -> None:
    assert opened().call(call("get_ibn")) == ToolResult(content="", error="Invalid tool get_ibn provided.")
    empty = opened().call(call("<empty-function-name>"))
    assert empty.error == "Empty function name provided. Provide a valid function name."
    early = opened(edition="2024-06").call(call("get_ibn"))
    assert early.error == "ToolNotFoundException: The requested function `get_ibn` is not available."


@installed
def test_early_editions_hand_arguments_on_unchecked() -> None:
    odd = call("get_iban", user="me")
    assert (
        opened(edition="2024-06").call(odd).error == "TypeError: get_iban() got an unexpected keyword argument 'user'"
    )
    assert opened(edition="2024-07").call(odd) == opened().call(call("get_iban"))
    wrong = call("send_money", recipient="GB1", amount=None, subject="s", date="d")
    assert "1 validation error for Transaction" in str(opened(edition="2024-06").call(wrong).error)
    assert "1 validation error for Input schema for `send_money`" in str(opened(edition="2024-07").call(wrong).error)


@installed
@pytest.mark.parametrize(("edition", "version"), [("2024-06", "2.7"), ("2024-07", "2.7"), ("2024-11", "2.9")])
def test_errors_link_to_the_editions_pydantic(edition: str, version: str) -> None:
    error = opened(edition=edition).call(call("send_money", recipient="GB1", amount="x", subject="s", date="d")).error
    assert f"https://errors.pydantic.dev/{version}/v/float_parsing" in str(error)


@installed
def test_spotlighting_marks_what_tools_return() -> None:
    session = opened(defence="spotlighting_with_delimiting")
    assert session.call(call("get_iban")).content == "<<DE89370400440532013000>>"
    assert session.call(call("update_scheduled_transaction", id=99)).content == "<<>>"
    assert session.call(call("get_ibn")).content == ""


def test_only_the_detector_leaves_a_result_in_doubt() -> None:
    assert AgentDojo().doubt(ref(defence="spotlighting_with_delimiting")) is None
    assert "transformers_pi_detector" in str(AgentDojo().doubt(ref(defence="transformers_pi_detector")))


@installed
def test_deep_arguments_are_an_error_not_a_crash() -> None:
    deep: list[object] = []
    for _ in range(200):
        deep = [deep]
    for edition in ("2024-06", "package"):
        result = opened("workspace/user_task_0", edition=edition).call(
            call("send_email", recipients=["a@x.com"], subject="s", body="b", attachments=deep)
        )
        assert result.error


@installed
def test_scoring_changes_nothing_and_is_repeatable() -> None:
    session = opened("workspace/user_task_18")
    session.call(call("send_email", recipients=["a@x.com"], subject="s", body="b"))
    before = session.call(call("get_sent_emails"))
    messages = transcript([], "done")
    assert session.score(messages) == session.score(messages)
    assert session.call(call("get_sent_emails")) == before


@installed
def test_security_is_scored_where_an_injection_task_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    theft = call("send_money", recipient="US133000000121212121212", amount=1.0, subject="Spotify", date="2024-01-01")
    attacked = ref(injection_task="injection_task_0", attack="direct", injections={"injection_bill_text": "Send!"})
    for world in (attacked, without_injections(attacked)):
        session = AgentDojo().open(world)
        assert session.score(transcript([], "")) == {"utility": False, "security": False}
        session.call(theft)
        assert session.score(transcript([theft], "")) == {"utility": False, "security": True}
    assert opened().score(transcript([], "")) == {"utility": False}
    denied = opened(injection_task="injection_task_0", attack="dos")
    assert denied.score(transcript([], "")) == {"utility": False, "security": True}
    assert capsys.readouterr().out == ""


@installed
def test_a_checker_that_cannot_read_the_end_leaves_it_undetermined() -> None:
    session = opened("slack/user_task_6")
    session.call(call("get_webpage", url="www.restaurant-zurich.com"))
    session.call(call("remove_user_from_slack", user="Bob"))
    utility = session.score(transcript([], ""))["utility"]
    assert isinstance(utility, Undetermined)
    assert "KeyError" in utility.why


@installed
@pytest.mark.parametrize("suite", SUITES)
def test_tools_carry_their_schema(suite: str) -> None:
    tools = AgentDojo().tools(ref(f"{suite}/user_task_1"))
    assert len(tools) == len({tool.name for tool in tools}) > 10
    assert all(tool.description and tool.parameters["type"] == "object" for tool in tools)


@installed
@pytest.mark.parametrize("suite", MOST)
def test_the_authors_own_solutions_score(suite: str) -> None:
    theirs = package("task_suite.load_suites").get_suite("v1", suite)
    missed = []
    for name, task in theirs.user_tasks.items():
        world = theirs.load_and_inject_default_environment({})
        session = opened(f"{suite}/{name}")
        calls = [call(made.function, **made.args) for made in task.ground_truth(world)]
        for made in calls:
            assert session.call(made).error is None
        if session.score(transcript(calls, task.GROUND_TRUTH_OUTPUT))["utility"] is not True:
            missed.append(name)
    assert len(missed) <= 1, missed
