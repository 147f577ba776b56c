import copy
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ifonly.agents.errors import InputError
from ifonly.agents.importers.base import Place
from ifonly.agents.importers.native_export import line_of
from ifonly.agents.importers.openinference import OpenInference, sources
from ifonly.agents.importers.openinference import trace as traces
from ifonly.agents.importers.openinference.attributes import tree_of
from ifonly.agents.importers.openinference.genai import ALIASES
from ifonly.agents.importers.openinference.kinds import kind_of
from ifonly.agents.importers.openinference.messages import Pool
from ifonly.agents.reading import find_run, read
from ifonly.agents.records import (
    InputStep,
    ModelStep,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    ToolStep,
    Usage,
    UserMessage,
)
from ifonly.cli import app

START = 1_700_000_000
SCHEMA = {"type": "function", "function": {"name": "find", "description": "Find it.", "parameters": {"a": 1}}}
FOUND = "Twelve results were found in the great index."


def flat(prefix, messages):
    """Messages as OpenInference flattens them."""
    out = {}
    for n, message in enumerate(messages):
        at = f"{prefix}.{n}.message"
        for key, value in message.items():
            if key == "tool_calls":
                for m, (name, arguments, key_of_call) in enumerate(value):
                    call = f"{at}.tool_calls.{m}.tool_call"
                    out |= {f"{call}.function.name": name, f"{call}.function.arguments": arguments}
                    out |= {} if key_of_call is None else {f"{call}.id": key_of_call}
            else:
                out[f"{at}.{key}"] = value
    return out


def llm(asked, said, **more):
    return {
        "openinference.span.kind": "LLM",
        "llm.model_name": "m-1",
        **flat("llm.input_messages", asked),
        **flat("llm.output_messages", [] if said is None else [{"role": "assistant", **said}]),
        **more,
    }


def tool(name, arguments, result, **more):
    told = {"openinference.span.kind": "TOOL", "tool.name": name, "input.value": json.dumps(arguments)}
    return told | ({} if result is None else {"output.value": result}) | more


def agent(**more):
    return {"openinference.span.kind": "AGENT", **more}


def chain(**more):
    return {"openinference.span.kind": "CHAIN", **more}


