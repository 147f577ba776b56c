"""Laws fitted anew to calls drawn with replacement (Efron 1979): how well so many calls tell them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.durations import Empirical, Gamma, LogNormal
from ifonly.scm.durations.empirical import fit_empirical
from ifonly.scm.durations.fits import fit_gamma, fit_lognormal
from ifonly.scm.durations.regression import robust_parts
from ifonly.sim.services.service import Latency

if TYPE_CHECKING:
    from ifonly.scm.durations import Duration
    from ifonly.scm.durations.laws import Floats
    from ifonly.sim.services.service import Failure, Service

__all__ = ["SHORTEST", "Sample", "ratios_to"]

SHORTEST = 1e-7
"""Seconds that a call takes at least, for a law: below the resolution of recorded clocks."""

_PRIOR = 0.5
"""Jeffreys' prior of a share: half a call of each kind."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a service was fitted to.

    Attributes:
        calls: recorded, whether timed or not.
        seconds: of those that are timed (or of whole runs), shape (n,).
        parts: what they are made of, shape (n, 3): calls, input tokens, output tokens; None of a tool.
    """

    calls: int
    seconds: Floats
    parts: Floats | None

    def refitted(self, service: Service, rng: np.random.Generator) -> Service:
        """The service with laws of the same families, fitted to a resample; rates of failures from their posterior."""
        failures = self._failures(service.failures, rng)
        return service.model_copy(update={"latency": self._latency(service.latency, rng), "failures": failures})

    def _latency(self, latency: Latency, rng: np.random.Generator) -> Latency:
        count = len(self.seconds)
        places = rng.integers(count, size=count) if count else np.zeros(0, dtype=int)
        seconds = self.seconds[places]
        if not count or np.ptp(seconds) <= 1e-12 * seconds.max():
            return latency
        if self.parts is None:
            return latency.model_copy(update={"noise": _alike(latency.noise, seconds)})
        parts = self.parts[places]
        found = robust_parts(seconds, parts)
        base, per_input, per_output = found.tolist()
        noise = _alike(latency.noise, ratios_to(seconds, parts, found))
        return Latency(base=base, per_input_token=per_input, per_output_token=per_output, noise=noise)

    def _failures(self, failures: tuple[Failure, ...], rng: np.random.Generator) -> tuple[Failure, ...]:
        """The shares of a Dirichlet law: Jeffreys' posterior, calls independent."""
        if not failures:
            return ()
        counts = np.array([failure.probability for failure in failures]) * self.calls
        shares = rng.dirichlet([*(counts + _PRIOR), self.calls - counts.sum() + _PRIOR]).tolist()
        return tuple(
            failure.model_copy(update={"probability": share}) for failure, share in zip(failures, shares, strict=False)
        )


def ratios_to(seconds: Floats, parts: Floats, found: Floats) -> Floats:
    """The noise of calls: their seconds by what is expected of them."""
    return np.asarray(seconds / np.maximum(parts @ found, SHORTEST))


def _alike(law: Duration, values: Floats) -> Duration:
    """A law of the same family fitted to other values; the law itself where they are all equal."""
    if np.ptp(values) <= 1e-12 * values.max():
        return law
    match law:
        case LogNormal():
            return fit_lognormal(values)
        case Gamma():
            return fit_gamma(values)
        case Empirical():
            return fit_empirical(values)
        case _:
            return law
