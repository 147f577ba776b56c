"""The twin of an unchanged run is the run, byte for byte, and no step is answered by anything but its own noise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.agents.actions import CallAction, DropAction, ReplyAction, ResultAction
from ifonly.agents.corpus import Corpus
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import ActionError
from ifonly.agents.records import (
    AssistantMessage,
    EnvironmentRef,
    InputStep,
    ModelStep,
    Outcome,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolStep,
    Trajectory,
    Usage,
    UserMessage,
)
from ifonly.agents.rerun import Rerun
from ifonly.agents.sites import steps_of
from ifonly.scenarios.inbox import Inbox, sample
from ifonly.sim.continuations import Bounds, FromCorpus, Hold
from ifonly.sim.twin import identical, twin
from ifonly.sim.whatif import whatif

FRAME = Request(model="m", messages=())


class Echo:
    """An environment whose tools are pure functions of the history, or that knows nothing at all."""

    executes = True

    def logs(self, call):
        return False

    def __init__(self, knows: bool = True, doubts: str | None = None) -> None:
        self.knows, self.doubts = knows, doubts

    def doubt(self, ref):
        return self.doubts

    def start(self, ref):
        return str(ref.settings)

    def open(self, ref):
        return self._Session(self.knows)

    def tools(self, ref):
        return ()

    class _Session:
        def __init__(self, knows):
            self.knows, self.made = knows, []

        def call(self, call):
            self.made.append(call.name)
            return ToolResult(content="+".join(self.made)) if self.knows else Undetermined(why="no log")

        def score(self, messages):
            return {"calls": float(len(self.made))} if self.knows else {"calls": Undetermined(why="no judge")}


def run_of(messages, scores=None, name="r", pending=False):
    ref = EnvironmentRef(name="echo", version="1", task="t")
    steps = steps_of(messages, FRAME, pending=pending)
    return Trajectory(
        id=name, task="t", agent="a", model="m", steps=steps, outcome=Outcome(scores=scores or {}), environment=ref
    )


texts = st.text(max_size=5)
arguments = st.dictionaries(st.sampled_from("xy"), st.none() | st.booleans() | st.integers() | texts, max_size=2)


@st.composite
def conversations(draw):
    """Any conversation with dialogue, parallel calls, repeated prompts, missing ids, odd text, recorded noise."""
    messages = [SystemMessage(content=draw(texts))] if draw(st.booleans()) else []
    messages.append(UserMessage(content=draw(texts)))
    for turn in range(draw(st.integers(0, 5))):
        names = draw(st.lists(st.sampled_from(["search", "send", "agent"]), max_size=3))
        with_ids = draw(st.booleans())
        calls = tuple(
            ToolCall(name=name, arguments=draw(arguments), id=f"{turn}.{i}" if with_ids else None)
            for i, name in enumerate(names)
        )
        messages.append(AssistantMessage(content=draw(st.none() | texts), tool_calls=calls))
        order = draw(st.permutations(calls)) if with_ids else calls
        for call in order:
            error = draw(st.none() | texts)
            messages.append(ToolMessage(tool_call_id=call.id, name=call.name, content=draw(texts), error=error))
        if draw(st.booleans()):
            messages.append(messages[0] if draw(st.booleans()) else UserMessage(content=draw(texts)))
    if draw(st.booleans()):
        messages.append(AssistantMessage(tool_calls=(ToolCall(name="search", arguments={}),)))
    return messages


@settings(max_examples=60, deadline=None)
@given(conversations(), st.booleans(), st.dictionaries(st.sampled_from("uv"), st.booleans() | st.floats(0, 1)))
def test_the_twin_of_any_run_is_the_run(messages, knows, scores):
    run = run_of(messages, scores, pending=True)
    assert identical(run, Rerun(Echo(knows)))


@settings(max_examples=60, deadline=None)
@given(conversations(), st.data())
def test_putting_the_recorded_value_changes_nothing(messages, data):
    run = run_of(messages, {"calls": 1.0}, pending=True)
    acting = [step for step in run.steps if not isinstance(step, InputStep)]
    if not acting:
        return
    step = data.draw(st.sampled_from(acting))
    if isinstance(step, ModelStep):
        action = ReplyAction(site=step.site, content=step.reply.content, tool_calls=step.reply.tool_calls)
    else:
        action = ResultAction(site=step.site, content=step.result.content, error=step.result.error)
    continuation = data.draw(st.sampled_from([Hold(), Bounds(), FromCorpus(Corpus([]))]))
    answer = whatif(run, [action], continuation=continuation, environment=Echo())
    assert answer.first_divergence is None
    assert answer.outcomes["calls"].change.value == 0


def test_what_was_measured_beside_a_step_survives_in_the_twin():
    run = sample(1, seed=5)[0]
    steps = [
        s.model_copy(update={"usage": Usage(input_tokens=3, output_tokens=4)}) if s.kind == "model" else s
        for s in run.steps
    ]
    run = run.model_copy(update={"steps": tuple(steps)})
    assert twin(run, Rerun(Inbox())) == run


def test_a_result_that_does_not_reproduce_is_noise_of_its_tool():
    call = ToolCall(name="search", arguments={}, id="1")
    run = run_of(
        [
            UserMessage(content="hi"),
            AssistantMessage(tool_calls=(call,)),
            ToolMessage(tool_call_id="1", name="search", content="at 12:31"),
            AssistantMessage(content="done"),
        ],
        {"calls": 7.0},
    )
    answer = whatif(run, [], continuation=Bounds(), environment=Echo())
    assert any("search/0 does not re-execute" in line for line in answer.assumes)
    assert any("judge gives calls = 1.0" in line for line in answer.assumes)
    assert identical(run, Rerun(Echo()))


def test_a_later_user_turn_is_drawn_from_runs_with_the_same_conversation():
    def talk(name, *turns, score=0.0):
        messages = [UserMessage(content="hi")]
        for reply, user in turns:
            messages += [AssistantMessage(content=reply), *([UserMessage(content=user)] if user else [])]
        return run_of(messages, {"happy": score}, name)

    asked = talk("asked", ("no", "please"), ("no", "bye"))
    others = [
        talk("a", ("yes", "thanks"), ("welcome", "bye"), score=1.0),
        talk("b", ("yes", "thanks"), ("welcome", None), score=1.0),
        talk("c", ("yes", "too late"), ("sorry", None), score=0.0),
    ]
    continuation = FromCorpus(Corpus(others))
    answer = whatif(
        asked, [ReplyAction(site="agent/0", content="yes")], continuation=continuation, environment=Echo(False)
    )
    assert answer.verdict == "answered"
    assert answer.paths == 3
    assert answer.outcomes["happy"].counterfactual.value == pytest.approx(2 / 3)
    assert answer.outcomes["happy"].counterfactual.effective == pytest.approx(3)


def test_tool_results_of_runs_with_the_same_conversation_serve_where_nothing_executes():
    def use(name, query, result, score):
        call = ToolCall(name="search", arguments={"q": query}, id=name)
        return run_of(
            [
                UserMessage(content="hi"),
                AssistantMessage(tool_calls=(call,)),
                ToolMessage(tool_call_id=name, name="search", content=result),
                AssistantMessage(content=f"found {result}"),
            ],
            {"found": score},
            name,
        )

    asked, other = use("asked", "old", "nothing", 0.0), use("other", "new", "gold", 1.0)
    swap = ReplyAction(site="agent/0", tool_calls=other.steps[1].reply.tool_calls)
    answer = whatif(asked, [swap], continuation=FromCorpus(Corpus([other])), environment=Echo(False))
    assert answer.outcomes["found"].counterfactual.value == 1
    assert {step.site: step.source for step in answer.steps}["search/0"] == "other#search/0"


def test_a_result_that_a_filter_may_have_changed_is_known_only_where_it_was_recorded():
    call = ToolCall(name="search", arguments={}, id="1")
    said = [AssistantMessage(tool_calls=(call,)), ToolMessage(tool_call_id="1", name="search", content="withheld")]
    run = run_of([UserMessage(content="hi"), *said, AssistantMessage(content="done")], {"calls": 1.0})
    environment = Echo(doubts="a filter may have withheld it")
    assert identical(run, Rerun(environment))
    other = CallAction(site="search/0", tool="send")
    answer = whatif(run, [other], continuation=Bounds(), environment=environment)
    assert answer.verdict == "undetermined"
    assert answer.reasons == ("a filter may have withheld it",)


def test_a_held_world_that_stops_early_says_so():
    call = ToolCall(name="search", arguments={}, id="1")
    said = [AssistantMessage(tool_calls=(call,)), ToolMessage(tool_call_id="1", name="search", content="found")]
    run = run_of([UserMessage(content="hi"), *said, AssistantMessage(content="done")], {"calls": 1.0})
    run = run.model_copy(update={"environment": None})
    answer = whatif(run, [CallAction(site="search/0", tool="search", arguments={"q": 1})], continuation=Hold())
    assert answer.verdict == "undetermined"
    assert "never called with these arguments" in answer.reasons[0]


def test_scores_drawn_from_runs_with_the_same_conversation_are_no_exact_answer():
    def end(name, reply, score):
        return run_of([UserMessage(content="hi"), AssistantMessage(content=reply)], {"liked": score}, name)

    asked, others = end("asked", "no", 0.0), [end("a", "yes", 1.0), end("b", "yes", 1.0), end("c", "yes", 0.0)]
    reply = ReplyAction(site="agent/0", content="yes")
    answer = whatif(asked, [reply], continuation=FromCorpus(Corpus(others)), environment=Echo(False))
    liked = answer.outcomes["liked"].counterfactual
    assert (liked.identified, liked.effective) == ("point", pytest.approx(3))
    assert liked.value == pytest.approx(2 / 3)


def test_results_are_taken_only_from_runs_that_started_in_the_same_state():
    def use(name, query, result, world):
        call = ToolCall(name="search", arguments={"q": query}, id=name)
        said = [AssistantMessage(tool_calls=(call,)), ToolMessage(tool_call_id=name, name="search", content=result)]
        run = run_of([UserMessage(content="hi"), *said, AssistantMessage(content="done")], {"found": 1.0}, name)
        ref = run.environment.model_copy(update={"settings": {"injections": world}})
        return run.model_copy(update={"environment": ref})

    asked, alike, other = use("asked", "a", "x", "clean"), use("b", "b", "y", "clean"), use("c", "b", "z", "attacked")
    swap = ReplyAction(site="agent/0", tool_calls=alike.steps[1].reply.tool_calls)

    def ask(*runs):
        return whatif(asked, [swap], continuation=FromCorpus(Corpus(runs)), environment=Echo(False))

    assert {step.site: step.source for step in ask(alike, other).steps}["search/0"] == "b#search/0"
    assert ask(alike, other).verdict == "answered"
    assert ask(other).verdict == "undetermined"


def test_a_prompt_repeated_by_the_harness_is_repeated_in_the_changed_world():
    call = ToolCall(name="search", arguments={}, id="1")
    ask = UserMessage(content="find it")

    def run(name, result, reply):
        tool = ToolMessage(tool_call_id="1", name="search", content=result)
        return run_of([ask, AssistantMessage(tool_calls=(call,)), tool, ask, AssistantMessage(content=reply)], {}, name)

    asked, other = run("asked", "search", "old"), run("other", "changed", "new")
    put = ResultAction(site="search/0", content="changed")
    answer = whatif(asked, [put], continuation=FromCorpus(Corpus([other])), environment=Echo())
    assert [step.site for step in answer.steps] == ["user/0", "agent/0", "search/0", "user/1", "agent/1"]
    assert answer.steps[-1].counterfactual.content == "new"


@pytest.mark.parametrize("run", sample(10, seed=4), ids=lambda run: run.id)
def test_reads_are_the_parents_in_the_lifted_graph(run):
    for step in run.steps:
        if isinstance(step, ToolStep):
            caller = next(s for s in run.steps if s.site == step.reads[0])
            assert step.call in caller.reply.tool_calls
        if isinstance(step, ModelStep):
            assert len(step.reads) == len(step.request.messages)


def test_a_run_of_several_conversations_is_refused():
    run = run_of([UserMessage(content="hi"), AssistantMessage(content="a")], {})
    own = FRAME.model_copy(update={"messages": (UserMessage(content="of its own"),)})
    alone = run.steps[1].model_copy(update={"request": own})
    with pytest.raises(ActionError, match="agent/0 was not asked with the 1 messages before it"):
        whatif(run.model_copy(update={"steps": (run.steps[0], alone)}), [], environment=Echo())


@settings(max_examples=60, deadline=None)
@given(conversations(), st.data())
def test_what_came_before_the_action_stays_and_every_site_is_shown_once(messages, data):
    run = run_of(messages, {"calls": 1.0}, pending=True)
    acting = [step for step in run.steps if isinstance(step, ToolStep)]
    if not acting:
        return
    step = data.draw(st.sampled_from(acting))
    put = ResultAction(site=step.site, content="something else")
    other = CallAction(site=step.site, tool="send", arguments={"new": True})
    action = data.draw(st.sampled_from([put, other, DropAction(site=step.site)]))
    continuation = data.draw(st.sampled_from([Hold(), Bounds(), FromCorpus(Corpus([run]))]))
    answer = whatif(run, [action], continuation=continuation, environment=Echo())
    shown = [step.site for step in answer.steps]
    assert len(set(shown)) == len(shown)
    assert set(run.sites) <= set(shown)
    caller = run.sites.index(step.reads[0])
    before = [(row.site, row.factual, row.counterfactual) for row in answer.steps[:caller]]
    assert before == [(site, message, message) for site, message in zip(run.sites, run.messages, strict=True)][:caller]
    if isinstance(continuation, Hold):
        assert answer.verdict == "answered"
