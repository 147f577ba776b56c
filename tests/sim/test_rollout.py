import asyncio

import pytest

from ifonly.agents.actions import DropAction, PromptAction, ReplyAction, ResultAction
from ifonly.agents.canonical import canonical_json
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import ActionError, BudgetSpent, ProviderError
from ifonly.agents.records import (
    AssistantMessage,
    EnvironmentRef,
    ModelStep,
    Outcome,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolSpec,
    Trajectory,
    UserMessage,
)
from ifonly.agents.rerun import Rerun
from ifonly.agents.sites import steps_of
from ifonly.scenarios.scripted import ScriptedModel as Scripted
from ifonly.scm.intervals import clopper_pearson
from ifonly.sim.live import Counted, Fresh
from ifonly.sim.rollout import Effort, max_steps_of, rollouts
from ifonly.sim.twin import identical
from ifonly.sim.whatif_live import whatif_live

LOOK = ToolSpec(name="look")
REF = EnvironmentRef(name="lamp", version="1", task="t")
GOOD, BAD = AssistantMessage(content="good"), AssistantMessage(content="bad")


def look(number):
    return AssistantMessage(tool_calls=(ToolCall(name="look", arguments={}, id=f"c{number}"),))


class Lamps:
    """The lamp is bright at the first look and dim afterwards."""

    executes = True

    def logs(self, call):
        return False

    def doubt(self, ref):
        return None

    def start(self, ref):
        return canonical_json(ref.model_dump())

    def tools(self, ref):
        return (LOOK,)

    def open(self, ref):
        return _Lamp()


class _Lamp:
    def __init__(self):
        self.looks = 0

    def call(self, call):
        self.looks += 1
        if call.name != "look":
            return Undetermined(why=f"there is no {call.name}")
        return ToolResult(content="bright" if self.looks == 1 else "dim")

    def score(self, messages):
        said = messages[-1]
        return {"utility": isinstance(said, AssistantMessage) and said.content == "good"}


def recorded(*replies, system="Look once.", utility):
    """The run in which the agent gave these replies."""
    messages, lamp = [SystemMessage(content=system), UserMessage(content="Is the lamp good?")], _Lamp()
    for reply in replies:
        messages.append(reply)
        messages += [
            ToolMessage(tool_call_id=call.id, name=call.name, content=lamp.call(call).content)
            for call in reply.tool_calls
        ]
    frame = Request(model="m", messages=(), tools=(LOOK,), settings={"temperature": 1.0})
    return Trajectory(
        id="lamp/0",
        task="t",
        agent="agent",
        model="m",
        steps=steps_of(messages, frame),
        outcome=Outcome(scores={"utility": utility}),
        environment=REF,
    )


RUN = recorded(look(0), BAD, utility=False)
PROMPT = PromptAction(site="system/0", content="Look well.")
DARK = ResultAction(site="look/0", content="dark")


def law(request):
    """Looks first; then says good with .9 under the other prompt, .3 under this one, .6 where it is dark."""
    looked = [m for m in request.messages if m.role == "tool"]
    if not looked:
        return [(look(0), 1.0)]
    p = 0.6 if looked[-1].content == "dark" else 0.9 if "well" in request.messages[0].content else 0.3
    return [(GOOD, p), (BAD, 1 - p)]


def ask(actions, *, model=None, effort=None, run=RUN, seed=0):
    counted = Counted(model or Scripted(law))
    return whatif_live(run, actions, Fresh(counted, seed), counted, seed=seed, effort=effort, environment=Lamps())


def test_the_recorded_run_is_its_own_twin():
    assert identical(RUN, Rerun(Lamps()))


def test_where_the_recording_settles_all_nothing_is_asked():
    model = Scripted(law)
    answer = ask([], model=model).answer
    assert (model.asked, answer.calls, answer.live, answer.verdict) == ([], 0, None, "answered")
    assert answer.outcomes["utility"].counterfactual.identified == "exact"


def test_the_prefix_is_never_asked_again():
    model = Scripted(law)
    answer = ask([DARK], model=model, effort=Effort(particles=10)).answer
    assert answer.live.site == "agent/1"
    assert {len(request.messages) for request in model.asked} == {4}
    assert answer.calls == len(model.asked) == 20
    assert answer.cost == pytest.approx(0.2)
    assert {step.site: str(step.provenance) for step in answer.steps} == {
        "system/0": "recorded",
        "user/0": "recorded",
        "agent/0": "recorded",
        "look/0": "put",
        "agent/1": "live",
    }


def test_effect_and_control_are_those_of_the_law():
    """Changed .9, control .3, by 200 particles; each mean is off by .12 with probability below 1e-3 (fixed seed)."""
    answer = ask([PROMPT], effort=Effort(particles=200, workers=50)).answer
    utility = answer.outcomes["utility"]
    assert utility.counterfactual.value == pytest.approx(0.9, abs=0.12)
    assert utility.control.value == pytest.approx(0.3, abs=0.12)
    assert utility.change.value == pytest.approx(utility.counterfactual.value - utility.control.value)
    assert utility.change.low <= 0.6 <= utility.change.high
    assert (utility.change.rung, utility.change.identified) == ("interventional", "point")
    successes = round(200 * utility.counterfactual.value)
    assert (utility.counterfactual.low, utility.counterfactual.high) == clopper_pearson(successes, 200)


