"""The laws, on real recorded runs."""

import pytest

from ifonly.agents.corpus import Corpus
from ifonly.agents.environments.registry import environment_of
from ifonly.agents.reading import read
from ifonly.agents.rerun import Rerun
from ifonly.sim.clean import clean_environment, clean_result, injected_sites
from ifonly.sim.continuations import Bounds, FromCorpus
from ifonly.sim.twin import identical
from ifonly.sim.walk import Provenance
from ifonly.sim.whatif import whatif

pytestmark = pytest.mark.data

MODEL = "gpt-4o-mini-2024-07-18"


@pytest.fixture(scope="module")
def runs(agentdojo_runs):
    pytest.importorskip("agentdojo", reason="the extra `agentdojo` executes these runs")
    path = agentdojo_runs / f"{MODEL}.jsonl.gz"
    return read(path if path.exists() else agentdojo_runs / MODEL).trajectories


def test_every_twin_is_its_run(runs, no_network):
    for run in runs[::9]:
        assert identical(run, Rerun(environment_of(run))), run.id


@pytest.mark.slow
def test_every_twin_of_every_run_is_its_run(agentdojo_runs, no_network):
    pytest.importorskip("agentdojo", reason="the extra `agentdojo` executes these runs")
    differing = [
        run.id for run in read(agentdojo_runs).trajectories[::7] if not identical(run, Rerun(environment_of(run)))
    ]
    assert differing == []


@pytest.mark.parametrize("name", ["tau_airline_gpt4o/trajectories.jsonl.gz"])
def test_twins_of_runs_whose_tools_cannot_be_executed(data, name, no_network):
    for run in read(data / name).trajectories[::8]:
        assert identical(run, Rerun(environment_of(run))), run.id
        answer = whatif(run, [], continuation=Bounds())
        assert answer.first_divergence is None
        assert answer.outcomes["reward"].change.value == 0


def test_a_clean_twin_is_the_recorded_clean_run(runs):
    """Where the corpus settles the clean twin of an obeyed attack, it is a run that was really made without it."""
    by_id = {run.id: run for run in runs}
    corpus = FromCorpus(Corpus(run for run in runs if run.labels["attack"] == "none"))
    obeyed = [run for run in runs if run.outcome.scores.get("security")]
    settled = 0
    for run in obeyed[::10]:
        answer = whatif(run, [clean_environment(run)], continuation=corpus)
        if answer.verdict != "answered" or answer.paths > 1:
            continue
        settled += 1
        sources = {step.source.partition("#")[0] for step in answer.steps if step.source}
        twin = [step.counterfactual for step in answer.steps if step.counterfactual is not None]
        assert len(sources) == 1
        assert [m.content for m in twin] == [m.content for m in by_id[sources.pop()].messages]
        assert answer.outcomes["security"].counterfactual.value == 0
    assert settled >= 5


def test_a_clean_result_alone_reaches_the_same_place_where_one_result_carried_the_injection(runs):
    corpus = FromCorpus(Corpus(run for run in runs if run.labels["attack"] == "none"))
    asked = 0
    for run in [run for run in runs if run.outcome.scores.get("security")][::15]:
        rerun = Rerun(environment_of(run))
        carriers = injected_sites(run, rerun)
        if len(carriers) != 1:
            continue
        one = whatif(run, [clean_result(run, rerun, carriers[0])], continuation=corpus)
        whole = whatif(run, [clean_environment(run)], continuation=corpus)
        carrier = next(step for step in one.steps if step.site == carriers[0])
        assert carrier.provenance is Provenance.PUT
        if one.verdict == whole.verdict == "answered":
            asked += 1
            assert one.outcomes["utility"].counterfactual == whole.outcomes["utility"].counterfactual
    assert asked >= 3
