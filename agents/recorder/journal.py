"""What of a run is done, on disk while the run still goes on.

Beside ``runs.jsonl`` stands ``runs.jsonl.NAME.partial`` for each run that is being recorded: a line for the run, then
one for each step (or for each event, of which steps are made at the end), on disk before anyone goes on. At the end
the run is appended to ``runs.jsonl``, and its partial file removed. After a crash `recover` does that. Secrets are
taken out before anything is written.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from ifonly.agents.canonical import digest
from ifonly.agents.errors import IfonlyError, InputError
from ifonly.agents.importers.native_export import append
from ifonly.agents.reading import stream
from ifonly.agents.recorder.events import Event, Head, steps_of_events
from ifonly.agents.recorder.redacting import StepRedactor, redacted
from ifonly.agents.records import ModelStep, Outcome, Record, Score, Step, Trajectory

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["INTERRUPTED", "Journal", "recover", "trajectory_of"]

INTERRUPTED = "interrupted: recorded as far as it had come"
"""The error of a run that was recovered."""

_SUFFIX = ".partial"


class _HeadLine(Record):
    kind: Literal["head"] = "head"
    head: Head


class _StepLine(Record):
    kind: Literal["step"] = "step"
    step: Step


class _EventLine(Record):
    kind: Literal["event"] = "event"
    event: Event


class _ScoreLine(Record):
    kind: Literal["score"] = "score"
    name: str
    score: Score


_Entry = Annotated[_HeadLine | _StepLine | _EventLine | _ScoreLine, Field(discriminator="kind")]
_ENTRY: TypeAdapter[_HeadLine | _StepLine | _EventLine | _ScoreLine] = TypeAdapter(_Entry)


class Journal:
    """The journal of one run, open and locked until `close`.

    Args:
        path: the file of runs that it stands beside.
        head: of the run.

    Raises:
        InputError: the journal cannot be written, or another process records a run of this id there.
    """

    def __init__(self, path: str | Path, head: Head) -> None:
        self.runs = Path(path)
        self.path = self.runs.with_name(f"{self.runs.name}.{digest(head.id)[:16]}{_SUFFIX}")
        self._redactor, self._waiting = StepRedactor(), list[Step]()
        self._seen = False
        try:
            self.runs.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._handle: int | None = os.open(self.path, flags, 0o600)
        except OSError as error:
            found = f"cannot be written ({error.strerror})"
            raise InputError(str(self.path), found, "Check the path and its rights.") from None
        if not _locked(self._handle):
            os.close(self._handle)
            raise InputError(str(self.path), "this run is being recorded by another process", "Give it another id.")
        os.ftruncate(self._handle, 0)
        self._write(_HeadLine(head=head))

    def step(self, step: Step) -> None:
        """Note a step that is complete. Steps before the first request wait for it, since it numbers the secrets."""
        self._waiting.append(step)
        if not self._seen and not isinstance(step, ModelStep):
            return
        if not self._seen:
            self._redactor.begin(self._waiting)
            self._seen = True
        for one in self._waiting:
            self._write(_StepLine(step=self._redactor.step(one)))
        self._waiting.clear()

    def event(self, event: Event) -> None:
        """Note an event."""
        self._write(_EventLine(event=self._redactor.event(event)))

    def score(self, name: str, score: Score) -> None:
        """Note a score."""
        self._write(_ScoreLine(name=name, score=score))

    def close(self, run: Trajectory) -> Trajectory:
        """Append the whole run to the file of runs, without its secrets, and remove the journal."""
        clean = redacted(run)
        append(self.runs, [clean])
        self.discard()
        return clean

    def discard(self) -> None:
        """Remove the journal; nothing is done where it was closed."""
        if self._handle is not None:
            self.path.unlink()
            self.leave()

    def leave(self) -> None:
        """Let go of the journal as it stands, for `recover` to find."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _write(self, entry: _HeadLine | _StepLine | _EventLine | _ScoreLine) -> None:
        if self._handle is None:
            raise InputError(str(self.path), "is closed", "Record inside the block.")
        try:
            data = entry.model_dump_json().encode() + b"\n"
        except ValueError as error:
            raise IfonlyError(str(self.path), f"JSON cannot hold it ({error})", "Correct the value.") from None
        while data:
            data = data[os.write(self._handle, data) :]
        os.fsync(self._handle)


def recover(path: str | Path) -> tuple[str, ...]:
    """Append the runs that a crash left in journals beside this file; those still being recorded are left alone.

    Returns:
        The ids of the runs that were recovered.

    Raises:
        InputError: a journal holds a line that is none.
    """
    runs, found = Path(path), list[str]()
    for partial in sorted(runs.parent.glob(f"{runs.name}.*{_SUFFIX}")):
        handle = os.open(partial, os.O_RDWR | os.O_CLOEXEC)
        try:
            if not _locked(handle):
                continue
            run = _read(partial)
            if run is not None and not _holds(runs, run.id):
                append(runs, [run])
                found.append(run.id)
            partial.unlink()
        finally:
            os.close(handle)
    return tuple(found)


def trajectory_of(head: Head, steps: Sequence[Step], outcome: Outcome, seconds: float | None = None) -> Trajectory:
    """A run of these steps; its model is all that were asked."""
    asked = dict.fromkeys(step.request.model for step in steps if isinstance(step, ModelStep))
    return Trajectory(
        id=head.id,
        task=head.task,
        agent=head.agent,
        model=" + ".join(asked) or head.model,
        steps=tuple(steps),
        outcome=outcome,
        environment=head.environment,
        labels=head.labels,
        seconds=seconds,
    )


def _read(partial: Path) -> Trajectory | None:
    """The run of a journal; None where not even its head was written."""
    steps, events, scores = list[Step](), list[Event](), dict[str, Score]()
    head: Head | None = None
    lines = partial.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):  # torn off: nobody went on from it
            break
        match _entry(partial, number, line):
            case _HeadLine(head=head):
                pass
            case _StepLine(step=step):
                steps.append(step)
            case _EventLine(event=event):
                events.append(event)
            case _ScoreLine(name=name, score=score):
                scores[name] = score
    if head is None:
        return None
    steps += steps_of_events(events, head.agent).steps
    return trajectory_of(head, steps, Outcome(scores=scores, error=INTERRUPTED))


def _entry(partial: Path, number: int, line: bytes) -> _HeadLine | _StepLine | _EventLine | _ScoreLine:
    try:
        return _ENTRY.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        fix = "Remove the line, or the whole file if the run is not needed."
        raise InputError(str(partial), first["msg"], fix, record=number, field=field) from None


def _holds(runs: Path, id: str) -> bool:
    """Whether the crash came between appending the run and removing its journal."""
    return runs.exists() and any(isinstance(run, Trajectory) and run.id == id for run in stream(runs))


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
