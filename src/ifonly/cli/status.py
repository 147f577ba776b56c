"""Exit status, the same for every command."""

from __future__ import annotations

from enum import IntEnum

from ifonly.agents.errors import ActionError, BudgetSpent, CassetteMiss, IfonlyError, UnknownName

__all__ = ["Status", "status_of"]


class Status(IntEnum):
    """What the exit status says."""

    ANSWERED = 0
    FAILED = 1
    USAGE = 2
    UNREADABLE = 3
    NEEDS_LIVE = 4
    INTERRUPTED = 130


def status_of(error: IfonlyError) -> Status:
    """Usage for what was asked wrongly, needs live for calls that may not be made, else unreadable."""
    if isinstance(error, BudgetSpent | CassetteMiss):
        return Status.NEEDS_LIVE
    return Status.USAGE if isinstance(error, ActionError | UnknownName) else Status.UNREADABLE
