"""Exit status, the same for every command."""

from __future__ import annotations

from enum import IntEnum

from ifonly.agents.errors import ActionError, IfonlyError, UnknownName

__all__ = ["Status", "status_of"]


class Status(IntEnum):
    """What the exit status says."""

    ANSWERED = 0
    FAILED = 1
    USAGE = 2
    UNREADABLE = 3
    NEEDS_LIVE = 4


def status_of(error: IfonlyError) -> Status:
    """Usage for what was asked wrongly, unreadable for what cannot be read or opened."""
    return Status.USAGE if isinstance(error, ActionError | UnknownName) else Status.UNREADABLE
