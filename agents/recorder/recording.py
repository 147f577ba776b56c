"""`record`: a recording around any Python code that asks models through litellm and uses tools made with `@tool`."""

from __future__ import annotations

import threading
import time
import uuid
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ifonly.agents.errors import ActionError, IfonlyError, ProviderError
from ifonly.agents.provider import listen
from ifonly.agents.recorder.events import Called, Event, Head, ToolUsed, steps_of_events
from ifonly.agents.recorder.journal import Journal, trajectory_of
from ifonly.agents.records import Outcome, Score
from ifonly.agents.sites import SiteNamer
from ifonly.agents.toolbox.tools import LISTENER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ifonly.agents.completion import Completion
    from ifonly.agents.records import EnvironmentRef, Request, Trajectory
    from ifonly.agents.toolbox.tools import Used

__all__ = ["Recording", "agent", "record"]


@dataclass
class _Span:
    """When a name was the agent's, in seconds since the epoch."""

    name: str
    start: float
    end: float | None = None


def record(
    path: str | Path | None = None,
    *,
    task: str = "recorded",
    agent: str = "agent",
    id: str | None = None,
    environment: EnvironmentRef | None = None,
    labels: dict[str, str] | None = None,
) -> Recording:
    """Record what happens inside a ``with`` block (``async with`` in a coroutine) as one run.

    Heard are all calls that go through litellm, and tools made with `@tool` that the block calls. The block goes on as
    it would without: what goes wrong with the recording is warned of at the end, and kept in `Recording.problems`.

    Args:
        path: JSONL file to which the run is appended at the end, without its secrets; meanwhile it stands beside, see
            `ifonly.agents.recorder.journal`. None keeps it in memory alone.
        task: what the run is about; runs of one task are compared with each other.
        agent: name of the agent, and of its model steps' sites.
        id: of the run; a random one, if left out.
        environment: for re-runs of its tools.
        labels: of the run.

    Raises:
        ActionError: the agent cannot be so called.
        InputError: the file cannot be written, or a run of this id is being recorded there.
    """
    _check(agent)
    name = id or f"{task}/{uuid.uuid4().hex[:12]}"
    return Recording(Head(id=name, task=task, agent=agent, environment=environment, labels=labels or {}), path)


@contextmanager
def agent(name: str) -> Iterator[None]:
    """Let model calls inside the block be those of an agent of this name, with sites and conversations of its own.

    Raises:
        ActionError: an agent cannot be so called.
    """
    _check(name)
    token, span = _AGENT.set(name), _Span(name, time.time())
    recording = _ACTIVE.get()
    if recording is not None:
        recording.spans.append(span)
    try:
        yield
    finally:
        span.end = time.time()
        _AGENT.reset(token)


class Recording:
    """One run that is being recorded, or was.

    Args:
        head: what is known of it.
        path: where it is appended.

    Attributes:
        spans: which agents spoke when.
        problems: what went wrong with the recording.
    """

    def __init__(self, head: Head, path: str | Path | None) -> None:
        self._head = head
        self._events: list[Event] = []
        self._scores: dict[str, Score] = {}
        self._error: str | None = None
        self._lock = threading.Lock()
        self._journal = None if path is None else Journal(path, head)
        self._seconds: float | None = None
        self.spans: list[_Span] = []
        self.problems: list[Exception] = []

    @property
    def trajectory(self) -> Trajectory:
        """The run, as far as it has come."""
        with self._lock:
            happened = steps_of_events(self._events, self._head.agent)
            outcome = Outcome(scores=dict(self._scores), error=self._error or happened.error)
        return trajectory_of(self._head, happened.steps, outcome, self._seconds)

    @property
    def heard(self) -> int:
        """How many model calls and tool calls were heard; with a path, all of these survive a crash."""
        with self._lock:
            return len(self._events)

    def score(self, name: str, value: Score) -> None:
        """Say how the run went."""
        with self._lock:
            self._scores[name] = value if isinstance(value, bool) else float(value)
            self._keep(lambda journal: journal.score(name, self._scores[name]))

    def __enter__(self) -> Self:
        self._listening = listen(self._hear)
        self._listening.__enter__()
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        try:
            self._listening.__exit__(kind)
        except IfonlyError as problem:
            self.problems.append(problem)
        self._end(error)

    async def __aenter__(self) -> Self:
        self._listening = listen(self._hear)
        await self._listening.__aenter__()
        self._begin()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        try:
            await self._listening.__aexit__(kind)
        except IfonlyError as problem:
            self.problems.append(problem)
        self._end(error)

    def _begin(self) -> None:
        self._began = time.perf_counter()
        self._active, self._listener = _ACTIVE.set(self), LISTENER.set(self._use)

    def _end(self, error: BaseException | None) -> None:
        _ACTIVE.reset(self._active)
        LISTENER.reset(self._listener)
        self._seconds = time.perf_counter() - self._began
        if error is not None:
            self._error = f"{type(error).__name__}: {error}"
        journal, run = self._journal, self.trajectory
        if journal is not None:
            try:
                journal.close(run) if run.steps else journal.discard()
            except (IfonlyError, OSError) as problem:
                self.problems.append(problem)
            finally:
                journal.leave()
        if self.problems:
            first = self.problems[0]
            text = f"the recording of {self._head.id} is not whole: {type(first).__name__}: {first}"
            warnings.warn(text, RuntimeWarning, stacklevel=3)

    def _hear(self, request: Request, found: Completion | ProviderError, started: float, ended: float) -> None:
        active = _ACTIVE.get()
        if active is not None and active is not self:
            return
        failed = isinstance(found, ProviderError)
        self._note(
            Called(
                agent=self._speaker(started, told=active is not None),
                request=request,
                completion=None if isinstance(found, ProviderError) else found,
                error=f"{type(found).__name__}: {found}" if failed else None,
                started=started,
                ended=ended,
            )
        )

    def _use(self, used: Used) -> None:
        self._note(ToolUsed(agent=self._speaker(used.started, told=True), used=used))

    def _speaker(self, started: float, *, told: bool) -> str:
        """Who made a call. litellm reports some from threads that know nothing of the caller: there, the time tells."""
        if told:
            return _AGENT.get() or self._head.agent
        open_then = [span for span in self.spans if span.start <= started and (span.end is None or started <= span.end)]
        return max(open_then, key=lambda span: span.start).name if open_then else self._head.agent

    def _note(self, event: Event) -> None:
        with self._lock:
            self._keep(lambda journal: journal.event(event))
            self._events.append(event)

    def _keep(self, write: Callable[[Journal], None]) -> None:
        """Write to the journal, if there is one; what fails does not fail the program."""
        if self._journal is None:
            return
        try:
            write(self._journal)
        except (IfonlyError, OSError) as problem:
            self.problems.append(problem)


_ACTIVE: ContextVar[Recording | None] = ContextVar("ifonly_recording", default=None)
_AGENT: ContextVar[str | None] = ContextVar("ifonly_agent", default=None)


def _check(name: str) -> None:
    if not name or "/" in name or SiteNamer("").tool(name) != f"{name}/0":
        fix = "Choose a name without '/', and none of a run's other sites (system, user, environment, outcome)."
        raise ActionError(f"an agent called {name!r}", "it would make sites that are not its own", fix)
