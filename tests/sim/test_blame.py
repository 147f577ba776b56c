"""Blame, on small worlds whose truth is plain, by its laws, and on real attacks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.agents.actions import CallAction, DropAction
from ifonly.agents.corpus import Corpus
from ifonly.agents.errors import ActionError
from ifonly.agents.reading import read
from ifonly.agents.records import (
    AssistantMessage,
    EnvironmentRef,
    Outcome,
    Request,
    TokenLogprob,
    ToolCall,
    ToolResult,
    ToolSpec,
    Trajectory,
    UserMessage,
    tool_message,
)
from ifonly.agents.sites import steps_of
from ifonly.scenarios.inbox import POLICIES, Inbox, sample
from ifonly.sim.blame import Failure, blame, failure_of, parse_failure, summarise_blame
from ifonly.sim.blame.aggregate import NOBODY, cause_of
from ifonly.sim.blame.held import HeldRun
from ifonly.sim.continuations import Hold
from ifonly.sim.whatif import whatif

REF = EnvironmentRef(name="shed", version="1", task="bottle")


@dataclass
class _Shed:
    """A shed with a bottle in it. The run is fine while the bottle is whole and what was ordered was fetched."""

    judge: object
    made: list[str] = field(default_factory=list)
    broken_by: str | None = None

    def call(self, call):
        self.made.append(call.name)
        if call.name.startswith("throw"):
            if self.broken_by:
                return ToolResult(content="missed: the bottle was gone")
            self.broken_by = call.name
            return ToolResult(content="hit")
        return ToolResult(content=f"{call.name} {call.arguments.get('what', '')}".strip())

    def score(self, messages):
        said = self.judge(self, messages)
        return {"ok": said if isinstance(said, float) else bool(said)}


class Shed:
    """The environment; `judge` says of session and messages whether all is well."""

    executes = True

    def __init__(self, judge):
        self.judge = judge

    def logs(self, call):
        return False

    def doubt(self, ref):
        return None

    def start(self, ref):
        return "shed"

    def open(self, ref):
        return _Shed(self.judge)

    def tools(self, ref):
        return (ToolSpec(name="look"),)


def unless(*names):
    """All is well unless one of these was called."""
    return Shed(lambda shed, _: not set(names) & set(shed.made))


def record(environment, turns, *, id="run", model="small", results=None, task="bottle", ok=None):
    """A run that makes these turns: a list of calls (name, or name and arguments) each, or a text."""
    session, messages = environment.open(REF), [UserMessage(content="Tidy the shed.")]
    for number, turn in enumerate(turns):
        if isinstance(turn, str):
            messages.append(AssistantMessage(content=turn))
            continue
        pairs = [(one, {}) if isinstance(one, str) else one for one in turn]
        calls = [ToolCall(name=n, arguments=a, id=f"c{number}.{i}") for i, (n, a) in enumerate(pairs)]
        messages.append(AssistantMessage(tool_calls=tuple(calls)))
        for call in calls:
            result = session.call(call)
            shown = (results or {}).get(call.name)
            messages.append(tool_message(call, ToolResult(content=shown) if shown else result))
    scores = dict(session.score(messages)) if ok is None else {"ok": ok}
    return Trajectory(
        id=id,
        task=task,
        agent="keeper",
        model=model,
        steps=steps_of(messages, Request(model=model, messages=(), toolset="shed")),
        outcome=Outcome(scores=scores),
        environment=REF,
    )


def shares(answer):
    return {row.site: row.shapley.value for row in answer.steps if row.shapley}


def row(answer, site, part="call"):
    return next(one for one in answer.steps if (one.site, one.part) == (site, part))


def test_one_guilty_call():
    shed = unless("burn")
    answer = blame(record(shed, [["look"], ["burn"], ["sweep"], "Done."]), environment=shed)
    assert (answer.verdict, answer.flip_set, answer.earliest, answer.latest) == (
        "blamed",
        *[("burn/0",)],
        *["burn/0"] * 2,
    )
    assert answer.ranked[0] == "burn/0"
    assert shares(answer) == {"look/0": 0, "burn/0": 1, "sweep/0": 0}
    guilty = row(answer, "burn/0")
    assert guilty.necessity.identified == guilty.interventional.identified == "exact"
    assert guilty.necessity.value == guilty.interventional.value == guilty.counterfactual.value == 1
    assert (guilty.interventional.rung, guilty.counterfactual.rung) == ("interventional", "counterfactual")
    assert row(answer, "look/0").necessity.value == 0
    assert [one.actions for one in answer.fixes] == [(DropAction(site="burn/0"),)]
    assert (answer.fixes[0].necessity.value, answer.fixes[0].cost, answer.calls) == (1, 0, 0)
    assert answer.rollup == {"tool": {"look": 0, "burn": 1, "sweep": 0}, "model": {"small": 1}, "agent": {"agent": 1}}
    assert [(one.sites, one.kind) for one in answer.joint] == [(("burn/0",), "but-for")]
    assert row(answer, "agent/1", "reply").made == 1
    assert answer.baselines.last_step == "agent/3"


def test_two_calls_overdetermine():
    shed = unless("burn", "flood")
    run = record(shed, [["burn"], ["flood"], "Done."])
    answer = blame(run, environment=shed)
    assert answer.flip_set == ()
    assert {row(answer, site).flips for site in ("burn/0", "flood/0")} == {"jointly"}
    assert shares(answer) == {"burn/0": 0.5, "flood/0": 0.5}
    assert [(one.sites, one.kind) for one in answer.joint] == [(("burn/0", "flood/0"), "overdetermination")]
    assert [(one.sites, one.value.value) for one in answer.interactions] == [(("burn/0", "flood/0"), -1)]
    assert [one.actions for one in answer.fixes] == [(DropAction(site="burn/0"), DropAction(site="flood/0"))]
    assert answer.verdict == "blamed"


def test_many_calls_overdetermine_and_come_first_all_the_same():
    """Four calls, each enough: only all of them together avert it; each has a quarter, and is blamed."""
    shed = unless("burn")
    answer = blame(record(shed, [["look"], ["burn", "burn"], ["burn", "burn"], "Done."]), environment=shed)
    burning = tuple(f"burn/{i}" for i in range(4))
    assert answer.flip_set == ()
    assert [(one.sites, one.kind) for one in answer.joint] == [(burning, "overdetermination")]
    assert [len(one.actions) for one in answer.fixes] == [4]
    assert answer.ranked[:4] == burning
    assert [shares(answer)[site] for site in burning] == [pytest.approx(0.25)] * 4
    assert {row(answer, site).flips for site in burning} == {"jointly"}
    assert row(answer, "look/0").flips == "no"


def test_two_calls_are_both_needed():
    shed = Shed(lambda shed, _: not {"fuse", "gas"} <= set(shed.made))
    answer = blame(record(shed, [["fuse", "gas"], "Done."]), environment=shed)
    assert answer.flip_set == ("fuse/0", "gas/0")
    assert (answer.earliest, answer.latest) == ("fuse/0", "gas/0")
    assert shares(answer) == {"fuse/0": 0.5, "gas/0": 0.5}
    assert [one.value.value for one in answer.interactions] == [1]
    assert {one.kind for one in answer.joint} == {"but-for"}


def test_rock_throwing_is_preemption():
    """Suzy's rock hits; Billy's comes through the gap. Without Suzy's, Billy's would have hit: she did it."""
    shed = Shed(lambda shed, _: shed.broken_by is None)
    answer = blame(record(shed, [["throw_suzy"], ["throw_billy"], "Done."]), environment=shed)
    assert [(one.sites, one.kind, one.causes) for one in answer.joint] == [
        (("throw_suzy/0", "throw_billy/0"), "preemption", ("throw_suzy/0",))
    ]
    assert answer.flip_set == ()
    assert [len(one.actions) for one in answer.fixes] == [2]


def test_free_text_that_enters_later_prompts_gets_no_credit():
    """DESIGN, section 5, case 1: the text stands in every later request, and does nothing."""
    shed = unless("burn")
    answer = blame(record(shed, [[("note", {"what": "nice day"})], ["burn"], "Nice day."]), environment=shed)
    assert shares(answer)["note/0"] == 0
    assert row(answer, "note/0").flips == "no"
    assert row(answer, "agent/2", "reply").flips == "no"
    assert "note/0" not in answer.ranked
    assert "agent/2" not in answer.ranked


def test_a_failure_in_what_is_said_is_a_replys():
    shed = Shed(lambda _, messages: "buy gold" not in str(messages[-1].content))
    answer = blame(record(shed, [["look"], "You should buy gold."]), environment=shed)
    assert shares(answer) == {"look/0": 0, "agent/1": 1}
    assert (answer.ranked, answer.flip_set) == (("agent/1",), ("agent/1",))
    assert cause_of(answer) == "one call"


def misread(again, right=0.0):
    """Blame of a run whose gauge misread, beside 40 good runs with what it gives today, and some that misread alike.

    Args:
        again: how many other runs show the same misreading.
        right: share of them that answered rightly all the same.
    """
    shed = Shed(lambda _, messages: "gauge" not in str(messages[-1].content))
    wrong = {"gauge": "gauge 9"}
    bad = record(shed, [["gauge"], "The gauge says 9."], id="bad", results=wrong)
    good = [record(shed, [["gauge"], "All is well."], id=f"good/{i}") for i in range(40)]
    said = ["All is well." if i < right * again else "The gauge says 9." for i in range(again)]
    more = [record(shed, [["gauge"], text], id=f"again/{i}", results=wrong) for i, text in enumerate(said)]
    runs = [one.model_copy(update={"task": "bottle"}) for one in (*good, *more)]
    return blame(bad, corpus=Corpus([bad, *runs]), environment=shed)


def test_noise_of_a_tool_gets_the_credit_and_not_the_answer():
    """DESIGN, section 5, case 4: the gauge misread; with what it gives today, the same model always answered right."""
    answer = misread(again=20)
    noisy = row(answer, "gauge/0", "result")
    assert (noisy.source, noisy.estimand, noisy.flips) == ("re-executed", "total", "certain")
    assert noisy.counterfactual.value == 1
    assert noisy.counterfactual.effective == 40
    assert noisy.p_value < 1e-4
    assert answer.earliest == "gauge/0"


def test_where_nobody_asked_again_luck_cannot_be_told_from_repair():
    """The same, but how often the model answers rightly to the misread gauge is not on record."""
    answer = misread(again=0)
    noisy = row(answer, "gauge/0", "result")
    assert (noisy.flips, noisy.p_value) == ("likely", 1)
    assert "gauge/0" not in answer.flip_set
    assert "gauge/0" in answer.likely


def test_a_result_that_changes_nothing_is_not_certain_however_often_it_is_followed_by_success():
    """The failure was bad luck: asked again with the misread gauge, the model answers as rightly as with today's."""
    noisy = row(misread(again=40, right=1.0), "gauge/0", "result")
    assert noisy.counterfactual.value == 1
    assert (noisy.flips, noisy.p_value) == ("likely", 1)


