"""The law of each service, from the calls that records tell of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, get_args

import numpy as np
from scipy.optimize import nnls

from ifonly.scm.draw import Draw
from ifonly.scm.durations import Constant, Duration
from ifonly.scm.durations.fits import Chosen, choose_law
from ifonly.scm.durations.regression import robust_parts
from ifonly.scm.shares import share_of
from ifonly.sim.services.service import Failure, FailureKind, Latency, Price, Service
from ifonly.sim.timing.answers import FailureRate, ServiceFit
from ifonly.sim.timing.refitting import SHORTEST, Sample, ratios_to
from ifonly.sim.timing.together import slowest_together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ifonly.scm.durations.laws import Floats
    from ifonly.sim.timing.answers import Together
    from ifonly.sim.timing.recorded import RecordedCall, RecordedRun

__all__ = ["Fitted", "fit_services"]

_LEVEL = 0.95

_Law: TypeAlias = "tuple[Latency, float | None, Chosen | None, tuple[Floats, Floats | None]]"
"""What seconds are made of, the share that tokens explain, the law of the noise; and seconds and parts fitted to."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A service as the simulation takes it, as it is told, and what it was fitted to."""

    service: Service
    told: ServiceFit
    sample: Sample


def fit_services(
    runs: Sequence[RecordedRun], *, seed: int = 0, progress: Callable[[int, int], None] = lambda done, of: None
) -> dict[str, Fitted]:
    """Fit every service that the runs called.

    Model calls with times: seconds = (base + per_input_token input + per_output_token output) x noise, by robust
    regression of the logarithms with non-negative coefficients; the noise's law is chosen by `choose_law`. Tools: their
    seconds are the noise. Where only whole runs are timed, the same is fitted to runs, whose parts are the sums over
    their model calls; the noise is one multiplier a run, and tools, which whole durations cannot tell from models, take
    no time.

    Args:
        runs: as recorded.
        seed: of the goodness of fit.
        progress: told the services done, and of how many.
    """
    calls: dict[str, list[RecordedCall]] = defaultdict(list)
    whole: dict[str, list[RecordedRun]] = defaultdict(list)
    for run in runs:
        for call in run.calls:
            calls[call.service].append(call)
        if run.clock == "whole":
            asked = {call.service for call in run.calls if call.model}
            if len(asked) == 1:
                whole[asked.pop()].append(run)
    found = {}
    for done, name in enumerate(sorted(calls)):
        progress(done, len(calls))
        found[name] = _fit(name, calls[name], whole[name], Draw(seed))
    progress(len(calls), len(calls))
    return found


def _fit(name: str, calls: Sequence[RecordedCall], whole: Sequence[RecordedRun], draw: Draw) -> Fitted:
    model, good = calls[0].model, [call for call in calls if call.failure is None]
    timed = [call for call in good if call.seconds is not None]
    latency, explained, noise, (seconds, parts) = _model(name, timed, whole, draw) if model else _tool(timed, draw)
    failures = tuple(_failures(calls, draw))
    tokens = [call for call in good if model]
    return Fitted(
        Service(
            latency=latency,
            failures=tuple(_failure(one) for one in failures if one.count),
            price=_price(good, model=model),
        ),
        ServiceFit(
            service=name,
            model=model,
            calls=len(calls),
            timed=len(timed) or sum(len([c for c in run.calls if c.service == name]) for run in whole),
            base=latency.base,
            per_input_token=latency.per_input_token,
            per_output_token=latency.per_output_token,
            explained=explained,
            noise=noise,
            input_tokens=_counts([call.input_tokens for call in tokens], draw),
            output_tokens=_counts([call.output_tokens or 0 for call in tokens], draw),
            failures=failures,
            answered=sum(call.answered for call in calls),
            retried=sum(call.again for call in calls),
            together=_together(timed, latency, draw),
        ),
        Sample(len(calls), seconds, parts),
    )


def _parts(calls: Sequence[RecordedCall]) -> tuple[float, float, float]:
    """What the seconds of calls are made of: their number, input tokens, output tokens."""
    return float(len(calls)), float(sum(c.input_tokens for c in calls)), float(sum(c.output_tokens or 0 for c in calls))


