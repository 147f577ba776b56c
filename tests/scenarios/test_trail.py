"""TRAIL: the numbers against enumeration, the attributors against traces made here, and the table on the real ones."""

import gzip
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ifonly.agents.errors import InputError
from ifonly.agents.importers.base import Place
from ifonly.agents.importers.openinference import OpenInference
from ifonly.cli import app
from ifonly.scenarios.trail.bench import FITTED, METRICS, trail_rows
from ifonly.scenarios.trail.features import FEATURES, features_of
from ifonly.scenarios.trail.fitted import Fitted, cross_validated, folds, usual_category
from ifonly.scenarios.trail.labels import Label, Labelled, read_labelled
from ifonly.scenarios.trail.metrics import (
    Verdict,
    average_precision,
    category_tables,
    expected_recall,
    joint,
    location,
    named_categories,
    precision,
    weighted_f1,
)
from ifonly.scenarios.trail.predictions import read_predictions
from ifonly.scenarios.trail.rules import RULES
from ifonly.scm.draw import Draw

SPANS = "abcdef"


def orders(scores):
    """Every order that the scores allow."""
    tiers = [list(tier) for _, tier in itertools.groupby(sorted(scores, key=lambda s: -scores[s]), key=scores.get)]
    for parts in itertools.product(*(itertools.permutations(tier) for tier in tiers)):
        yield [span for part in parts for span in part]


def plain_average(order, wanted):
    hits = [n for n, span in enumerate(order) if span in wanted]
    return sum((k + 1) / (n + 1) for k, n in enumerate(hits)) / len(wanted)


@given(
    scores=st.dictionaries(st.sampled_from(SPANS), st.integers(0, 2), min_size=1),
    wanted=st.sets(st.sampled_from(SPANS + "z"), min_size=1),
    take=st.integers(1, 7),
)
def test_every_number_is_its_mean_over_the_orders_of_ties(scores, wanted, take):
    verdict, all_orders = Verdict(scores, take), list(orders(scores))
    heads = [order[:take] for order in all_orders]

    def mean(values):
        return pytest.approx(float(np.mean(list(values))))

    assert location(verdict, wanted) == mean(len(wanted.intersection(head)) / len(wanted) for head in heads)
    assert precision(verdict, wanted) == mean(len(wanted.intersection(head)) / len(head) for head in heads)
    assert expected_recall(verdict, wanted, 2) == mean(len(wanted & set(o[:2])) / len(wanted) for o in all_orders)
    assert average_precision(verdict, wanted) == mean(plain_average(order, wanted) for order in all_orders)


def test_numbers_known_by_hand():
    verdict = Verdict({"a": 3.0, "b": 2.0, "c": 1.0}, 2, {"a": frozenset(["X"]), "b": frozenset(["X", "Y"])})
    assert location(verdict, {"b", "c"}) == 0.5
    assert precision(verdict, {"b", "c"}) == 0.5
    assert average_precision(verdict, {"b", "c"}) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert joint(verdict, {("a", "Y"), ("b", "Y"), ("b", "Z"), ("c", "X")}) == 0.25
    assert named_categories(verdict) == {"X", "Y"}
    assert named_categories(replace(verdict, take=1)) == {"X"}
    assert (location(verdict, set()), joint(verdict, set()), precision(replace(verdict, take=0), {"a"})) == (0, 0, 0)
    with pytest.raises(ValueError, match="there is none"):
        average_precision(verdict, set())


def test_category_f1_by_hand():
    # X: 1 right, 1 missed, 1 wrong: F1 1/2, two traces carry it; Y: F1 0, one does; Z is named and not carried.
    true, said = category_tables([{"X"}, {"X", "Y"}, set()], [{"X"}, {"Z"}, {"X"}])
    assert weighted_f1(true, said) == pytest.approx((2 * 0.5 + 1 * 0) / 3)
    assert weighted_f1(true[:0], said[:0]) == 0.0
    assert weighted_f1(*category_tables([set()], [{"X"}])) == 0.0