SYSTEM, USER = {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Find it."}
ASKS = {"role": "assistant", "content": "", "tool_calls": [("find", '{"q": "it"}', "c1")]}
SHOWN = {"role": "tool", "content": FOUND, "tool_call_id": "c1"}
DONE = {"content": "Done."}


def value_of(value):
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case list():
            return {"arrayValue": {"values": [value_of(item) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": [{"key": key, "value": value_of(item)} for key, item in value.items()]}}


def span(key, attributes, parent="", *, name="call", start=0.0, seconds=1.0, status=None, trace="t1"):
    nano = int((START + start) * 10**9)
    return {
        "traceId": trace,
        "spanId": key,
        "parentSpanId": parent,
        "name": name,
        "startTimeUnixNano": str(nano),
        "endTimeUnixNano": str(nano + int(seconds * 10**9)),
        "attributes": [{"key": k, "value": value_of(v)} for k, v in attributes.items()],
        "status": status or {"code": 1},
    }


def otlp(*spans, scope="openinference.instrumentation.openai", service="desk"):
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}


def nested(*spans, scope="openinference.instrumentation.smolagents", **more):
    """The same spans, each in the one that it ran in, as TRAIL has them."""
    plain = {
        one["spanId"]: {
            "timestamp": _iso(int(one["startTimeUnixNano"])),
            "span_id": one["spanId"],
            "parent_span_id": one["parentSpanId"] or None,
            "span_name": one["name"],
            "duration": f"PT{(int(one['endTimeUnixNano']) - int(one['startTimeUnixNano'])) / 10**9}S",
            "status_code": "Error" if one["status"].get("code") == 2 else "Ok",
            "status_message": one["status"].get("message", ""),
            "scope_name": scope,
            "service_name": "desk",
            "span_attributes": {pair["key"]: _plain(pair["value"]) for pair in one["attributes"]},
            "child_spans": [],
        }
        for one in spans
    }
    roots = []
    for one in plain.values():
        (plain[one["parent_span_id"]]["child_spans"] if one["parent_span_id"] in plain else roots).append(one)
    return {"trace_id": "t1", "spans": roots, **more}


def _iso(nano):
    return datetime.fromtimestamp(nano / 10**9, UTC).isoformat().replace("+00:00", "Z")


def _plain(value):
    kind, inner = next(iter(value.items()))
    return int(inner) if kind == "intValue" else inner


CHAT = (
    span("a", agent(**{"agent.name": "helper"}), name="run", seconds=9.0),
    span(
        "b",
        llm(
            [SYSTEM, USER],
            ASKS,
            **{
                "llm.invocation_parameters": '{"temperature": 0.5, "model": "m-1", "top_p": null}',
                "llm.token_count.prompt": 12,
                "llm.token_count.completion": 3,
                "llm.tools.0.tool.json_schema": json.dumps(SCHEMA),
            },
        ),
        "a",
        start=1.0,
        seconds=1.5,
    ),
    span("c", tool("find", {"q": "it"}, FOUND), "a", start=3.0, seconds=0.25),
    span("d", llm([SYSTEM, USER, ASKS, SHOWN], DONE), "a", start=4.0, seconds=2.0),
)


def parsed(record):
    return OpenInference().parse(record, Place(Path("runs.jsonl"), 7))


def step(run, site):
    return next(one for one in run.steps if one.site == site)


@pytest.mark.parametrize(
    "carrier", [otlp, lambda *spans: nested(*spans, scope="x"), lambda *spans: _flat(nested(*spans, scope="x"))]
)
def test_a_conversation_with_a_tool(carrier):
    run = parsed(carrier(*CHAT))
    assert (run.id, run.task, run.agent, run.model) == ("t1", "t1", "helper", "m-1")
    assert run.sites == ("system/0", "user/0", "helper/0", "find/0", "helper/1")
    assert [one.reads for one in run.steps] == [
        (),
        (),
        ("system/0", "user/0"),
        ("helper/0",),
        ("system/0", "user/0", "helper/0", "find/0"),
    ]
    first, used, last = run.steps[2:]
    assert (first.span, used.span, last.span) == ("b", "c", "d")
    assert (first.started, first.seconds) == (START + 1, 1.5)
    assert (used.started, used.seconds) == (START + 3, 0.25)
    assert first.usage == Usage(input_tokens=12, output_tokens=3)
    assert last.usage is None
    assert first.request.settings == {"temperature": 0.5}
    assert first.request.tools == (ToolSpec(name="find", description="Find it.", parameters={"a": 1}),)
    assert last.request.tools is None
    assert first.reply.tool_calls == (ToolCall(name="find", arguments={"q": "it"}, id="c1"),)
    assert used.call == first.reply.tool_calls[0]
    assert used.result.content == FOUND
    assert last.request.messages == run.messages[:-1]
    assert run.seconds == 9.0
    assert run.labels == {"service": "desk"}
    assert run.outcome.error is None


def _flat(record):
    """Every span beside the others."""
    found, waiting = [], list(record["spans"])
    while waiting:
        one = waiting.pop(0)
        waiting += one.pop("child_spans")
        found.append(one)
    return record | {"spans": found}


def test_such_a_run_can_be_asked(tmp_path):
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(otlp(*CHAT)))
    arguments = [
        "whatif",
        "t1",
        "--in",
        str(path),
        "--at",
        "helper/1",
        "--reply",
        "No.",
        "--continue",
        "hold",
        "--json",
    ]
    done = CliRunner().invoke(app, arguments)
    steps = {one["site"]: one for one in json.loads(done.stdout)["steps"]}
    assert steps["helper/1"]["counterfactual"] != steps["helper/1"]["factual"]
    assert steps["find/0"]["provenance"] == "recorded"


def test_messages_may_stand_once(tmp_path):
    record = nested(
        *CHAT, scope="x", messages={"s": SYSTEM, "u": USER, "a": {"role": "assistant", "content": ""}, "t": SHOWN}
    )
    root = record["spans"][0]
    for one, names in ((root["child_spans"][0], ["s", "u"]), (root["child_spans"][2], ["s", "u", "a", "t"])):
        told = one.pop("span_attributes")
        one["attributes"] = {k: v for k, v in told.items() if not k.startswith("llm.input_messages")}
        one["attributes"] |= {"llm.input_messages.sha": names, "llm.input_messages.count": len(names)}
    run = parsed(record)
    assert run.sites == ("system/0", "user/0", "helper/0", "find/0", "helper/1")
    assert run.steps[-1].request.messages[3] == ToolMessage(tool_call_id="c1", name="find", content=FOUND)
    root["child_spans"][0]["attributes"]["llm.input_messages.sha"] = ["gone"]
    with pytest.raises(InputError, match=r"spans\.0\.child_spans\.0\.llm\.input_messages\.sha: no message 'gone'"):
        parsed(record)


def test_calls_without_span_are_read_off_the_next_request():
    run = parsed(otlp(*(one for one in CHAT if one["spanId"] != "c")))
    assert run.sites == ("system/0", "user/0", "helper/0", "find/0", "helper/1")
    used = step(run, "find/0")
    assert (used.span, used.seconds, used.started) == (None, None, None)
    assert used.result.content == FOUND
    assert run.steps[-1].request.messages == run.messages[:-1]


def test_the_last_call_may_have_no_result():
    run = parsed(otlp(*CHAT[:2]))
    assert run.sites == ("system/0", "user/0", "helper/0")


def test_a_result_is_what_the_model_saw():
    seen = {**SHOWN, "content": "cut"}
    run = parsed(otlp(CHAT[0], CHAT[1], CHAT[2], span("d", llm([SYSTEM, USER, ASKS, seen], DONE), "a", start=4.0)))
    assert step(run, "find/0").result.content == "cut"


def test_a_tool_is_paired_by_id_then_by_arguments_then_by_name():
    calls = [("find", '{"q": 1}', "c1"), ("find", '{"q": 2}', "c2"), ("find", '{"q": 3}', "c3"), ("see", "", "c4")]
    asks = {"role": "assistant", "tool_calls": calls}
    spans = [
        span("b", llm([USER], asks)),
        span("c", tool("find", {}, "by name", **{"tool.id": "none"}), start=6.0),
        span("d", tool("find", {}, "by id", **{"tool.id": "c3"}), start=4.0),
        span("e", tool("find", {"q": 2}, "by arguments"), start=5.0),
        span("f", tool("other", {"z": 1}, "unasked", **{"tool.id": "c9"}), start=7.0),
    ]
    run = parsed(otlp(*spans))
    found = {one.call.id: (one.result.content, one.call.arguments) for one in run.steps if isinstance(one, ToolStep)}
    assert found == {
        "c1": ("by name", {"q": 1}),
        "c2": ("by arguments", {"q": 2}),
        "c3": ("by id", {"q": 3}),
        "c9": ("unasked", {"z": 1}),
    }
    assert step(run, "other/0").reads == ("agent/0",)


def test_an_id_with_two_results_shows_none():
    other = {**SHOWN, "content": "Another thing altogether."}
    spans = (
        *CHAT[:3],
        span("d", llm([SYSTEM, USER, ASKS, other], DONE), "a", start=4.0),
        span("e", llm([SHOWN], DONE), "a", start=5.0),
    )
    assert step(parsed(otlp(*spans)), "find/0").result.content == FOUND


def test_later_turns_of_the_user_read_what_was_said():
    again = [USER, {"role": "assistant", "content": "Which?"}, USER, {"role": "user", "content": "That."}]
    run = parsed(otlp(span("a", llm([USER], {"content": "Which?"})), span("b", llm(again, DONE), start=2.0)))
    assert run.sites == ("user/0", "agent/0", "user/1", "user/2", "agent/1")
    assert step(run, "user/1").reads == ("user/0", "agent/0")
    assert step(run, "user/1").message == step(run, "user/0").message
    assert step(run, "agent/1").reads == run.sites[:-1]
    assert run.steps[-1].request.messages == run.messages[:-1]


def test_content_in_parts_and_older_calls():
    parts = {
        "role": "user",
        "contents.0.message_content.type": "text",
        "contents.0.message_content.text": "Look.",
        "contents.1.message_content.type": "image",
        "contents.1.message_content.image.image.url": "data:x",
    }
    one = {"role": "human", "contents.0.message_content.type": "text", "contents.0.message_content.text": "Hm."}
    said = {"function_call_name": "f", "function_call_arguments_json": '{"a": 1}'}
    (first, second, model) = parsed(otlp(span("a", llm([parts, one], said)))).steps
    assert [part["type"] for part in first.message.content] == ["text", "image"]
    assert second.message == UserMessage(content="Hm.")
    assert model.reply.tool_calls == (ToolCall(name="f", arguments={"a": 1}),)


@pytest.mark.parametrize(
    ("told", "messages"),
    [
        ("Find it.", [UserMessage(content="Find it.")]),
        (
            json.dumps({"messages": [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "Find it."}]}]}),
            [SystemMessage(content="Be kind."), UserMessage(content="Find it.")],
        ),
    ],
)
def test_the_request_as_it_was_sent_stands_in_for_messages(told, messages):
    run = parsed(otlp(span("a", llm([], None, **{"input.value": told, "output.value": "Done."}))))
    assert list(run.steps[-1].request.messages) == messages
    assert run.steps[-1].reply.content == "Done."


