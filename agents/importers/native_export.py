"""Writing ifonly's own JSONL (`native_lines`): equal trajectories give equal bytes."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from ifonly.agents.errors import IfonlyError, InputError
from ifonly.agents.importers.native_lines import SINCE
from ifonly.agents.records import AssistantMessage, InputStep, ModelStep, ToolStep, message_of
from ifonly.agents.streams.strict_json import JsonError, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import BinaryIO

    from ifonly.agents.records import Message, Request, Step, ToolCall, Trajectory

__all__ = ["append", "line_of", "write"]


def write(path: str | Path, trajectories: Iterable[Trajectory]) -> int:
    """Write a file whole or not at all: a crash leaves the old one.

    Packed where the name ends in ``.gz``; readable by its owner alone, since runs may hold secrets.

    Returns:
        How many trajectories were written.

    Raises:
        InputError: there is no such folder, it cannot be written to, or the path is a folder.
        IfonlyError: a trajectory holds what JSON cannot, such as NaN.
    """
    path = Path(path)
    try:
        handle, name = _beside(path)
    except OSError as error:
        fix = "Name a file in a folder that exists and that you may write to."
        raise InputError(str(path), f"cannot be written ({error.strerror})", fix) from error
    try:
        with os.fdopen(handle, "wb") as raw:
            count = _write_to(raw, path.name.endswith(".gz"), trajectories)
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return count


def _beside(path: Path) -> tuple[int, str]:
    """A new file, open, in the folder of the one that it is to replace."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)


def _write_to(raw: BinaryIO, packed: bool, trajectories: Iterable[Trajectory]) -> int:
    count = 0
    # Without a name and a time stamp in its header, equal content gives an equal file.
    with gzip.GzipFile("", "wb", 6, raw, mtime=0) if packed else contextlib.nullcontext(raw) as file:
        for trajectory in trajectories:
            file.write(line_of(trajectory))
            count += 1
    return count


def append(path: str | Path, trajectories: Iterable[Trajectory]) -> int:
    """Add lines to a plain JSONL file; a torn last line, left by a crash, stays a line of its own.

    Returns:
        How many trajectories were written.

    Raises:
        IfonlyError: the file is packed, or a trajectory holds what JSON cannot.
    """
    if str(path).endswith(".gz"):
        raise IfonlyError(str(path), "a packed file cannot be appended to safely", "Append to plain .jsonl.")
    with open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        count = _write_to(file, False, trajectories)
        file.flush()
        os.fsync(file.fileno())
    return count


def line_of(trajectory: Trajectory) -> bytes:
    """The trajectory as one line in UTF-8, with its line feed.

    Raises:
        IfonlyError: it holds what cannot be read again, such as NaN or a lone surrogate.
    """
    try:
        line = _text(_Folding(trajectory).line()).encode() + b"\n"
        parse(line)
    except (ValueError, RecursionError) as error:
        found = f"{error.field}: {error.found}" if isinstance(error, JsonError) else str(error)
        raise IfonlyError(f"export of {trajectory.id!r}", found, "Correct the value before export.") from None
    return line


def _version(steps: Sequence[Step]) -> int:
    """The lowest version that can say all of these steps, so that the oldest reader that can, does."""
    told = [
        version
        for version, names in SINCE.items()
        if any(getattr(step, name, None) is not None for step in steps for name in names)
    ]
    return max(told, default=1)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _key(value: object) -> bytes:
    return to_json(value, inf_nan_mode="constants")


class _Folding:
    """Takes out what a trajectory's records share. Equal means to the letter: 1, 1.0 and true differ."""

    def __init__(self, trajectory: Trajectory) -> None:
        self._run = trajectory
        self._messages, self._frames = _Pool(), _Pool()
        self._known: dict[int, tuple[Message, int]] = {}
        self._known_frames: dict[tuple[object, ...], int] = {}
        self._calls: dict[bytes, tuple[int, int]] = {}
        self._first_step: dict[str, int] = {}
        for index, step in enumerate(trajectory.steps):
            self._first_step.setdefault(step.site, index)

    def line(self) -> dict[str, Any]:
        run = self._run
        steps = [self._step(step) for step in run.steps]
        rest = run.model_dump(exclude={"id", "task", "agent", "model", "steps"}, exclude_defaults=True)
        return {
            "ifonly": _version(run.steps),
            "id": run.id,
            "task": run.task,
            "agent": run.agent,
            "model": run.model,
            "messages": self._messages.items,
            "frames": self._frames.items,
            "steps": steps,
            **rest,
        }

    def _step(self, step: Step) -> dict[str, Any]:
        line: dict[str, Any] = {"kind": step.kind, "site": step.site}
        match step:
            case InputStep():
                line["message"] = self._message(step.message)
            case ModelStep():
                line["frame"] = self._frame(step.request)
                line["messages"] = _ranges([self._message(message) for message in step.request.messages])
                line["reply"] = self._message(step.reply)
            case ToolStep():
                line["call"] = self._call(step.call)
                line["result"] = self._message(message_of(step))
        if step.reads:
            line["reads"] = _ranges([self._first_step.get(site, site) for site in step.reads])
        known = {"kind", "site", "message", "request", "reply", "call", "result", "reads"}
        return {**line, **step.model_dump(exclude=known, exclude_defaults=True)}

    def _message(self, message: Message) -> int:
        # Requests share their messages; holding on to each object keeps its id from being used again.
        known = self._known.get(id(message))
        if known is not None:
            return known[1]
        index = self._messages.place({"role": message.role, **message.model_dump(exclude_defaults=True)})
        self._known[id(message)] = message, index
        if isinstance(message, AssistantMessage):
            for number, call in enumerate(message.tool_calls):
                self._calls.setdefault(_key(call.model_dump()), (index, number))
        return index

    def _call(self, call: ToolCall) -> tuple[int, int] | dict[str, Any]:
        return self._calls.get(_key(call.model_dump()), call.model_dump(exclude_defaults=True))

    def _frame(self, request: Request) -> int:
        key = (request.model, request.toolset, id(request.tools), id(request.settings))
        if key not in self._known_frames:
            frame = request.model_dump(exclude={"messages"}, exclude_defaults=True)
            self._known_frames[key] = self._frames.place(frame)
        return self._known_frames[key]


class _Pool:
    """Unlike items in the order in which they came."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self._by_key: dict[bytes, int] = {}

    def place(self, item: dict[str, Any]) -> int:
        """The item's index; it is added if it is new."""
        index = self._by_key.setdefault(_key(item), len(self.items))
        if index == len(self.items):
            self.items.append(item)
        return index


def _ranges(items: Sequence[int | str]) -> list[list[int] | str]:
    """Runs of consecutive numbers as [from, up to but without]."""
    ranges: list[list[int] | str] = []
    for item in items:
        if isinstance(item, str):
            ranges.append(item)
        elif ranges and isinstance(last := ranges[-1], list) and last[1] == item:
            last[1] += 1
        else:
            ranges.append([item, item + 1])
    return ranges
