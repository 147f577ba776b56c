"""Laws of positive quantities, times and counts, and their fits to samples.

Each law is a monotone mechanism, value = quantile(u) with u uniform, so that abduction is exact: u = cdf(value).

| module | what |
|---|---|
| `laws` | constant, exponential, lognormal, gamma |
| `empirical` | order statistics, interpolated, with a generalised-Pareto tail |
| `fits` | the law of a sample: maximum likelihood, goodness of fit, and which was chosen |
| `regression` | means that are sums of non-negative parts |
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from ifonly.scm.durations.empirical import Empirical
from ifonly.scm.durations.laws import Constant, Exponential, Gamma, LogNormal, Monotone

__all__ = ["Constant", "Duration", "Empirical", "Exponential", "Gamma", "LogNormal", "Monotone"]

Duration: TypeAlias = Annotated[Constant | Exponential | LogNormal | Gamma | Empirical, Field(discriminator="law")]
"""A law that a world file can state, told apart by `law`."""