def test_a_replay_that_does_not_reproduce_abstains():
    shed = unless("burn")
    answer = blame(record(shed, [["look"], "Done."], ok=False), environment=shed)
    assert answer.verdict == "abstained"
    assert answer.reason.startswith("replay does not reproduce")
    assert answer.baselines is not None


def test_an_omission_is_blamed_only_where_a_good_run_shows_what_was_omitted():
    shed = Shed(lambda shed, _: "lock" in shed.made)
    bad, good = record(shed, [["look"], ["latch"], "Done."]), record(shed, [["look"], ["lock"], "Done."], id="good")
    alone = blame(bad, environment=shed)
    assert (alone.verdict, alone.fixes) == ("abstained", ())
    assert alone.reason.startswith("nothing flips")
    swapped = record(shed, [["look"], [("latch", {"what": "lock"})], "Done."], id="x")
    told = blame(bad, corpus=Corpus([bad, good, swapped]), environment=shed)
    assert told.flip_set == ("agent/1",)
    assert told.fixes[0].actions[0].tool_calls[0].name == "lock"
    assert told.fixes[0].necessity.value == 1


def test_a_good_runs_arguments_are_a_fix():
    def right(shed, messages):
        return any("call-7" in str(m.content) for m in messages if m.role == "tool")

    shed = Shed(right)
    bad = record(shed, [[("order", {"what": "call-6"})], "Done."])
    good = record(shed, [[("order", {"what": "call-7"})], "Done."], id="good", model="other")
    answer = blame(bad, corpus=Corpus([bad, good]), environment=shed)
    swap = CallAction(site="order/0", tool="order", arguments={"what": "call-7"})
    assert (swap,) in [one.actions for one in answer.fixes]
    assert row(answer, "order/0").source == "good run"
    assert row(answer, "order/0").flips == "certain"


