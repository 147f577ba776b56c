"""What a tool environment is: it makes a fresh state for a task, takes tool calls, and scores the end.

Two Protocols of one job each. An environment is deterministic: equal references and equal calls in equal order give
equal results. All chance a tool has (a clock, a remote service) is therefore seen as the difference between the
recorded result and the re-executed one, and belongs to the noise of the tool's site, not to the environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ifonly.agents.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.agents.records import EnvironmentRef, Message, Score, ToolCall, ToolResult, ToolSpec

__all__ = ["Environment", "Session", "Undetermined"]


class Undetermined(Record):
    """The answer of an environment or a log that cannot say.

    Args:
        why: what is missing, in one line.
        near: the nearest thing that is known, if any (a recorded call, a recorded request).
    """

    why: str
    near: str | None = None


class Session(Protocol):
    """One task's state: mutable, used by one run, never shared."""

    def call(self, call: ToolCall) -> ToolResult | Undetermined:
        """Execute a call and change the state; a tool's own failure is a result with an error, never an exception."""
        ...

    def score(self, messages: Sequence[Message]) -> Mapping[str, Score | Undetermined]:
        """Judge the end state, given the whole conversation."""
        ...


class Environment(Protocol):
    """A family of tasks with tools."""

    @property
    def executes(self) -> bool:
        """Whether calls are really executed (True) or only looked up in a log (False)."""
        ...

    def logs(self, call: ToolCall) -> bool:
        """Whether this call is answered from the log even where others are executed: it would change the world."""
        ...

    def doubt(self, ref: EnvironmentRef) -> str | None:
        """Why the agent may have seen another result than the tool gave (a filter between them); None if it saw it."""
        ...

    def start(self, ref: EnvironmentRef) -> str:
        """Digest of what the first state is made of: runs whose references share it started alike."""
        ...

    def open(self, ref: EnvironmentRef) -> Session:
        """A fresh state for the task.

        Raises:
            ToolEnvironmentError: the task, version or settings are unknown here.
        """
        ...

    def tools(self, ref: EnvironmentRef) -> tuple[ToolSpec, ...]:
        """The tools that the task offers."""
        ...
