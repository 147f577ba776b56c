"""From replications to estimates."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, inf
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import student_mean
from ifonly.sim.simulate.answers import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.estimate import Identified, Rung

__all__ = ["Numbers"]

_TWO = 2
_SHARES = frozenset({"failed", "utilisation", "refused", "timeouts", "errors"})


def _range(name: str) -> tuple[float, float]:
    """Between what a metric lies: shares in [0, 1], all else from 0 on. An interval that leaves it says nothing more.

    Args:
        name: as `Metrics.flat` has it: of a service's metric, after the service's own.
    """
    return 0.0, 1.0 if name.rpartition(" ")[2] in _SHARES else inf


@dataclass(frozen=True, slots=True)
class Numbers:
    """How numbers of replications become estimates.

    Attributes:
        rung: of the counterfactual world.
        noise: the noise models that are assumed; None where nothing is changed and nothing drawn.
        level: of intervals.
    """

    rung: Rung
    noise: str | None
    level: float = 0.95

    def estimate(
        self, values: Sequence[float], within: tuple[float, float] = (-inf, inf), shifts: Sequence[float] = ()
    ) -> Estimate:
        """The mean over replications; a number that is the same in all of them is certain, given the noise model.

        The interval holds two errors, which are independent: of the mean over draws, by Student's t, and of the laws, t
        times the standard deviation of the shifts.

        Args:
            values: one a replication.
            within: what the interval is cut to.
            shifts: of the number under laws fitted to resampled calls, same draws.
        """
        identified: Identified = "exact" if self.noise is None else "assumed"
        by_laws = _reach(shifts, self.level)
        certain = len(values) < _TWO or min(values) == max(values)
        if certain and not by_laws:
            value = values[0]
            return Estimate(
                value=value, low=value, high=value, rung=self.rung, identified=identified, noise=self.noise
            )  # fmt: skip
        mean, (_, high) = (values[0], (values[0],) * 2) if certain else student_mean(values, self.level)
        off = hypot(high - mean, by_laws)
        return Estimate(
            value=mean,
            low=max(mean - off, within[0]),
            high=min(mean + off, within[1]),
            level=self.level,
            effective=float(len(shifts) if certain else len(values)),
            rung=self.rung,
            identified="assumed",
            noise=self.noise or "drawn from the laws of the world",
        )

    def metric(
        self, name: str, values: Sequence[float | None], refitted: Sequence[float | None] = ()
    ) -> Estimate | None:
        """A metric of one world; None where it is not defined, and without the replications in which it is not.

        Args:
            name: of the metric.
            values: one a replication.
            refitted: the same under laws fitted to resampled calls: of each replication, or of the only one.
        """
        known = [value for value in values if value is not None]
        return self.estimate(known, _range(name), _shifts(values, refitted)) if known else None

    def change(
        self,
        name: str,
        factual: Sequence[float | None],
        counterfactual: Sequence[float | None],
        refitted: Sequence[tuple[float | None, float | None]] = (),
    ) -> Change:
        """A metric in both worlds, paired replication by replication.

        Args:
            name: of the metric.
            factual: one a replication.
            counterfactual: one a replication.
            refitted: both under laws fitted to resampled calls: of each replication, or of the only one.
        """
        facts = [value for value in factual if value is not None]
        pairs = [_less(after, before) for before, after in zip(factual, counterfactual, strict=True)]
        known = [value for value in pairs if value is not None]
        shifts = _shifts(pairs, [_less(after, before) for before, after in refitted])
        return Change(
            factual=sum(facts) / len(facts) if facts else None,
            counterfactual=self.metric(name, counterfactual, [after for _, after in refitted]),
            change=self.estimate(known, shifts=shifts) if known else None,
        )


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _shifts(values: Sequence[float | None], refitted: Sequence[float | None]) -> list[float]:
    """By how much each refit moves the number of its replication, or of the only one."""
    moved = (_less(anew, values[at % len(values)]) for at, anew in enumerate(refitted))
    return [shift for shift in moved if shift is not None]


def _reach(shifts: Sequence[float], level: float) -> float:
    """Half of the interval that the laws alone make: t sd, two-sided; 0 of fewer than two shifts."""
    if len(shifts) < _TWO:
        return 0.0
    return float(stdtrit(len(shifts) - 1, 0.5 + level / 2.0)) * float(np.std(shifts, ddof=1))