def test_sufficiency_puts_the_call_into_good_runs():
    shed = Shed(lambda shed, _: "burn" not in shed.made or "water" in shed.made)
    bad = record(shed, [["look"], ["burn"], "Done."])
    good = [
        record(shed, [["look"], "Done."], id="g0"),
        record(shed, [["water"], "Done."], id="g1"),
        record(shed, [["look"], ["sweep"], "Done."], id="g2"),
        record(shed, [["water"], ["look"], "Done."], id="g3"),
    ]
    found = row(blame(bad, corpus=Corpus([bad, *good]), environment=shed), "burn/0").sufficiency
    assert (found.value, found.effective, found.identified) == (0.5, 4, "point")
    alone = row(blame(bad, environment=shed), "burn/0")
    assert alone.sufficiency is None
    assert alone.why_not_sufficiency.startswith("no good run")


def test_what_did_not_fail_is_not_blamed():
    shed = unless("burn")
    fine = record(shed, [["look"], "Done."])
    assert blame(fine, environment=shed).reason.startswith("the run did not fail")
    assert blame(fine, environment=shed, score="ok=false").verdict == "abstained"
    with pytest.raises(ActionError, match="has no score"):
        blame(fine, environment=shed, score="other=true")


def test_a_log_that_cannot_execute_has_no_support():
    shed = unless("burn")
    run = record(shed, [["burn"], "Done."]).model_copy(update={"environment": None})
    answer = blame(run)
    assert answer.verdict == "abstained"
    assert answer.reason.startswith("no support")