def test_a_message_that_lost_its_role_is_the_assistants_if_it_repeats_a_reply():
    lost = [USER, {"content": "A plan of several words."}, {"content": "Observation: none."}]
    spans = (span("a", llm([USER], {"content": "A plan of several words."})), span("b", llm(lost, DONE), start=2.0))
    run = parsed(otlp(*spans))
    assert [message.role for message in run.steps[-1].request.messages] == ["user", "assistant", "user"]
    assert run.steps[-1].reads == ("user/0", "agent/0", "user/1")


def test_a_failed_call_of_a_model():
    failed = {"code": 2, "message": "RateLimitError: later"}
    run = parsed(otlp(span("a", llm([USER], None), status=failed), span("b", llm([USER], DONE), start=2.0)))
    assert (run.steps[1].error, run.steps[1].reply.content, run.steps[2].error) == ("RateLimitError: later", None, None)
    assert run.outcome.error == "RateLimitError: later"
    nameless = {key: value for key, value in llm([USER], None).items() if key != "llm.model_name"}
    late = parsed(otlp(span("a", llm([USER], DONE)), span("b", nameless, start=2.0, status=failed)))
    assert [one.request.model for one in late.steps if isinstance(one, ModelStep)] == ["m-1", "m-1"]
    silent = parsed(nested(span("a", llm([USER], None), status={"code": 2}), span("b", llm([USER], DONE), start=2.0)))
    assert silent.steps[1].error == "error"


