"""`ifonly whatif --continue live`, from the command line, with the real small model where it is installed."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ifonly.agents.errors import ToolEnvironmentError
from ifonly.agents.importers.native_export import write
from ifonly.agents.local.weights import require_engine
from ifonly.agents.reading import read
from ifonly.scenarios.desks import record
from ifonly.scenarios.errand import AGENT, BETTER

TOOLS = str(AGENT.with_name("tools.py"))


@pytest.fixture
def runs(tmp_path):
    path = tmp_path / "runs.jsonl"
    write(path, [record(0.7, seed) for seed in (0, 1)])
    return path


def test_a_plan_is_told_and_nothing_asked(cli, runs):
    asked = ("whatif", "desks/0.7/0", "--in", str(runs), "--at", "system/0", "--prompt", "care 0.9")
    live = ("--continue", "live", "--alias", "clerk=gpt-4o-mini", "--dry-run")
    done = cli(*asked, *live)
    assert done.status == 0
    assert "20 re-runs (changed and unchanged) of clerk, from agent/0 on" in done.out
    assert "200 expected, 400 at most" in done.out
    plan = json.loads(cli(*asked, *live, "--json").out)["plans"][0]
    assert (plan["calls"], plan["calls_at_most"], plan["site"]) == (200, 400, "agent/0")
    assert 0 < plan["usd"] < plan["usd_at_most"]


def test_nothing_is_asked_without_a_budget(cli, runs):
    done = cli("whatif", "desks/0.7/0", "--in", str(runs), "--at", "system/0", "--prompt", "x", "--continue", "live")
    assert done.status == 4
    assert "--budget-usd" in done.err


def test_a_model_of_unknown_price_is_refused(cli, runs, tmp_path):
    asked = ("whatif", "desks/0.7/0", "--in", str(runs), "--at", "system/0", "--prompt", "x", "--continue", "live")
    named = ("--alias", "clerk=openai/nobody-knows-me", "--budget-usd", "1", "--cassette", str(tmp_path / "c.jsonl"))
    done = cli(*asked, *named)
    assert done.status == 4
    assert "--allow-unknown-price" in done.err


def test_a_setting_without_a_name_is_told(cli, runs):
    done = cli("whatif", "desks/0.7/0", "--in", str(runs), "--at", "system/0", "--prompt", "x", "--set", "hot")
    assert done.status == 2
    assert "--set temperature=0.7" in done.err


def ifonly(*words, cwd):
    command = [Path(sys.executable).with_name("ifonly"), *words]
    home = {**os.environ, "XDG_CACHE_HOME": str(cwd / "cache"), "PYTHONSAFEPATH": "1"}
    return subprocess.run(command, cwd=cwd, env=home, capture_output=True, text=True, timeout=500, check=False)


@pytest.mark.slow
def test_an_errand_is_run_and_asked_again_with_the_real_model(tmp_path):
    try:
        require_engine()
    except ToolEnvironmentError as error:
        pytest.skip(str(error))
    made = ifonly("run", str(AGENT), "--seed", "1", "--id", "errand", "--out", "runs.jsonl", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (run,) = read(tmp_path / "runs.jsonl").trajectories
    assert run.environment.name == "python"
    ask = ("whatif", "errand", "--in", "runs.jsonl", "--tools", TOOLS, "--at", "agent/0", "--model", "smollm2-28")
    live = ("--continue", "live", "--particles", "3", "--workers", "2", "--max-calls", "40", "--json")
    first = ifonly(*ask, *live, "--save", "particles.jsonl", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    answer = json.loads(first.stdout)
    assert answer["live"]["particles"] == answer["live"]["control"] == 3
    assert answer["calls"] >= 6
    assert answer["cost"] == 0
    again = json.loads(ifonly(*ask, *live, "--resume", cwd=tmp_path).stdout)
    assert (again["calls"], again["live"]["recorded"]) == (0, answer["calls"])
    assert again["outcomes"] == answer["outcomes"]
    arms = [particle.labels["arm"] for particle in read(tmp_path / "particles.jsonl").trajectories]
    assert arms == ["changed"] * 3 + ["unchanged"] * 3


@pytest.mark.slow
def test_an_interrupted_what_if_keeps_what_was_asked(tmp_path):
    try:
        require_engine()
    except ToolEnvironmentError as error:
        pytest.skip(str(error))
    assert ifonly("run", str(AGENT), "--seed", "1", "--id", "errand", cwd=tmp_path).returncode == 0
    ask = ("whatif", "errand", "--in", "runs.jsonl", "--tools", TOOLS, "--at", "agent/0", "--model", "smollm2-28")
    live = ("--continue", "live", "--particles", "6", "--workers", "2", "--max-calls", "60")
    home = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONSAFEPATH": "1"}
    # A suite that runs in the background of a shell ignores the signal, and so would its children.
    heed = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    act = f"import signal; {heed}; from ifonly.cli import main; main()"
    command = [sys.executable, "-P", "-c", act, *ask, *live]
    with subprocess.Popen(command, cwd=tmp_path, env=home, stderr=subprocess.PIPE, text=True) as process:
        cassette, waited = tmp_path / "cache" / "ifonly" / "live", time.monotonic()
        while time.monotonic() - waited < 120:
            kept = "".join(path.read_text() for path in cassette.glob("*.jsonl")) if cassette.is_dir() else ""
            if kept.count('"completion"') >= 3:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
        assert process.wait(60) == 130, told
    assert int(re.search(r"Interrupted after (\d+) calls", told)[1]) >= 3
    assert "--resume" in told
    resumed = json.loads(ifonly(*ask, *live, "--resume", "--json", cwd=tmp_path).stdout)
    assert resumed["live"]["recorded"] >= 3
    assert resumed["verdict"] == "answered"


def test_a_live_blame_is_planned_and_nothing_asked(cli, tmp_path):
    run = next(one for one in (record(0.5, seed) for seed in range(50)) if not one.outcome.scores["success"])
    path = tmp_path / "failed.jsonl"
    write(path, [run])
    asked = ("blame", run.id, "--in", str(path), "--continue", "live", "--alias", "clerk=gpt-4o-mini")
    done = cli(*asked, "--prompt", "care 0.9", "--dry-run")
    assert done.status == 0, done.err
    assert "the prompt at system/0 had read “care 0.9”" in done.out
    plan = json.loads(cli(*asked, "--dry-run", "--json").out)["plans"][0]
    assert 0 < plan["calls"] <= plan["calls_at_most"]
    assert 0 < plan["usd"] < plan["usd_at_most"]
    assert cli(*asked).status == 4
    refused = cli("blame", run.id, "--in", str(path), "--prompt", "care 0.9")
    assert refused.status == 2
    assert "--continue live" in refused.err


@pytest.mark.slow
def test_a_failed_errand_is_blamed_with_the_real_model(tmp_path):
    """The run answers without looking; a prompt with an example is a fix, and its command runs as it stands."""
    try:
        require_engine()
    except ToolEnvironmentError as error:
        pytest.skip(str(error))
    made = ifonly("run", str(AGENT), "--repeat", "2", "--seed", "0", "--out", "runs.jsonl", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    failed = next(run for run in read(tmp_path / "runs.jsonl").trajectories if not run.outcome.scores["solved"])
    (tmp_path / "better.txt").write_text(BETTER, encoding="utf-8")
    asked = ("blame", failed.id, "--in", "runs.jsonl", "--tools", TOOLS, "--prompt", "@better.txt")
    live = ("--continue", "live", "--max-calls", "200", "--workers", "2", "--worlds", "0", "--at", "system/0")
    first = ifonly(*asked, *live, "--json", cwd=tmp_path)
    assert first.returncode == 0, first.stderr + first.stdout
    answer = json.loads(first.stdout)
    assert answer["flip_set"] == ["system/0"]
    assert answer["calls"] > 0
    assert answer["cost"] == 0
    again = ifonly(*asked, *live, "--resume", cwd=tmp_path)
    assert again.returncode == 0
    assert " 0 model calls" in again.stdout
    command = next(line.strip() for line in again.stdout.splitlines() if line.strip().startswith("ifonly whatif"))
    done = ifonly(*shlex.split(command)[1:], "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcomes"]["solved"]["change"]["value"] > 0
