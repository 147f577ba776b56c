"""Mid-run swaps whose answer is on record: hidden, predicted, and scored by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.corpus import Corpus
from ifonly.scenarios.swaps.cells import recorded
from ifonly.scenarios.swaps.scores import brier, calibration_error
from ifonly.scm.draw import Draw
from ifonly.scm.item_response.unit import coupled, fit_share, with_share
from ifonly.sim.swaps.settled import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ifonly.scenarios.swaps.cells import Table
    from ifonly.scm.item_response.facets import Facets, Floats, Ints
    from ifonly.scm.item_response.posterior import Posterior
    from ifonly.sim.swaps.settled import Settled

__all__ = ["ESTIMATORS", "Gathered", "gather", "recorded_swaps", "step_scores"]

ESTIMATORS = ("A's outcome", "item response", "item response, noise shared by step")
"""Predictions of a swap: that nothing changes; independent noise; a share of noise learned for the step."""

_PARTS = 5
_FEWEST = 20


@dataclass
class Gathered:
    """Hidden swaps and what is said of them, a row each."""

    steps: list[int] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    outcomes: list[float] = field(default_factory=list)
    independent: list[float] = field(default_factory=list)
    shared: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)


def recorded_swaps(folder: Path, seed: int) -> tuple[Settled, ...]:
    """All settled swaps of the runs of a folder, as `recorded` finds them."""
    return settled(Corpus(list(recorded(folder))), Draw(seed))


def gather(table: Table, swaps: Sequence[Settled], found: Gathered) -> Callable[[Posterior, Facets, Ints], None]:
    """Predict, in each fold, the swaps whose answer is hidden there and whose own run is not.

    Gathers into `found`. To be passed as `each` to `ifonly.scenarios.swaps.folds.across_cells`.
    """
    places = {id: n for n, id in enumerate(table.ids)}
    known = [(s.step, places[s.run], places[s.other]) for s in swaps if s.run in places and s.other in places]

    def each(posterior: Posterior, facets: Facets, hidden: Ints) -> None:
        out = set(hidden.tolist())
        mine = [(step, a, b) for step, a, b in known if b in out and a not in out]
        if not mine:
            return
        steps, a, b = (np.array(column) for column in zip(*mine, strict=True))
        ends = coupled(posterior.chances(facets.rows(a)), posterior.chances(facets.rows(b)), table.outcomes[a])
        found.steps.extend(steps.tolist())
        found.tasks.extend(table.cells[n].task for n in b)
        found.before.extend(table.outcomes[a])
        found.outcomes.extend(table.outcomes[b])
        for name in ("independent", "shared", "low", "high"):
            getattr(found, name).extend(getattr(ends, name).mean(axis=0))

    return each


def step_scores(found: Gathered, most: int, seed: int) -> list[dict[str, float | int | str]]:
    """Brier score and calibration of each estimator at each step, with the share of noise and the bounds there.

    The share of noise that predicts a task's swaps is learned from the swaps of other tasks at the same step.

    Args:
        found: from `gather`.
        most: steps from this on are one.
        seed: of the parts of tasks.
    """
    steps, outcomes = np.minimum(found.steps, most), np.array(found.outcomes)
    independent, shared = np.array(found.independent), np.array(found.shared)
    rows: list[dict[str, float | int | str]] = []
    for step in np.unique(steps):
        here = np.flatnonzero(steps == step)
        if len(here) < _FEWEST:
            continue
        tasks = [found.tasks[n] for n in here]
        mixed = _crossed(independent[here], shared[here], outcomes[here], tasks, seed)
        for name, told in zip(ESTIMATORS, (np.array(found.before)[here], independent[here], mixed), strict=True):
            rows.append(
                {
                    "estimator": name,
                    "step": int(step),
                    "cells": len(here),
                    "brier": float(brier(told, outcomes[here]).mean()),
                    "calibration": calibration_error(told, outcomes[here]),
                    "share": fit_share(independent[here], shared[here], outcomes[here]),
                    "low": float(np.array(found.low)[here].mean()),
                    "high": float(np.array(found.high)[here].mean()),
                    "solved": float(outcomes[here].mean()),
                }
            )
    return rows


def _crossed(independent: Floats, shared: Floats, outcomes: Floats, tasks: Sequence[str], seed: int) -> Floats:
    """Predictions with the share of noise that fits the other tasks."""
    names = np.array(sorted(set(tasks)))
    part = dict(zip(Draw(seed).generator("parts").permutation(names), np.arange(len(names)) % _PARTS, strict=True))
    parts = np.array([part[task] for task in tasks])
    told = np.empty(len(outcomes))
    for n in range(_PARTS):
        rest, mine = parts != n, parts == n
        share = fit_share(independent[rest], shared[rest], outcomes[rest])
        told[mine] = with_share(independent[mine], shared[mine], share)
    return told