def test_a_failed_tool():
    failed = {"code": "STATUS_CODE_ERROR", "message": "TypeError: no such argument was expected"}
    spans = (
        span("a", llm([USER], ASKS)),
        span("b", tool("find", {"q": "it"}, None), start=2.0, status=failed),
        span("c", llm([{"role": "user", "content": "Error:\nno such argument was expected. Retry."}], DONE), start=4.0),
    )
    run = parsed(otlp(*spans))
    assert step(run, "find/0").result.error == failed["message"]
    assert step(run, "agent/1").reads == ("find/0",)


# A manager that writes code, and an agent that it calls, as smolagents traces them.
TASK = "You're a helpful agent named 'scout'. Find the thing in the great index."
PLAN = "1. Ask the scout, who knows the great index."
CODE = "answer = scout(task='Find the thing')\nprint(answer)"
REPLY = f"Thought: ask the scout.\nCode:\n```py\n{CODE}\n```<end_code>"
REPORT = "The thing is on shelf 12, says the great index."
LOGS = f"Execution logs:\n{REPORT}\nLast output from code snippet:\nNone"
SMOL = (
    span("main", {}, name="main", seconds=60.0),
    span(
        "boss",
        agent(**{"smolagents.managed_agents.0.name": "scout", "smolagents.managed_agents.1.name": "clerk"}),
        "main",
        name="CodeAgent.run",
        start=1.0,
        seconds=50.0,
    ),
    span(
        "plan",
        llm([{"role": "user", "content": "Make a plan for finding the thing."}], {"content": PLAN}),
        "boss",
        start=2.0,
    ),
    span("s1", chain(**{"output.value": LOGS}), "boss", name="Step 1", start=4.0, seconds=30.0),
    span(
        "l1",
        llm([SYSTEM, {"role": "assistant", "content": f"[PLAN]:\n{PLAN}"}], {"content": REPLY}),
        "s1",
        start=4.0,
        seconds=2.0,
    ),
    span(
        "scout",
        agent(**{"input.value": json.dumps({"task": TASK, "stream": False}), "output.value": REPORT}),
        "s1",
        name="ToolCallingAgent.run",
        start=7.0,
        seconds=20.0,
    ),
    span("s2", chain(), "scout", name="Step 1", start=8.0, seconds=8.0),
    span(
        "l2",
        llm(
            [{"role": "user", "content": f"New task:\n{TASK}"}],
            {"tool_calls": [("find", '{"q": "thing"}', "call_0123456789abcdefghij")]},
        ),
        "s2",
        start=8.0,
    ),
    span(
        "t2",
        tool(
            "find",
            {"args": ["thing"], "kwargs": {"deep": True}, "sanitize_inputs_outputs": True},
            FOUND,
            **{"tool.parameters": '{"q": {}, "deep": {}}'},
        ),
        "s2",
        name="FindTool",
        start=10.0,
        seconds=3.0,
    ),
    span("x2", llm([{"role": "user", "content": "Condense the page."}], {"content": "Nothing."}), "t2", start=10.5),
    span("s3", chain(), "scout", name="Step 2", start=17.0, seconds=5.0),
    span(
        "l3",
        llm(
            [
                {"role": "tool-call", "content": "Calling tools: call_0123456789abcdefghij"},
                {"role": "tool-response", "content": f"Observation:\n{FOUND}"},
            ],
            {"tool_calls": [("final_answer", '{"answer": "12"}', "c9")]},
        ),
        "s3",
        start=17.0,
    ),
    span(
        "s4",
        chain(**{"output.value": "Execution logs: it is done, on shelf 12."}),
        "boss",
        name="Step 2",
        start=40.0,
        seconds=4.0,
        status={"code": 2, "message": "AgentExecutionError: forbidden"},
    ),
    span(
        "l4",
        llm([{"role": "tool-response", "content": f"Observation:\n{LOGS}"}], {"content": "No code here."}),
        "s4",
        start=40.0,
        seconds=1.0,
    ),
    span(
        "t4",
        tool("final_answer", {"args": ["12", "more"], "kwargs": {}}, None, **{"tool.parameters": '{"answer": {}}'}),
        "s4",
        start=42.0,
        seconds=0.5,
    ),
    span(
        "last",
        llm([{"role": "user", "content": f"You said {CODE!r}. Sum up."}], {"content": "12"}),
        "main",
        name="reformulate",
        start=55.0,
    ),
)


