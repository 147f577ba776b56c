"""`ifonly whatif`, on runs whose tools are looked up in their log."""

import json

import pytest

from ifonly.sim.answers import WhatIfAnswer
from ifonly.sim.summary import WhatIfSummary

SUN = ("--at", "weather/0", "--result", "sun")


def test_the_corpus_answers(cli, run, runs):
    done = cli("whatif", run, *SUN, "--corpus", runs, "--json")
    assert done.status == 0
    answer = WhatIfAnswer.model_validate(done.json, strict=False)
    assert answer.verdict == "answered"
    assert answer.continuation == "corpus"
    solved = answer.outcomes["solved"].counterfactual
    assert solved.value == pytest.approx(2 / 3)
    assert solved.effective == pytest.approx(3)
    assert {step.site: step.source for step in answer.steps}["agent/1"].startswith("sun/")


def test_the_terminal_tells_the_whole_answer(cli, run, runs):
    done = cli("whatif", run, *SUN, "--corpus", runs)
    for told in (
        "If only weather/0 had returned “sun”?",
        "answered",
        "solved was true",
        "0.667",
        "The worlds part at weather/0",
        "recorded",
        "put",
        "from sun/0#agent/1",
        "A hat.",
        "assumes",
        "0 model calls",
    ):
        assert told in done.out, told


def test_holding_is_the_default_without_a_corpus(cli, run):
    answer = cli("whatif", run, *SUN, "--json").json
    assert answer["continuation"] == "hold"
    assert {step["site"]: step["provenance"] for step in answer["steps"]}["agent/1"] == "held"


def test_what_the_log_does_not_settle_needs_live_calls(cli, run, runs):
    done = cli("whatif", run, "--at", "weather/0", "--result", "snow", "--corpus", runs)
    assert done.status == 4
    assert "needs live or fitted" in done.out
    assert "why not settled" in done.out
    assert "nearest" in done.out


def test_bounds_that_were_asked_for_are_an_answer(cli, run):
    done = cli("whatif", run, *SUN, "--continue", "bounds", "--json")
    assert done.status == 0
    assert done.json["outcomes"]["solved"]["counterfactual"]["identified"] == "bounds"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("--at", "weather/0", "--drop"), {"do": "drop", "site": "weather/0"}),
        (("--at", "agent/1", "--redraw"), {"do": "redraw", "site": "agent/1"}),
        (("--at", "agent/1", "--reply", "Hm."), {"do": "reply", "site": "agent/1", "content": "Hm."}),
        (
            ("--at", "agent/0", "--reply", '{"tool_calls": [{"name": "weather", "arguments": {"city": "Rome"}}]}'),
            {
                "do": "reply",
                "site": "agent/0",
                "tool_calls": [{"name": "weather", "arguments": {"city": "Rome"}, "id": None}],
            },
        ),
        (("--at", "agent/1", "--reply", '{"a": 1}'), {"do": "reply", "content": '{"a": 1}'}),
        (
            ("--at", "weather/0", "--call", "weather", "--arguments", '{"city": "Rome"}'),
            {"do": "call", "tool": "weather", "arguments": {"city": "Rome"}},
        ),
        (("--at", "agent/1", "--model", "large"), {"do": "model", "model": "large", "scope": "onward"}),
        (("--at", "agent/1", "--model", "large", "--only-here"), {"do": "model", "scope": "step"}),
        (("--at", "user/0", "--prompt", "Now?"), {"do": "prompt", "content": "Now?"}),
        (("--action", '{"site": "weather/0", "do": "drop"}'), {"do": "drop"}),
    ],
)
def test_every_action_can_be_typed(cli, run, given, expected):
    done = cli("whatif", run, *given, "--continue", "bounds", "--json")
    assert done.status == 0, done.err
    (action,) = done.json["actions"]
    assert expected.items() <= action.items()


def test_texts_come_from_files_too(cli, run, tmp_path):
    (tmp_path / "result.txt").write_text("sun", encoding="utf-8")
    (tmp_path / "action.json").write_text('{"site": "agent/1", "do": "reply", "content": "Hm."}', encoding="utf-8")
    done = cli(
        "whatif",
        run,
        "--at",
        "weather/0",
        "--result",
        f"@{tmp_path / 'result.txt'}",
        "--action",
        f"@{tmp_path / 'action.json'}",
        "--json",
    )
    assert [action["content"] for action in done.json["actions"]] == ["sun", "Hm."]


