"""Which of a service's ways to fail a recorded error tells of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ifonly.sim.services.service import FailureKind

__all__ = ["failure_kind"]

_KINDS: tuple[tuple[FailureKind, re.Pattern[str]], ...] = (
    ("rate_limited", re.compile(r"\b429\b|rate.?limit|too many requests|quota", re.IGNORECASE)),
    ("timeout", re.compile(r"\b(408|504)\b|time.?out|timed out|deadline", re.IGNORECASE)),
    (
        "server_error",
        re.compile(
            r"\b(500|502|503|529)\b|internal.?server|overloaded|service.?unavailable|bad.?gateway"
            r"|connection.?(error|reset|refused|aborted)|APIConnection|APIError",
            re.IGNORECASE,
        ),
    ),
)

_READ = 300
"""Characters of an error that are looked at: what follows quotes bodies and stacks."""


def failure_kind(error: str | None, *, tool: bool) -> FailureKind | None:
    """The way in which a call failed; None where it did not.

    An error of a model call that names no status counts as `malformed`. One of a tool that names none is the answer to
    the arguments that it was given: no failure of the service, and it would be the same at another time.

    Args:
        error: as recorded.
        tool: whether a tool was called.
    """
    if error is None:
        return None
    found = next((kind for kind, words in _KINDS if words.search(error[:_READ])), None)
    return found if found is not None or tool else "malformed"