def test_agents_of_smolagents():
    run = parsed(nested(*SMOL, subset="GAIA", scores=[{"overall": 2, "why": "so"}]))
    assert run.sites == (
        "user/0",
        "agent.plan/0",
        "system/0",
        "agent/0",
        "user/1",
        "scout/0",
        "user/2",
        "find.model/0",
        "find/0",
        "scout/1",
        "tool:scout/0",
        "python_interpreter/0",
        "agent/1",
        "final_answer/0",
        "python_interpreter/1",
        "main/0",
    )
    reads = {one.site: one.reads for one in run.steps}
    assert reads["agent/0"] == ("agent.plan/0", "system/0")
    assert reads["user/1"] == ("agent/0",)
    assert reads["scout/0"] == ("user/1",)
    assert reads["find.model/0"] == ("user/2",)
    assert reads["find/0"] == ("scout/0", "find.model/0")
    assert reads["scout/1"] == ("scout/0", "find/0")
    assert reads["tool:scout/0"] == ("agent/0", "scout/0", "find.model/0", "find/0", "scout/1")
    assert reads["python_interpreter/0"] == ("agent/0", "scout/0", "find.model/0", "find/0", "scout/1", "tool:scout/0")
    assert set(reads["agent/1"]) == {"tool:scout/0", "python_interpreter/0"}
    assert reads["main/0"] == ("agent/0",)
    code, other = step(run, "python_interpreter/0"), step(run, "python_interpreter/1")
    assert code.call == ToolCall(name="python_interpreter", arguments={"code": CODE})
    assert (code.started, code.seconds, code.span, code.result.content) == (START + 6, 28.0, "s1", LOGS)
    assert (other.call.arguments, other.result.error) == ({}, "AgentExecutionError: forbidden")
    assert step(run, "tool:scout/0").call.arguments == {"task": TASK}
    assert step(run, "tool:scout/0").result.content == REPORT
    assert step(run, "find/0").call.arguments == {"q": "thing"}
    assert step(run, "final_answer/0").call.arguments == {"answer": "12", "args": ["more"]}
    assert (run.agent, run.labels, run.outcome.scores) == (
        "CodeAgent",
        {"service": "desk", "subset": "GAIA"},
        {"overall": 2.0},
    )
    assert run.seconds == 60.0
    assert json.loads(line_of(run))["ifonly"] == 3
    by_span = {one.span for one in run.steps if not isinstance(one, InputStep)}
    assert by_span == {"plan", "l1", "scout", "l2", "t2", "x2", "l3", "s1", "l4", "t4", "s4", "last"}


def test_smolagents_elsewhere_is_not_assumed():
    run = parsed(nested(*SMOL, scope="another"))
    assert not any(site.startswith(("python_interpreter", "tool:", "agent.plan")) for site in run.sites)


def test_code_is_not_executed_after_a_failed_or_a_tool_calling_reply():
    failed = span("l1", llm([USER], None), "s1", status={"code": 2, "message": "RateLimitError: later"})
    run = parsed(
        nested(span("s1", chain(), name="Step 1", seconds=2.0), failed, span("l2", llm([USER], DONE), start=4.0))
    )
    assert run.sites == ("user/0", "agent/0", "agent/1")


def test_an_llm_in_an_llm_is_the_same_call():
    outer, inner = span("a", llm([USER], DONE)), span("b", llm([USER], DONE), "a", start=0.1)
    assert parsed(otlp(outer, inner)).sites == ("user/0", "agent/0")


def test_spans_that_stand_twice(tmp_path):
    assert parsed(otlp(*CHAT, CHAT[3])) == parsed(otlp(*CHAT))
    with pytest.raises(InputError, match="'d', which another span has too"):
        parsed(otlp(*CHAT, span("d", llm([USER], DONE))))


GENAI = (
    span(
        "a",
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"},
        name="invoke_agent helper",
        seconds=9.0,
    ),
    span(
        "b",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "m-1",
            "gen_ai.request.temperature": 0.5,
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.completion_tokens": 3,
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be kind."}]),
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Find it."}]}]),
            "gen_ai.output.messages": json.dumps(
                [
                    {
                        "role": "assistant",
                        "parts": [{"type": "tool_call", "id": "c1", "name": "find", "arguments": {"q": "it"}}],
                    }
                ]
            ),
            "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "find", "parameters": {"a": 1}}]),
        },
        "a",
        start=1.0,
    ),
    span(
        "c",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "find",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.arguments": '{"q": "it"}',
            "gen_ai.tool.call.result": FOUND,
        },
        "a",
        start=3.0,
    ),
    span(
        "d",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "m-1",
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be kind."}]),
            "gen_ai.input.messages": json.dumps(
                [
                    {"role": "user", "parts": [{"type": "text", "content": "Find it."}]},
                    {
                        "role": "assistant",
                        "parts": [{"type": "tool_call", "id": "c1", "name": "find", "arguments": {"q": "it"}}],
                    },
                    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": {"n": 12}}]},
                ]
            ),
            "gen_ai.output.messages": json.dumps(
                [
                    {
                        "role": "assistant",
                        "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "Done."}],
                    }
                ]
            ),
        },
        "a",
        start=4.0,
    ),
)


