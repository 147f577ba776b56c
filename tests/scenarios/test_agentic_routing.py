"""Models as arms: tokens and cascades by hand, prompts that get harder, and the recorded figures."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from ifonly.agents.errors import InputError
from ifonly.agents.tables import Table
from ifonly.scenarios.agentic.escalation_real import Arms, choices, read_arms, real_study
from ifonly.scenarios.agentic.prices import PRICES, run_costs, run_tokens
from ifonly.scenarios.agentic.routing_real import real_study as routing_study
from ifonly.scenarios.agentic.routing_real import routed
from ifonly.scenarios.routing import Prompts, policies

MESSAGES = [
    {"role": "system", "ref": "s"},
    {"role": "user", "content": "u" * 8},
    {"role": "assistant", "content": None, "tool_calls": []},
    {"role": "tool", "content": "t" * 12},
    {"role": "assistant", "content": "a" * 4},
]


def test_every_turn_reads_all_that_came_before():
    """System 4 and user 8 are read twice, the tool's 12 once; 4 are written; four characters a token."""
    read, written = run_tokens(MESSAGES, {"s": "s" * 4})
    assert (read, written) == ((12 + 24) / 4, 1.0)


def test_costs_are_of_clean_runs_of_user_tasks(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "system_prompts.json").write_text(json.dumps({"s": "s" * 4}))
    runs = [
        {"run_id": "a", "attack_type": None, "user_task_id": "user_task_1", "messages": MESSAGES},
        {"run_id": "b", "attack_type": "direct", "user_task_id": "user_task_1", "messages": MESSAGES},
        {"run_id": "c", "attack_type": None, "user_task_id": "injection_task_1", "messages": MESSAGES},
    ]
    with gzip.open(tmp_path / "runs" / "m__none.jsonl.gz", "wt") as file:
        file.write("\n".join(json.dumps(run) for run in runs))
    assert run_costs(tmp_path, {"m": (1e6, 2e6)}) == {"a": 9.0 + 2.0}
    with pytest.raises(InputError, match="no such file"):
        run_costs(tmp_path, {"other": (1.0, 1.0)})
    with gzip.open(tmp_path / "runs" / "m__none.jsonl.gz", "wt") as file:
        file.write("{}{")
    with pytest.raises(InputError, match="is no JSON"):
        run_costs(tmp_path, {"m": (1.0, 1.0)})
    (tmp_path / "system_prompts.json").unlink()
    with pytest.raises(InputError, match=r"system_prompts\.json"):
        run_costs(tmp_path, {"m": (1.0, 1.0)})


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
    if not (agentdojo_runs.parent / "index.csv.gz").is_file():
        pytest.skip("the runs are here without their index")
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
