"""How predictions are held to the truth: Brier score, log-loss, paired differences, reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from ifonly.scm.draw import Draw
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import cluster_bootstrap

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ifonly.scm.item_response.facets import Floats

__all__ = ["Bin", "brier", "calibration_error", "gain", "log_loss", "reliability"]

_NARROWEST = 1e-3
"""Predictions count as no surer than this in the log-loss, which is infinite for averages of 0 or 1 that err."""


class Bin(BaseModel):
    """Predictions of about the same size, and how often they came true.

    Attributes:
        low: lower end of the predictions.
        high: upper end.
        cells: how many there are.
        predicted: their mean.
        observed: share that came true.
        observed_low: lower end of its 95 % interval, by resampling whole tasks; None where it was not asked for, or
            all cells are of one task.
        observed_high: upper end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    high: float
    cells: int
    predicted: float
    observed: float
    observed_low: float | None = None
    observed_high: float | None = None


def brier(predicted: Floats, outcomes: Floats) -> Floats:
    """Squared error of each prediction (Brier 1950)."""
    return np.square(predicted - outcomes)


def log_loss(predicted: Floats, outcomes: Floats) -> Floats:
    """-log of the probability given to each outcome, predictions kept within [.001, .999]."""
    inside = np.clip(predicted, _NARROWEST, 1 - _NARROWEST)
    return -np.log(np.where(outcomes == 1, inside, 1 - inside))


def gain(losses: Floats, rival: Floats, clusters: Sequence[Hashable], level: float = 0.95, seed: int = 0) -> Estimate:
    """Mean loss of a rival less mean loss: positive where the first is better.

    Paired by cell; the interval resamples whole clusters (tasks), as runs of one task share its luck.
    """
    differences = rival - losses
    value, (low, high) = cluster_bootstrap(clusters, lambda rows: float(differences[rows].mean()), Draw(seed), level)
    return Estimate(
        value=value, low=min(low, value), high=max(high, value), level=level, effective=len(set(clusters)),
        rung="observed", identified="point",
    )  # fmt: skip


def reliability(
    predicted: Floats, outcomes: Floats, clusters: Sequence[Hashable] | None = None, bins: int = 10
) -> tuple[Bin, ...]:
    """The reliability table: predictions in equal bins of [0, 1]; empty bins are left out.

    Args:
        predicted: probabilities, shape (n,).
        outcomes: 0 or 1, shape (n,).
        clusters: of each, for instance its task; then the observed shares have intervals.
        bins: how many.
    """
    place = np.minimum((predicted * bins).astype(int), bins - 1)
    return tuple(
        Bin(
            low=n / bins,
            high=(n + 1) / bins,
            cells=len(rows),
            predicted=float(predicted[rows].mean()),
            observed=float(outcomes[rows].mean()),
            **({} if clusters is None else _observed(outcomes[rows], [clusters[row] for row in rows.tolist()])),
        )
        for n in range(bins)
        if len(rows := np.flatnonzero(place == n))
    )


def _observed(outcomes: Floats, clusters: Sequence[Hashable]) -> dict[str, float]:
    """The ends of the interval of a share; none where there is one cluster."""
    if len(set(clusters)) <= 1:
        return {}
    value, (low, high) = cluster_bootstrap(clusters, lambda rows: float(outcomes[rows].mean()), Draw())
    return {"observed_low": min(low, value), "observed_high": max(high, value)}


def calibration_error(predicted: Floats, outcomes: Floats) -> float:
    """Expected calibration error: mean over cells of |predicted - observed| of their bin of ten."""
    table = reliability(predicted, outcomes)
    return sum(row.cells * abs(row.predicted - row.observed) for row in table) / len(predicted)