def test_opentelemetrys_own_conventions():
    run = parsed(otlp(*GENAI, scope="opentelemetry.instrumentation.x"))
    assert run.sites == ("system/0", "user/0", "helper/0", "find/0", "helper/1")
    first, used, last = run.steps[2:]
    assert first.usage == Usage(input_tokens=12, output_tokens=3)
    assert first.request.settings == {"temperature": 0.5}
    assert first.request.tools == (ToolSpec(name="find", parameters={"a": 1}),)
    assert used.call == first.reply.tool_calls[0]
    assert used.result.content == [{"type": "json", "json": {"n": 12}}]
    assert last.reply.content == [{"type": "reasoning", "content": "hm"}, {"type": "text", "text": "Done."}]
    assert last.request.messages == run.messages[:-1]
    assert all(names for names in ALIASES.values())


def changed(spans, key, **attributes):
    """The spans, with other attributes in one of them; None takes one away."""
    spans = copy.deepcopy(list(spans))
    for one in spans:
        if one["spanId"] == key:
            kept = [pair for pair in one["attributes"] if pair["key"] not in attributes]
            one["attributes"] = kept + [
                {"key": k, "value": value_of(v)} for k, v in attributes.items() if v is not None
            ]
    return spans


def bare(spans, *starts):
    spans = copy.deepcopy(list(spans))
    for one in spans:
        one["attributes"] = [pair for pair in one["attributes"] if not pair["key"].startswith(starts)]
    return spans


@pytest.mark.parametrize(
    ("spans", "found", "fix"),
    [
        (
            bare(CHAT, "llm.input_messages"),
            "the messages of a model call were not captured",
            "OPENINFERENCE_HIDE_INPUT_MESSAGES",
        ),
        (bare(CHAT, "llm.output_messages"), "no reply of a model was captured", "OPENINFERENCE_HIDE_OUTPUTS"),
        (
            changed(CHAT, "b", **{"llm.input_messages.0.message.content": "__REDACTED__"}),
            "the messages of a model call were not captured",
            "OPENINFERENCE_HIDE_INPUT_TEXT",
        ),
        (
            changed(CHAT, "d", **{"llm.output_messages.0.message.content": "__REDACTED__"}),
            "the reply of a model call was not captured",
            "OPENINFERENCE_HIDE_OUTPUT_TEXT",
        ),
        (
            bare(GENAI, "gen_ai.input", "gen_ai.output", "gen_ai.system"),
            "the messages of a model call were not captured",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY",
        ),
        (bare(GENAI, "gen_ai.output"), "no reply of a model was captured", "gen_ai_latest_experimental"),
        ([span("a", {"traceloop.span.kind": "task"})], "the dialect of OpenLLMetry", "from 1.37 on"),
        ([span("a", {"ai.operationId": "ai.generateText"})], "the dialect of the Vercel AI SDK", "OpenInference"),
        ([span("a", {"gen_ai.system": "openai"})], "GenAI before version 1.37", "from 1.37 on"),
        ([span("a", {"http.method": "GET"})], "1 spans, none of a model call", "whole trace"),
        ([], "no span", "Export the trace again"),
        ([span("a", llm([USER], DONE), "b"), span("b", chain(), "a")], "a span that runs in itself", "circle"),
        ([*CHAT, span("z", chain(), trace="t2")], "a span of trace t2, after one of t1", "a line of JSONL"),
        ([span("", llm([USER], DONE))], "empty", "Export"),
    ],
)
def test_what_cannot_be_read_is_told(spans, found, fix):
    with pytest.raises(InputError) as told:
        parsed(otlp(*spans))
    assert found in told.value.found
    assert fix in told.value.fix
    assert str(told.value).startswith("runs.jsonl, record 7")


def set_in(record, path, value):
    *outer, last = path
    for key in outer:
        record = record[key]
    record[last] = value
    return record


SPANS = ("resourceSpans", 0, "scopeSpans", 0, "spans")


@pytest.mark.parametrize(
    ("path", "value", "field", "found"),
    [
        ((*SPANS, 1, "startTimeUnixNano"), "soon", "spans.1.startTimeUnixNano", "'soon', no time"),
        ((*SPANS, 1, "startTimeUnixNano"), -5, "spans.1.startTimeUnixNano", "-5, no time"),
        ((*SPANS, 1, "attributes", 0), {"value": {}}, "spans.1.attributes.0.key", "missing"),
        ((*SPANS, 1, "attributes", 0, "value"), {"stringValue": 3}, "spans.1.attributes.0.value", "no value of OTLP"),
        ((*SPANS, 1, "attributes", 0, "value"), {"bytesValue": "*"}, "spans.1.attributes.0.value", "no value of OTLP"),
        ((*SPANS, 1, "attributes", 0, "value"), "plain", "spans.1.attributes.0.value", "no value of OTLP"),
        ((*SPANS, 1, "name"), None, "spans.1.name", "null where text"),
        (("resourceSpans", 0, "scopeSpans"), {}, "resourceSpans.0.scopeSpans", "where a list is needed"),
    ],
)
def test_broken_otlp_is_named(path, value, field, found):
    record = otlp(*copy.deepcopy(CHAT))
    set_in(record, path, value)
    with pytest.raises(InputError) as told:
        parsed(record)
    assert field in str(told.value)
    assert found in told.value.found