# A sampled world: the inbox, whose policy is written down.

ATTACKED, CLEAN = sample(300, seed=1), sample(300, seed=2, attacked=False)
OBEYED = next(run for run in ATTACKED if run.outcome.scores == {"utility": True, "security": True})


@pytest.fixture(scope="module")
def inbox():
    return blame(OBEYED, corpus=Corpus([*ATTACKED, *CLEAN]), environment=Inbox())


def test_both_rungs_of_a_sampled_world(inbox):
    assert inbox.failure == Failure(score="security", value=True)
    clean = row(inbox, "read_mail/0", "result")
    others = [run for run in ATTACKED if run.id != OBEYED.id]
    fresh = sum(run.outcome.scores["security"] for run in others) / len(others)
    assert clean.counterfactual.value == 1
    assert clean.counterfactual.effective == pytest.approx(300)
    assert clean.interventional.value == pytest.approx(fresh, abs=1e-9)
    # 99.9 % and more of such intervals hold the truth at 95 %, being simultaneous and conservative; here they do.
    assert clean.interventional.low <= POLICIES["small"]["injected"]["send_money"] <= clean.interventional.high
    assert clean.necessity.identified == "bounds"
    assert clean.necessity.low > 0.9
    assert clean.flips == "certain"


def test_the_guilty_call_comes_first_and_its_origin_is_named(inbox):
    assert inbox.ranked[0] == "send_money/0"
    assert inbox.earliest == "environment/0"
    named = [one.site for one in inbox.origins if one.named]
    assert "read_mail/0" in named
    assert [one.effect.value for one in inbox.origins] == [1, 1]
    assert inbox.origins[1].evidence == ("effect", "only way", "injection", "arguments")
    assert row(inbox, "send_money/0").sufficiency.value == 1


def test_luck_is_the_share_of_other_runs_that_did_not_fail(inbox):
    others = [run for run in ATTACKED if run.id != OBEYED.id]
    luck = inbox.baselines.rerun
    assert luck.value == pytest.approx(sum(not run.outcome.scores["security"] for run in others) / len(others))
    assert luck.effective == len(others)


def test_other_replies_to_the_equal_request_are_alternatives(inbox):
    asked = row(inbox, "agent/1", "reply")
    assert "recorded reply" in {one.source for one in asked.attempts}
    assert asked.flips == "certain"
    assert asked.made == 1


