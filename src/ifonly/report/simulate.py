"""The page of a simulated answer, with its Gantt pictures; and the table of all attempts."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from ifonly.report.front import Choice, Front, front
from ifonly.report.gantt import WIDTH, pictures
from ifonly.report.pages import write_page
from ifonly.report.rendering import render_page
from ifonly.views.scores import estimate_text, number
from ifonly.views.simulate import simulate_view
from ifonly.views.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ifonly.sim.simulate import SimulateAnswer
    from ifonly.sim.simulate.answers import SweepPoint

__all__ = ["simulate_page", "spans_csv", "write_simulate"]

_COLUMNS = (
    "run", "site", "world", "service", "attempt", "hedge", "queued", "started", "ended", "status", "cost",
)  # fmt: skip
_LATENCY, _COST = "latency p90", "cost"


def simulate_page(answer: SimulateAnswer, command: str) -> str:
    """The page of one answer.

    Args:
        answer: of `ifonly.sim.simulate`.
        command: how to ask again.
    """
    return render_page(
        "simulate.html",
        ("report.css", "policy.css", "simulate.css"),
        view=simulate_view(answer),
        pictures=pictures(answer),
        drawn=_front(answer.sweep),
        width=WIDTH,
        replications=answer.replications,
        command=command,
    )


def write_simulate(path: Path, answer: SimulateAnswer, command: str) -> None:
    """Write the page of an answer."""
    write_page(path, simulate_page(answer, command))


def spans_csv(answer: SimulateAnswer) -> str:
    """Every attempt of both worlds in the first replication, a row each; times in seconds since the first arrival."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for step in answer.spans:
        for world, spans in (("factual", step.factual), ("counterfactual", step.counterfactual)):
            for one in spans:
                started = "" if one.started is None else repr(one.started)
                times = (repr(one.queued), started, repr(one.ended))
                told = (
                    visible(one.service),
                    one.attempt,
                    str(one.hedge).lower(),
                    *times,
                    one.status,
                    "" if one.cost is None else repr(one.cost),
                )
                rows.writerow((visible(step.run), visible(step.site), world, *told))
    return file.getvalue()


def _front(points: Sequence[SweepPoint]) -> Front | None:
    """Latency against cost, of the settings under which runs do not all fail and whose cost is known."""
    known = [point for point in points if _LATENCY in point.metrics and _COST in point.metrics]
    choices = [
        Choice(_told(point), point.metrics[_COST].value or 0.0, point.metrics[_LATENCY], point.dominated)
        for point in known
    ]
    return front(choices, "cost of all ($)")


def _told(point: SweepPoint) -> str:
    setting = ", ".join(f"{place} = {value}" for place, value in point.setting.items())
    told = f"{setting}: p90 {estimate_text(point.metrics[_LATENCY])} s, $ {estimate_text(point.metrics[_COST])}"
    return told if point.quality is None else f"{told}, quality {number(point.quality)}"