def span(key, kind, start, *, seconds=1.0, error=None, **attributes):
    return {
        "span_id": key,
        "span_name": "s",
        "timestamp": f"2025-03-19T16:{start // 60:02d}:{start % 60:02d}Z",
        "duration": f"PT{seconds}S",
        "status_code": "Error" if error else "Ok",
        "status_message": error or "",
        "span_attributes": {"openinference.span.kind": kind} | attributes,
    }


def llm(key, start, said, *, tokens=10, asked="Do it.", **more):
    told = {
        "llm.model_name": "m",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": asked,
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": said,
        "llm.token_count.prompt": tokens,
        "llm.token_count.completion": 1,
    }
    return span(key, "LLM", start, **more, **told)


def record(n, errors, *, subset="A"):
    key = f"{n:04d}"
    return {
        "trace_id": f"t{key}",
        "subset": subset,
        "errors": [
            {"location": f"{key}{place}", "category": category, "impact": impact, "evidence": "x"}
            for place, category, impact in errors
        ],
        "spans": [
            llm(f"{key}a", 0, "I will use the tool.", asked=f"Do {n}."),
            span(f"{key}b", "TOOL", 2, error="ValueError: it was not found", **{"tool.name": "find"}),
            llm(f"{key}c", 4, "Unfortunately I cannot.", tokens=50, seconds=9.0),
            llm(f"{key}d", 20, "Here it is, in so many words.", tokens=20),
        ],
    }


def written(path, records):
    path.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in records).encode()))
    return path


@pytest.fixture
def labelled(tmp_path):
    """Traces in which the span that gives up is at fault, and in every third the tool."""
    records = []
    for n in range(24):
        errors = [("c", "Goal Deviation", "HIGH")] + ([("b", "Tool-related", "LOW")] if n % 3 == 0 else [])
        records.append(record(n, errors if n else [], subset="A" if n < 16 else "B"))
    return written(tmp_path / "traces.jsonl.gz", records)


def test_labels_are_read(labelled):
    traces = read_labelled(labelled.parent)
    assert len(traces) == 24
    assert traces[3].labels == (
        Label(span="0003c", category="Goal Deviation", impact="HIGH"),
        Label(span="0003b", category="Tool-related", impact="LOW"),
    )
    assert traces[3].spans == ("0003a", "0003b", "0003c", "0003d")
    assert (traces[3].wanted, traces[3].grave) == ({"0003c", "0003b"}, {"0003c"})
    assert (traces[0].labels, traces[0].subset, traces[20].subset) == ((), "A", "B")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda r: r.pop("errors"), "missing"),
        (lambda r: r["errors"].append({"location": "x", "category": "y", "impact": "HUGE"}), "HUGE"),
        (lambda r: r.pop("spans"), "missing"),
    ],
)
def test_broken_records_are_named(tmp_path, change, found):
    one = record(1, [])
    change(one)
    with pytest.raises(InputError, match="record 1") as told:
        read_labelled(written(tmp_path / "t.jsonl.gz", [one]))
    assert found in told.value.found


def test_no_trace_or_one_twice(tmp_path):
    with pytest.raises(InputError, match="was there before"):
        read_labelled(written(tmp_path / "t.jsonl.gz", [record(1, []), record(1, [])]))
    with pytest.raises(InputError, match="holds no record"):
        read_labelled(written(tmp_path / "e.jsonl", []))
    with pytest.raises(InputError, match="no such file"):
        read_labelled(tmp_path / "missing")


def test_rules_name_what_they_say(labelled):
    trace = read_labelled(labelled)[3]
    named = {name: rule(trace).tiers()[0] for name, rule in RULES.items()}
    assert named == {
        "chance": list(trace.spans),
        "every span": list(trace.spans),
        "first model call": ["0003a"],
        "last model call": ["0003d"],
        "longest": ["0003c"],
        "most tokens": ["0003c"],
        "first error": ["0003b"],
    }
    assert RULES["every span"](trace).take == 4
    assert RULES["last model call"](trace).tiers()[-1] == ["0003b"]


