"""Models as arms: tokens and cascades by hand, prompts that get harder, and the recorded figures."""

from __future__ import annotations

import gzip
import json
import re

import numpy as np
import pytest

from ifonly.agents.errors import InputError
from ifonly.agents.tables import Table
from ifonly.scenarios.agentic.escalation_real import Arms, choices, read_arms, real_study
from ifonly.scenarios.agentic.prices import PRICES, run_costs
from ifonly.scenarios.agentic.routing_real import real_study as routing_study
from ifonly.scenarios.agentic.routing_real import routed
from ifonly.scenarios.routing import Prompts, policies
from ifonly.scenarios.swaps.cells import tables

CALL = {"function": "f", "args": {"n": 10}}


def raw(task="user_task_1", attack=None, injection=None):
    """A run as AgentDojo's authors write it: two turns, of 10 and 4 characters."""
    return {
        "suite_name": "banking", "pipeline_name": "m", "user_task_id": task, "injection_task_id": injection,
        "attack_type": attack, "injections": {}, "error": None, "utility": True, "security": True, "duration": 1.0,
        "messages": [
            {"role": "system", "content": "s" * 4},
            {"role": "user", "content": "u" * 8},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "t" * 12, "tool_call": CALL},
            {"role": "assistant", "content": "a" * 4},
        ],
    }  # fmt: skip


RUNS = (raw(), raw(attack="direct", injection="injection_task_2"), raw("injection_task_1"))
CLEAN = "m/banking/user_task_1/none/none"


def write(folder, run):
    """Put a run where the authors' archive has it."""
    attack, injection = run["attack_type"] or "none", run["injection_task_id"] or "none"
    file = folder / "m" / run["suite_name"] / run["user_task_id"] / attack / f"{injection}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(run))
    return file


def test_costs_are_of_clean_runs_of_user_tasks(tmp_path):
    """The first turn reads 12 characters, the second these, its own 10 (``f`` and ``{"n": 10}``) and the tool's 12."""
    for run in RUNS:
        broken = write(tmp_path, run)
    assert run_costs(tmp_path, {"m": (1e6, 2e6)}) == {CLEAN: (12 + 34) / 4 + 2 * (10 + 4) / 4}
    with pytest.raises(InputError, match=r"no clean runs of other.*\n?.*ifonly data get agentdojo"):
        run_costs(tmp_path, {"other": (1.0, 1.0)})
    broken = tmp_path / f"{CLEAN}.json"
    broken.write_text("{}{")
    with pytest.raises(InputError, match=re.escape(str(broken))):
        run_costs(tmp_path, {"m": (1.0, 1.0)})


def test_runs_by_line_in_a_folder_below_cost_the_same(tmp_path):
    (tmp_path / "runs").mkdir()
    with gzip.open(tmp_path / "runs" / "m__none.jsonl.gz", "wt") as file:
        file.write("\n".join(json.dumps(run) for run in RUNS))
    assert run_costs(tmp_path, {"m": (1e6, 2e6)}) == {CLEAN: 18.5}


def test_runs_alone_give_the_tables_that_an_index_gives(tmp_path):
    empty = raw("user_task_2") | {"messages": []}
    for run in (*RUNS, empty, raw("user_task_3") | {"error": "no answer"}):
        write(tmp_path, run)
    found = tables(tmp_path)
    assert found["utility"].ids == ("m/banking/user_task_1/direct/injection_task_2", CLEAN)
    assert found["security"].ids == found["utility"].ids[:1]
    with gzip.open(tmp_path / "index.csv.gz", "wt") as file:
        file.write("run_id,task_id,suite,pipeline,user_task,injection_task,attack,utility,security,api_error,empty\n")
        for run in found["utility"].ids:
            pipeline, suite, task, attack, injection = run.replace("none", "").split("/")
            file.write(f"{run},{suite}/{task},{suite},{pipeline},{task},{injection},{attack},1,1,0,0\n")
    indexed = tables(tmp_path)
    for score, table in found.items():
        assert indexed[score].cells == table.cells
        assert indexed[score].outcomes.tolist() == table.outcomes.tolist()
        assert indexed[score].targets.tolist() == table.targets.tolist()


ARMS = Arms(
    ("a", "b"), ("1", "2", "3", "4"), np.array([[1.0, 0, 0, 1], [0.0, 1, 0, 1]]), np.array([[1.0] * 4, [5.0] * 4])
)


def test_a_cascade_asks_the_second_where_the_first_failed():
    solved, costs = ARMS.cascade("a", "b")
    assert solved.tolist() == [1, 1, 0, 1]
    assert costs.tolist() == [1, 6, 6, 1]
    solved, costs = ARMS.cascade("a", "b", missed=0.5)
    assert solved.tolist() == [1, 0.5, 0, 1]
    assert costs.tolist() == [1, 3.5, 3.5, 1]


def test_choices_are_models_and_cascades_to_a_dearer_one():
    made = {one.name: (one.solved.mean(), one.cost) for one in choices(ARMS)}
    assert made == {"a": (0.5, 1_000), "b": (0.5, 5_000), "a, then b": (0.75, 3_500)}


def known_prompts(n=3_000):
    """Two domains; the small model fails in one of them, the large one half the time."""
    generator = np.random.default_rng(0)
    hard = generator.random(n) < 0.5
    correct = np.stack(
        [generator.random(n) < np.where(hard, 0.6, 0.9), generator.random(n) < np.where(hard, 0.2, 0.8)], 1
    )
    table = Table(
        "prompts",
        {
            "id": list(range(n)),
            "bench": ["mmlu"] * n,
            "domain": ["law" if one else "trivia" for one in hard],
            "prompt": ["why"] * n,
            "prompt_chars": [100.0] * n,
        },
    )
    return Prompts(table, correct.astype(float), np.tile([2.0, 0.1], (n, 1)))


def test_reweighting_speaks_of_today_and_raw_means_do_not():
    prompts = known_prompts()
    made = routed(prompts, 0)
    small = policies(prompts)["all small"]
    truth = made.truth(small)
    assert truth < prompts.value(small) - 0.05
    assert made.cost(small) == pytest.approx(0.1)
    found = made.today(small)
    assert found.low - 0.03 <= truth <= found.high + 0.03
    assert made.raw(small).low > truth + 0.1


@pytest.mark.slow
def test_the_recorded_models(agentdojo_runs):
    arms = read_arms(agentdojo_runs.parent)
    assert arms.models == tuple(PRICES)
    assert len(arms.tasks) > 60
    study = real_study(agentdojo_runs.parent, 0)
    escalated, first = study.asked[0].naive.estimate.value, study.asked[0].answers[0].estimate.value
    assert escalated < first - 0.1
    independent, together = study.asked[1].naive.estimate.value, study.asked[1].answers[0].estimate.value
    assert independent > together + 0.03


@pytest.mark.slow
def test_the_recorded_prompts(data):
    study = routing_study(data / "routellm_routing", 0)
    small = study.asked[0]
    assert small.naive.error > 0.1
    assert abs(small.answers[0].error) < 0.05
    assert study.pictures[0].series[0].y[0] > study.pictures[0].series[0].y[-1]