@pytest.mark.parametrize(
    ("given", "status", "told"),
    [
        ((), 2, "without an action"),
        (("--at", "weather/0"), 2, "nothing to do there"),
        (("--drop",), 2, "--at SITE"),
        (("--at", "weather/0", "--drop", "--redraw"), 2, "--drop --redraw"),
        (("--at", "wether/0", "--drop"), 2, "weather/0"),
        (("--at", "agent/1", "--result", "x"), 2, "tool step"),
        (("--at", "weather/0", "--arguments", "{}"), 2, "--call TOOL"),
        (("--at", "weather/0", "--drop", "--only-here"), 2, "--model M"),
        (("--at", "weather/0", "--call", "t", "--arguments", "[1]"), 2, "JSON object"),
        (("--at", "agent/0", "--reply", '{"tool_calls": [{"nam": "t"}]}'), 2, "tool_calls"),
        (("--action", "{"), 2, '"do": "drop"'),
        (("--action", "@nowhere.json"), 3, "nowhere.json"),
        (("--clean",), 2, "--result TEXT"),
        ((*SUN, "--continue", "corpus"), 2, "--corpus PATH"),
        ((*SUN, "--where", "arm"), 2, "key=value"),
        ((*SUN, "--where", "arms=plain"), 2, "arm"),
        ((*SUN, "--where", "arm=none"), 2, "--where"),
        ((*SUN, "--level", "2"), 2, "--level"),
    ],
)
def test_what_cannot_be_asked_is_told(cli, run, given, status, told):
    done = cli("whatif", run, *given)
    assert done.status == status
    assert done.out == ""
    assert told in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_ids_are_looked_up_in_the_corpus(cli, runs):
    assert cli("whatif", "rain/1", *SUN, "--corpus", runs, "--json").json["run"] == "rain/1"
    assert cli("whatif", "rain/1", *SUN, "--in", runs, "--json").json["run"] == "rain/1"
    done = cli("whatif", "rain/8", *SUN, "--corpus", runs)
    assert done.status == 2
    assert "rain/1" in done.err
    assert cli("whatif", "rain/8", *SUN).status == 2


def test_many_runs_are_summed_up_over_tasks(cli, runs):
    done = cli("whatif", runs, *SUN, "--corpus", runs, "--where", "arm=plain", "--where", "solved=true", "--json")
    assert done.status == 0
    summary = WhatIfSummary.model_validate(done.json["summary"], strict=False)
    assert summary.runs == 5
    assert summary.tasks == 2
    assert [answer["run"] for answer in done.json["answers"]] == ["rain/0", "rain/1", "rain/2", "sun/0", "sun/1"]
    shown = cli("whatif", runs, *SUN, "--corpus", runs, "--limit", 3)
    assert shown.out.count("→") == 3
    assert "clustered by task" in shown.out


def test_runs_that_cannot_be_asked_are_counted(cli, runs, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi"}]))
    done = cli("whatif", runs, other, *SUN, "--json")
    assert done.status == 1
    assert done.json["failed"] == 1
    assert "left out" in done.err
    assert cli("whatif", runs, other, *SUN, "--json", "--keep-going").status == 0


def test_the_counterfactual_run_is_a_run_of_its_own(cli, run, runs, tmp_path):
    saved = tmp_path / "twin.jsonl"
    done = cli("whatif", run, *SUN, "--corpus", runs, "--save", saved)
    assert done.status == 0, done.err
    twin = cli("show", saved, "--json", "--full").json
    assert twin["id"].startswith("rain/0/counterfactual-")
    assert twin["labels"]["of"] == "rain/0"
    assert [step["message"]["content"] for step in twin["steps"]][-2:] == ["sun", "A hat."]


def test_one_page_shows_one_answer(cli, runs, tmp_path):
    page = tmp_path / "page.html"
    done = cli("whatif", runs, *SUN, "--html", page)
    assert done.status == 2
    assert not page.exists()
    done = cli("whatif", runs, *SUN, "--html", page, "--where", "id=rain/1")
    assert done.status == 0
    assert "--where id=rain/1" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--save", "--html"])
@pytest.mark.parametrize("place", ["", "no/such/folder/answer"])
def test_a_place_that_cannot_be_written_is_told(cli, run, tmp_path, option, place):
    done = cli("whatif", run, *SUN, option, tmp_path / place)
    assert done.status == 3
    assert "cannot be written" in done.err
    assert "Name a file in a folder that exists" in done.err
