"""Runs as cells, swaps that a corpus settles, and fitted answers to those that it does not."""

import numpy as np
import pytest

from ifonly.agents.actions import DropAction, ModelAction
from ifonly.agents.corpus import Corpus
from ifonly.agents.records import AssistantMessage, Outcome, Request, Trajectory, UserMessage
from ifonly.agents.sites import steps_of
from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.sim.continuations import FromCorpus
from ifonly.sim.swaps.answer import answer_of, beside, instead
from ifonly.sim.swaps.cells import Cell, cell_of, family_of, step_of, swapped_in
from ifonly.sim.swaps.layout import facets_of
from ifonly.sim.swaps.settled import settled
from ifonly.sim.swaps.shared import HiddenSwaps, SharedNoise
from ifonly.sim.swaps.world import SwapWorld, observed
from ifonly.sim.walk import Provenance
from ifonly.sim.whatif import whatif

MODELS, TASKS = ("weak", "middle", "strong"), 30


def make_run(model, task, solved, *, first="Let me see.", **labels):
    """A run of two replies."""
    messages = [
        UserMessage(content=f"Do {task}."),
        AssistantMessage(content=first),
        UserMessage(content="And?"),
        AssistantMessage(content=f"{model} did {task}: {solved}"),
    ]
    return Trajectory(
        id=f"{model}/{task}",
        task=task,
        agent="helper",
        model=model,
        steps=steps_of(messages, Request(model=model, messages=(), toolset="none")),
        outcome=Outcome(scores={"solved": solved}),
        labels=labels,
    )


@pytest.fixture(scope="module")
def runs():
    """Tasks of rising difficulty; each model solves those below its skill. The strong one never met the last five."""
    skill = {"weak": 8, "middle": 16, "strong": 24}
    return [
        make_run(model, f"task/{n:02}", n < skill[model], first="Let me see." if n % 2 else f"I, {model}, see.")
        for model in MODELS
        for n in range(TASKS)
        if model != "strong" or n < TASKS - 5
    ]


@pytest.fixture(scope="module")
def world(runs):
    cells, outcomes, _ = observed(runs)["solved"]
    asked = [Cell("strong", "helper", f"task/{n:02}") for n in range(TASKS - 5, TASKS)]
    return SwapWorld.fit("solved", cells, np.array(outcomes), asked, draws=1_000)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4o-2024-05-13", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4-turbo-2024-04-09", "gpt-4"),
        ("gpt-4-0125-preview", "gpt-4"),
        ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
        ("gemini-1.5-pro-002", "gemini-1.5-pro"),
        ("openai/gpt-3.5-turbo-0125", "gpt-3.5"),
        ("command-r-plus", "command-r-plus"),
    ],
)
def test_families(model, family):
    assert family_of(model) == family


def test_a_cell_tells_attacks_from_none():
    clean = make_run("weak", "bank/1", True, suite="bank", attack="none", injection_task="pay")
    attacked = make_run("weak", "bank/1", True, suite="bank", attack="direct", injection_task="pay")
    assert cell_of(clean) == Cell("weak", "helper", "bank/1", "bank")
    assert cell_of(attacked) == Cell("weak", "helper", "bank/1", "bank", "direct", "pay")
    assert cell_of(attacked).under("strong").model == "strong"


def test_facets_leave_out_what_one_cell_alone_has():
    facets = facets_of([Cell("a", "x", "t1"), Cell("a", "x", "t2"), Cell("b", "x", "t1")])
    levels = dict(zip(facets.names, facets.levels, strict=True))
    assert levels["task"] == ("t1",)
    assert levels["unit"] == (("a", "x"),)
    assert "unit x task" not in levels
    assert "pair" not in levels


def test_attacked_runs_alone_have_each_facet_once():
    cells = [Cell(m, "x", t, "s", "direct", j) for m in "ab" for t in ("t1", "t2") for j in ("i", "j")]
    names = facets_of(cells).names
    assert {"unit attacked", "unit x task attacked", "pair", "injection"} <= set(names)
    assert not {"unit", "unit x task", "task attacked"} & set(names)