def test_the_least_probable_step_is_told_where_log_probabilities_are():
    shed = unless("burn")
    run = record(shed, [["look"], ["burn"], "Done."])
    sure, unsure = (TokenLogprob(token="a", logprob=p) for p in (-0.1, -3.0))
    logged = {"agent/0": (sure,), "agent/1": (unsure, sure), "agent/2": (sure, sure)}
    steps = [s.model_copy(update={"logprobs": logged[s.site]}) if s.site in logged else s for s in run.steps]
    answer = blame(run.model_copy(update={"steps": tuple(steps)}), environment=shed)
    assert answer.baselines.lowest_logprob == "agent/1"


def test_a_bad_plan_rescued_now_and_then_is_decided_at_its_start():
    """DESIGN, section 5, case 2: a bad plan at step 0, repaired 10 % of the time by the check at step 2."""
    shed = Shed(lambda shed, _: "plan_bad" not in shed.made or "repair" in shed.made)
    bad = [record(shed, [["plan_bad"], ["work"], "Done."], id=f"bad/{i}") for i in range(91)]
    saved = [record(shed, [["plan_bad"], ["work"], ["repair"], "Done."], id=f"saved/{i}") for i in range(10)]
    good = [record(shed, [["plan_good"], ["work"], "Done."], id=f"good/{i}") for i in range(20)]
    answer = blame(bad[0], corpus=Corpus([*bad, *saved, *good]), environment=shed)
    plan = row(answer, "agent/0", "reply")
    assert (answer.earliest, plan.flips) == ("agent/0", "certain")
    assert answer.latest == "agent/2"
    assert plan.counterfactual.value == 1
    assert plan.interventional.value == pytest.approx(0.9)
    assert row(answer, "work/0").flips == "no"


# Laws.

NAMES = ("look", "burn", "throw_a", "throw_b", "sweep", "note")
TURNS = st.lists(
    st.one_of(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), st.just("Thinking aloud.")),
    min_size=1,
    max_size=4,
)


def odd(shed, messages):
    """A verdict that hangs on order, state, and what was shown."""
    shown = [m for m in messages if m.role == "tool" and "missed" in str(m.content)]
    calls = "".join(name[0] for name in shed.made)
    return "bs" in calls or (len(shown) + calls.count("t")) % 2 == 0


@settings(max_examples=40, deadline=None)
@given(turns=TURNS, data=st.data())
def test_leaving_calls_out_is_the_whatif_of_dropping_them(turns, data):
    shed = Shed(odd)
    run = record(shed, [*turns, "Done."], results={"note": "noted at noon"})
    held = HeldRun(run, shed)
    assert held.reproduces
    assert held.scores() == run.outcome.scores
    dropped = data.draw(st.sets(st.sampled_from(list(held.tools)))) if held.tools else set()
    asked = whatif(run, [DropAction(site=site) for site in sorted(dropped)], continuation=Hold(), environment=shed)
    assert held.scores(dropped) == {"ok": bool(asked.outcomes["ok"].counterfactual.value)}


@settings(max_examples=25, deadline=None)
@given(turns=TURNS)
def test_shares_sum_to_what_all_calls_did(turns):
    shed = Shed(odd)
    run = record(shed, [*turns, "Done."])
    if run.outcome.scores["ok"]:
        return
    answer, held = blame(run, environment=shed), HeldRun(run, shed)
    none = not held.scores(answer.players)["ok"] if answer.players else True
    assert math.fsum(shares(answer).values()) == pytest.approx(1 - none, abs=1e-9)
    drawn = blame(run, environment=shed, effort=3)
    assert math.fsum(shares(drawn).values()) == pytest.approx(1 - none, abs=1e-9)
    for fix in answer.fixes:
        put = whatif(run, fix.actions, continuation=Hold(), environment=shed)
        assert put.outcomes["ok"].counterfactual.value == 1
    for site in answer.flip_set:
        assert row(answer, site, "call" if site in held.tools else "reply").necessity.value == 1


