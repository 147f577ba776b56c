"""Estimators held against worlds whose answers are known: `ifonly bench worlds`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ifonly.agents.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ifonly.scenarios.known import KnownWorld

__all__ = ["KnownRow", "known_rows"]


class KnownRow(Record):
    """One answer to one query of a world.

    Attributes:
        estimator: ifonly's own, or the naive analysis.
        world: name of the world.
        query: what is asked.
        truth: the answer.
        value: the estimator's.
        error: value less truth.
        low: lower end of ifonly's interval, which is at the level of the world's sampling.
        high: upper end.
        identified: how ifonly's number is known (`Estimate`).
        mistake: what the naive analysis does.
    """

    estimator: Literal["ifonly", "naive"]
    world: str
    query: str
    truth: float
    value: float
    error: float
    low: float | None = None
    high: float | None = None
    identified: str | None = None
    mistake: str | None = None


def known_rows(worlds: Iterable[KnownWorld]) -> Iterator[KnownRow]:
    """Yield two rows for each query: ifonly's and the naive one.

    Args:
        worlds: the worlds.

    Raises:
        ValueError: if ifonly only bounds an answer that the world states as a point.
    """
    for world in worlds:
        for query in world.queries:
            ours = query.ours()
            if ours.value is None:
                raise ValueError(
                    f"{world.name}, {query.name}: only bounds [{ours.low}, {ours.high}], and a known point"
                )
            yield KnownRow(
                estimator="ifonly",
                world=world.name,
                query=query.name,
                truth=query.truth,
                value=ours.value,
                error=ours.value - query.truth,
                low=ours.low,
                high=ours.high,
                identified=ours.identified,
            )
            yield KnownRow(
                estimator="naive",
                world=world.name,
                query=query.name,
                truth=query.truth,
                value=query.naive,
                error=query.naive - query.truth,
                mistake=query.mistake,
            )
