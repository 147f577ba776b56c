"""``ifonly simulate`` on the command line: text, JSON, CSV, page, world files, and what it says of mistakes."""

from __future__ import annotations

import csv
import json
import re

import pytest
from pydantic import TypeAdapter

from ifonly.agents.importers.native_export import write
from ifonly.agents.records import ModelStep, Usage
from ifonly.sim.simulate import SimulateAnswer


@pytest.fixture(autouse=True)
def no_table(monkeypatch):
    """No price table: loading litellm takes seconds, and its prices change."""
    monkeypatch.setattr("ifonly.agents.provider.token_rates", lambda model: None)


@pytest.fixture
def timed_runs(tmp_path, made):
    """Eight runs whose steps have times: two model calls and a look-up each."""
    runs = []
    for at in range(8):
        run = made(f"run/{at}", model="large" if at % 2 else "small")
        clock, steps = 1_700_000_000.0 + 60 * at, []
        for step in run.steps:
            if step.kind == "input":
                steps.append(step)
                continue
            seconds = 1.0 + 0.25 * at if isinstance(step, ModelStep) else 0.5
            usage = {"usage": Usage(input_tokens=100, output_tokens=20 + at)} if isinstance(step, ModelStep) else {}
            steps.append(step.model_copy(update={"started": clock, "seconds": seconds, **usage}))
            clock += seconds
        runs.append(run.model_copy(update={"steps": tuple(steps), "seconds": clock - 1_700_000_000.0 - 60 * at}))
    path = tmp_path / "timed.jsonl"
    write(path, runs)
    return path


def test_nothing_changed(cli, timed_runs):
    done = cli("simulate", timed_runs, "--price", "large=1,2")
    assert done.status == 0
    assert "nothing is changed" in done.out
    assert "runs that change most" not in done.out
    assert "8 runs, 24 calls" in done.out
    assert "arrivals: as recorded" in done.out
    assert "costs that take the price of these models are not known (--price tells it): small" in done.out


def test_json_is_the_answer(cli, timed_runs):
    done = cli("simulate", timed_runs, "--swap", "small=large@agent/*", "--json", "--seed", 3)
    given = SimulateAnswer.model_validate_json(done.out)
    assert given.words == ("calls of small at agent/* go to large",)
    latency = json.loads(done.out)["metrics"]["latency p90"]
    assert latency.keys() == {"factual", "counterfactual", "change"}
    assert latency["change"]["rung"] == "counterfactual"
    assert len(given.spans) == 24


def test_everything_is_written(cli, timed_runs, tmp_path):
    world, table, page = tmp_path / "world.yaml", tmp_path / "spans.csv", tmp_path / "page.html"
    asked = ("--set", "service.weather.concurrency=1", "--load", 50, "--arrivals", "poisson:1", "--replications", 3)
    done = cli("simulate", timed_runs, *asked, "--save-world", world, "--csv", table, "--html", page)
    assert done.status == 0
    assert "times of arrival" in done.out
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    assert len(rows) == 2 * 24
    assert {row["world"] for row in rows} == {"factual", "counterfactual"}
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert len(re.findall(r'<svg class="gantt"', text)) == 8
    assert {'class="running"', 'class="tool"'} <= set(re.findall(r'class="\w+"', text))
    ticks = re.findall(r'text-anchor="\w+">([^<]*) s</text>', text)
    assert {len(tick.strip("0.,")) for tick in ticks} <= {0, 1, 2, 3}
    again = cli("simulate", timed_runs, "--world", world, "--json")
    assert SimulateAnswer.model_validate_json(again.out).runs[0].seconds.change.value == 0.0


def test_a_sweep_stands_in_the_answer(cli, timed_runs, tmp_path):
    places = ("--sweep", "service.large.concurrency=1,2", "--sweep", "swap.small=small,large")
    done = cli("simulate", timed_runs, *places, "--quality", "small=0.5,large=0.9", "--json")
    points = SimulateAnswer.model_validate_json(done.out).sweep
    assert [point.setting for point in points] == [
        {"service.large.concurrency": slots, "swap.small": model} for slots in (1, 2) for model in ("small", "large")
    ]
    assert [point.quality for point in points] == pytest.approx([0.7, 0.9, 0.7, 0.9])
    page = tmp_path / "page.html"
    prices = ("--price", "small=0.1,0.4", "--price", "large=3,15")
    done = cli("simulate", timed_runs, *places, *prices, "--html", page)
    assert "on the front" in done.out
    text = page.read_text(encoding="utf-8")
    assert "Settings side by side" in text
    assert "swap.small is each of small, large" in text
    assert 'class="gantt"' not in text
    assert len(re.findall(r'<circle class="dot"', text)) == 4