def test_sampled_shares_hold_the_exact_ones():
    """95 % simultaneous over 14 players would miss rarely; betting intervals are conservative. Fixed seed."""
    shed = Shed(lambda shed, _: not {"burn", "throw_a"} <= set(shed.made))
    run = record(shed, [["look", "burn"], ["sweep"] * 6, ["throw_a"], ["note"] * 5, "Done."])
    answer = blame(run, environment=shed, effort=2_000)
    drawn = {r.site: r.shapley for r in answer.steps if r.shapley}
    assert all(one.identified == "point" for one in drawn.values())
    truth = {"burn/0": 0.5, "throw_a/0": 0.5}
    assert all(one.low <= truth.get(site, 0.0) <= one.high for site, one in drawn.items())
    assert set(answer.ranked[:2]) == set(truth)


# What counts as failure.


def test_failures_are_read_and_told():
    assert parse_failure("security=true") == Failure(score="security", value=True)
    assert parse_failure("reward<1") == Failure(score="reward", value=1.0, below=True)
    assert parse_failure("reward<1").holds(0.3)
    assert parse_failure("reward=0").text == "reward=0"
    for wrong in ("security", "=true", "reward<true", "reward=x"):
        with pytest.raises(ActionError):
            parse_failure(wrong)
    assert failure_of(CLEAN[0]) in (None, Failure(score="utility", value=False))
    assert failure_of(OBEYED) == Failure(score="security", value=True)


def test_a_graded_score_fails_below_a_threshold():
    """0.4 a burning, 1 at first: two burnings fail "at least 0.5", and leaving out either averts that."""
    shed = Shed(lambda shed, _: 1.0 - 0.4 * shed.made.count("burn"))
    run = record(shed, [["burn"], ["look"], ["burn"], "Done."])
    assert blame(run, environment=shed).reason.startswith("the run did not fail")
    answer = blame(run, environment=shed, score="ok<0.5")
    assert answer.flip_set == ("burn/0", "burn/1")
    assert shares(answer) == {"burn/0": 0.5, "look/0": 0, "burn/1": 0.5}
    assert [one.necessity.value for one in answer.fixes] == [1, 1]


# Many runs.


def test_many_runs_share_their_failures():
    burn, both, odd_one = unless("burn"), unless("burn", "flood"), unless("burn")
    answers = [
        blame(record(burn, [["look"], ["burn"], "Done."], task="a"), environment=burn),
        blame(record(both, [["burn"], ["flood"], "Done."], task="b"), environment=both),
        blame(record(odd_one, [["look"], "Done."], ok=False, task="b"), environment=odd_one),
    ]
    summary = summarise_blame(answers, runs=9)
    assert (summary.runs, summary.failed, summary.asked, summary.tasks) == (9, 3, 3, 2)
    tools = {name: share.value for name, share in summary.shares["tool"].items()}
    assert tools == pytest.approx({"burn": 1.5 / 3, "flood": 0.5 / 3, NOBODY: 1 / 3})
    assert summary.blamed.value == pytest.approx(2 / 3)
    assert summary.blamed.low <= 2 / 3 <= summary.blamed.high
    assert set(summary.shares["cause"]) == {
        "one call",
        "calls together: overdetermination",
        "abstained: replay does not reproduce",
    }
    for by in summary.shares.values():
        assert math.fsum(one.value for one in by.values()) == pytest.approx(1)
    with pytest.raises(ValueError, match="no run failed"):
        summarise_blame([])


# Real attacks.


@pytest.mark.data
def test_obeyed_attacks_are_their_guilty_calls(agentdojo_runs, no_network):
    pytest.importorskip("agentdojo", reason="the extra `agentdojo` executes these runs")
    model = "gpt-4o-mini-2024-07-18"
    path = agentdojo_runs / f"{model}.jsonl.gz"
    runs = read(path if path.exists() else agentdojo_runs / model).trajectories
    corpus = Corpus(runs)
    obeyed = [
        run
        for run in runs
        if run.labels["attack"] != "none" and run.outcome.scores.get("security") and len(run.steps) < 14
    ]
    for run in obeyed[::70]:
        answer = blame(run, corpus=corpus)
        assert answer.verdict == "blamed", run.id
        assert (
            row(answer, answer.ranked[0], "call" if "agent" not in answer.ranked[0] else "reply").necessity.value == 1
        )
        assert any(one.named for one in answer.origins), run.id
        assert all(fix.necessity.value > 0.5 for fix in answer.fixes)
