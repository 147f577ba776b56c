"""Swaps of models whose time is known: how long runs would have taken, as told beforehand, beside how long they took.

AgentDojo put each task to many models and wrote down how long each run took. Runs of one model on half of the tasks are
asked what they would have taken under another; the other's law is fitted to its runs on the other half alone. Beside
the prediction stand what a table would say: that nothing changes, and that every run takes the other model's median.
What the comparison holds besides the laws of time: that agents do the same steps under another model.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import spearmanr

from ifonly.agents.reading import read
from ifonly.agents.records import ModelStep
from ifonly.sim.simulate import Swap, simulate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Literal

    from ifonly.agents.records import Trajectory
    from ifonly.scm.durations.laws import Floats

__all__ = ["SWAPS", "TimedSwap", "timed_runs", "timed_swap"]

SWAPS = (
    ("gpt-4-0125-preview", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o-mini-2024-07-18", "gpt-4-0125-preview"),
    ("gpt-4o-mini-2024-07-18", "claude-3-opus-20240229"),
    ("claude-3-opus-20240229", "gpt-4o-mini-2024-07-18"),
    ("claude-3-sonnet-20240229", "claude-3-haiku-20240307"),
    ("claude-3-haiku-20240307", "claude-3-sonnet-20240229"),
)
"""Pairs of model files, of quick and slow, of terse and wordy models, each both ways."""


@dataclass(frozen=True)
class TimedSwap:
    """One swap, over the runs of half of the tasks; seconds.

    Attributes:
        swap: the models, as `A -> B`.
        runs: that were asked, each with its counterpart.
        recorded: median of the runs as they were.
        predicted: median and 90 % quantile, had the other model been asked.
        actual: the same of the other model's runs on these tasks.
        error: median over runs of |log(predicted / actual)|.
        unchanged: the same error of the run's own recorded time.
        median: the same error of the other model's median on the tasks that its law is fitted to.
        agreement: Spearman's rank correlation of predicted and actual seconds.
    """

    swap: str
    runs: int
    recorded: float
    predicted: tuple[float, float]
    actual: tuple[float, float]
    error: float
    unchanged: float
    median: float
    agreement: float


def timed_runs(path: Path) -> dict[str, Trajectory]:
    """Runs that asked their model, ended without an error, and tell how long they took; by suite, task and attack.

    Args:
        path: file or folder of AgentDojo runs of one model.
    """
    return {
        run.id.partition("/")[2]: run
        for run in read(path).trajectories
        if run.seconds and not run.outcome.error and any(isinstance(step, ModelStep) for step in run.steps)
    }


def timed_swap(
    runs: Mapping[str, Trajectory], others: Mapping[str, Trajectory], tokens: Literal["kept", "ranked"] = "ranked"
) -> TimedSwap:
    """Predict the seconds of one model's runs under another, and hold them to what the other took.

    Args:
        runs: of the model, as `timed_runs` gives them.
        others: of the other model.
        tokens: of the replies: as recorded, or of the same rank among those of the other model.
    """
    asked = [key for key in runs if key in others and _half(key)]
    before, after = _model(runs[asked[0]]), _model(others[asked[0]])
    known = [run for side in (runs, others) for key, run in side.items() if not _half(key)]
    swap = Swap(service=before, to=after, tokens=tokens)
    given = simulate([runs[key] for key in asked], [swap], others=known)
    estimates = [one.seconds.counterfactual for one in given.runs]
    predicted = np.array([np.nan if one is None else one.value for one in estimates], dtype=float)
    actual, own = _seconds(others, asked), _seconds(runs, asked)
    elsewhere = np.median(_seconds(others, [key for key in others if not _half(key)]))
    return TimedSwap(
        swap=f"{before} -> {after}",
        runs=len(asked),
        recorded=float(np.median(own)),
        predicted=_quantiles(predicted),
        actual=_quantiles(actual),
        error=_error(predicted, actual),
        unchanged=_error(own, actual),
        median=_error(np.full(len(asked), elsewhere), actual),
        agreement=float(spearmanr(predicted, actual).statistic),
    )


def _half(key: str) -> bool:
    """Whether a task is asked about; all attacks on it are on one side. By its name, so that it stays."""
    return bool(blake2b("/".join(key.split("/")[:2]).encode()).digest()[0] % 2)


def _model(run: Trajectory) -> str:
    return next(step.request.model for step in run.steps if isinstance(step, ModelStep))


def _seconds(runs: Mapping[str, Trajectory], keys: Sequence[str]) -> Floats:
    return np.array([runs[key].seconds for key in keys], dtype=float)


def _quantiles(seconds: Floats) -> tuple[float, float]:
    median, high = np.quantile(seconds, (0.5, 0.9)).tolist()
    return median, high


def _error(predicted: Floats, actual: Floats) -> float:
    return float(np.median(np.abs(np.log(predicted / actual))))
