"""The benchmark tells right from wrong, goes on where it was broken off, and says the same however it is played."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ifonly.agents.errors import UnknownName
from ifonly.scenarios.bench.catalog import contests, contests_named
from ifonly.scenarios.bench.contest import Answer, Contest, Entry
from ifonly.scenarios.bench.playing import play
from ifonly.scenarios.bench.rows import rows_of

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = (
    Entry(query="mean", estimator="sound", right=True),
    Entry(query="mean", estimator="biased", right=False, why="adds two"),
    Entry(query="mean", estimator="too narrow", right=True),
    Entry(query="mean", estimator="silent", right=True),
)


def _round(r: int) -> tuple[Answer, ...]:
    value = 1.0 + (-1) ** r * 0.1
    return (
        Answer(truth=1.0, value=value, low=value - 0.2, high=value + 0.2, seconds=0.5, calls=3),
        Answer(truth=1.0, value=value + 2, low=value + 1.8, high=value + 2.2),
        Answer(truth=1.0, value=value, low=value - 0.05, high=value + 0.05),
        Answer(truth=1.0, refused="there is no support"),
    )


def test_rows_say_bias_error_coverage_width_and_cost():
    contest = Contest("here", "agents", "?", ENTRIES, _round)
    sound, biased, narrow, silent = rows_of(contest, [_round(r) for r in range(40)])
    assert (sound.bias, sound.rmse, sound.coverage) == (pytest.approx(0.0), pytest.approx(0.1), 1.0)
    assert (sound.width, sound.seconds, sound.calls) == (pytest.approx(0.4), 0.5, 3.0)
    assert (biased.bias, biased.coverage) == (pytest.approx(2.0), 0.0)
    assert [row.verdict for row in (sound, biased, narrow, silent)] == [
        "holds",
        "fails as it must",
        "falls short",
        "abstains",
    ]
    assert (silent.answered, silent.bias) == (0, None)


def test_an_answer_without_sampling_error_is_held_to_the_truth_itself():
    entries = (Entry(query="q", estimator="ifonly", right=True, exact=True),)
    for value, verdict in ((0.25, "holds"), (0.26, "falls short")):
        answer = Answer(truth=0.25, value=value, low=value, high=value)
        contest = Contest("here", "agents", "?", entries, lambda _, answer=answer: (answer,))
        assert [row.verdict for row in rows_of(contest, [contest.play(0)])] == [verdict]


def test_no_rounds_are_no_rows():
    with pytest.raises(ValueError, match="no rounds"):
        list(rows_of(Contest("here", "agents", "?", ENTRIES, _round), []))


def test_every_world_of_the_catalog_is_a_contest_and_has_right_and_wrong_entries():
    found = contests()
    assert {"bandit", "drawn workflows"} < set(found)
    for contest in found.values():
        assert {entry.right for entry in contest.entries} == {True, False}, contest.name
    with pytest.raises(UnknownName, match="drawn workflows"):
        contests_named(["drawn workflow"])


def test_rounds_that_are_noted_are_not_played_again(tmp_path: Path):
    asked, journal = contests_named(["drawn workflows"]), tmp_path / "rounds.jsonl"
    whole = play(asked, 4)
    told: list[tuple[int, int]] = []
    first = play(asked, 2, journal=journal)
    journal.write_bytes(journal.read_bytes() + b'\n{"key": "broken off')
    again = play(asked, 4, journal=journal, told=lambda done, of: told.append((done, of)))
    assert told[0] == (2, 4)
    assert _values(again) == _values(whole)
    assert _values(first)["drawn workflows"] == _values(whole)["drawn workflows"][:2]
    assert play(asked, 4, journal=journal) == again


@pytest.mark.slow
def test_processes_play_the_same_rounds():
    asked = contests_named(["bandit"])
    assert _values(play(asked, 3, workers=2)) == _values(play(asked, 3))


def _values(made: dict[str, dict[int, tuple[Answer, ...]]]) -> dict[str, list[list[tuple[float | None, ...]]]]:
    """Without the seconds."""
    return {
        name: [[(one.value, one.low, one.high, one.truth) for one in answers] for answers in rounds.values()]
        for name, rounds in made.items()
    }
