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
    """Predictions of about the same size, and how often they came true."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    high: float
    cells: int
    predicted: float
    observed: float


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


def reliability(predicted: Floats, outcomes: Floats, bins: int = 10) -> tuple[Bin, ...]:
    """The reliability table: predictions in equal bins of [0, 1]; empty bins are left out."""
    place = np.minimum((predicted * bins).astype(int), bins - 1)
    return tuple(
        Bin(
            low=n / bins,
            high=(n + 1) / bins,
            cells=int((place == n).sum()),
            predicted=float(predicted[place == n].mean()),
            observed=float(outcomes[place == n].mean()),
        )
        for n in range(bins)
        if (place == n).any()
    )


def calibration_error(predicted: Floats, outcomes: Floats) -> float:
    """Expected calibration error: mean over cells of |predicted - observed| of their bin of ten."""
    table = reliability(predicted, outcomes)
    return sum(row.cells * abs(row.predicted - row.observed) for row in table) / len(predicted)
