"""Batches: the same rows from every executor and cut, nothing acknowledged is lost, and a unit that raises is a row."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.agents.actions import DropAction, ModelAction, RedrawAction, ReplyAction, ResultAction
from ifonly.agents.errors import ActionError, InputError, UnknownName
from ifonly.agents.importers.native_export import write
from ifonly.scenarios.inbox import sample
from ifonly.scm.draw import Draw
from ifonly.scm.intervals import guarded_mean
from ifonly.sim.batch import pool, summary
from ifonly.sim.batch.choosing import choose
from ifonly.sim.batch.executors import Process, Serial
from ifonly.sim.batch.job import Job, KnownUnits, Question, RecordedUnits
from ifonly.sim.batch.rows import SCHEMA, Row, table_of
from ifonly.sim.batch.running import rows_digest, run_batch
from ifonly.sim.batch.store import Store
from ifonly.sim.batch.summary import summarise_rows
from ifonly.sim.batch.work import WorkFailed, bench_of
from ifonly.sim.continuations import Hold
from ifonly.sim.whatif import whatif

WORLD = "ifonly.scenarios.credit.replayed:commit"
SWAP = Question(name="big", actions=(ModelAction(site="check/0", model="big"),))
GOOD = Question(name="good", actions=(ReplyAction(site="plan/0", content="good"),))
DROP = Question(name="drop", actions=(DropAction(site="send_money/0"),))


def known(count=1_000, *questions, world=WORLD, seed=0):
    units = KnownUnits(world=world, count=count)
    return Job(ifonly="0", units=units, questions=questions or (SWAP, GOOD), seed=seed)


def recorded(path, *questions, **then):
    files = choose(path).files
    return Job(ifonly="0", units=RecordedUnits(files=files, **then), questions=questions or (DROP,))


def assert_same(one, two):
    assert one.rows_digest == two.rows_digest
    assert one.summary == two.summary


def table_at(store):
    return pa.concat_tables(store.tables())


@pytest.fixture(scope="module")
def inbox(tmp_path_factory):
    """Sixty recorded runs in two files."""
    folder, runs = tmp_path_factory.mktemp("inbox"), sample(60)
    write(folder / "a.jsonl", runs[:25])
    write(folder / "b.jsonl", runs[25:])
    return folder, {run.id: run for run in runs}


class TestJob:
    def test_digest_is_of_content_not_of_place(self, inbox, tmp_path):
        folder, _ = inbox
        for file in folder.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        assert recorded(folder).digest == recorded(tmp_path).digest

    def test_every_part_moves_the_digest(self, inbox):
        folder, _ = inbox
        jobs = [known(), known(999), known(seed=1), known(1_000, SWAP), recorded(folder)]
        jobs += [recorded(folder, continuation="bounds"), recorded(folder / "a.jsonl"), recorded(folder, GOOD)]
        assert len({job.digest for job in jobs}) == len(jobs)

    def test_the_digest_survives_json(self, inbox):
        job = recorded(inbox[0])
        assert Job.model_validate_json(job.model_dump_json()).digest == job.digest

    def test_differences_are_named(self):
        assert known().differences(known(seed=3)) == {"seed": (0, 3)}
        other = Question(name="good", actions=(ReplyAction(site="plan/0", content="bad"),))
        assert known().differences(known(999, SWAP, other)) == {
            "units.count": (1_000, 999),
            "questions.1.actions.0.content": ("good", "bad"),
        }

    def test_questions_need_names_of_their_own(self):
        with pytest.raises(ValueError, match="names of their own"):
            known(10, SWAP, SWAP)

    @given(st.integers(0, 300), st.integers(1, 50))
    def test_chunks_hold_every_unit_once(self, count, size):
        assert [unit for chunk in known(count).chunks(size) for unit in chunk] == list(range(count))


@given(st.integers(0, 2**40), st.integers(1, 40), st.integers(1, 9), st.data())
@settings(max_examples=50)
def test_rows_of_noise_hang_on_the_unit_alone(first, count, width, data):
    whole = Draw(7).rows("site", first, count, width)
    start = data.draw(st.integers(0, count - 1))
    stop = data.draw(st.integers(start + 1, count))
    assert (Draw(7).rows("site", first + start, stop - start, width) == whole[start:stop]).all()
    assert ((whole > 0) & (whole < 1)).all()


@pytest.mark.parametrize(
    "questions", [(SWAP,), (SWAP, GOOD), (Question(name="r", actions=(RedrawAction(site="final/0"),)),)]
)
def test_rows_are_the_same_however_units_are_cut(questions):
    bench = bench_of(job := known(300, *questions))
    cuts = [pa.concat_tables([bench.table(chunk) for chunk in job.chunks(size)]) for size in (300, 128, 7)]
    assert cuts[0].equals(cuts[1])
    assert cuts[0].equals(cuts[2])
    assert len({rows_digest([cut]) for cut in cuts} | {rows_digest([cuts[0].slice(0, 9), cuts[0].slice(9)])}) == 1


def test_the_digest_of_rows_sees_the_last_bit():
    row = Row(0, "u", "t", "q", "s", 0.0, 0.1, 0.1, 0.1, "exact")
    digests = {
        rows_digest([table_of([r])]) for r in (row, row._replace(low=np.nextafter(0.1, 1)), row._replace(low=None))
    }
    assert len(digests) == 3


def test_the_digest_of_rows_sees_where_a_text_ends():
    tables = [table_of([Row(0, a), Row(1, b)]) for a, b in (("ab", "c"), ("a", "bc"), ("abc", ""))]
    assert len({rows_digest([table]) for table in tables}) == 3
    assert rows_digest([tables[0].slice(1)]) == rows_digest([table_of([Row(1, "c")])])


def test_answers_are_those_of_whatif(inbox, tmp_path):
    folder, runs = inbox
    job = recorded(folder, DROP, Question(name="none", actions=()))
    answer = run_batch(job, tmp_path, Serial(), chunk=10)
    rows = table_at(Store(tmp_path, job)).to_pylist()
    asked = {
        run.id: whatif(run, DROP.actions, continuation=Hold()) for run in runs.values() if "send_money/0" in run.sites
    }
    for row in rows:
        if row["question"] == "none":
            assert row["counterfactual"] == row["factual"] == float(runs[row["unit"]].outcome.scores[row["score"]])
        elif row["unit"] in asked:
            outcome = asked[row["unit"]].outcomes[row["score"]]
            assert (row["counterfactual"], row["low"]) == (outcome.counterfactual.value, outcome.counterfactual.low)
            assert row["task"] == asked[row["unit"]].task
        else:
            assert row["error"] == "UnknownName"
    assert {row["unit"] for row in rows} == runs.keys()
    assert answer.summary.units == 60
    (error,) = answer.summary.errors
    assert (error.kind, error.count) == ("UnknownName", 60 - len(asked))
    assert "send_money/0" in error.message


def test_processes_give_the_rows_of_one(tmp_path):
    job = known(300)
    assert_same(
        run_batch(job, tmp_path / "one", Serial(), chunk=300), run_batch(job, tmp_path / "two", Process(2), chunk=80)
    )


@pytest.mark.slow
def test_processes_give_the_rows_of_one_for_recorded_runs(inbox, tmp_path):
    job = recorded(inbox[0], DROP, continuation="corpus", corpus=recorded(inbox[0]).units.files)
    one = run_batch(job, tmp_path / "one", Serial(), chunk=60)
    two = run_batch(job, tmp_path / "two", Process(2), chunk=7)
    assert_same(one, two)
    assert table_at(Store(tmp_path / "one", job)).equals(table_at(Store(tmp_path / "two", job)))


class TestResume:
    def test_the_same_job_again_does_nothing(self, tmp_path):
        job = known(500)
        first = run_batch(job, tmp_path, Serial(), chunk=100)
        before = {path: path.stat().st_mtime_ns for path in Store(tmp_path, job).rows.glob("part-*")}
        again = run_batch(job, tmp_path, Serial(), chunk=9)
        assert {path: path.stat().st_mtime_ns for path in Store(tmp_path, job).rows.glob("part-*")} == before
        assert (again.before, again.rate, again.partitions) == (500, None, 5)
        assert again.rows_digest == first.rows_digest

    def test_an_interrupted_one_goes_on(self, tmp_path):
        job, seen = known(500), []

        def stop(done, total):
            seen.append(done)
            if done == 300:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_batch(job, tmp_path, Serial(), chunk=100, progress=stop)
        assert seen == [0, 100, 200, 300]
        whole = run_batch(job, tmp_path, Serial())
        assert whole.before == 300
        assert whole.rows_digest == run_batch(job, tmp_path / "other", Serial()).rows_digest

    @pytest.mark.parametrize("spoilt", ["torn line", "lost partition", "cut partition", "left temporary"])
    def test_what_is_not_whole_is_made_again(self, tmp_path, spoilt):
        job = known(500)
        whole = run_batch(job, tmp_path, Serial(), chunk=100)
        store = Store(tmp_path, job)
        log, part = store.folder / "log.jsonl", sorted(store.rows.glob("part-*"))[2]
        if spoilt == "torn line":
            log.write_bytes(log.read_bytes()[:-3])
        elif spoilt == "lost partition":
            part.unlink()
        elif spoilt == "cut partition":
            part.write_bytes(part.read_bytes()[:-10])
        else:
            (store.rows / ".tmp-left").write_text("half")
        again = run_batch(job, tmp_path, Serial())
        assert again.before == (500 if spoilt == "left temporary" else 400)
        assert again.rows_digest == whole.rows_digest
        assert not list(store.rows.glob(".tmp-*"))

    def test_two_drivers_do_not_meet(self, tmp_path):
        job = known(10)
        with Store(tmp_path, job).opened(None), pytest.raises(InputError, match="another ifonly batch"):
            run_batch(job, tmp_path, Serial())

    def test_a_changed_file_is_told(self, inbox, tmp_path):
        path = tmp_path / "a.jsonl"
        path.write_bytes((inbox[0] / "a.jsonl").read_bytes())
        job = recorded(path)
        path.write_bytes(path.read_bytes() + b"\n")
        with pytest.raises(InputError, match="has changed"):
            run_batch(job, tmp_path / "out", Serial())


class TestErrors:
    @pytest.mark.parametrize(
        ("action", "error"),
        [
            (ModelAction(site="chek/0", model="big"), UnknownName),
            (ModelAction(site="check/0", model="huge"), UnknownName),
            (ReplyAction(site="check/0", content="fine"), UnknownName),
            (ResultAction(site="check/0", content="x"), ActionError),
        ],
    )
    def test_a_world_refuses_before_work_begins(self, tmp_path, action, error):
        with pytest.raises(error):
            run_batch(known(10, Question(name="q", actions=(action,))), tmp_path, Serial())
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "world", ["nonsense", "ifonly.nonsense:world", "ifonly.scenarios.credit.replayed:nonsense"]
    )
    def test_an_unknown_world_is_told(self, tmp_path, world):
        with pytest.raises(UnknownName, match="module:name"):
            run_batch(known(10, world=world), tmp_path, Serial())

    def test_a_unit_that_raises_is_a_row_and_stops_nothing(self, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(Path(__file__).parent)
        answer = run_batch(known(100, SWAP, world="batch_worlds:raising"), tmp_path, Serial(), chunk=40)
        assert answer.summary.units == answer.summary.rows == 100
        (error,) = answer.summary.errors
        assert (error.kind, error.count, error.unit) == ("ZeroDivisionError", 3, "unit 13")
        assert answer.summary.scores[0].settled == 97

    def test_a_record_that_is_gone_is_a_row(self, inbox, tmp_path):
        job = recorded(inbox[0] / "a.jsonl")
        file = job.units.files[0]
        more = file.model_copy(update={"records": (*file.records, 99)})
        job = job.model_copy(update={"units": job.units.model_copy(update={"files": (more,)})})
        answer = run_batch(job, tmp_path, Serial())
        assert answer.summary.units == 26
        assert {error.kind: error.count for error in answer.summary.errors}["InputError"] == 1


class TestSummary:
    def test_counts_means_and_bounds(self):
        rows = [
            Row(n, str(n), f"t{n % 5}", "q", "s", n % 2, 1.0, 1.0, 1.0, "exact", None, "answered") for n in range(20)
        ]
        rows.append(Row(20, "20", "t0", "q", "s", 1.0, None, 0.0, 1.0, "bounds", None, "needs live or fitted"))
        rows.append(Row(21, "21", "t0", "q", error="Boom", message="first"))
        rows.append(Row(22, "22", "t0", "q", error="Boom", message="second"))
        table = table_of(rows)
        found = summarise_rows([table])
        (score,) = found.scores
        assert (found.units, found.rows, score.units, score.settled, score.tasks) == (23, 23, 21, 20, 5)
        assert (score.factual.value, score.counterfactual.value, score.change.value) == (0.5, 1.0, 0.5)
        assert (score.bounds.low, score.bounds.high) == (20 / 21, 1.0)
        assert [(e.kind, e.count, e.unit, e.message) for e in found.errors] == [("Boom", 2, "21", "first")]
        assert found == summarise_rows([table.slice(0, 7), table.slice(7)])

    def test_intervals_are_those_of_groups_or_of_units(self):
        generator = np.random.default_rng(0)
        after, tasks = generator.random(200), [f"t{n % 8}" for n in range(200)]
        for named in (tasks, [None] * 200):
            rows = [Row(n, str(n), named[n], "q", "s", 0.0, after[n], after[n], after[n], "point") for n in range(200)]
            change = summarise_rows([table_of(rows)]).scores[0].change
            groups = after.reshape(25, 8).mean(0) if named[0] else after
            mean, (low, high) = guarded_mean(groups, 2.0)
            assert (change.value, change.low, change.high) == pytest.approx((mean, low, high), abs=1e-12)

    def test_intervals_of_shares_end_where_shares_end(self):
        rows = [Row(n, str(n), f"t{n % 6}", "q", "s", 0.0, 1.0, 1.0, 1.0, "exact") for n in range(20)]
        (score,) = summarise_rows([table_of(rows)]).scores
        ends = [(one.low >= floor, one.high) for one, floor in ((score.counterfactual, 0.0), (score.change, -1.0))]
        assert ends == [(True, 1.0), (True, 1.0)]
        assert score.factual.low == 0.0 < score.factual.high

    def test_nothing_settled_has_no_mean(self):
        rows = [Row(0, "0", "t", "q", "s", 1.0, None, 0.0, 1.0, "bounds", None, "needs live or fitted")]
        score = summarise_rows([table_of(rows)]).scores[0]
        assert (score.settled, score.change, score.bounds.low, score.bounds.high) == (0, None, 0.0, 1.0)

    def test_no_rows(self):
        assert summarise_rows([SCHEMA.empty_table()]).rows == 0


def test_a_killed_worker_loses_nothing(tmp_path, monkeypatch):
    """Units 13 and 57 kill their worker the first time they are met; unit 71 always does."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setenv("BATCH_KILLS", str(tmp_path))
    monkeypatch.setattr(pool, "_PATIENCE", 1)
    job = known(100, SWAP, world="batch_worlds:killing")
    answer = run_batch(job, tmp_path / "out", Process(2), chunk=40)
    assert [(error.kind, error.count, error.unit) for error in answer.summary.errors] == [
        ("WorkerKilled", 1, "unit 71")
    ]
    rows = table_at(Store(tmp_path / "out", job))
    assert rows.column("number").to_pylist() == list(range(100))


