import gc
import json
import subprocess
import sys
import time

import pytest

from ifonly.agents.errors import InputError, UnknownName
from ifonly.agents.importers.native_export import line_of, write
from ifonly.agents.reading import FORMATS, find_run, read, stream
from ifonly.agents.records import (
    AssistantMessage,
    Request,
    Trajectory,
    UserMessage,
)
from ifonly.agents.sites import steps_of
from ifonly.agents.streams.limits import Limits

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def run(name):
    messages = [UserMessage(content=name), AssistantMessage(content="Hello")]
    steps = steps_of(messages, Request(model="m", messages=()))
    return Trajectory(id=name, task="t", agent="a", model="m", steps=steps)


def dojo(number, suite="banking"):
    return {
        "suite_name": suite,
        "pipeline_name": "gpt-4o",
        "user_task_id": f"user_task_{number}",
        "injection_task_id": None,
        "attack_type": None,
        "injections": {},
        "messages": [],
        "error": None,
        "utility": True,
        "security": True,
        "duration": 1.0,
    }


def lines(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "a.jsonl.gz", [run("a/1"), run("a/2")])
    lines(tmp_path / "b" / "dojo.jsonl", dojo(1), dojo(2), dojo(1, "slack"))
    lines(tmp_path / "c.json", CHAT)
    return tmp_path


def test_all_formats_of_a_folder_are_read_together(folder):
    reading = read(folder)
    assert (reading.problems, reading.left_out) == ((), 0)
    assert [t.id for t in reading.trajectories] == [
        "a/1",
        "a/2",
        "gpt-4o/banking/user_task_1/none/none",
        "gpt-4o/banking/user_task_2/none/none",
        "gpt-4o/slack/user_task_1/none/none",
        f"{folder.as_posix()}/c.json#1",
    ]
    assert list(stream([folder])) == list(reading.trajectories)


def test_globs(folder):
    assert len(read(f"{folder}/**/*.jsonl").trajectories) == 3
    assert len(read([folder / "*.gz", folder / "c.json"]).trajectories) == 3


def test_a_format_can_be_forced(folder):
    assert len(read(folder / "b", "agentdojo").trajectories) == 3
    reading = read(folder / "b", format="native")
    assert reading.trajectories == ()
    assert [problem.field for problem in reading.problems] == ["ifonly"] * 3
    with pytest.raises(UnknownName, match="agentdojo") as caught:
        read(folder, "agentdojoo")
    assert caught.value.near[0] == "agentdojo"
    assert caught.value.known == list(FORMATS)


def test_good_records_stay_and_bad_ones_are_counted(tmp_path):
    path = lines(tmp_path / "a.jsonl", dojo(1), {**dojo(2), "utility": 3}, dojo(3))
    with path.open("a") as file:
        file.write('{"suite_name": "ban')
    reading = read(tmp_path)
    assert [t.task for t in reading.trajectories] == ["banking/user_task_1", "banking/user_task_3"]
    assert reading.left_out == 2
    assert [(problem.record, problem.field) for problem in reading.problems] == [(2, "utility"), (4, None)]


def test_a_first_record_that_is_broken_is_told_in_the_words_of_the_others_format(tmp_path):
    broken = dojo(1)
    del broken["pipeline_name"]
    lines(tmp_path / "a.jsonl", broken, dojo(2))
    reading = read(tmp_path)
    assert len(reading.trajectories) == 1
    assert [(problem.record, problem.field) for problem in reading.problems] == [(1, "pipeline_name")]


def test_an_unknown_format_is_told_with_what_is_near(tmp_path):
    broken = dojo(1)
    del broken["pipeline_name"]
    lines(tmp_path / "a.jsonl", broken)
    lines(tmp_path / "b.jsonl", *[{"colour": n} for n in range(40)])
    lines(tmp_path / "c.json", 5)
    near, unknown, number = read(tmp_path).problems
    assert near.near[0] == "agentdojo (but pipeline_name is missing)"
    assert (unknown.record, unknown.near) == (1, ())
    assert "an object with 'colour', which is of no known format" in unknown.found
    assert all(name in unknown.fix for name in FORMATS)
    assert "the number 5" in number.found


def test_an_id_used_twice_names_both_places(tmp_path):
    write(tmp_path / "a.jsonl", [run("x"), run("y"), run("x")])
    write(tmp_path / "b.jsonl", [run("y")])
    reading = read(tmp_path)
    assert [t.id for t in reading.trajectories] == ["x", "y"]
    first, second = reading.problems
    assert (first.file, first.record, first.field) == (str(tmp_path / "a.jsonl"), 3, "id")
    assert f"'x' was used before, in {tmp_path / 'a.jsonl'}, record 1" in first.found
    assert (second.file, second.record) == (str(tmp_path / "b.jsonl"), 1)
    assert f"'y' was used before, in {tmp_path / 'a.jsonl'}, record 2" in second.found
    assert second.fix


def test_one_file_named_twice_is_read_once(folder):
    reading = read([folder / "a.jsonl.gz", folder, folder / "*.gz"])
    assert (len(reading.trajectories), reading.left_out) == (6, 0)


def test_missing_paths_are_problems(folder):
    reading = read([folder / "nothing.jsonl", folder / "c.json"])
    assert len(reading.trajectories) == 1
    assert "no such file" in reading.problems[0].found