@pytest.mark.parametrize(
    ("key", "attributes", "field", "found"),
    [
        ("b", {"llm.token_count.prompt": -1}, "llm.token_count.prompt", "-1 where a count"),
        ("b", {"llm.token_count.prompt": 0.5}, "llm.token_count.prompt", "0.5 where a count"),
        ("b", {"llm.token_count.prompt": "many"}, "llm.token_count.prompt", "'many' where a count"),
        ("b", {"llm.invocation_parameters": "{"}, "llm.invocation_parameters", "cut off"),
        ("b", {"llm.tools.0.tool.json_schema": "{}"}, "llm.tools.0", "a tool without name"),
        ("b", {"llm.input_messages.0.message.role": "narrator"}, "messages.0.role", "unknown role 'narrator'"),
        ("b", {"llm.input_messages.0.message.content": 3}, "content", "the number 3"),
        ("b", {"llm.input_messages.2": "x"}, "llm.input_messages.2.message", "where a message is needed"),
        (
            "b",
            {"llm.output_messages.0.message.tool_calls.0.tool_call.function.name": None},
            "tool_calls.0.function.name",
            "missing",
        ),
        (
            "b",
            {"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": "[1]"},
            "tool_calls.0.function.arguments",
            "a list of 1",
        ),
        (
            "b",
            {"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": "{"},
            "tool_calls.0.function.arguments",
            "cut off",
        ),
    ],
)
def test_broken_attributes_are_named(key, attributes, field, found):
    with pytest.raises(InputError) as told:
        parsed(otlp(*changed(CHAT, key, **attributes)))
    assert field in str(told.value)
    assert found in told.value.found


@pytest.mark.parametrize(
    ("attributes", "field", "found"),
    [
        ({"gen_ai.input.messages": "{}"}, "gen_ai.input.messages", "where a list of messages"),
        ({"gen_ai.input.messages": '[{"role": "user"}]'}, "gen_ai.input.messages.0.parts", "missing"),
        ({"gen_ai.output.messages": "["}, "gen_ai.output.messages", "cut off"),
    ],
)
def test_broken_attributes_of_opentelemetry_are_named(attributes, field, found):
    with pytest.raises(InputError) as told:
        parsed(otlp(*changed(GENAI, "b", **attributes)))
    assert field in str(told.value)
    assert found in told.value.found


@pytest.mark.parametrize(
    ("change", "field", "found"),
    [
        ({"timestamp": "yesterday"}, "spans.0.timestamp", "no time in ISO 8601"),
        ({"duration": "P"}, "spans.0.duration", "no duration in ISO 8601"),
        ({"duration": "5 s"}, "spans.0.duration", "no duration in ISO 8601"),
        ({"span_id": 3}, "spans.0.span_id", "the number 3"),
        ({"child_spans": [3]}, "spans.0.child_spans.0", "the number 3"),
    ],
)
def test_broken_nests_are_named(change, field, found):
    record = nested(*CHAT)
    record["spans"][0] |= change
    with pytest.raises(InputError) as told:
        parsed(record)
    assert field in str(told.value)
    assert found in told.value.found


def test_times_and_durations():
    record = nested(*CHAT)
    record["spans"][0] |= {"duration": "P1DT2H3M4.5S", "timestamp": "2025-03-19T16:32:08"}
    assert parsed(record).seconds == 86400 + 2 * 3600 + 3 * 60 + 4.5
    record["spans"][0] |= {"duration": None, "timestamp": None}
    run = parsed(record)
    assert run.seconds is None
    assert step(run, "find/0").seconds == 0.25


def test_typed_values():
    told = {"x": [1, True, 0.5, {"y": "z"}], "b": {"c": 1}}
    (raw,) = [span("a", llm([USER], DONE) | told)]
    raw["attributes"] += [{"key": "bytes", "value": {"bytesValue": "aGk="}}, {"key": "none", "value": {}}]
    found = traces.trace_of(otlp(raw), Place(Path("x"), 1)).spans["a"].tree
    assert found["x"] == [1, True, 0.5, {"y": "z"}]
    assert (found["b"], found["bytes"], found["none"]) == ({"c": 1}, "hi", None)


