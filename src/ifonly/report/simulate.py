"""The page of a simulated answer, with its Gantt pictures; and the table of all attempts."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from ifonly.report.front import front
from ifonly.report.gantt import WIDTH, pictures
from ifonly.report.pages import write_page
from ifonly.report.rendering import render_page
from ifonly.views.simulate import simulate_view
from ifonly.views.text import visible

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.sim.simulate import SimulateAnswer

__all__ = ["simulate_page", "spans_csv", "write_simulate"]

_COLUMNS = (
    "run", "site", "world", "service", "attempt", "hedge", "queued", "started", "ended", "status", "cost",
)  # fmt: skip


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
        front=front(answer.sweep),
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
