"""Plays contests: in processes of one thread each, and resumably, since a round depends on its seed alone."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeAlias

from ifonly.agents.canonical import canonical_json, digest
from ifonly.scenarios.bench.catalog import contests
from ifonly.scenarios.bench.contest import LEVEL, Answer
from ifonly.scm.draw import Draw
from ifonly.sim.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ifonly.scenarios.bench.contest import Contest

__all__ = ["Rounds", "play"]

Rounds: TypeAlias = dict[int, tuple[Answer, ...]]
"""Answers by number of the round, one an entry."""

_PIECES = 16
"""Pieces that the rounds of a contest are cut into: what a run that is broken off loses, how evenly work spreads."""


def play(
    asked: Mapping[str, Contest],
    rounds: int,
    *,
    seed: int = 0,
    workers: int = 1,
    journal: Path | None = None,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Rounds]:
    """Play rounds of each contest, one of an exact contest; rounds that the journal holds are not played again.

    Args:
        asked: contests of the catalog, by name.
        rounds: of each.
        seed: round r of a contest has a seed of its own, from this one, its name and r.
        workers: processes; 1: this one.
        journal: file that rounds are noted in, one line each, as they are done.
        told: is told the number of rounds done, and of how many.
    """
    noted = _noted(journal)
    found = {name: noted.get(_key(contest, seed), {}) for name, contest in asked.items()}
    wanted = {name: range(1 if contest.exact else rounds) for name, contest in asked.items()}
    made = {name: {r: found[name][r] for r in wanted[name] if r in found[name]} for name in asked}
    pieces = [piece for name in asked for piece in _pieces(name, [r for r in wanted[name] if r not in made[name]])]
    total = sum(map(len, wanted.values()))
    done = sum(map(len, made.values()))
    told(done, total)
    for name, results in _results(pieces, seed, workers):
        _note(journal, asked[name], seed, results)
        made[name].update(results)
        done += len(results)
        told(done, total)
    return {name: dict(sorted(results.items())) for name, results in made.items()}


def _pieces(name: str, numbers: Sequence[int]) -> Iterator[tuple[str, tuple[int, ...]]]:
    size = -(-len(numbers) // _PIECES) or 1
    for start in range(0, len(numbers), size):
        yield name, tuple(numbers[start : start + size])


def _results(pieces: Sequence[tuple[str, tuple[int, ...]]], seed: int, workers: int) -> Iterator[tuple[str, Rounds]]:
    """The rounds of each piece, as they are done."""
    if workers == 1:
        yield from ((name, _play(name, numbers, seed)) for name, numbers in pieces)
        return
    with _pool(workers) as pool:
        waiting = {pool.submit(_play, name, numbers, seed): name for name, numbers in pieces}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Workers that end at once when the driver is interrupted: what is noted is kept."""
    with one_thread():
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def _play(name: str, numbers: Iterable[int], seed: int) -> Rounds:
    contest = contests()[name]
    return {number: contest.play(Draw(seed).key(f"{name}/{number}")) for number in numbers}


def _key(contest: Contest, seed: int) -> str:
    """What a round depends on, beside its number and the code."""
    return digest(canonical_json([contest.name, seed, LEVEL, [entry.model_dump() for entry in contest.entries]]))


def _noted(journal: Path | None) -> dict[str, Rounds]:
    """The rounds that the journal holds, by key of the contest; a last line that was broken off is none."""
    found: dict[str, Rounds] = {}
    if journal is None or not journal.exists():
        return found
    for line in journal.read_text(encoding="utf-8").splitlines():
        try:
            noted = json.loads(line)
        except json.JSONDecodeError:
            continue
        answers = tuple(Answer.model_validate(answer) for answer in noted["answers"])
        found.setdefault(noted["key"], {})[noted["round"]] = answers
    return found


def _note(journal: Path | None, contest: Contest, seed: int, rounds: Rounds) -> None:
    if journal is None:
        return
    key = _key(contest, seed)
    with journal.open("a", encoding="utf-8") as file:
        for number, answers in rounds.items():
            line = {"key": key, "round": number, "answers": [answer.model_dump() for answer in answers]}
            # On a line of its own, even after one that was broken off.
            file.write("\n" + json.dumps(line))
