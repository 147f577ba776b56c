"""Estimators over samples of worlds, by the names of sites: what one value of a site does instead of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scenarios.study import SensitivityRow
from ifonly.scm.estimate import Estimate
from ifonly.scm.strata import standardised, strata_of, wald

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scenarios.known import Sample
    from ifonly.scm.clustered import Clustered
    from ifonly.scm.estimate import Rung

__all__ = ["complier_effect", "difference", "effect_over", "shifted"]


def effect_over(cause: str, outcome: str, *strata: str) -> Callable[[Sample, float], Estimate]:
    """Return the estimator of E[Y | do(1)] - E[Y | do(0)], standardised over strata; a raw difference without any.

    Args:
        cause: site of the cause, 0 or 1.
        outcome: site of the outcome.
        strata: sites whose joint values are the strata.
    """
    rung: Rung = "interventional" if strata else "observed"
    return lambda sample, level: difference(sample, cause, outcome, *strata).estimate(level, rung)


def complier_effect(instrument: str, cause: str, outcome: str) -> Callable[[Sample, float], Estimate]:
    """Return the estimator of the effect on those whom the instrument moves.

    Args:
        instrument: site that was set at random, 0 or 1.
        cause: site of the cause, 0 or 1.
        outcome: site of the outcome.
    """
    return lambda sample, level: wald(sample[instrument], sample[cause], sample[outcome]).estimate(level)


def difference(sample: Sample, cause: str, outcome: str, *strata: str) -> Clustered:
    """The standardised difference itself.

    Args:
        sample: of the world.
        cause: site of the cause, 0 or 1.
        outcome: site of the outcome.
        strata: sites whose joint values are the strata; none: a raw difference.
    """
    x, y = np.asarray(sample[cause]), np.asarray(sample[outcome])
    z = strata_of(*(sample[site] for site in strata)) if strata else np.zeros(len(y), dtype=np.intp)
    on, off = (standardised(x == value, y, z) for value in (1, 0))
    return on.plus(off, -1.0)


def shifted(
    estimate: Estimate, assumption: str, by: Sequence[float] = (0.05, 0.1), share: float = 1.0
) -> tuple[SensitivityRow, ...]:
    """Return what is left of an effect if runs of the one arm ended better or worse by so much in any case.

    Args:
        estimate: the effect with its interval.
        assumption: that fails.
        by: how much.
        share: of the runs of an arm that it is an effect on: of those whom an instrument moves, for instance.
    """
    return tuple(
        SensitivityRow(
            assumption=assumption,
            failing=f"runs of the one arm would have ended better or worse by up to {shift:g} in any case",
            estimate=Estimate.bounded(
                estimate.low - shift / share, estimate.high + shift / share, estimate.rung, estimate.level
            ),
        )
        for shift in by
    )
