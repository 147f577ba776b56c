"""`ifonly verify`, `corpus`, `data`, `demo`, and the program itself."""

import os
import subprocess
import sys

import pytest

from ifonly.agents.verify import VerifyReport
from ifonly.cli import COMMANDS
from ifonly.sim.coverage import CoverageAnswer

OPTIONS = {
    "demo": ("--data", "--json"),
    "show": ("--in", "--full", "--json", "--html", "--format", "--limit", "--keep-going"),
    "whatif": (
        *("--at", "--result", "--reply", "--call", "--arguments", "--drop", "--redraw", "--model", "--only-here"),
        *(
            "--prompt",
            "--clean",
            "--action",
            "--continue",
            "hold",
            "corpus",
            "bounds",
            "--corpus",
            "--equal",
            "calls_only",
        ),
        *("--noise", "--particles", "--budget-usd", "--max-calls", "--dry-run", "--resume", "--api-base", "--tools"),
        *("--level", "--json", "--html", "--save", "--where", "--limit"),
    ),
    "policy": ("--action", "--reward", "--propensity", "--target", "--design", "--save", "--json", "--html"),
    "blame": ("--in", "--corpus", "--score", "--html", "--json"),
    "run": ("--cassette", "--record", "--repeat", "--budget-usd"),
    "record": ("--proxy", "--upstream", "--recover"),
    "serve-model": ("--model", "--port"),
    "tools": ("--in", "--out"),
    "verify": ("--workers", "--tools", "--keep-going", "--json"),
    "corpus": ("--steps", "--json"),
    "batch": ("--questions", "--units", "--out", "--executor", "--chunk", "--workers", "--json"),
    "simulate": (
        *("--world", "--set", "--swap", "--outage", "--follow", "--load", "--sweep", "--quality", "--arrivals"),
        *("--price", "--replications", "--csv", "--save-world", "--json", "--html"),
    ),
    "scenario": ("--list", "--data", "--seed", "--json", "--html", "--svg"),
    "bench": ("estimators", "credit", "whowhen", "trail", "swaps", "routing", "sequences", "worlds"),
    "data": ("get", "list"),
}


def test_the_program_lists_its_commands(cli):
    done = cli("--help")
    assert done.status == 0
    for name in COMMANDS:
        assert f" {name} " in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_its_options(cli, name):
    done = cli(name, "--help")
    assert done.status == 0
    for option in OPTIONS[name]:
        assert option in done.out
    # What the list says of a command is what the command says of itself.
    assert " ".join(COMMANDS[name].split()) in " ".join(done.out.split())


def test_the_version_is_printed(cli):
    done = cli("--version")
    assert (done.status, done.out.split()[0]) == (0, "ifonly")


def test_a_misspelt_command_is_corrected(cli):
    done = cli("shwo")
    assert done.status == 2
    assert "show" in done.err


def test_verify_reports_runs_that_are_looked_up_apart(cli, runs):
    done = cli("verify", runs, "--workers", "1", "--json")
    assert done.status == 0
    report = VerifyReport.model_validate(done.json, strict=False)
    assert report.total.runs == report.total.looked_up == 6
    assert "6 without an environment" in cli("verify", runs, "--workers", "1").out


def test_verify_tells_what_was_left_out(cli, broken, tmp_path):
    assert cli("verify", broken, "--workers", "1").status == 1
    assert cli("verify", broken, "--workers", "1", "--keep-going").status == 0
    assert cli("verify", tmp_path / "nowhere").status == 3


def test_corpus_counts_what_the_log_settles(cli, runs):
    done = cli("corpus", runs, "--json")
    assert done.status == 0
    answer = CoverageAnswer.model_validate(done.json, strict=False)
    (first,) = (row for row in answer.rows if (row.swap, row.equality, row.step) == ("result", "exact", 0))
    assert (first.asked, first.settled) == (6, 6)
    shown = cli("corpus", runs).out
    assert "100.0%" in shown
    assert "6 runs of 1 model on" in shown


def test_corpus_without_runs_is_unreadable(cli, tmp_path):
    assert cli("corpus", tmp_path / "nowhere").status == 3


def test_data_lists_what_can_be_had(cli, tmp_path):
    done = cli("data", "list", "--cache", tmp_path, "--json")
    assert done.json["datasets"][0] == {
        "name": "agentdojo",
        "source": "agentdojo 0.1.29",
        "licence": "MIT",
        "folder": None,
    }
    assert "ifonly data get agentdojo" in cli("data", "list", "--cache", tmp_path).out


def test_data_refuses_what_is_not_the_archive(cli, tmp_path):
    fake = tmp_path / "fake.tar.gz"
    fake.write_bytes(b"nothing")
    done = cli("data", "get", "agentdojo", "--from", fake, "--cache", tmp_path / "cache")
    assert done.status == 3
    assert "sha256" in done.err
    assert cli("data", "get", "agentdjo", "--cache", tmp_path).status == 2


def test_demo_without_fitting_runs_says_what_to_do(cli, runs):
    done = cli("demo", "--data", runs.parent)
    assert done.status == 3
    assert "AgentDojo" in done.err


@pytest.mark.slow
@pytest.mark.data
def test_demo_tells_a_true_story(cli, agentdojo_runs):
    pytest.importorskip("agentdojo")
    done = cli("demo", "--data", agentdojo_runs, "--no-live", "--json")
    assert done.status == 0
    clean, dropped = done.json["clean"]["outcomes"], done.json["dropped"]["outcomes"]
    assert clean["security"]["factual"] is dropped["security"]["factual"] is True
    assert clean["utility"]["factual"] is False
    assert (clean["security"]["counterfactual"]["value"], clean["utility"]["counterfactual"]["value"]) == (0, 1)
    assert dropped["security"]["counterfactual"]["value"] == 0
    assert done.json["clean"]["calls"] == 0
    told = cli("demo", "--data", agentdojo_runs).out
    for part in ("What was recorded", "What this tells", "What it rests on", "Type next", "re-executed", "[injected"):
        assert part in told
    assert "Second act" in told
    assert "unchanged re-run: P(true)" in told


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_interrupt_is_no_traceback(cli, monkeypatch, runs):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("ifonly.cli.show.first_runs", interrupted)
    done = cli("show", runs)
    assert done.status == 130
    assert "Traceback" not in done.err


def test_a_closed_pipe_is_no_traceback(runs):
    act = "import sys; sys.argv = ['ifonly', 'show', sys.argv[1]]; from ifonly.cli import main; main()"
    done = subprocess.run(
        f'"{sys.executable}" -P -c "{act}" "{runs}" | head -c 1',
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
