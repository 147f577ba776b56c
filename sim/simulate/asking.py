"""A what-if about time, cost and load, answered."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from ifonly.sim.services.arrivals import Bursts, ClosedLoop, Poisson
from ifonly.sim.simulate.answers import AttemptSpan, Change, RunChange, SimulateAnswer, StepSpans
from ifonly.sim.simulate.applying import changed
from ifonly.sim.simulate.edits import Follow, Swap
from ifonly.sim.simulate.following import follow
from ifonly.sim.simulate.laws_anew import laws_anew
from ifonly.sim.simulate.numbers import Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ifonly.agents.records import Trajectory
    from ifonly.sim.services.arrivals import Arrivals
    from ifonly.sim.services.metrics import Metrics, RequestLoad
    from ifonly.sim.services.timeline import Span, Timeline
    from ifonly.sim.simulate.applying import Changed
    from ifonly.sim.simulate.edits import Edit
    from ifonly.sim.simulate.following import Chances
    from ifonly.sim.simulate.replications import Replayed, Replayer
    from ifonly.sim.timing import FittedTraffic
    from ifonly.sim.timing.abduction import Traffic

__all__ = ["BOTH", "answer", "arrivals_text", "change_of", "noise_of", "numbers_of"]

BOTH = "latency mean of runs done in both worlds"
"""The metric that compares the same runs: where some fail, the latencies of each world are those of other runs."""

_KEPT = "recorded service times, rank-preserving where a law changes (comonotone)"
_DECLARED = "declared service times"


def change_of(edits: Sequence[Edit], runs: Sequence[Trajectory] = ()) -> Callable[[FittedTraffic], Changed]:
    """What edits make of any recorded world and traffic.

    Args:
        edits: in order.
        runs: as read, for a rule to read its features from.

    Returns:
        A function of recorded traffic. It raises UnknownName where an edit names what there is not, and ActionError
        where the changed world is none.

    Raises:
        ActionError, UnknownName: a rule cannot be followed.
    """
    chances: dict[str, Chances] = {}
    for edit in edits:
        if isinstance(edit, Follow):
            chances |= follow(edit, runs)

    def made(fitted: FittedTraffic) -> Changed:
        traffic = fitted.traffic
        asked = sorted({call.service for run in traffic.runs for call in run.calls})
        return changed(traffic.world, edits, asked, replies=traffic.replies, chances=chances)

    return made


def answer(
    fitted: FittedTraffic,
    edits: Sequence[Edit],
    replayer: Replayer,
    *,
    runs: Sequence[Trajectory] = (),
    level: float = 0.95,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> SimulateAnswer:
    """Return what would have become of the recorded traffic in a changed world.

    Both worlds meet the same requests with the same noise, abducted or drawn from its posterior; changes are paired.

    Args:
        fitted: the recorded traffic and its laws.
        edits: what is changed; none: the traffic as recorded.
        replayer: of that traffic.
        runs: as read, for a rule to read its features from.
        level: of intervals.
        progress: told the replications done, and of how many.

    Raises:
        ActionError, UnknownName: an edit names what there is not or makes no world, or a rule cannot be followed.
    """
    change = change_of(edits, runs)
    replayed = replayer.replay(change(fitted), progress)
    anew = tuple(laws_anew(fitted, change, replayer, replayed, progress))
    numbers = numbers_of(fitted.traffic, edits, replayed.drawn, level)
    return SimulateAnswer(
        edits=tuple(edits),
        words=tuple(edit.words for edit in edits),
        arrivals=arrivals_text(replayer.arrivals),
        replications=len(replayed.counterfactual),
        drawn=replayed.drawn,
        metrics=_metrics(replayed, anew, numbers),
        runs=tuple(_runs(replayed, anew, fitted.traffic, numbers)),
        spans=tuple(_spans(replayed.timelines, fitted.traffic)),
        traffic=fitted.report,
        assumes=(*fitted.report.assumes, *_assumes(fitted, edits, replayer, replayed.drawn, refitted=bool(anew))),
    )


def numbers_of(traffic: Traffic, edits: Sequence[Edit], drawn: Sequence[str], level: float) -> Numbers:
    """How numbers become estimates: what noise is assumed, and on which rung they stand."""
    known = any(call.seconds is not None or run.clock == "whole" for run in traffic.runs for call in run.calls)
    return Numbers("counterfactual" if known else "interventional", noise_of(known, edits, drawn), level)


def noise_of(known: bool, edits: Sequence[Edit], drawn: Sequence[str]) -> str | None:
    """The noise model in words; None where there is nothing to assume: the recorded world with recorded noise."""
    if not edits and not drawn:
        return None
    kept = _KEPT if known else _DECLARED
    return f"{kept}; fitted laws for what was not recorded" if drawn else kept


def arrivals_text(arrivals: Arrivals) -> str:
    """Arrivals in words."""
    match arrivals:
        case Poisson(rate=rate):
            return f"a Poisson process of {rate:g} runs a second"
        case Bursts():
            return (
                f"{arrivals.rate:g} runs a second for {arrivals.calm:g} seconds on average, then "
                f"{arrivals.burst_rate:g} for {arrivals.burst:g}, and again"
            )
        case ClosedLoop(users=users):
            return "one run after another" if users == 1 else f"{users} at a time, the next when one has ended"
        case _:
            return "as recorded"


def _metrics(replayed: Replayed, anew: Sequence[tuple[Metrics, Metrics]], numbers: Numbers) -> dict[str, Change]:
    drawn = [_flat(*both) for both in zip(replayed.factual, replayed.counterfactual, strict=True)]
    refitted = [_flat(*both) for both in anew]
    names = dict.fromkeys(name for side in (1, 0) for both in drawn for name in both[side])
    return {
        name: numbers.change(
            name,
            [fact.get(name) for fact, _ in drawn],
            [other.get(name) for _, other in drawn],
            [(fact.get(name), other.get(name)) for fact, other in refitted],
        )
        for name in names
    }


def _flat(factual: Metrics, counterfactual: Metrics) -> tuple[dict[str, float], dict[str, float]]:
    """The numbers of both worlds by name, and those of the runs that are done in both."""
    fact, other = factual.flat(), counterfactual.flat()
    pairs = zip(factual.requests, counterfactual.requests, strict=True)
    done = [(a.seconds, b.seconds) for a, b in pairs if not (a.failed or b.failed)]
    if done:
        fact[BOTH], other[BOTH] = (sum(seconds) / len(done) for seconds in zip(*done, strict=True))
    return fact, other


def _runs(
    replayed: Replayed, anew: Sequence[tuple[Metrics, Metrics]], traffic: Traffic, numbers: Numbers
) -> Iterable[RunChange]:
    told: dict[str, Callable[[RequestLoad], float | None]] = {
        "seconds": lambda load: load.seconds,
        "cost": lambda load: load.cost,
        "failed": lambda load: float(bool(load.failed)),
    }
    for place, run in enumerate(traffic.runs):
        changes = {
            name: numbers.change(
                name,
                [value(metrics.requests[place]) for metrics in replayed.factual],
                [value(metrics.requests[place]) for metrics in replayed.counterfactual],
                [(value(fact.requests[place]), value(other.requests[place])) for fact, other in anew],
            )
            for name, value in told.items()
        }
        yield RunChange(run=run.id, task=run.task, **changes)


def _spans(timelines: tuple[Timeline, Timeline], traffic: Traffic) -> Iterable[StepSpans]:
    factual, counterfactual = map(_by_step, timelines)
    for run in traffic.runs:
        for call in run.calls:
            yield StepSpans(
                run=run.id,
                site=call.site,
                inner=call.inner,
                factual=factual.get((run.id, call.site), ()),
                counterfactual=counterfactual.get((run.id, call.site), ()),
            )


def _by_step(timeline: Timeline) -> Mapping[tuple[str, str], tuple[AttemptSpan, ...]]:
    found: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in timeline.spans:
        found[span.request, span.site].append(span)
    return {
        step: tuple(
            AttemptSpan(
                service=one.service,
                attempt=one.attempt,
                hedge=one.hedge,
                queued=one.queued,
                started=one.started,
                ended=one.ended,
                status=one.status,
                cost=one.cost,
            )
            for one in sorted(spans, key=lambda span: (span.queued, span.attempt))
        )
        for step, spans in found.items()
    }


def _assumes(
    fitted: FittedTraffic, edits: Sequence[Edit], replayer: Replayer, drawn: Sequence[str], *, refitted: bool
) -> list[str]:
    lines = ["latencies are those of runs that do not fail, which may be others in the other world"] if edits else []
    lines.append(f"arrivals: {arrivals_text(replayer.arrivals)}")
    if edits:
        lines.append("agents do the same steps in both worlds: what another model would have said is not simulated")
    lines += [_kept(edit, fitted) for edit in edits if isinstance(edit, Swap) and edit.tokens == "kept"]
    if any(isinstance(edit, Swap) and edit.tokens == "ranked" for edit in edits):
        lines.append("replies of a service asked instead have the rank of the recorded ones in its own law of tokens")
    touched = {edit.to for edit in edits if isinstance(edit, Swap)}
    touched |= {arm for edit in edits if isinstance(edit, Follow) for arm in edit.rule.rule.arms}
    lines += [_law(fitted, name) for name in sorted(touched)]
    if any(service.failures for service in replayer.traffic.world.services.values()):
        lines.append(
            "failures come to calls independently, as often as they were recorded, whatever the load: only limits, "
            "queues and timeouts make them depend on it"
        )
    if replayer.drawn_in_fact:
        lines.append("what no record tells is drawn in both worlds alike: " + "; ".join(replayer.drawn_in_fact))
    if fitted.declared and (drawn or touched):
        lines.append("intervals are those of means over what is drawn: the laws of --world are taken as declared")
    if refitted:
        lines.append(
            "intervals hold the mean over what is drawn, for this traffic, and how well so many calls tell laws and "
            "shares of failures, by refitting them to calls drawn with replacement"
        )
    return lines


def _kept(swap: Swap, fitted: FittedTraffic) -> str:
    """What a swap assumes of tokens, and how far the replies of the two services differ in the record."""
    line = "a service that answers instead of another reads and writes as many tokens as were recorded"
    replies = [fitted.traffic.replies.get(name) for name in (swap.service, swap.to)]
    before, after = (None if law is None else float(law.quantile(np.asarray(0.5))) for law in replies)
    if before is None or after is None:
        return line
    return (
        f"{line} (in the median {before:,.0f} a reply of {swap.service}; {swap.to} wrote {after:,.0f} where it was "
        "asked; if that is its style, and not other tasks: --swap-tokens ranked)"
    )


def _law(fitted: FittedTraffic, name: str) -> str:
    told = fitted.fits.get(name)
    if told is None or told.told.noise is None:
        return f"{name}: its law is declared, not fitted"
    noise = told.told.noise
    return f"{name}: {noise.law.law} law fitted to {noise.count:,} times; {noise.why}"
