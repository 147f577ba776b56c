"""Traffic from recorded runs, in the world that fits them or in one that is declared."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ifonly.agents.errors import ActionError
from ifonly.sim.services.service import Price
from ifonly.sim.services.world import World
from ifonly.sim.timing.abduction import Traffic, origin_of
from ifonly.sim.timing.answers import TimingReport
from ifonly.sim.timing.fitting import fit_services
from ifonly.sim.timing.prompts import CHARACTERS_A_TOKEN
from ifonly.sim.timing.recorded import recorded_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ifonly.agents.records import Trajectory
    from ifonly.scm.draw import Draw
    from ifonly.sim.services.service import Service
    from ifonly.sim.timing.answers import ServiceFit
    from ifonly.sim.timing.fitting import Fitted
    from ifonly.sim.timing.recorded import Clock, RecordedCall, RecordedRun

__all__ = ["FittedTraffic", "fit_traffic"]

_SURPRISING = 0.01
_WITHOUT_CALLS, _WITHOUT_TIMES = "without calls", "without times"

_SERVICE = (
    "recorded seconds count as service: a queue of the provider's that they hold is not told apart from it, and no "
    "change takes it away"
)
_CLOCKS: Mapping[Clock, tuple[str, ...]] = {
    "spans": (
        _SERVICE,
        "a call waits for all that ended before it started, except what ran beside the calls that it reads",
        "an agent's own seconds between calls, and after the last, stay as recorded",
    ),
    "durations": (
        _SERVICE,
        "runs that tell durations but no starts made their calls one after another, without pause",
    ),
    "whole": (
        _SERVICE,
        "runs that tell only how long they took made their calls one after another; their time is shared over their "
        "calls in proportion to what is expected, with one multiplier a run",
        "in such runs tools take no time: whole durations cannot tell it from the models'",
    ),
}
"""What is assumed of runs, by what their records tell of time."""

_CALLS: tuple[tuple[Callable[[RecordedCall], bool], str], ...] = (
    (
        lambda call: bool(call.inner),
        "a tool that makes calls itself is its own work until the first of them; what it does between and after them "
        "counts as the agent's own seconds",
    ),
    (
        lambda call: call.failure is not None and not call.fatal,
        "a failed call that the agent put right itself stays as recorded, with what the agent did next",
    ),
    (
        lambda call: call.model and call.counted,
        "tokens that a record does not tell are counted from characters: as in the run's other prompts, or "
        f"{CHARACTERS_A_TOKEN:g} a token",
    ),
)
"""What is assumed of calls, where there are such."""


@dataclass(frozen=True)
class FittedTraffic:
    """Recorded runs as traffic, and what was fitted to them.

    Attributes:
        traffic: the runs in their factual world.
        report: what it is made of.
        fits: by service, whether or not the world is the fitted one.
        declared: whether the world was declared, and is not the fitted one.
    """

    traffic: Traffic
    report: TimingReport
    fits: Mapping[str, Fitted]
    declared: bool = False

    def refitted(self, names: Iterable[str], draw: Draw) -> FittedTraffic:
        """The same runs in a world whose laws are fitted to resampled calls; a declared world stays as it is.

        Args:
            names: of the services whose laws are.
            draw: of the resamples; the streams are "refit/" and the service's name.
        """
        services = self.traffic.world.services
        anew = {
            name: self.fits[name].sample.refitted(services[name], draw.generator(f"refit/{name}"))
            for name in names
            if name in self.fits and not self.declared
        }
        world = self.traffic.world.model_copy(update={"services": services | anew})
        return replace(self, traffic=replace(self.traffic, world=world))


def fit_traffic(
    trajectories: Iterable[Trajectory],
    world: World | None = None,
    others: Iterable[Trajectory] = (),
    *,
    prices: Callable[[str], Price | None] = lambda model: None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> FittedTraffic:
    """Recorded runs as traffic, with a law for each service.

    Args:
        trajectories: the runs.
        world: the factual world; None fits one.
        others: runs that laws are fitted to as well, and that are no traffic.
        prices: of models whose calls' costs are not recorded, for a world that is fitted; None where not known.
        seed: of the tests of fit.
        progress: told the services done, and of how many.

    Raises:
        ActionError: no run has calls, or none tells of time and no world is given.
    """
    runs = [recorded_run(one) for one in trajectories]
    kept = [run for run in runs if run.calls and (world is not None or run.clock != "none")]
    if not kept:
        raise _nothing(runs)
    beside = [run for run in map(recorded_run, others) if run.calls]
    fits = fit_services([*kept, *beside], seed=seed, progress=progress)
    open_ = {name for name, one in fits.items() if one.told.model and one.service.price == Price()}
    priced = {name: prices(name) for name in sorted(open_)} if world is None else {}
    declared = world is not None
    if world is None:
        world = World(
            services={name: _priced(one, priced[name]) if name in priced else one.service for name, one in fits.items()}
        )
    replies = {name: one.told.output_tokens.law for name, one in fits.items() if one.told.output_tokens is not None}
    traffic = Traffic(tuple(kept), world, replies, origin_of(kept))
    unpriced = tuple(name for name, price in priced.items() if price is None)
    return FittedTraffic(traffic, _report(runs, kept, fits, unpriced), fits, declared)


def _priced(fitted: Fitted, price: Price | None) -> Service:
    return fitted.service.model_copy(update={"price": price})


def _nothing(runs: Sequence[RecordedRun]) -> ActionError:
    if not any(run.calls for run in runs):
        found = f"{len(runs)} runs, none of which made a call of a model or a tool"
        return ActionError("traffic from recorded runs", found, "Name runs with steps.")
    names = sorted({call.service for run in runs for call in run.calls})
    found = f"{len(runs)} runs, none of which tells when its calls began or how long they or the run took"
    fix = (
        "Record times (OpenTelemetry traces and `ifonly record` have them), or declare what calls take: --world FILE "
        f"with {{services: {{{names[0]}: {{latency: {{base: 0.5, per_output_token: 0.01}}}}, ...}}}} for "
        f"{', '.join(names[:8])}{', ...' if names[8:] else ''}."
    )
    return ActionError("the times of recorded runs", found, fix)


def _report(
    runs: Sequence[RecordedRun], kept: Sequence[RecordedRun], fits: Mapping[str, Fitted], unpriced: tuple[str, ...]
) -> TimingReport:
    taken = {run.id for run in kept}
    left_out = Counter(_WITHOUT_TIMES if run.calls else _WITHOUT_CALLS for run in runs if run.id not in taken)
    own = sum(run.tail + sum(call.lag for call in run.calls) for run in kept)
    told = tuple(one.told for one in fits.values())
    return TimingReport(
        runs=len(kept),
        calls=sum(len(run.calls) for run in kept),
        seconds=sum(run.seconds or 0.0 for run in kept),
        agent_seconds=own,
        left_out=dict(left_out),
        clocks=dict(Counter(run.clock for run in kept)),
        untimed=sum(run.untimed for run in kept if run.clock in ("spans", "durations")),
        counted=sum(call.counted for run in kept for call in run.calls if call.model),
        unpriced=unpriced,
        services=told,
        assumes=tuple(dict.fromkeys(_assumes(kept, told, unpriced))),
    )


def _assumes(kept: Sequence[RecordedRun], told: Sequence[ServiceFit], unpriced: Sequence[str]) -> Iterator[str]:
    yield (
        "noise: the recorded one of each call, kept in its rank where another law takes its place (comonotone "
        "coupling, which no data can test)"
    )
    clocks = {run.clock for run in kept}
    for clock, lines in _CLOCKS.items():
        if clock in clocks:
            yield from lines
    calls = [call for run in kept for call in run.calls]
    for holds, line in _CALLS:
        if any(map(holds, calls)):
            yield line
    yield from filter(None, map(_incident, told))
    few = [one.service for one in told if one.noise is not None and one.noise.count == 1]
    if few:
        yield f"services called once take that one call's noise for certain: {', '.join(few)}"
    if unpriced:
        yield f"costs that take the price of these models are not known (--price tells it): {', '.join(unpriced)}"


def _incident(told: ServiceFit) -> str | None:
    """What a service whose slowest calls came together says of attempts that were not recorded."""
    found = told.together
    if found is None or found.p_value > _SURPRISING:
        return None
    return (
        f"a retry or hedge at {told.service} has luck of its own, yet {found.close} of its {found.slow} slowest calls "
        f"began within {found.window:.3g} seconds (p = {found.p_value:.3g}): in an incident it would have shared theirs"
    )
