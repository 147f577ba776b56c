"""The page of policies: what each would have been worth, how far to trust it, and quality against cost as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.report.front import Choice, Front, front
from ifonly.report.pages import write_page
from ifonly.report.rendering import render_page
from ifonly.views.policy import policy_view
from ifonly.views.scores import estimate_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ifonly.sim.policy import PolicyReport
    from ifonly.sim.policy.answers import DesignedPolicy

__all__ = ["policy_page", "write_policy"]


def policy_page(report: PolicyReport, command: str) -> str:
    """The page of one report.

    Args:
        report: of `ifonly.sim.policy`.
        command: how to ask again.
    """
    return render_page(
        "policy.html",
        ("report.css", "policy.css"),
        view=policy_view(report),
        drawn=_front(report.pareto),
        command=command,
    )


def write_policy(path: Path, report: PolicyReport, command: str) -> None:
    """Write the page of a report."""
    write_page(path, policy_page(report, command))


def _front(designed: Sequence[DesignedPolicy]) -> Front | None:
    return front(
        [
            Choice(
                name=f"{one.target.name}: {estimate_text(one.value)}",
                cost=one.cost.value or 0.0,
                value=one.value,
                dominated=one.dominated,
                single=one.budget is None,
            )
            for one in designed
        ],
        "mean cost of a decision",
    )
