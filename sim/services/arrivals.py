"""When requests come: as recorded, Poisson, in bursts, or each when one has ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field

from ifonly.scm.durations import Constant, Duration
from ifonly.sim.services.service import Amount, Spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ifonly.scm.draw import Draw
    from ifonly.sim.services.requests import Request

__all__ = ["Arrivals", "Bursts", "ClosedLoop", "Poisson", "Recorded", "arriving"]

Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Floats: TypeAlias = "NDArray[np.float64]"


class Recorded(Spec):
    """At their own times."""

    arrivals: Literal["recorded"] = "recorded"


class Poisson(Spec):
    """A Poisson process: independent exponential gaps of mean 1 / rate seconds."""

    arrivals: Literal["poisson"] = "poisson"
    rate: Rate


class Bursts(Spec):
    """A two-state Markov-modulated Poisson process (Fischer & Meier-Hellstern 1993).

    Attributes:
        rate: arrivals a second in the calm state, in which it begins.
        burst_rate: in the burst.
        calm: mean seconds of a calm.
        burst: mean seconds of a burst.
    """

    arrivals: Literal["bursts"] = "bursts"
    rate: Amount
    burst_rate: Rate
    calm: Rate
    burst: Rate

    @property
    def mean_rate(self) -> float:
        """Arrivals a second in the long run."""
        return (self.rate * self.calm + self.burst_rate * self.burst) / (self.calm + self.burst)


class ClosedLoop(Spec):
    """`users` who each think, send the next request that nobody has sent, wait for its end, and think again."""

    arrivals: Literal["closed"] = "closed"
    users: Annotated[int, Field(ge=1)]
    think: Duration = Constant(value=0.0)


Arrivals: TypeAlias = Annotated[Recorded | Poisson | Bursts | ClosedLoop, Field(discriminator="arrivals")]
"""How requests come, told apart by `arrivals`."""


def arriving(requests: Sequence[Request], arrivals: Recorded | Poisson | Bursts, draw: Draw) -> tuple[Request, ...]:
    """Return the requests with their arrival times, in the order given.

    The gap before a request has the noise of its name, a state of the bursts that of its number: a changed rate
    stretches the same traffic.
    """
    if isinstance(arrivals, Recorded):
        return tuple(requests)
    gaps = -np.log1p(-draw.eights(f"arrival\x1f{request.name}" for request in requests)[:, 0])
    counted = np.cumsum(gaps)
    times = counted / arrivals.rate if isinstance(arrivals, Poisson) else _modulated(arrivals, counted, draw)
    return tuple(replace(request, arrival=at) for request, at in zip(requests, times.tolist(), strict=True))


def _modulated(bursts: Bursts, counted: Floats, draw: Draw) -> Floats:
    """The times at which the integral of the rate reaches the arrivals of a Poisson process of rate one."""
    if not len(counted):
        return counted
    at, reached = [0.0], [0.0]
    while reached[-1] < counted[-1]:
        state = len(at) - 1
        mean, rate = (bursts.burst, bursts.burst_rate) if state % 2 else (bursts.calm, bursts.rate)
        lasts = -mean * float(np.log1p(-draw.eight(f"burst\x1f{state}")[0]))
        at.append(at[-1] + lasts)
        reached.append(reached[-1] + rate * lasts)
    segment = np.searchsorted(reached, counted, side="left") - 1
    rates = np.where(segment % 2, bursts.burst_rate, bursts.rate)
    return np.asarray(np.asarray(at)[segment] + (counted - np.asarray(reached)[segment]) / rates)