def test_runs_without_a_verdict_make_no_cells(runs):
    broken = runs[0].model_copy(update={"outcome": Outcome(scores={"solved": True}, error="refused")})
    graded = runs[0].model_copy(update={"outcome": Outcome(scores={"grade": 0.3})})
    assert observed([broken, graded]) == {}
    assert len(observed(runs)["solved"][0]) == len(runs)


def test_a_harder_task_is_less_likely_solved(world):
    told = [answer_of(world, Cell("middle", "helper", f"task/{n:02}"), float(n < 16), "strong") for n in (4, 27)]
    easy, hard = (found.counterfactual.value for found in told)
    assert easy > hard + 0.1


def test_the_two_rungs_and_what_was_borrowed(world):
    """A failure of a middling model tells that the task is hard: the counterfactual lies below the interventional."""
    found = answer_of(world, Cell("middle", "helper", "task/27"), 0.0, "strong")
    assert found.counterfactual.rung == "counterfactual"
    assert found.interventional.rung == "interventional"
    assert found.counterfactual.value < found.interventional.value
    assert found.bounds.low <= found.counterfactual.value <= found.bounds.high
    assert found.bounds.identified == "bounds"
    assert "independent noise" in found.counterfactual.noise
    assert found.borrowed.task_by == {"middle": 1, "weak": 1}
    assert (found.borrowed.item, found.borrowed.model, found.borrowed.model_task) == (2, 25, 0)
    assert found.borrowed.runs == 85


def test_a_world_does_not_answer_for_cells_it_was_not_asked_about(world):
    with pytest.raises(NotApplicable, match="was neither observed nor named"):
        answer_of(world, Cell("middle", "helper", "task/01"), 1.0, "unheard of")


def test_too_few_runs_are_refused(runs):
    cells, outcomes, _ = observed(runs[:5])["solved"]
    with pytest.raises(NotApplicable, match="5 recorded runs with solved"):
        SwapWorld.fit("solved", cells, np.array(outcomes))


def test_only_one_swap_onward_is_a_swap():
    swap = ModelAction(site="agent/1", model="strong")
    assert swapped_in([swap]) == "strong"
    assert swapped_in([swap, DropAction(site="x/0")]) is None
    assert swapped_in([swap.model_copy(update={"scope": "step"})]) is None
    assert swapped_in([]) is None


def lucky(share, draws):
    return SharedNoise(1, 40, 20, share, np.full(draws, share))


def test_a_swap_in_mid_run_keeps_a_share_of_the_runs_luck(world):
    """All luck shared: a failure that the better model would not have turned stays one; none: as a run of its own."""
    cell, draws = Cell("strong", "helper", "task/12"), len(world.posterior.mean)
    apart, none, half, one = (
        answer_of(world, cell, 0.0, "weak", shared=shared, begun=True)
        for shared in (None, lucky(0.0, draws), lucky(0.5, draws), lucky(1.0, draws))
    )
    assert none.counterfactual.value == apart.counterfactual.value
    assert half.counterfactual.value == pytest.approx((none.counterfactual.value + one.counterfactual.value) / 2)
    assert one.counterfactual.value < none.counterfactual.value - 0.01
    assert "shared as in recorded swaps" in one.counterfactual.noise
    assert apart.shared is None
    assert (one.shared.share.value, one.shared.swaps, one.shared.tasks) == (1.0, 40, 20)


def test_bounds_of_a_swap_in_mid_run_hold_what_was_done(world):
    """A strong model's success: had the weak one taken over, all may have been done; from the start it may not."""
    cell = Cell("strong", "helper", "task/12")
    start, begun = (answer_of(world, cell, 1.0, "weak", begun=begun).bounds for begun in (False, True))
    assert begun.high == pytest.approx(1.0)
    assert begun.low <= start.low
    assert start.level == 0.95


def test_the_swapped_step_is_counted_among_model_steps(runs):
    assert [step_of(runs[0], [ModelAction(site=f"agent/{n}", model="strong")]) for n in (0, 1)] == [0, 1]