def test_a_cost_without_a_price_is_not_known(cli, timed_runs, tmp_path):
    page, table = tmp_path / "page.html", tmp_path / "spans.csv"
    swap = ("--swap", "small=large", "--price", "small=0.1,0.4")
    done = cli("simulate", timed_runs, *swap, "--html", page, "--csv", table)
    assert re.search(r"cost of all \(\$\) +not known +not known +not known", done.out) is not None
    given = SimulateAnswer.model_validate_json(cli("simulate", timed_runs, *swap, "--json").out)
    assert "cost" not in given.metrics or given.metrics["cost"].change is None
    assert {row["cost"] for row in csv.DictReader(table.open(encoding="utf-8")) if row["service"] == "large"} == {""}
    assert "not known" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "status", "told"),
    [
        (("--swap", "small"), 2, "SERVICE=OTHER"),
        (("--swap", "small=tiny"), 2, "declare it"),
        (("--set", "service.large.concurency=2"), 2, "concurrency"),
        (("--outage", "large"), 2, "NAME:START-END"),
        (("--outage", "large:9-1"), 2, "ends before"),
        (("--arrivals", "often"), 2, "poisson:0.5"),
        (("--arrivals", "poisson:-1"), 2, "poisson:0.5"),
        (("--price", "large=cheap"), 2, "MODEL=IN,OUT"),
        (("--sweep", "arrivals"), 2, "arrivals=1,2,4"),
        (("--load", "0"), 2, "above 0"),
        (("--quality", "@nowhere.json"), 3, "cannot be read"),
        (("--world", "nowhere.yaml"), 3, "cannot be read"),
        (("--follow", "nowhere.json"), 3, "cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_mistakes_are_told(cli, timed_runs, options, status, told):
    done = cli("simulate", timed_runs, *options)
    assert done.status == status
    assert told in " ".join(done.err.split())
    assert done.out == ""


def test_runs_without_times_need_a_world(cli, runs, tmp_path):
    done = cli("simulate", runs)
    assert done.status == 2
    assert "--world FILE" in " ".join(done.err.split())
    world = tmp_path / "world.json"
    latency = {"base": 1.0, "noise": {"law": "exponential", "mean": 1.0}}
    services = {"small": {"latency": latency}, "weather": {"latency": {"base": 0.5}}}
    world.write_text(json.dumps({"services": services}), encoding="utf-8")
    done = cli(
        "simulate", runs, "--world", world, "--set", "service.small.concurrency=1", "--arrivals", "closed:3", "--json"
    )
    given = SimulateAnswer.model_validate_json(done.out)
    change = given.metrics["latency mean"].change
    assert (change.rung, change.effective) == ("interventional", 20.0)
    assert change.low > 0.0
    assert TypeAdapter(list[str]).validate_python(list(given.drawn))


def test_hostile_names_do_nothing(cli, tmp_path, hostile):
    run = hostile("\x1b[31m<script>alert(1)</script>")
    path, page = tmp_path / "hostile.jsonl", tmp_path / "page.html"
    write(path, [run.model_copy(update={"seconds": 3.0})])
    done = cli("simulate", path, "--html", page, "--csv", tmp_path / "t.csv")
    assert "\x1b[31m" not in done.out + (tmp_path / "t.csv").read_text(encoding="utf-8")
    assert "<script" not in page.read_text(encoding="utf-8")


@pytest.mark.data
def test_real_traces(cli, data):
    done = cli(
        "simulate", data / "trail_otel" / "raw", "--set", "service.o3-mini.concurrency=1", "--load", 1000, "--json"
    )
    given = SimulateAnswer.model_validate_json(done.out)
    assert given.traffic.runs == 4
    assert given.metrics["latency mean"].change.value >= 0.0