def _model(name: str, timed: Sequence[RecordedCall], whole: Sequence[RecordedRun], draw: Draw) -> _Law:
    """From calls whose tokens the provider told, else from all that are timed, else from runs."""
    told = [call for call in timed if not call.counted] or timed
    if told:
        seconds = np.array([call.seconds for call in told], dtype=float)
        return _regressed(seconds, np.array([_parts([call]) for call in told]), draw)
    if whole:
        parts = np.array([_parts([call for call in run.calls if call.service == name]) for run in whole])
        return _regressed(np.array([run.seconds for run in whole], dtype=float), parts, draw)
    return Latency(base=0.0), None, None, (np.zeros(0), None)


def _regressed(seconds: NDArray[np.float64], parts: NDArray[np.float64], draw: Draw) -> _Law:
    seconds = np.maximum(seconds, SHORTEST)
    found = robust_parts(seconds, parts)
    ratios = ratios_to(seconds, parts, found)
    spread = _spread(seconds / parts[:, 0])
    noise = choose_law(ratios, draw)
    base, per_input, per_output = found.tolist()
    latency = Latency(base=base, per_input_token=per_input, per_output_token=per_output, noise=noise.law)
    return latency, 1.0 - _spread(ratios) / spread if spread > 0.0 else None, noise, (seconds, parts)


def _spread(values: NDArray[np.float64]) -> float:
    """The mean distance of logarithms from their median."""
    logs = np.log(values)
    return float(np.abs(logs - np.median(logs)).mean())


def _tool(timed: Sequence[RecordedCall], draw: Draw) -> _Law:
    if not timed:
        return Latency(base=0.0), None, None, (np.zeros(0), None)
    seconds = np.maximum([call.seconds or 0.0 for call in timed], SHORTEST)
    noise = choose_law(seconds, draw)
    return Latency(base=1.0, noise=noise.law), None, noise, (seconds, None)


def _together(timed: Sequence[RecordedCall], latency: Latency, draw: Draw) -> Together | None:
    """Whether the slowest of the calls came together, beyond what their tokens make of them."""
    placed = [(call.started, call) for call in timed if call.started is not None]
    starts = np.array([started for started, _ in placed])
    seconds = np.array([call.seconds for _, call in placed], dtype=float)
    expected = np.array([latency.expected(one.input_tokens, one.output_tokens or 0) for _, one in placed])
    return slowest_together(starts, seconds, seconds / np.maximum(expected, SHORTEST), draw)


def _price(calls: Sequence[RecordedCall], *, model: bool) -> Price:
    """What calls cost, where the record tells it: by their tokens (non-negative least squares), a tool by the call."""
    paid = [call for call in calls if call.cost is not None]
    costs = np.array([call.cost for call in paid], dtype=float)
    if not paid or not costs.any():
        return Price()
    if not model:
        return Price(per_call=float(costs.mean()))
    per_input, per_output = nnls(np.array([_parts([call])[1:] for call in paid]), costs)[0].tolist()
    return Price(per_input_token=per_input, per_output_token=per_output)


def _counts(values: Sequence[int], draw: Draw) -> Chosen | None:
    """The law of a number of tokens; of its logarithm's shape, so that none are half a token off."""
    positive = [value for value in values if value > 0]
    return choose_law(positive, draw, resamples=99) if positive else None


def _failures(calls: Sequence[RecordedCall], draw: Draw) -> list[FailureRate]:
    rates = []
    kinds: tuple[FailureKind, ...] = get_args(FailureKind)
    for kind in kinds:
        failed = [call for call in calls if call.failure == kind]
        seconds = [max(call.seconds, SHORTEST) for call in failed if call.seconds is not None]
        rate = share_of(len(failed), len(calls), "observed", _LEVEL)
        law = choose_law(seconds, draw) if seconds else None
        rates.append(FailureRate(kind=kind, count=len(failed), rate=rate, seconds=law))
    return rates


def _failure(rate: FailureRate) -> Failure:
    seconds: Duration = Constant(value=0.0) if rate.seconds is None else rate.seconds.law
    return Failure(kind=rate.kind, probability=rate.rate.value or 0.0, seconds=seconds)
