"""Progress on standard error; nothing where that is no terminal."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ifonly.cli.lazy import load

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["bar"]


def bar(what: str, unit: str = "runs") -> AbstractContextManager[Callable[[int, int], None]]:
    """A bar that goes away when it is done; gives the function to be told (done, total).

    Args:
        what: is going on.
        unit: that is counted; ``bytes`` are shown as such.
    """
    if not sys.stderr.isatty():
        return nullcontext(_silent)
    shown: AbstractContextManager[Callable[[int, int], None]] = load("ifonly.cli.progress_bar", "terminal_bar")(
        what, unit
    )
    return shown


def _silent(done: int, total: int) -> None:
    """The progress of a pipe."""
