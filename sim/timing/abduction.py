"""From recorded runs to traffic whose noise is the recorded one: what is known is abducted, the rest has its posterior.

| of a call | abducted |
|---|---|
| its latency noise | seconds / (base + per token), exact; of a run timed as a whole, one multiplier for all its calls |
| the uniform of its failure | its posterior: uniform over the outcomes that would have shown what was recorded |
| the latency noise of a call that ended its run by failing, or that no record times | its prior |
| the tokens of a reply that never came | their law, fitted to the service's replies |

A call that failed without ending its run was put right by the agent, whose next calls stand in the record: it stays as
recorded. What has a posterior rather than a value is drawn under the name of the call, anew in each replication.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.errors import UnknownName
from ifonly.sim.services.requests import Call, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.scm.draw import Draw
    from ifonly.scm.durations import Duration
    from ifonly.sim.services.service import Service
    from ifonly.sim.services.world import World
    from ifonly.sim.timing.recorded import RecordedCall, RecordedRun

__all__ = ["Traffic"]


@dataclass(frozen=True)
class Traffic:
    """Recorded runs as requests, in a world whose laws their noise is abducted under.

    Attributes:
        runs: with calls, each at a clock of its own.
        world: the factual one.
        replies: by service, the law of the tokens of a reply.
        origin: seconds since the epoch at which simulated time is 0; None where no run tells when it began.
    """

    runs: tuple[RecordedRun, ...]
    world: World
    replies: Mapping[str, Duration]
    origin: float | None

    def requests(self, draw: Draw) -> tuple[Request, ...]:
        """The traffic of one replication.

        Args:
            draw: of what the records do not tell.

        Raises:
            UnknownName: a call asks a service that the world has not.
        """
        return tuple(self._request(run, draw) for run in self.runs)

    @property
    def unknown(self) -> int:
        """Calls whose time is drawn even where nothing is changed, since no record tells it."""
        return sum(
            call.seconds is None and not call.fatal for run in self.runs if run.clock != "whole" for call in run.calls
        )

    @property
    def failed(self) -> frozenset[tuple[str, str]]:
        """Run and site of the calls that ended their runs by failing: what they would have answered is not known."""
        return frozenset((run.id, call.site) for run in self.runs for call in run.calls if call.fatal)

    def _request(self, run: RecordedRun, draw: Draw) -> Request:
        multiplier = self._multiplier(run)
        return Request(
            name=run.id,
            arrival=0.0 if run.started is None or self.origin is None else run.started - self.origin,
            calls=tuple(self._call(run, call, multiplier, draw) for call in run.calls),
            tail=run.tail,
        )

    def _multiplier(self, run: RecordedRun) -> float | None:
        """What all times of a run that is timed as a whole are to be multiplied by."""
        if run.clock != "whole" or run.seconds is None:
            return None
        total = sum(self._expected(call) for call in run.calls)
        return run.seconds / total if total > 0.0 else None

    def _expected(self, call: RecordedCall) -> float:
        return self._service(call).latency.expected(call.input_tokens, call.output_tokens or 0)

    def _service(self, call: RecordedCall) -> Service:
        if call.service not in self.world.services:
            fix = "State it under `services` of the world file, or leave --world out to fit it to the runs."
            raise UnknownName("service", call.service, self.world.services, fix)
        return self.world.services[call.service]

    def _call(self, run: RecordedRun, call: RecordedCall, multiplier: float | None, draw: Draw) -> Call:
        expected, noise = self._expected(call), multiplier
        if call.seconds is not None and not call.fatal:
            noise = call.seconds / expected if expected > 0.0 else None
        output, site = call.output_tokens, f"{run.id}/{call.site}"
        if output is None:
            law = self.replies.get(call.service)
            drawn = 0.0 if law is None else float(law.quantile(draw.uniform(f"{site}/output_tokens")))
            output = max(1, round(drawn))
        return Call(
            site=call.site,
            service=call.service,
            after=call.after,
            lag=call.lag,
            input_tokens=call.input_tokens,
            output_tokens=output,
            prefix=call.prefix,
            prefix_tokens=call.prefix_tokens,
            noise=None if call.fatal else noise,
            recorded=call.service,
            failure_noise=self._failing(call, site, draw),
            failed_after=call.seconds if call.fatal else None,
        )

    def _failing(self, call: RecordedCall, site: str, draw: Draw) -> float | None:
        """The uniform of the failure, given how the recorded attempt ended."""
        ends = np.cumsum([0.0, *(failure.probability for failure in self._service(call).failures)])
        if not call.fatal:
            low, high = float(ends[-1]), 1.0
            if low == 0.0:
                return None
        else:
            kinds = [failure.kind for failure in self._service(call).failures]
            if call.failure not in kinds:
                return None
            place = kinds.index(call.failure)
            low, high = float(ends[place]), float(ends[place + 1])
        return low + (high - low) * float(draw.uniform(f"{site}/failure"))


def origin_of(runs: Sequence[RecordedRun]) -> float | None:
    """When the first run began, in seconds since the epoch."""
    return min((run.started for run in runs if run.started is not None), default=None)
