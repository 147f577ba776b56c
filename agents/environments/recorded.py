"""The environment of one recorded run: it executes nothing, and serves what the log holds.

A call is served only when its name and whole arguments are equal to a recorded one's; equal calls are served in
their recorded order. This takes a result to depend on the call and on how often it was made, not on other calls.
"""

from __future__ import annotations

import difflib
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from ifonly.agents.canonical import canonical_json, digest
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import ToolEnvironmentError
from ifonly.agents.records import AssistantMessage, EnvironmentRef, ModelStep, ToolSpec, ToolStep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.agents.records import Message, Score, ToolCall, ToolResult, Trajectory

__all__ = ["Recorded", "RecordedSession"]

_SHOWN = 200
"""Characters of a call that are compared and shown when the nearest one is sought."""


class Recorded:
    """The environment that a trajectory's own log makes.

    Args:
        trajectory: the run whose results are served.
    """

    executes = False

    def __init__(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self.ref = trajectory.environment or EnvironmentRef(name="recorded", version="1", task=trajectory.id)

    def logs(self, call: ToolCall) -> bool:
        """True: nothing is executed here."""
        return True

    def doubt(self, ref: EnvironmentRef) -> None:
        """None: the log holds what the agent saw."""

    def start(self, ref: EnvironmentRef) -> str:
        """Digest of the whole reference: a log does not tell what in it matters."""
        return digest(canonical_json(ref.model_dump()))

    def open(self, ref: EnvironmentRef) -> RecordedSession:
        """The log from its start.

        Raises:
            ToolEnvironmentError: the reference is not the run's own (`self.ref`), so the log says nothing of it.
        """
        if ref != self.ref:
            found = f"only the log of {self._trajectory.id!r} ({self.ref.task!r})"
            raise ToolEnvironmentError(f"environment {ref.task!r}", found, "A changed world needs tools that execute.")
        return RecordedSession(self._trajectory)

    def tools(self, ref: EnvironmentRef) -> tuple[ToolSpec, ...]:
        """The tools of the first request that lists some, else the names of the tools that were called."""
        steps = self._trajectory.steps
        for step in steps:
            if isinstance(step, ModelStep) and step.request.tools is not None:
                return step.request.tools
        return tuple(ToolSpec(name=name) for name in sorted({s.call.name for s in steps if isinstance(s, ToolStep)}))


class RecordedSession:
    """What of one log is not yet served.

    Args:
        trajectory: the run whose log it is.
    """

    def __init__(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self._recorded = [step for step in trajectory.steps if isinstance(step, ToolStep)]
        self._waiting: defaultdict[str, deque[ToolResult]] = defaultdict(deque)
        for step in self._recorded:
            self._waiting[_key(step.call)].append(step.result)
        self._made: list[str] = []

    def call(self, call: ToolCall) -> ToolResult | Undetermined:
        """The recorded result of an equal call, or the nearest recorded call where there is none left."""
        key = _key(call)
        self._made.append(key)
        waiting = self._waiting.get(key)
        if waiting:
            return waiting.popleft()
        times = sum(_key(step.call) == key for step in self._recorded)
        why = f"{times} recorded results are used up" if times else f"{call.name} was never called with these arguments"
        return Undetermined(why=why, near=self._nearest(call))

    def score(self, messages: Sequence[Message]) -> Mapping[str, Score | Undetermined]:
        """The recorded scores, if the same calls were made in the same order and the last reply is the recorded one."""
        if self._made != [_key(step.call) for step in self._recorded]:
            why = "the calls made are not the recorded ones, and a log cannot judge another end state"
        elif _last_reply(messages) != _last_reply(self._trajectory.messages):
            why = "the last reply is not the recorded one, and a log cannot judge another"
        else:
            return self._trajectory.outcome.scores
        return {name: Undetermined(why=why) for name in self._trajectory.outcome.scores}

    def _nearest(self, call: ToolCall) -> str | None:
        """The recorded call most like this one, calls of the same tool first."""
        near = [step for step in self._recorded if step.call.name == call.name] or self._recorded
        matcher = difflib.SequenceMatcher(b=_key(call)[:_SHOWN], autojunk=False)

        def likeness(step: ToolStep) -> float:
            matcher.set_seq1(_key(step.call)[:_SHOWN])
            return matcher.ratio()

        best = max(near, key=likeness, default=None)
        return None if best is None else f"{best.site}: {canonical_json(best.call.arguments)[:_SHOWN]}"


def _key(call: ToolCall) -> str:
    return canonical_json([call.name, call.arguments])


def _last_reply(messages: Sequence[Message]) -> AssistantMessage | None:
    """The last assistant message without its tool-call ids, which providers draw at random."""
    for message in reversed(messages):
        if isinstance(message, AssistantMessage):
            calls = tuple(call.model_copy(update={"id": None}) for call in message.tool_calls)
            return message.model_copy(update={"tool_calls": calls, "content": message.content or None})
    return None
