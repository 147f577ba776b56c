"""Reading gzip within limits: a bomb is noticed before it is unpacked, a cut file gives what is left."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO

from ifonly.agents.streams.limits import MIB

if TYPE_CHECKING:
    from ifonly.agents.streams.limits import Limits

__all__ = ["Inflating"]

_CHUNK = 2**16
_GZIP = 31
_RATIO_FROM = 8 * MIB


class Inflating(io.RawIOBase):
    """The unpacked bytes of a gzip file of one or more members.

    Never raises for what the file holds: at damage, truncation or a limit the stream ends, and `problem` says
    why.

    Args:
        file: the packed bytes.
        limits: the limits to keep.
    """

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file, self._limits = file, limits
        self._packed, self._unpacked = 0, 0
        self._input, self._member = b"", zlib.decompressobj(_GZIP)
        self._ended = False
        self.problem: tuple[str, str] | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, at least partly; 0 at the end."""
        while self.problem is None and not self._ended:
            if self._member.eof:
                self._input = (self._member.unused_data or self._more()).lstrip(b"\0")
                self._member = zlib.decompressobj(_GZIP)
                if not self._input and not self._skip_padding():
                    self._ended = True
                    break
            # The decompressor may hold text back even when it has taken all input.
            given = self._input = self._input or self._more()
            data = self._inflate(len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
            if not given and not self._member.eof and self.problem is None:
                self.problem = ("the gzip file is cut off", "Copy or download it again.")
        return 0

    def _skip_padding(self) -> bool:
        while more := self._more():
            self._input = more.lstrip(b"\0")
            if self._input:
                return True
        return False

    def _more(self) -> bytes:
        chunk = self._file.read(_CHUNK)
        self._packed += len(chunk)
        if self._packed > self._limits.compressed:
            self.problem = (f"the gzip file is larger than {self._limits.compressed:,} bytes", _UNPACK)
        return chunk

    def _inflate(self, room: int) -> bytes:
        if self.problem is not None:
            return b""
        try:
            data = self._member.decompress(self._input, room)
        except zlib.error as error:
            self.problem = (f"the gzip file is damaged ({error})", "Copy or download it again.")
            return b""
        self._input = self._member.unconsumed_tail
        self._unpacked += len(data)
        if self._unpacked > self._limits.inflated:
            self.problem = (f"unpacks to more than {self._limits.inflated:,} bytes", _UNPACK)
        elif self._unpacked > max(_RATIO_FROM, self._limits.ratio * self._packed):
            self.problem = (
                f"unpacks to more than {self._limits.ratio} times its size, like a gzip bomb",
                _UNPACK,
            )
        return b"" if self.problem else data


_UNPACK = "If you trust it, unpack it with gunzip and read the unpacked file."