def test_dotted_names_make_a_tree():
    given = {"a.1.b": 1, "a.0.b": 2, "a.7.b": 3, "c": 4, "c.d": 5, "e.f": 6, "e": 7, "g": {"h": 1}, "g.i": 2}
    given["g.h2"] = {"x": {}}
    given["g.h2.x.y"] = 1
    kept = copy.deepcopy(given)
    tree = tree_of(given)
    assert tree["a"] == [{"b": 2}, {"b": 1}, {"b": 3}]
    assert tree["c"] == {"": 4, "d": 5}
    assert tree["e"] == {"f": 6, "": 7}
    assert tree["g"] == {"h": 1, "i": 2, "h2": {"x": {"y": 1}}}
    assert given == kept
    long = ".".join("a" * 1000)
    assert tree_of({long: 1}) == {long: 1}


def test_limits_against_abuse(monkeypatch):
    deep = [span(str(n), chain(), str(n - 1)) for n in range(traces.MAX_NESTING + 2)]
    with pytest.raises(InputError, match="spans in one another"):
        parsed(otlp(*deep, span("l", llm([USER], DONE))))
    monkeypatch.setattr(traces, "MAX_SPANS", 3)
    with pytest.raises(InputError, match="more than 3 spans"):
        parsed(otlp(*CHAT))
    monkeypatch.undo()
    monkeypatch.setattr(sources, "MAX_COMPARED", 10)
    with pytest.raises(InputError, match="more than 10 characters"):
        parsed(nested(*SMOL))


def test_equal_messages_are_one_object():
    run = parsed(otlp(*CHAT))
    first, last = (one.request.messages for one in run.steps if isinstance(one, ModelStep))
    assert first[0] is last[0]
    pool = Pool()
    assert pool.same(UserMessage(content="1")) is pool.same(UserMessage(content="1"))
    assert pool.same(UserMessage(content="1")) is not pool.same(SystemMessage(content="1"))


def test_kinds():
    place = Place(Path("x"), 1)
    told = {"a": {"openinference.span.kind": "llm"}, "b": {"gen_ai.operation.name": "embeddings"}, "c": {}}
    spans = traces.trace_of(otlp(*(span(key, value) for key, value in told.items())), place).spans
    assert [kind_of(one) for one in spans.values()] == ["LLM", None, None]


@pytest.mark.parametrize("record", [otlp(*CHAT), nested(*CHAT), nested(*SMOL), otlp(*GENAI)])
def test_runs_are_found_shown_and_kept(tmp_path, record):
    path = tmp_path / "traces.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(record).encode() + b"\n"))
    (run,) = read(path).trajectories
    assert find_run(path, "t1") == run
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes(line_of(run))
    assert read(kept).trajectories == (run,)


def test_a_trace_of_no_known_id_is_not_identified():
    importer, place = OpenInference(), Place(Path("x"), 1)
    assert importer.identify(otlp(*CHAT), place) == "t1"
    assert importer.identify({"resourceSpans": [{"scopeSpans": 3}, None]}, place) is None
    assert importer.identify({"trace_id": 3, "spans": []}, place) is None
    assert importer.identify([], place) is None
    assert importer.identify(set_id(["t1"]), place) is None
    with pytest.raises(InputError, match="trace_id: empty"):
        parsed(nested(*CHAT) | {"trace_id": ""})


def set_id(value):
    record = otlp(*copy.deepcopy(CHAT))
    set_in(record, (*SPANS, 0, "traceId"), value)
    return record


@pytest.mark.data
def test_all_real_traces_are_read_whole(data):
    reading = read(data / "trail_otel" / "traces.jsonl.gz")
    assert reading.problems == ()
    assert len(reading.trajectories) == 86
    calls = labels = 0
    with gzip.open(data / "trail_otel" / "traces.jsonl.gz") as file:
        for run, line in zip(reading.trajectories, file, strict=True):
            record = json.loads(line)
            spans = {one.span for one in run.steps if not isinstance(one, InputStep)}
            known = set(_spans_of(record))
            labels += sum(error["location"] in known for error in record["errors"])
            assert {error["location"] for error in record["errors"]} & known <= spans
            calls += sum(isinstance(one, ModelStep) for one in run.steps)
            seen = set()
            for one in run.steps:
                assert seen.issuperset(one.reads)
                seen.add(one.site)
                assert isinstance(one, InputStep) or (one.reads and one.started > 1.7e9 and one.seconds >= 0)
            assert len(seen) == len(run.steps)
            assert run.seconds > 0
    assert (calls, labels) == (922, 435)


def _spans_of(record):
    waiting = list(record["spans"])
    while waiting:
        one = waiting.pop()
        yield one["span_id"]
        waiting += one["child_spans"]


@pytest.mark.data
def test_untouched_originals_give_the_same_runs(data):
    originals = read(data / "trail_otel" / "raw")
    assert originals.problems == ()
    assert len(originals.trajectories) == 4
    for run in originals.trajectories:
        short = find_run(data / "trail_otel" / "traces.jsonl.gz", run.id)
        assert (short.steps, short.seconds, short.model) == (run.steps, run.seconds, run.model)
