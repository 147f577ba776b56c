"""`ifonly show`."""

import json
import stat

import pytest

from ifonly.views.run import RunView


def test_steps_as_json_have_the_shape_that_is_promised(cli, run):
    done = cli("show", run, "--json")
    assert done.status == 0
    view = RunView.model_validate(done.json, strict=False)
    assert [step.site for step in view.steps] == ["system/0", "user/0", "agent/0", "weather/0", "agent/1"]
    assert set(done.json) >= {"id", "model", "task", "scores", "steps"}
    assert set(done.json["steps"][0]) == {"site", "kind", "name", "reads", "summary", "injected", "cost", "seconds"}
    assert view.steps[3].reads == ("agent/0",)


def test_full_json_carries_whole_messages(cli, run):
    done = cli("show", run, "--json", "--full")
    assert done.json["steps"][3]["message"]["content"] == "rain"


def test_the_table_tells_sites_tools_values_and_scores(cli, run):
    done = cli("show", run)
    assert done.status == 0
    for told in ("rain/0", "small", "weather/0", 'calls weather(city="Bern")', "Take an umbrella.", "solved", "true"):
        assert told in done.out
    assert done.err == ""


def test_full_shows_values_that_the_table_cuts(cli, tmp_path, hostile):
    text = "long " * 200 + "end"
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps([{"role": "user", "content": text}, {"role": "assistant", "content": "ok"}]))
    assert "end" not in cli("show", path, "--format", "openai_chat").out
    assert "end" in cli("show", path, "--format", "openai_chat", "--full").out


def test_a_file_of_many_runs_is_listed(cli, runs):
    done = cli("show", runs, "--limit", 2)
    assert done.status == 0
    assert "rain/0" in done.out
    assert "sun/0" not in done.out
    assert "--limit" in done.err
    listed = cli("show", runs, "--json").json
    assert [line["id"] for line in listed["runs"]] == ["rain/0", "rain/1", "rain/2", "sun/0", "sun/1", "sun/2"]
    assert listed["more"] is False


def test_a_run_is_found_by_its_id(cli, runs):
    assert cli("show", "sun/0", "--in", runs, "--json").json["id"] == "sun/0"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("sun/9", "--in", "RUNS"), 2, ("sun/9", "near", "sun/0", "ifonly show")),
        (("nowhere.json",), 3, ("nowhere.json", "no such file")),
        (("some/id",), 3, ("--in PATH",)),
        (("RUNS", "--format", "nonsense"), 2, ("nonsense", "Known", "native")),
        (("RUNS", "--limit", "0"), 2, ("--limit",)),
        (("RUNS", "--nonsense"), 2, ("--nonsense",)),
        ((), 2, ("RUN",)),
    ],
)
def test_what_cannot_be_answered_is_told_without_a_traceback(cli, runs, arguments, status, told):
    done = cli("show", *(str(runs) if a == "RUNS" else a for a in arguments))
    assert done.status == status
    assert done.out == ""
    assert "Traceback" not in done.err
    for text in told:
        assert text in done.err


def test_what_was_left_out_is_told_and_in_the_status(cli, broken):
    done = cli("show", broken)
    assert done.status == 1
    assert "rain/1" in done.out
    assert "left out" in done.err
    assert "record 2" in done.err
    assert cli("show", broken, "--keep-going").status == 0


def test_the_page_is_written_whole_and_for_its_owner(cli, run, tmp_path):
    page = tmp_path / "page.html"
    assert cli("show", run, "--html", page).status == 0
    html = page.read_text(encoding="utf-8")
    assert "Take an umbrella." in html
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    done = cli("show", run, "--html", tmp_path / "missing" / "page.html")
    assert done.status == 3
    assert "cannot be written" in done.err


def test_one_page_shows_one_run(cli, runs, tmp_path):
    done = cli("show", runs, "--html", tmp_path / "page.html")
    assert done.status == 2
    assert not (tmp_path / "page.html").exists()


def test_agentdojo_security_is_told_in_words(cli, agentdojo_runs):
    path = min(agentdojo_runs.glob("*.jsonl.gz"), key=lambda path: path.stat().st_size, default=None)
    if path is None:
        pytest.skip("no compact AgentDojo runs")
    attacked = next(p for p in sorted(agentdojo_runs.glob("*important_instructions.jsonl.gz")))
    line = next(
        line for line in cli("show", attacked, "--json", "--limit", 400).json["runs"] if line["scores"]["security"]
    )
    done = cli("show", line["id"], "--in", attacked)
    assert "the injection SUCCEEDED" in done.out
    assert "[injected]" in done.out


def test_a_failed_model_call_shows_its_error(cli, tmp_path):
    told = {
        "openinference.span.kind": "LLM",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "Go.",
    }
    span = {"span_id": "a", "span_name": "call", "status_code": "Error", "status_message": "RateLimitError: later"}
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({"trace_id": "t", "spans": [span | {"attributes": told}]}))
    for more in ([], ["--full"]):
        shown = cli("show", path, *more)
        assert shown.out.count("RateLimitError: later") == 2


def test_in_alone_lists_what_is_there(cli, runs):
    assert cli("show", "--in", runs).out == cli("show", runs).out


def test_nothing_to_show_says_what_to_name(cli):
    done = cli("show")
    assert done.status == 2
    assert "ifonly show PATH" in done.err