def test_companions_are_no_runs_unless_named(tmp_path):
    lines(tmp_path / "system_prompts.json", {"h": "p"})
    lines(tmp_path / "runs" / "a.jsonl", dojo(1))
    assert read(tmp_path).left_out == 0
    assert read(tmp_path / "system_prompts.json").left_out == 1


def test_progress_grows_to_the_size_of_the_files(folder):
    told = []
    read(folder, progress=lambda done, total: told.append((done, total)))
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert told == sorted(told)
    assert {asked for _, asked in told} == {total}
    assert told[-1] == (total, total)


def test_limits_can_be_set(folder):
    reading = read(folder / "b", limits=Limits(record=10))
    assert (reading.trajectories, reading.left_out) == ((), 3)


def test_reading_leaves_the_garbage_collector_as_it_was(folder):
    assert gc.isenabled()
    read(folder)
    assert gc.isenabled()
    gc.disable()
    try:
        read(folder)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_stream_reads_no_further_than_asked(tmp_path):
    path = tmp_path / "a.jsonl"
    one = line_of(run("number"))
    path.write_bytes(b"".join(one.replace(b"number", str(n).encode()) for n in range(20_000)))
    start = time.process_time()
    found = stream(path)
    assert [next(found).id for _ in range(3)] == ["0", "1", "2"]
    found.close()
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("a/1", "a/1"),
        ("gpt-4o/banking/user_task_2/none/none", "gpt-4o/banking/user_task_2/none/none"),
        ("/user_task_2/none/none", "gpt-4o/banking/user_task_2/none/none"),
        ("slack/user_task", "gpt-4o/slack/user_task_1/none/none"),
        ("one/none/none", None),
        ("c.json#1", "c.json#1"),
    ],
)
def test_find_by_id_or_part(folder, asked, found):
    if found is None:
        with pytest.raises(UnknownName):
            find_run(folder, asked)
    else:
        assert find_run(folder, asked).id.endswith(found)


def test_find_prefers_the_end(folder):
    lines(folder / "d.json", [{"id": "a/1/more", "messages": CHAT}])
    assert find_run(folder, "/1").id == "a/1"


def test_find_tells_what_is_near(folder):
    with pytest.raises(UnknownName, match="6 runs were searched") as caught:
        find_run(folder, "gpt-4o/bankin/user_task_1/none")
    assert caught.value.near[0] == "gpt-4o/banking/user_task_1/none/none"
    with pytest.raises(UnknownName, match="3 runs have this in their id") as caught:
        find_run(folder, "gpt-4o")
    assert "such as gpt-4o/banking/user_task_1/none/none, " in caught.value.fix


def test_find_in_a_file_with_a_single_run(folder):
    assert find_run(folder, str(folder / "c.json")).messages[0].content == "Hi"
    assert find_run(folder / "c.json").model == "unknown"
    with pytest.raises(UnknownName, match="2 runs have"):
        find_run(folder / "a.jsonl.gz")
    with pytest.raises(UnknownName, match="2 runs have"):
        find_run(folder, str(folder / "a.jsonl.gz"))


def test_find_raises_what_is_wrong_with_the_run(tmp_path):
    path = lines(tmp_path / "a.jsonl", dojo(1), {**dojo(2), "utility": 3})
    with pytest.raises(InputError, match="utility"):
        find_run(path, "user_task_2/none/none")
    path.write_text('{"suite_name')
    with pytest.raises(InputError, match="cut off"):
        find_run(path, "x")
    with pytest.raises(InputError, match="no such file"):
        find_run(tmp_path / "nothing", "x")
    with pytest.raises(InputError, match="cut off"):
        find_run(path)


@pytest.mark.parametrize("asked", ["", "none", "n", "é", 'a"b', "x" * 5000, "\0", "*", "a\\b"])
def test_find_takes_any_text(folder, asked):
    with pytest.raises(UnknownName):
        find_run(folder, asked)


def test_find_sees_ids_that_json_escapes(tmp_path):
    write(tmp_path / "a.jsonl", [run("caf\xe9/1"), run('q"/2'), run("z")])
    (tmp_path / "b.jsonl").write_text(json.dumps(json.loads(line_of(run("\u2603/3")))))
    for name in ("caf\xe9/1", 'q"/2', "\u2603/3"):
        assert find_run(tmp_path, name).id == name
    assert find_run(tmp_path, "\u2603").id == "\u2603/3"


def test_finding_one_run_costs_little(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    write(path, [run(f"many/{n}") for n in range(3000)])
    start = time.process_time()
    assert find_run(path, "many/2999").id == "many/2999"
    assert time.process_time() - start < 0.5


def test_reading_loads_nothing_heavy():
    heavy = ("torch", "litellm", "agentdojo", "numpy")
    probe = f"import ifonly.agents.reading, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.data
def test_a_real_run_is_found_quickly(agentdojo_runs):
    path = max(agentdojo_runs.glob("*.json*"), key=lambda p: p.stat().st_size, default=None)
    if path is None:
        pytest.skip("the cache holds the authors' files, one run each")
    *_, last = stream(path)
    start = time.process_time()
    assert find_run(path, last.id) == last
    assert time.process_time() - start < 0.5
