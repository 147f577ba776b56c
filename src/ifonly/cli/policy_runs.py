"""What ``ifonly policy --run`` needs: runs of several decisions, and policies that choose by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.errors import ActionError
from ifonly.sim.policy.targets import ELSE, parse_steps, parse_target
from ifonly.sim.policy.trajectories import STEP, with_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.tables import Table
    from ifonly.sim.policy import Target

__all__ = ["parse_policy", "steps_of_runs"]


def steps_of_runs(table: Table, run: str, refused: Sequence[str]) -> Table:
    """The table with the step of each row.

    Args:
        table: a decision a row.
        run: column of the run.
        refused: options that were given, and that whole runs do not go with.

    Raises:
        ActionError: there are such.
    """
    if refused:
        fix = "Leave them out, or value single decisions: leave out --run."
        raise ActionError("ifonly policy --run", f"{', '.join(refused)}: not for whole runs", fix)
    return with_steps(table, run)


def parse_policy(text: str, arms: Sequence[str], *, steps: bool) -> Target:
    """A target as it was typed.

    Args:
        text: see `ifonly.sim.policy.targets`.
        arms: of the log.
        steps: whether decisions are steps of runs, so that policies may choose by step.
    """
    return parse_steps(text, arms, STEP) if steps and ELSE in text and text not in arms else parse_target(text, arms)