def test_features_of_a_trace(labelled):
    trace = read_labelled(labelled)[3]
    x = features_of(trace)
    column = {name: x[:, n].tolist() for n, name in enumerate(FEATURES)}
    assert x.shape == (4, len(FEATURES))
    assert column["model"] == [1, 0, 1, 1]
    assert column["tool"] == [0, 1, 0, 0]
    assert column["failed"] == [0, 1, 0, 0]
    assert column["error_after"] == [1, 0, 0, 0]
    assert column["gives_up"] == [0, 0, 1, 0]
    assert column["empty"] == [0, 1, 0, 0]
    assert column["tokens_read"] == pytest.approx(np.log1p([10, 0, 50, 20]).tolist())
    assert column["seconds"] == pytest.approx(np.log1p([1, 1, 9, 1]).tolist())


def test_features_of_repetition_and_tags():
    spans = [
        llm("a", 0, "1. Search.", asked="Plan, and end with <end_plan>."),
        llm("b", 2, "1. Search. <end_plan>", asked="Plan, and end with <end_plan>."),
        llm("c", 4, "1. Search.", asked="Now without."),
    ]
    run = OpenInference().parse({"trace_id": "t", "spans": spans}, Place(Path("x"), 1))
    x = features_of(Labelled(run=run, labels=(), subset="all"))
    assert x[:, FEATURES.index("tag_missing")].tolist() == [1, 0, 0]
    assert x[:, FEATURES.index("repeated")].tolist() == [0, 0, 1]


def test_the_fitted_attributor_learns_what_the_labels_show(labelled):
    traces = read_labelled(labelled)
    said = cross_validated(traces, folds(len(traces), Draw(0)))
    assert all(verdict.tiers()[0] == [f"{trace.run.id[1:]}c"] for trace, verdict in zip(traces, said, strict=True))
    assert all(
        verdict.categories[f"{trace.run.id[1:]}c"] == {"Goal Deviation"}
        for trace, verdict in zip(traces, said, strict=True)
    )


def test_no_trace_is_judged_by_its_own_labels(labelled):
    traces = read_labelled(labelled)
    fold = folds(len(traces), Draw(0))
    before = cross_validated(traces, fold)
    other = Label(span=traces[5].spans[0], category="Rate Limiting", impact="HIGH")
    changed = [t.model_copy(update={"labels": (other,)}) if fold[n] == fold[5] else t for n, t in enumerate(traces)]
    after = cross_validated(changed, fold)
    assert all(after[n] == before[n] for n in np.flatnonzero(fold == fold[5]))
    assert any(after[n] != before[n] for n in np.flatnonzero(fold != fold[5]))


def test_folds_are_even_and_every_trace_has_one():
    fold = folds(86, Draw(3))
    assert sorted(np.bincount(fold).tolist()) == [8, 8, 8, 8, 9, 9, 9, 9, 9, 9]
    assert sorted(folds(3, Draw(0)).tolist()) == [0, 1, 2]


def test_without_labels_nothing_is_known(labelled):
    traces = [trace.model_copy(update={"labels": ()}) for trace in read_labelled(labelled)]
    fitted = Fitted.to(traces, [features_of(trace) for trace in traces])
    verdict = fitted.judge(traces[0], features_of(traces[0]))
    assert verdict == Verdict(dict.fromkeys(traces[0].spans, 0.0), 1, dict.fromkeys(traces[0].spans, frozenset()))
    assert usual_category(traces) == frozenset()


def rows_of(path, **options):
    return {(row.world, row.estimator): row for row in trail_rows(read_labelled(path), **options)}


def test_rows(labelled):
    rows = rows_of(labelled)
    assert {world for world, _ in rows} == {"all", "A", "B"}
    chance, every, fitted = rows["all", "chance"], rows["all", "every span"], rows["all", FITTED]
    assert (chance.traces, chance.labelled, rows["B", "chance"].traces) == (24, 23, 8)
    # One of four spans; 16 traces have one label, 7 two.
    assert chance.location == pytest.approx(23 / 24 / 4)
    assert chance.top1 == chance.precision == pytest.approx((16 / 4 + 7 / 2) / 23)
    assert chance.recall3 == pytest.approx(3 / 4)
    assert (every.location, every.named, every.recall5) == (pytest.approx(23 / 24), 4.0, 1.0)
    assert every.joint == pytest.approx((16 + 7 / 2) / 24)
    assert rows["all", "most tokens"].top1 == rows["all", "most tokens"].top1_high == 1.0
    assert rows["all", "first model call"].top1 == 0.0
    assert rows["all", "first error"].top1 == pytest.approx(7 / 23)
    assert (fitted.top1, fitted.average_high) == (1.0, 1.0)
    for row in rows.values():
        assert row.intervals.keys() == set(METRICS)
        for metric, found in row.intervals.items():
            assert found.value == getattr(row, metric)
            assert found.low <= found.value <= found.high
            assert (found.rung, found.level) == ("observed", 0.95)
    assert rows_of(labelled) == rows