def test_workers_that_never_start_are_told(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setattr(pool, "_work", importlib.import_module("batch_worlds").end)
    monkeypatch.setattr(pool, "_STILLBORN", 1)
    with pytest.raises(WorkFailed, match="before they began"):
        run_batch(known(100), tmp_path, Process(1))


def test_sums_do_not_hang_on_the_cut(monkeypatch):
    monkeypatch.setattr(summary, "_BLOCK", 1_000)
    after = np.random.default_rng(0).random(5_000)
    rows = table_of([Row(n, str(n), None, "q", "s", 0.0, v, v, v, "point") for n, v in enumerate(after.tolist())])
    cuts = ([rows], [rows.slice(0, 1_701), rows.slice(1_701)], [rows.slice(at, 99) for at in range(0, 5_000, 99)])
    assert len({summarise_rows(cut).model_dump_json() for cut in cuts}) == 1
    assert summarise_rows(cuts[2]).units == 5_000


@pytest.mark.slow
def test_kills_lose_nothing(root):
    """Twenty workers and drivers are killed at moments that the seed draws."""
    command = [sys.executable, str(root / "benchmarks" / "batch_kills.py"), "--kills", "20", "--seed", "1"]
    done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert done["kills"] == {"worker": 10, "driver": 10}
    assert done["acknowledged_at_the_last_kill"] > 10
    assert (done["acknowledged_and_lost"], done["same_rows"], done["same_summary"]) == (0, True, True)


@pytest.mark.slow
def test_rows_do_not_hang_on_the_hash_seed(inbox, tmp_path):
    jobs = [recorded(inbox[0], DROP, continuation="corpus", corpus=recorded(inbox[0]).units.files), known(200)]
    script = (
        "import sys; from pathlib import Path; from ifonly.sim.batch.executors import Serial\n"
        "from ifonly.sim.batch.job import Job; from ifonly.sim.batch.running import run_batch\n"
        "for line in Path(sys.argv[1]).read_text().splitlines():\n"
        "    print(run_batch(Job.model_validate_json(line), Path(sys.argv[2]), Serial()).rows_digest)"
    )
    (tmp_path / "jobs").write_text("\n".join(job.model_dump_json() for job in jobs))
    told = set()
    for seed in ("0", "1", "2"):
        command = [sys.executable, "-c", script, str(tmp_path / "jobs"), str(tmp_path / seed)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        told.add(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    assert len(told) == 1
    assert [run_batch(job, tmp_path / "here", Serial(), chunk=7).rows_digest for job in jobs] == told.pop().split()
