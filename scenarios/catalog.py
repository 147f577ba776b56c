"""Finds the worlds whose answers are known, and the scenarios that ask questions of them.

Every module of the packages named here that has a tuple ``SCENARIOS``, or a tuple ``WORLDS`` whose worlds are scenarios
as they stand. Modules with neither help the others. Beside them stand the worlds that batches replay.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

from ifonly.agents.errors import UnknownName
from ifonly.scenarios.scenario import scenario_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ifonly.scenarios.known import KnownWorld
    from ifonly.scenarios.scenario import Scenario

__all__ = ["PACKAGES", "REPLAYED", "find_scenario", "known_worlds", "scenarios"]

PACKAGES: Final = (
    "ifonly.scenarios.causes",
    "ifonly.scenarios.agentic",
    "ifonly.scenarios.alignment",
    "ifonly.scenarios.evaluation",
    "ifonly.scenarios.pretraining",
)
"""Packages of worlds, one file a world or a family of worlds."""

REPLAYED: Final[Mapping[str, str]] = {
    "credit-commit": "ifonly.scenarios.credit.replayed:commit",
    "credit-repair": "ifonly.scenarios.credit.replayed:repair",
}
"""Worlds whose units `ifonly batch` replays, by name: the functions that make them."""


def known_worlds() -> Iterator[KnownWorld]:
    """Yield every world, packages in the order named and files by name."""
    for scenario in scenarios():
        yield scenario.world


def scenarios() -> Iterator[Scenario]:
    """Yield every scenario, packages in the order named and files by name."""
    for package in PACKAGES:
        for name in sorted(found.name for found in iter_modules(import_module(package).__path__)):
            module = import_module(f"{package}.{name}")
            yield from getattr(module, "SCENARIOS", ())
            yield from (scenario_of(world) for world in getattr(module, "WORLDS", ()))


def find_scenario(name: str) -> Scenario:
    """The scenario of a name.

    Raises:
        UnknownName: there is none.
    """
    found = {one.called: one for one in scenarios()}
    if name not in found:
        raise UnknownName("scenario", name, found, "`ifonly scenario --list` tells all.")
    return found[name]
