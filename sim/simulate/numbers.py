"""From replications to estimates."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import student_mean
from ifonly.sim.simulate.answers import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.estimate import Identified, Rung

__all__ = ["Numbers", "range_of"]

_TWO = 2
_SHARES = frozenset({"failed", "utilisation", "refused", "timeouts", "errors"})


def range_of(name: str) -> tuple[float, float]:
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

    def estimate(self, values: Sequence[float], within: tuple[float, float] = (-inf, inf)) -> Estimate:
        """The mean over replications; a number that is the same in all of them is certain, given the noise model.

        Args:
            values: one a replication.
            within: what the interval is cut to.
        """
        identified: Identified = "exact" if self.noise is None else "assumed"
        if len(values) < _TWO or min(values) == max(values):
            value = values[0]
            return Estimate(
                value=value, low=value, high=value, rung=self.rung, identified=identified, noise=self.noise
            )  # fmt: skip
        mean, (low, high) = student_mean(values, self.level)
        return Estimate(
            value=mean,
            low=max(low, within[0]),
            high=min(high, within[1]),
            level=self.level,
            effective=float(len(values)),
            rung=self.rung,
            identified="assumed",
            noise=self.noise or "drawn from the laws of the world",
        )

    def change(self, name: str, factual: Sequence[float | None], counterfactual: Sequence[float | None]) -> Change:
        """A metric in both worlds, replication by replication; those in which it is not defined are left out."""
        facts = [value for value in factual if value is not None]
        others = [value for value in counterfactual if value is not None]
        pairs = [b - a for a, b in zip(factual, counterfactual, strict=True) if a is not None and b is not None]
        return Change(
            factual=sum(facts) / len(facts) if facts else None,
            counterfactual=self.estimate(others, range_of(name)) if others else None,
            change=self.estimate(pairs) if pairs else None,
        )
