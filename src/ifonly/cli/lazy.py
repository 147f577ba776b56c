"""Commands whose modules are imported when they are called, so that help and `show` load nothing heavy.

A group lists its commands with a line of help each; the real command takes over when arguments are parsed for it.
"""

from __future__ import annotations

import gc
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import typer.main
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Later", "LazyGroup", "later", "load"]


@dataclass(frozen=True, slots=True)
class Later:
    """A command that is not imported yet.

    Args:
        module: has a `typer.Typer` named ``app``.
        help: one line.
    """

    module: str
    help: str


def later(module: str, text: str) -> Later:
    """A command in a module, with its line of help."""
    return Later(module, text)


def load(module: str, name: str) -> Any:
    """A name of a module that is imported only now.

    The garbage collector rests meanwhile: what modules make stays, and looking through it is a tenth of the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return getattr(importlib.import_module(module), name)
    finally:
        if collecting:
            gc.enable()


class _Stub(TyperCommand):
    """Stands for a command in its group's help, and hands over to it when it is called."""

    def __init__(self, name: str, what: Later) -> None:
        super().__init__(name=name, help=what.help, short_help=what.help)
        self._what = what

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """The context of the real command."""
        return typer.main.get_command(load(self._what.module, "app")).make_context(*args, **extra)


class LazyGroup(TyperGroup):
    """A group of commands that are imported late; a subclass lists them in `later`."""

    later: ClassVar[Mapping[str, Later]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, what in self.later.items():
            self.commands[name] = _Stub(name, what)
