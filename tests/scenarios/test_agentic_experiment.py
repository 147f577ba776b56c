"""AgentDojo as an experiment: pairing and clusters by hand, the log whose truth is known, and the recorded figures."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from ifonly.agents.errors import InputError
from ifonly.report.scenario import scenario_picture
from ifonly.scenarios.agentic.defences_real import real_study
from ifonly.scenarios.agentic.experiment import (
    BASE,
    DEFENCES,
    SUCCESS,
    UTILITY,
    Arm,
    Experiment,
    mixed,
    read_experiment,
)
from ifonly.scenarios.agentic.experiment_tables import defence_effects, net
from ifonly.scenarios.agentic.switched import CHANCES, Pairs, adjusted, over_logs, pairs_of, raw, robust, switched
from ifonly.scenarios.catalog import find_scenario
from ifonly.scenarios.scenario import answer

ATTACKED = Arm().attacked


def small():
    """Two suites of six user tasks and two injections: clean all but one are solved, attacked the odd ones."""
    suites = {f"{suite}/{n}": suite for suite in ("a", "b") for n in range(6)}
    clean = {(task, ""): float(task[-1] != "5") for task in suites}
    pairs = {(task, f"{task[0]}/i{i}"): float(int(task[-1]) % 2) for task in suites for i in (0, 1)}
    defended = dict.fromkeys(pairs, 1.0)
    success = {key: float(key[1].endswith("1")) for key in pairs}
    on, off = Arm(BASE, "tool_filter"), Arm()
    return Experiment(
        {
            UTILITY: {off: clean, on: clean, off.attacked: pairs, on.attacked: defended},
            SUCCESS: {off.attacked: success, on.attacked: dict.fromkeys(pairs, 0.0)},
        },
        suites,
    )


def test_attacked_runs_are_paired_with_the_clean_run_of_their_task():
    made = small().effect(UTILITY, ATTACKED, Arm())
    assert made.value == pytest.approx(0.5 - 10 / 12)
    assert len(made.parts) == 24
    assert [len(np.unique(one)) for one in made.clusters] == [12, 4]


def test_single_runs_of_a_task_are_clustered_by_task_alone():
    made = small().effect(UTILITY, Arm(BASE, "tool_filter"), Arm())
    assert made.value == 0.0
    assert len(made.clusters) == 1


def test_net_is_the_weighted_sum():
    experiment = small()
    clean, attacked, success = defence_effects(experiment, "tool_filter")
    made = net(experiment, "tool_filter", 0.25, worth=2.0)
    assert made.value == pytest.approx(0.75 * clean.value + 0.25 * (attacked.value - 2 * success.value))
    alone = mixed([(2.0, attacked)])
    assert alone.standard_error == pytest.approx(2 * attacked.one_way_error)


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="no runs of"):
        small().mean(UTILITY, Arm("gpt-9"))
    with pytest.raises(InputError, match="share 0 of at least 10"):
        small().effect(UTILITY, ATTACKED, Arm(), suite="travel")
    with pytest.raises(InputError, match=r"holds no file(.|\n)*ifonly data get agentdojo"):
        read_experiment(tmp_path)
    with gzip.open(tmp_path / "index.csv.gz", "wt") as file:
        file.write("run_id,task_id,suite,pipeline,user_task,injection_task,attack,utility,security,api_error,empty\n")
    with pytest.raises(InputError, match="no runs of"):
        real_study(tmp_path, 0)


def known_pairs(n=2_000):
    """Fifth f: bare outcome 1 with chance .1 + .2 f, defended half as often."""
    generator = np.random.default_rng(0)
    fifth = np.repeat(np.arange(5), n // 5)
    bare = (generator.random(n) < 0.1 + 0.2 * fifth).astype(float)
    defended = bare * (generator.random(n) < 0.5)
    return Pairs(np.arange(n), fifth % 2, fifth / 5.0, fifth, bare, defended, bare)


def test_a_log_that_chose_by_risk_misleads_raw_means_alone():
    pairs = known_pairs()
    (_, error, _, held), (_, right, _, covered) = over_logs(pairs, 60)
    assert error > 0.15
    assert held == 0
    assert abs(right) < 0.01
    assert covered > 0.9
    log = switched(pairs, 1)
    assert log.on.mean() == pytest.approx(np.mean(CHANCES), abs=0.05)
    made = robust(log).estimate(1 - 1e-6)
    assert made.low <= pairs.truth <= made.high
    assert raw(log).value > pairs.truth + 0.1
    assert (log.outcome == np.where(log.on == 1, pairs.defended, pairs.bare)).all()


def test_a_rule_that_foresees_biases_all():
    pairs = known_pairs(20_000)
    log, foresees = (adjusted(switched(pairs, 0, foresees=told)) for told in (False, True))
    assert abs(log.value - pairs.truth) < 4 * log.standard_error
    assert foresees.value - pairs.truth > 4 * foresees.standard_error


@pytest.fixture(scope="module")
def recorded(agentdojo_runs):
    return read_experiment(agentdojo_runs.parent)


def test_the_record_is_read_whole(recorded):
    assert len(recorded.models) == 17
    assert len(recorded.attacks) == 15
    assert recorded.names == ("banking", "slack", "travel", "workspace")
    assert not {key[1] for key in recorded.outcomes[UTILITY][Arm()]} - {""}


def test_independent_errors_are_far_too_narrow(recorded):
    for defence in ("tool_filter", "transformers_pi_detector"):
        _, _, success = defence_effects(recorded, defence)
        assert success.standard_error > 2 * success.naive_error
        assert success.p_value < 1e-3


def test_the_recorded_log_misleads_raw_means_alone(recorded):
    for defence in DEFENCES:
        pairs = pairs_of(recorded, SUCCESS, defence)
        whole = recorded.effect(SUCCESS, Arm(BASE, defence).attacked, ATTACKED)
        assert pairs.truth == pytest.approx(whole.value)
        (_, error, _, held), (_, right, _, covered) = over_logs(pairs, 40)
        assert error > 0.1
        assert held == 0
        assert abs(right) < 0.03
        assert covered >= 0.85


@pytest.mark.slow
def test_the_study_of_the_record(agentdojo_runs, recorded, root):
    made = answer(find_scenario("defences"), 0, agentdojo_runs.parent)
    study = made.data
    assert scenario_picture(made) == (root / "docs" / "defences.svg").read_text()
    assert len(study.asked) == 13
    assert [one.naive.right for one in study.asked if one.truth is not None] == [False] * 4
    assert "nets most" in study.decision
    assert len(study.figures) == 6