def test_no_effect_is_found_where_there_is_none():
    """The control shares seeds: where the action moves nothing the model sees, every pair is equal."""
    same = ReplyAction(site="agent/1", content="bad")
    assert ask([same]).answer.calls == 0
    deaf = Scripted(lambda request: [(GOOD, 0.5), (BAD, 0.5)] if len(request.messages) > 2 else [(look(0), 1.0)])
    change = ask([DARK], model=deaf, effort=Effort(particles=100)).answer.outcomes["utility"].change
    assert change.low < 0 < change.high


def test_particles_are_runs_of_their_own_which_lift():
    live = ask([PROMPT], effort=Effort(particles=3, workers=2))
    assert [run.id for run in live.changed] == ["lamp/0~live/0", "lamp/0~live/1", "lamp/0~live/2"]
    assert len(live.control) == 3
    for run in (*live.changed, *live.control):
        assert identical(run, Rerun(Lamps()))
    (first, *_) = (step for step in live.changed[0].steps if isinstance(step, ModelStep))
    assert (first.cost, first.usage.output_tokens) == (0.01, 2)


def test_same_seed_same_answer_whatever_the_workers():
    answers = [ask([PROMPT], effort=Effort(particles=12, workers=w), seed=5).answer for w in (1, 4, 24)]
    shown = [a.model_copy(update={"live": None}).model_dump_json() for a in answers]
    assert shown[0] == shown[1] == shown[2]
    other = ask([PROMPT], effort=Effort(particles=12), seed=6).answer
    assert other.model_copy(update={"live": None}).model_dump_json() != shown[0]


def test_an_agent_that_never_stops_is_stopped_as_its_harness_would():
    endless = Scripted(lambda request: [(look(len(request.messages)), 1.0)])
    answer = ask([PROMPT], model=endless, effort=Effort(particles=2, max_steps=4)).answer
    assert answer.calls == 2 * 2 * 4
    assert answer.outcomes["utility"].counterfactual.value == 0
    assert max_steps_of(RUN) == 10
    assert max_steps_of(RUN.model_copy(update={"labels": {"max_steps": "7"}})) == 7


def test_stops_early_when_narrow_enough():
    sure = Scripted(lambda request: [(GOOD if len(request.messages) > 2 else look(0), 1.0)])
    answer = ask([PROMPT], model=sure, effort=Effort(particles=200, workers=20, width=0.5)).answer
    assert answer.live.particles < 200
    assert "narrow enough" in answer.live.stopped
    change = answer.outcomes["utility"].change
    assert change.high - change.low <= 0.5


class Failing:
    """Fails at the requests after so many."""

    def __init__(self, after, error):
        self.model, self.after, self.error = Scripted(law), after, error

    async def complete(self, request):
        await asyncio.sleep(0)
        if len(self.model.asked) >= self.after:
            raise self.error
        return await self.model.complete(request)


SPENT = BudgetSpent("a call", "the budget is spent", "Give more.")
DOWN = ProviderError("a call", "refused", "Start the server.")


def test_spent_budget_leaves_whole_batches():
    answer = ask([PROMPT], model=Failing(19, SPENT), effort=Effort(particles=40, workers=4)).answer
    assert answer.live.particles == answer.live.control == 4
    assert answer.live.stopped == "the budget was spent after 4 particles"
    assert answer.verdict == "answered"


@pytest.mark.parametrize("error", [SPENT, DOWN])
def test_nothing_at_all_is_an_error(error):
    with pytest.raises(type(error)):
        ask([PROMPT], model=Failing(0, error))


def test_a_budget_spent_on_failures_does_not_hide_them():
    class Refusing(Failing):
        async def complete(self, request):
            self.after += 1
            self.error = DOWN if self.after <= 3 else SPENT
            raise self.error

    with pytest.raises(ProviderError):
        ask([PROMPT], model=Refusing(0, DOWN), effort=Effort(particles=20, workers=8))


def test_a_reply_that_could_not_be_had_widens_to_bounds():
    class Flaky(Scripted):
        async def complete(self, request):
            reply = await super().complete(request)
            if reply.reply == BAD:
                raise DOWN
            return reply

    answer = ask([DARK], model=Flaky(law), effort=Effort(particles=30), seed=1).answer
    estimate = answer.outcomes["utility"].counterfactual
    assert (estimate.value, estimate.identified, estimate.level) == (None, "bounds", 0.95)
    assert estimate.low < 0.6 < estimate.high == 1.0
    assert answer.live.failed > 0
    assert answer.verdict == "partly answered"
    assert any("refused" in reason for reason in answer.reasons)


def test_a_tool_that_cannot_be_executed_is_not_guessed():
    odd = Scripted(
        lambda request: [
            (
                look(0).model_copy(update={"tool_calls": (look(0).tool_calls[0].model_copy(update={"name": "sell"}),)}),
                1.0,
            )
        ]
    )
    answer = ask([PROMPT], model=odd, effort=Effort(particles=4)).answer
    assert answer.verdict == "undetermined"
    assert "no sell" in answer.reasons[0]


def test_dropping_what_is_never_reached_is_an_error():
    with pytest.raises(ActionError):
        ask([ReplyAction(site="agent/0", content="good"), DropAction(site="look/0")])


def test_rollouts_tell_progress():
    told = []
    counted = Counted(Scripted(law))
    asyncio.run(
        rollouts(
            RUN,
            [PROMPT],
            Fresh(counted),
            Rerun(Lamps()),
            Effort(particles=5, workers=4),
            progress=lambda done, of: told.append((done, of)),
        )
    )
    assert told == [(2, 5), (4, 5), (5, 5)]