def test_predictions(labelled, tmp_path):
    said = [
        {"trace_id": "t0003", "errors": [{"location": "0003b", "category": "Tool-related"}, {"location": "none"}]},
        {"trace_id": "t0001", "errors": []},
    ]
    path = tmp_path / "judge.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in said))
    traces = read_labelled(labelled)
    verdicts = read_predictions(path, traces)
    assert (verdicts[3].take, verdicts[1].take, verdicts[2].take) == (2, 0, 0)
    assert location(verdicts[3], traces[3].wanted) == 0.5
    assert precision(verdicts[3], traces[3].wanted) == 0.5
    assert joint(verdicts[3], {("0003b", "Tool-related")}) == 1.0
    row = rows_of(labelled, predictions=path)["all", "judge.jsonl"]
    assert row.location == pytest.approx(0.5 / 24)
    assert row.named == pytest.approx(2 / 24)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([{"trace_id": "t0099", "errors": []}], "not among the traces"),
        ([{"trace_id": "t0001", "errors": []}] * 2, "was there before"),
        ([{"trace_id": "t0001"}], "missing"),
    ],
)
def test_broken_predictions_are_named(labelled, tmp_path, lines, found):
    path = tmp_path / "judge.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    with pytest.raises(InputError) as told:
        read_predictions(path, read_labelled(labelled))
    assert found in told.value.found
    assert "judge.jsonl, record" in str(told.value)


def test_one_trace_gives_no_interval(tmp_path):
    path = written(tmp_path / "t.jsonl.gz", [record(1, [("c", "X", "HIGH")])])
    with pytest.raises(InputError, match="at least two"):
        rows_of(path)


def test_the_command(labelled):
    done = CliRunner().invoke(app, ["bench", "trail", str(labelled), "--json"])
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told.keys() == {"rows", "seconds"}
    assert {row["estimator"] for row in told["rows"]} == {*RULES, FITTED}
    table = CliRunner().invoke(app, ["bench", "trail", str(labelled)])
    assert table.exit_code == 0
    assert "24 traces, 23 with labels" in table.stdout
    assert CliRunner().invoke(app, ["bench", "trail"]).exit_code == 2
    judge = labelled.with_name("judge.jsonl")
    judge.write_text(json.dumps({"trace_id": "t0003", "errors": []}) + "\n")
    done = CliRunner().invoke(app, ["bench", "trail", str(labelled), "--json", "--predictions", str(judge)])
    assert {row["estimator"] for row in json.loads(done.stdout)["rows"]} == {*RULES, FITTED, "judge.jsonl"}


@pytest.mark.data
@pytest.mark.slow
def test_the_real_traces(data):
    traces = read_labelled(data / "trail_otel")
    assert (len(traces), sum(len(trace.labels) for trace in traces)) == (86, 435)
    assert all(trace.wanted <= set(trace.spans) for trace in traces)
    rows = {row.estimator: row for row in trail_rows(traces) if row.world == "all"}
    assert rows["every span"].location == pytest.approx(82 / 86)
    fitted, tokens, chance = rows[FITTED], rows["most tokens"], rows["chance"]
    # Far apart beyond sampling: the intervals do not touch.
    assert fitted.intervals["average"].low > chance.intervals["average"].high
    assert fitted.intervals["joint"].low > rows["every span"].intervals["joint"].low
    assert tokens.intervals["top1"].low > chance.intervals["top1"].high
