"""The shape of simulated answers: what `--json`, Python and the page show alike. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ifonly.scm.estimate import Estimate
from ifonly.sim.services.timeline import Status
from ifonly.sim.simulate.edits import Edit
from ifonly.sim.timing.answers import TimingReport

__all__ = ["AttemptSpan", "Change", "RunChange", "SimulateAnswer", "StepSpans", "SweepPoint"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AttemptSpan(_Answer):
    """One attempt at a service; seconds of simulated time since the first arrival.

    Attributes:
        service: asked.
        attempt: from 1; a hedge has the number of the attempt that it stands beside.
        hedge: whether it is one.
        queued: when it came.
        started: when its service began; None: never.
        ended: when it was over.
        status: how.
        cost: US dollars; None where a price is not known.
    """

    service: str
    attempt: int
    hedge: bool
    queued: float
    started: float | None
    ended: float
    status: Status
    cost: float | None


class StepSpans(_Answer):
    """A step's attempts in both worlds, in the first replication; none where it was not reached.

    Attributes:
        run: id of the trajectory.
        site: of the step.
        inner: sites of the calls that ran inside it: the step lasts until the last of them has ended.
        factual: as recorded.
        counterfactual: in the changed world.
    """

    run: str
    site: str
    inner: tuple[str, ...] = ()
    factual: tuple[AttemptSpan, ...]
    counterfactual: tuple[AttemptSpan, ...]


class Change(_Answer):
    """A number in both worlds.

    Attributes:
        factual: as recorded; its mean over replications where something of it was drawn. None: not defined there.
        counterfactual: in the changed world; None: not defined there.
        change: counterfactual less factual, paired replication by replication; None where one is not defined.
    """

    factual: float | None
    counterfactual: Estimate | None
    change: Estimate | None


class RunChange(_Answer):
    """What becomes of one run.

    Attributes:
        run: id of the trajectory.
        task: of the trajectory.
        seconds: from arrival to end.
        cost: US dollars; None where a price is not known.
        failed: share of replications in which it fails.
    """

    run: str
    task: str
    seconds: Change
    cost: Change
    failed: Change


class SweepPoint(_Answer):
    """One setting of the swept places.

    Attributes:
        setting: value by place.
        metrics: latency, cost, failures and throughput there.
        quality: mean quality of the models that answer; None where none was given.
        dominated: whether another setting is at least as good in p90 latency, cost, failures and quality, and better
            in one.
    """

    setting: dict[str, object]
    metrics: dict[str, Estimate]
    quality: float | None = None
    dominated: bool


class SimulateAnswer(_Answer):
    """The answer to one what-if about time, cost and load.

    Attributes:
        edits: what was changed.
        words: the same in words.
        arrivals: of the traffic, in words.
        replications: how often what is not recorded was drawn.
        drawn: what was drawn, in words; nothing: one replication tells all.
        metrics: in total and by service, by name: `latency p90`, `gpt-4o utilisation`.
        runs: one each.
        spans: of every step, in both worlds.
        sweep: settings that were tried; their front.
        traffic: what was fitted.
        assumes: what all of it rests on.
    """

    version: Literal[1] = 1
    edits: tuple[Edit, ...]
    words: tuple[str, ...]
    arrivals: str
    replications: int
    drawn: tuple[str, ...]
    metrics: dict[str, Change]
    runs: tuple[RunChange, ...]
    spans: tuple[StepSpans, ...]
    sweep: tuple[SweepPoint, ...] = ()
    traffic: TimingReport
    assumes: tuple[str, ...]
