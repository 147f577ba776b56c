"""Finds the worlds whose answers are known: every module of the packages named here that has a tuple ``WORLDS``."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ifonly.scenarios.known import KnownWorld

__all__ = ["PACKAGES", "known_worlds"]

PACKAGES: Final = ("ifonly.scenarios.causes",)
"""Packages of worlds, one file a world or a family of worlds."""


def known_worlds() -> Iterator[KnownWorld]:
    """Yield every world, packages in the order named and files by name."""
    for package in PACKAGES:
        for module in sorted(found.name for found in iter_modules(import_module(package).__path__)):
            yield from import_module(f"{package}.{module}").WORLDS
