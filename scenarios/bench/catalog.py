"""All contests, by name."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ifonly.agents.errors import UnknownName
from ifonly.scenarios.bench.bandits import bandit_contest
from ifonly.scenarios.bench.workflows import workflow_contest
from ifonly.scenarios.bench.worlds import world_contests
from ifonly.scenarios.catalog import scenarios

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.scenarios.bench.contest import Contest

__all__ = ["contests", "contests_named"]


@cache
def contests() -> Mapping[str, Contest]:
    """Every contest, in the order of the catalog; worlds that several scenarios ask of, once."""
    found = [contest for scenario in scenarios() for contest in world_contests(scenario)]
    made: dict[str, Contest] = {}
    for contest in (*found, bandit_contest(), workflow_contest()):
        made.setdefault(contest.name, contest)
    return made


def contests_named(names: Sequence[str]) -> dict[str, Contest]:
    """The contests of these names; all if none is named.

    Raises:
        UnknownName: there is no such contest.
    """
    every = contests()
    for name in names:
        if name not in every:
            raise UnknownName("world", name, every, "`ifonly bench estimators --list` tells all.")
    return {name: every[name] for name in (names or every)}
