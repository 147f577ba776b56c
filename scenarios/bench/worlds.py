"""Contests of the worlds of the catalog: their queries' estimators, or ifonly's exact answer beside the naive one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.scenarios.bench.contest import LEVEL, Answer, Contest, Entry, answer_of, timed
from ifonly.scm.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ifonly.scenarios.known import Estimator, Query, Sample
    from ifonly.scenarios.scenario import Scenario

__all__ = ["world_contests"]


def world_contests(scenario: Scenario) -> Iterator[Contest]:
    """Yield the contests of a scenario's world: its sampled queries, and those that are answered without a sample.

    Args:
        scenario: of the catalog.
    """
    world = scenario.world
    sampled = tuple(query for query in world.queries if query.sampler is not None)
    settled = tuple(query for query in world.queries if query.sampler is None)
    name = world.name
    if sampled:
        yield Contest(name, scenario.stage, scenario.asks, _entries(sampled), lambda seed: _sampled(sampled, seed))
    if settled:
        both = f"{name}, settled" if sampled else name
        exact = world.by.particles is None
        yield Contest(both, scenario.stage, scenario.asks, _pairs(settled, exact), lambda _: _settled(settled))


def _entries(queries: tuple[Query, ...]) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            query=query.name, estimator=one.name, right=one.right, why=one.why or ("" if one.right else query.mistake)
        )
        for query in queries
        for one in query.estimators
    )


def _sampled(queries: tuple[Query, ...], seed: int) -> tuple[Answer, ...]:
    """One sample for all queries that draw alike."""
    drawn: dict[tuple[object, int], Sample] = {}
    answers = []
    for query in queries:
        assert query.sampler is not None
        key = query.sampler, query.units
        if key not in drawn:
            drawn[key] = query.sampler(query.units, seed)
        answers += [_answered(one, drawn[key], query.truth) for one in query.estimators]
    return tuple(answers)


def _answered(estimator: Estimator, sample: Sample, truth: float) -> Answer:
    try:
        estimate, seconds = timed(lambda: estimator.of(sample, LEVEL))
    except Refusal as error:
        return Answer(truth=truth, refused=str(error))
    return answer_of(estimate, truth, seconds)


def _pairs(queries: tuple[Query, ...], exact: bool) -> tuple[Entry, ...]:
    return tuple(
        entry
        for query in queries
        for entry in (
            Entry(query=query.name, estimator="ifonly", right=True, exact=True, why="" if exact else "particles"),
            Entry(query=query.name, estimator="naive", right=False, why=query.mistake, exact=True),
        )
    )


def _settled(queries: tuple[Query, ...]) -> tuple[Answer, ...]:
    answers = []
    for query in queries:
        ours, seconds = timed(query.ours)
        answers += [answer_of(ours, query.truth, seconds), Answer(truth=query.truth, value=query.naive)]
    return tuple(answers)
