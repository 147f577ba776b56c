"""Worlds for tests of batches: ones whose units raise or kill their worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

from ifonly.sim.batch.worlds import Both


class Plain:
    """Unit n scores n / 100, whatever is done."""

    noise = None

    def check(self, actions):
        pass

    def names(self, units):
        return [f"unit {unit}" for unit in units]

    def tasks(self, units):
        return None

    def replay(self, units, actions, draw):
        for unit in units:
            self.meet(unit)
        return {"score": Both(*[np.asarray(units) / 100] * 2)}

    def meet(self, unit):
        pass


class Raising(Plain):
    def meet(self, unit):
        if unit in (13, 14, 57):
            raise ZeroDivisionError(f"unit {unit} divides by nothing")


class Killing(Plain):
    def meet(self, unit):
        mark = Path(os.environ["BATCH_KILLS"], str(unit))
        if unit == 71 or (unit in (13, 57) and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def raising(settings, files):
    return Raising()


def killing(settings, files):
    return Killing()


def end(*_):
    """The life of a worker that never begins."""
    os._exit(3)
