"""Known worlds: going through a population, finding worlds, and the bench that scores answers against them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from ifonly.cli.bench import app
from ifonly.scenarios.catalog import known_worlds
from ifonly.scenarios.known import law_of, mean_of
from ifonly.scenarios.scored import known_rows
from ifonly.scm.estimate import Estimate


def coin(value):
    def respond(put):
        made = {"x": put.get("x", value)}
        return {**made, "y": 1 - made["x"]}

    return respond


UNITS = [(0.25, coin(0)), (0.75, coin(1))]


def test_a_mean_over_a_population_given_facts():
    assert mean_of(UNITS, lambda do: do({})["y"]) == 0.25
    assert mean_of(UNITS, lambda do: do({})["y"], {"x": 0}) == 1
    assert mean_of(UNITS, lambda do: do({"x": 0})["y"]) == 1
    with pytest.raises(ZeroDivisionError):
        mean_of(UNITS, lambda do: do({})["y"], {"x": 2})


def test_the_law_of_a_population():
    assert law_of(UNITS, ("x", "y")) == {(0, 1): 0.25, (1, 0): 0.75}


@pytest.fixture(scope="module")
def rescue():
    return next(world for world in known_worlds() if world.name == "rescue")


def test_rows_tell_the_error_of_both(rescue):
    ours, naive, *_ = known_rows([rescue])
    assert (ours.estimator, ours.value, ours.identified) == ("ifonly", pytest.approx(0.9), "exact")
    assert (naive.estimator, naive.error) == ("naive", pytest.approx(0.01))


def test_a_bound_is_no_answer_to_a_known_point(rescue):
    query = replace(rescue.queries[0], ours=lambda: Estimate.bounded(0, 1, "counterfactual"))
    with pytest.raises(ValueError, match="only bounds"):
        list(known_rows([replace(rescue, queries=(query,))]))


def test_the_bench_prints_what_it_found(rescue):
    done = CliRunner().invoke(app, ["worlds", "--world", "rescue", "--json"])
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["seconds"] > 0
    assert len(found["rows"]) == 2 * len(rescue.queries)
    assert {row["estimator"] for row in found["rows"]} == {"ifonly", "naive"}
    table = CliRunner().invoke(app, ["worlds", "--world", "rescue"])
    assert rescue.question in " ".join(table.stdout.split())


def test_an_unknown_world_is_told():
    done = CliRunner().invoke(app, ["worlds", "--world", "resque"])
    assert done.exit_code == 2
    assert "rescue" in done.output
