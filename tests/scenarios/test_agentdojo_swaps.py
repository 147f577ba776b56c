"""AgentDojo as potential outcomes: the given figures of the baselines, and what a world adds."""

import numpy as np
import pytest

from ifonly.agents.errors import InputError
from ifonly.scenarios.swaps.baselines import average, baselines, ridge
from ifonly.scenarios.swaps.cells import tables
from ifonly.scenarios.swaps.folds import WORLD, across_cells
from ifonly.scenarios.swaps.scores import brier, calibration_error, gain, log_loss, reliability
from ifonly.scenarios.swaps.steps import ESTIMATORS, Gathered, step_scores


@pytest.fixture(scope="module")
def found(data):
    return tables(data / "agentdojo_runs")


def test_scores_of_predictions():
    predicted, outcomes = np.array([0.5, 0.9, 0.0]), np.array([1.0, 0.0, 1.0])
    assert brier(predicted, outcomes) == pytest.approx([0.25, 0.81, 1.0])
    assert log_loss(predicted, outcomes) == pytest.approx([np.log(2), np.log(10), np.log(1000)])


def test_reliability_counts_each_prediction_once():
    predicted = np.array([0.05, 0.05, 0.95, 1.0])
    bins = reliability(predicted, np.array([0.0, 1.0, 1.0, 1.0]))
    assert [(one.cells, one.observed) for one in bins] == [(2, 0.5), (2, 1.0)]
    assert calibration_error(predicted, np.array([0.0, 1.0, 1.0, 1.0])) == pytest.approx((2 * 0.45 + 2 * 0.025) / 4)


def test_reliability_of_tasks_has_the_interval_of_tasks():
    """Ten tasks of ten cells, half of which always come true: the interval is that of ten coins, not of a hundred."""
    outcomes = np.repeat([0.0, 1.0] * 5, 10)
    tasks = np.repeat(np.arange(10), 10).tolist()
    (one,) = reliability(np.full(100, 0.55), outcomes, tasks)
    assert (one.cells, one.observed) == (100, 0.5)
    assert one.observed_low < 0.25
    assert one.observed_high > 0.75
    (alone,) = reliability(np.full(100, 0.55), outcomes, ["t"] * 100)
    assert alone.observed_low is None


def test_a_gain_is_positive_where_the_rival_is_worse():
    clusters = [n // 10 for n in range(100)]
    estimate = gain(np.full(100, 0.1), np.full(100, 0.3), clusters)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.2, 0.2, 0.2))


def test_averages_of_groups():
    assert average(["a", "a", "b"], np.array([1.0, 0.0, 1.0]), ["a", "b", "c"]) == pytest.approx([0.5, 1.0, 2 / 3])


def test_ridge_without_information_says_the_mean():
    told = ridge([["a", "b"] * 50], np.array([1.0, 1.0, 0.0, 0.0] * 25), [["a", "b"]])
    assert told == pytest.approx([0.5, 0.5], abs=1e-6)


def test_steps_are_scored_apart_and_the_share_of_noise_is_found():
    """Noise wholly shared at step 1, independent at step 0."""
    generator = np.random.default_rng(3)
    gathered = Gathered()
    for n in range(4_000):
        step, a, b = n % 2, *generator.uniform(0.2, 0.8, 2)
        first, second = generator.random(2)
        before, after = float(first < a), float((first if step else second) < b)
        shared = (min(a, b) / a) if before else max(b - a, 0) / (1 - a)
        row = {"steps": step, "tasks": f"t{n % 40}", "before": before, "outcomes": after, "independent": b}
        for name, value in (row | {"shared": shared, "low": 0.0, "high": 1.0}).items():
            getattr(gathered, name).append(value)
    rows = {(row["step"], row["estimator"]): row for row in step_scores(gathered, 4, 0)}
    assert rows[0, ESTIMATORS[2]]["share"] < 0.15
    assert rows[1, ESTIMATORS[2]]["share"] > 0.9
    assert rows[1, ESTIMATORS[2]]["brier"] < rows[1, ESTIMATORS[1]]["brier"] - 0.05


def test_no_runs_are_told(tmp_path):
    with pytest.raises(InputError, match="holds no file"):
        tables(tmp_path)


@pytest.mark.data
def test_the_index_gives_the_tables_of_the_runs(found, agentdojo_runs, tmp_path):
    for name in ("gpt-4o-2024-05-13-tool_filter.jsonl.gz", "claude-3-opus-20240229.jsonl.gz"):
        (tmp_path / name).symlink_to(agentdojo_runs / name)
    (tmp_path / "system_prompts.json").symlink_to(agentdojo_runs.parent / "system_prompts.json")
    for score, table in tables(tmp_path).items():
        pipelines = {run.partition("/")[0] for run in table.ids}
        assert len(pipelines) == 2
        indexed = found[score]
        rows = zip(indexed.ids, indexed.cells, indexed.outcomes.tolist(), strict=True)
        theirs = {row for row in rows if row[0].partition("/")[0] in pipelines}
        assert theirs == set(zip(table.ids, table.cells, table.outcomes.tolist(), strict=True))


@pytest.mark.data
@pytest.mark.parametrize(
    ("score", "attacked", "given"),
    [
        ("utility", False, (0.221, 0.182, 0.147)),
        pytest.param("utility", True, (0.227, 0.181, 0.158), marks=pytest.mark.slow),
        pytest.param("security", True, (0.138, 0.136, 0.100), marks=pytest.mark.slow),
    ],
)
def test_the_given_figures_of_the_baselines(found, score, attacked, given):
    """To .003: the folds differ, and a share of the tasks is held out of this copy."""
    table = found[score]
    mine = np.array([n for n in table.targets if (table.cells[n].attack is not None) == attacked])
    order = np.random.default_rng(0).permutation(mine)
    losses = []
    for hidden in np.array_split(order, 10):
        seen = np.setdiff1d(mine, hidden)
        told = baselines([table.cells[n] for n in seen], table.outcomes[seen], [table.cells[n] for n in hidden])
        losses.append([brier(values, table.outcomes[hidden]).sum() for values in told.values()])
    assert np.sum(losses, axis=0) / len(mine) == pytest.approx(given, abs=0.003)


@pytest.mark.nightly
@pytest.mark.data
def test_structure_beats_effects_of_model_and_task(found):
    """Three folds in place of ten: fewer outcomes are known, so the benchmark's own figures are better."""
    for kind, one in across_cells(found["security"], 0, lambda done, total: None, folds=3).items():
        outcomes = np.array(one.outcomes)
        better = gain(
            brier(np.array(one.by[WORLD]), outcomes), brier(np.array(one.by["ridge logistic"]), outcomes), one.tasks
        )
        assert better.low > 0, kind
        assert np.mean(one.covered) > 0.8