def test_recorded_swaps_tell_the_share_of_luck(runs, world):
    """Runs of odd tasks begin alike, whoever answers: their ends are hidden in turn, and predicted."""
    ids = observed(runs)["solved"].ids
    found = HiddenSwaps.of(world, ids, settled(Corpus(runs), Draw(0)), Draw(0))
    odd = {task for task in found.tasks if int(task[-2:]) % 2}
    second = found.share(1, Draw(0), 200)
    assert {found.tasks[n] for n in np.flatnonzero(found.steps == 1)} <= odd
    assert second.swaps == (found.steps == 1).sum()
    assert 0 <= second.share <= 1
    assert second.draws.shape == (200,)
    assert found.share(2, Draw(0), 200) is None
    assert np.square(found.independent - found.outcomes).mean() < 0.2


def test_runs_that_no_other_model_began_tell_nothing(runs, world):
    found = HiddenSwaps.of(world, observed(runs)["solved"].ids, (), Draw(0))
    assert found.share(0, Draw(0), 10) is None


def test_a_fitted_answer_fills_only_what_recordings_leave_open(runs, world):
    """A quarter of the paths ended well, a quarter badly; the world answers for the half that could not go on."""
    run = next(run for run in runs if run.id == "middle/task/26")
    answer = whatif(run, [ModelAction(site="agent/1", model="strong")], continuation=FromCorpus(Corpus(runs)))
    open_ = answer.outcomes["solved"].model_copy(
        update={"counterfactual": Estimate.bounded(0.25, 0.75, "counterfactual")}
    )
    both = beside(answer.model_copy(update={"outcomes": {"solved": open_}}), run, {"solved": world}, None, 0.95)
    filled, fitted = instead(both).outcomes["solved"].counterfactual, both.fitted.outcomes["solved"].counterfactual
    assert filled.value == pytest.approx(0.25 + fitted.value / 2)
    assert (filled.low, filled.high) == pytest.approx((0.25 + fitted.low / 2, 0.25 + fitted.high / 2))
    closed = open_.model_copy(update={"counterfactual": Estimate.settled(1.0, "counterfactual")})
    kept = instead(both.model_copy(update={"outcomes": {"solved": closed}})).outcomes["solved"]
    assert kept == closed


def test_an_open_swap_gets_a_fitted_answer_beside_it_and_instead(runs, world):
    run = next(run for run in runs if run.id == "middle/task/26")
    swap = ModelAction(site="agent/1", model="strong")
    answer = whatif(run, [swap], continuation=FromCorpus(Corpus(runs)))
    assert answer.verdict == "needs live or fitted"
    both = beside(answer, run, {"solved": world}, None, 0.95)
    assert both.outcomes == answer.outcomes
    assert both.fitted.model == "strong"
    assert both.fitted.live_calls is None
    settled_by_fit = instead(both)
    outcome = settled_by_fit.outcomes["solved"]
    assert settled_by_fit.continuation == "model"
    assert settled_by_fit.verdict == "answered"
    assert outcome.counterfactual == both.fitted.outcomes["solved"].counterfactual
    assert outcome.change.value == pytest.approx(outcome.counterfactual.value - float(run.outcome.scores["solved"]))
    assert Provenance.SIMULATED in {step.provenance for step in settled_by_fit.steps}
    assert isinstance(outcome.counterfactual, Estimate)


def test_settled_swaps_stood_at_the_same_request(runs):
    """At the first step every other model of the task answers; at the second, where the first reply was the same."""
    found = settled(Corpus(runs), Draw(0))
    of = {run.id: run for run in runs}
    assert all(of[one.run].task == of[one.other].task and of[one.run].model != of[one.other].model for one in found)
    assert sum(one.step == 0 for one in found) == len(runs)
    second = [one for one in found if one.step == 1]
    assert len(second) == sum(int(run.task[-2:]) % 2 for run in runs)
    assert all(int(of[one.run].task[-2:]) % 2 for one in second)


def test_a_run_under_another_attack_settles_nothing():
    one = make_run("weak", "t", True, attack="direct", injection_task="i")
    other = make_run("strong", "t", True, attack="direct", injection_task="j")
    assert settled(Corpus([one, other]), Draw(0)) == ()
