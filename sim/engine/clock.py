"""Simulated time: a simpy environment whose events happen at absolute times and call one function."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappush
from typing import Any, TypeAlias

from simpy import Environment, Event
from simpy.events import NORMAL

__all__ = ["Clock", "Happening"]


class Happening(Event):
    """Something that will happen: `what` is told to the function that it calls."""

    _ok = True

    def __init__(self, what: Any, do: Callable[[Happening], None]) -> None:
        self.what = what
        self.callbacks = [do]


Callback: TypeAlias = Callable[[Happening], None]


class Clock(Environment):
    """Seconds from 0. Events of one time happen in the order in which they were put."""

    def at(self, time: float, do: Callback, what: Any) -> None:
        """Call `do` at `time`, to the last digit: `schedule` takes delays, and now + (time - now) is not time."""
        heappush(self._queue, (time, NORMAL, next(self._eid), Happening(what, do)))
