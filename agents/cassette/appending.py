"""A file that is only ever appended to, by one writer at a time, whole lines at once."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from ifonly.agents.errors import IfonlyError, InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Appender", "content_of"]


def content_of(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(str(path), "no such cassette", "Record it first, with mode new or all.") from None
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})", "Check the path and its rights.") from None


class Appender:
    """The file, open and locked until `close`; made, for its owner alone, if it is not there.

    Args:
        path: the file.
        fsync: whether what was appended is on the disk before `append` returns; else it survives a crash of this
            program, but not one of the machine.

    Raises:
        InputError: the file cannot be opened, or another writer has it.
    """

    def __init__(self, path: Path, fsync: bool) -> None:
        self.path, self._fsync = path, fsync
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle: int | None = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InputError(
                str(path), f"cannot be opened ({error.strerror})", "Check the path and its rights."
            ) from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            found = "another recorder is writing to it"
            raise InputError(str(path), found, "Wait for that one, or record to a file of its own.") from None
        self._size = os.fstat(self._handle).st_size

    def read(self) -> bytes:
        """All bytes of the file."""
        with open(self._open(), "rb", closefd=False) as file:
            file.seek(0)
            return file.read()

    def cut(self, length: int) -> None:
        """Drop what stands after this length: a line that was never acknowledged."""
        if length < self._size:
            os.ftruncate(self._open(), length)
            self._size = length

    def append(self, lines: bytes) -> None:
        """Write whole lines; they are all in the file when this returns, and none of them if it raises.

        Raises:
            IfonlyError: they cannot be written, for instance because the disk is full.
        """
        handle, rest = self._open(), memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(handle, rest) :]
            if self._fsync:
                os.fsync(handle)
        except OSError as error:
            os.ftruncate(handle, self._size)
            raise IfonlyError(
                f"record to {self.path}",
                f"cannot be written ({error.strerror})",
                "Make room; the call is not recorded.",
            ) from None
        if self._fsync and not self._size:
            self._keep_name()
        self._size += len(lines)

    def close(self) -> None:
        """Give the file free; nothing is left to write."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _open(self) -> int:
        if self._handle is None:
            raise InputError(str(self.path), "is closed", "Add inside the `with` block of the cassette.")
        return self._handle

    def _keep_name(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
