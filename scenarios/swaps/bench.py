"""The benchmark of model swaps: every prediction against recorded potential outcomes, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from ifonly.scenarios.swaps.baselines import BASELINES
from ifonly.scenarios.swaps.cells import tables
from ifonly.scenarios.swaps.folds import (
    ABDUCTION,
    INTERVENTIONAL,
    WORLD,
    Kind,
    Predicted,
    across_cells,
    across_tasks,
    few_seen,
    only_a_seen,
)
from ifonly.scenarios.swaps.scores import Bin, brier, calibration_error, gain, log_loss, reliability
from ifonly.scenarios.swaps.steps import Gathered, gather, recorded_swaps, step_scores
from ifonly.sim.swaps.shared import LAST_STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ifonly.scenarios.swaps.cells import Table

__all__ = ["Reliability", "Row", "StepRow", "SwapBench", "swap_bench"]

_SEEN = (5, 10, 20)
_ALONE = "A alone"
_QUICK_FOLDS, _QUICK_MODELS = 3, 2


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(_Record):
    """One estimator's predictions of one kind of outcome.

    Attributes:
        world: what is predicted: ``clean utility``, ``attacked utility`` or ``attacked security``.
        split: what was known: see `swap_bench`.
        estimator: who predicts.
        cells: how many outcomes were hidden.
        brier: mean squared error.
        log_loss: mean log-loss, predictions kept within [.001, .999].
        calibration: expected calibration error over ten bins.
        rival: the estimator that it is held against.
        gain: the rival's Brier score less this one's: positive where this one is better.
        gain_low: lower end of the paired 95 % interval, clustered by task.
        gain_high: upper end.
        covered: share of groups (a model's hidden cells of a fold) whose number of successes lies in its 90 % interval.
    """

    world: str
    split: str
    estimator: str
    cells: int
    brier: float
    log_loss: float
    calibration: float
    rival: str | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    covered: float | None = None


class StepRow(_Record):
    """Predictions of mid-run swaps whose answer is on record, at one step; see `ifonly.scenarios.swaps.steps`."""

    world: str
    estimator: str
    step: int
    cells: int
    brier: float
    calibration: float
    share: float
    low: float
    high: float
    solved: float


class Reliability(_Record):
    """How often the predictions of one estimator came true, by their size."""

    world: str
    split: str
    estimator: str
    bins: tuple[Bin, ...]


class SwapBench(_Record):
    """All rows, and how reliable the item-response world is in each split."""

    rows: tuple[Row, ...]
    steps: tuple[StepRow, ...]
    reliability: tuple[Reliability, ...]


def swap_bench(
    data: Path,
    told: Callable[[int, int], None],
    *,
    seed: int = 0,
    quick: bool = False,
    steps: bool = True,
) -> SwapBench:
    """Hold unit counterfactuals to real potential outcomes.

    Splits: ``cells`` (a tenth of the cells hidden at a time), ``tasks`` (a fifth of the tasks), ``n runs seen`` (all of
    a model but n runs), ``A alone`` (all of a task but one other model's run of it).

    Args:
        data: folder of the runs, as for `tables`.
        told: of progress: done, total.
        seed: of folds, fits and resampling.
        quick: three folds in place of ten and five, and two models in place of all.
        steps: whether mid-run swaps are scored; reads all runs.

    Raises:
        InputError: the data are not there.
    """
    swaps = recorded_swaps(data, seed) if steps else ()
    found = tables(data)
    models, sizes = _models(tuple(found.values()), quick=quick), _SEEN[1:2] if quick else _SEEN
    step = _Counter(told, len(found) * (2 * (_QUICK_FOLDS if quick else 10) + len(models) * len(sizes)))
    splits, of_steps = list[tuple[str, dict[Kind, Predicted]]](), list[StepRow]()
    for table in found.values():
        gathered, alone = Gathered(), dict[Kind, Predicted]()
        folds = {"folds": _QUICK_FOLDS} if quick else {}
        splits.append(("cells", across_cells(table, seed, step, each=gather(table, swaps, gathered), **folds)))
        splits.append(("tasks", across_tasks(table, seed, step, each=only_a_seen(table, seed, alone), **folds)))
        splits.append((_ALONE, alone))
        splits += [(f"{size} runs seen", _pooled(table, models, size, seed, step)) for size in sizes]
        of_steps += _step_rows(table, gathered, seed)
    rows = tuple(row for split, one in splits for row in _rows(split, one, seed))
    reliable = tuple(row for split, one in splits for row in _reliable(split, one))
    return SwapBench(rows=rows, steps=tuple(of_steps), reliability=reliable)


def _step_rows(table: Table, gathered: Gathered, seed: int) -> list[StepRow]:
    """A row for each estimator and step that has swaps enough."""
    scored = step_scores(gathered, LAST_STEP, seed) if gathered.steps else []
    return [StepRow.model_validate({"world": table.score, **row}) for row in scored]


def _models(found: Sequence[Table], *, quick: bool) -> list[str]:
    """The models that are left out in turn."""
    models = sorted({cell.model for table in found for cell in table.cells})
    return models[:: len(models) // _QUICK_MODELS][:_QUICK_MODELS] if quick else models


class _Counter:
    """Progress over parts that each count for themselves."""

    def __init__(self, told: Callable[[int, int], None], total: int) -> None:
        self._told, self._total, self._done = told, total, 0

    def __call__(self, done: int, total: int) -> None:
        self._done += 1
        self._told(min(self._done, self._total), self._total)


def _pooled(table: Table, models: Sequence[str], seen: int, seed: int, step: _Counter) -> dict[Kind, Predicted]:
    """The predictions for each of the models in turn, together."""
    found: dict[Kind, Predicted] = {}
    for model in models:
        step(0, 0)
        for kind, one in few_seen(table, model, seen, seed).items():
            into = found.setdefault(kind, Predicted())
            into.add(np.array(one.outcomes), one.tasks, {name: np.array(told) for name, told in one.by.items()})
            into.covered.extend(one.covered)
    return found


def _world(kind: Kind) -> str:
    score, attacked = kind
    return f"{'attacked' if attacked else 'clean'} {score}"


def _reliable(split: str, found: dict[Kind, Predicted]) -> Iterator[Reliability]:
    """The reliability of what the world says."""
    name = ABDUCTION if split == _ALONE else WORLD
    for kind, one in found.items():
        bins = reliability(np.array(one.by[name]), np.array(one.outcomes), one.tasks)
        yield Reliability(world=_world(kind), split=split, estimator=name, bins=bins)


def _rows(split: str, found: dict[Kind, Predicted], seed: int) -> list[Row]:
    """A row for each estimator; all but the rival are held against it."""
    rows, rival = [], INTERVENTIONAL if split == _ALONE else BASELINES[-1]
    for kind, one in found.items():
        outcomes, against = np.array(one.outcomes), brier(np.array(one.by[rival]), np.array(one.outcomes))
        for name, told in one.by.items():
            predicted = np.array(told)
            losses = brier(predicted, outcomes)
            better = None if name == rival else gain(losses, against, one.tasks, seed=seed)
            rows.append(
                Row(
                    world=_world(kind),
                    split=split,
                    estimator=name,
                    cells=len(outcomes),
                    brier=float(losses.mean()),
                    log_loss=float(log_loss(predicted, outcomes).mean()),
                    calibration=calibration_error(predicted, outcomes),
                    rival=None if better is None else rival,
                    gain=None if better is None else better.value,
                    gain_low=None if better is None else better.low,
                    gain_high=None if better is None else better.high,
                    covered=float(np.mean(one.covered)) if name == WORLD else None,
                )
            )
    return rows
