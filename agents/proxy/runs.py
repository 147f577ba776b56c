"""The runs that a proxy's calls make: a request that begins with a known conversation and its reply goes on with it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ifonly.agents.canonical import Equality, message_digest
from ifonly.agents.recorder.events import Called, Event, Head, steps_of_events
from ifonly.agents.recorder.journal import Journal, trajectory_of
from ifonly.agents.records import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.agents.completion import Completion
    from ifonly.agents.records import Message, Request, Trajectory

__all__ = ["Runs"]


@dataclass
class _Growing:
    head: Head
    journal: Journal | None
    keys: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def trajectory(self) -> Trajectory:
        steps = steps_of_events(self.events, self.head.agent).steps
        first, last = self.events[0], self.events[-1]
        ended = last.ended if isinstance(last, Called) else last.started
        return trajectory_of(self.head, steps, Outcome(), ended - first.started)


class Runs:
    """The runs of a proxy, journaled as they grow and appended at the end.

    Args:
        path: file of runs; None keeps none.
        task: of the runs.
        agent: of the runs.
    """

    def __init__(self, path: Path | None, task: str = "recorded", agent: str = "agent") -> None:
        self._path, self._task, self._agent = path, task, agent
        self._growing: list[_Growing] = []

    def add(self, request: Request, completion: Completion, started: float, ended: float) -> None:
        """Note a call; on disk when this returns.

        Raises:
            InputError: the journal cannot be written.
        """
        keys = [_key(message) for message in request.messages]
        fitting = [run for run in self._growing if keys[: len(run.keys)] == run.keys]
        run = max(fitting, key=lambda run: len(run.keys), default=None) or self._begin()
        event = Called(agent=self._agent, request=request, completion=completion, started=started, ended=ended)
        if run.journal is not None:
            run.journal.event(event)
        run.events.append(event)
        run.keys = [*keys, _key(completion.reply)]

    def close(self) -> tuple[Trajectory, ...]:
        """Append all runs; returns them."""
        done = []
        for run in self._growing:
            made = run.trajectory()
            done.append(made if run.journal is None else run.journal.close(made))
        self._growing.clear()
        return tuple(done)

    def _begin(self) -> _Growing:
        head = Head(id=f"{self._task}/{uuid.uuid4().hex[:12]}", task=self._task, agent=self._agent)
        self._growing.append(_Growing(head, None if self._path is None else Journal(self._path, head)))
        return self._growing[-1]


def _key(message: Message) -> str:
    return message_digest(message, Equality.CALLS_ONLY)
