"""A GGUF file of a model with some of its blocks left out: another model, made of the same weights.

A block of a transformer adds to the residual stream, so that a model without two of its thirty middle blocks still
speaks, a little worse. Nothing is quantised anew and no tensor is touched: descriptions of tensors are left out or
renamed, and one number of the header, the count of blocks, is changed.

The format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3): magic, version, counts; key-value
pairs; for each tensor its name, shape, type and offset; then, aligned, the data.
"""

from __future__ import annotations

import os
import re
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ifonly.agents.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["leave_out"]

_VERSION = 3
_ALIGNMENT = 32
_STRING, _ARRAY = 8, 9
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by type: integers, floats and booleans; strings and arrays say their length."""
_BLOCK = re.compile(rb"blk\.(\d+)\.(.*)")


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor's name, its description after the name and before the offset, and its data."""

    name: bytes
    shape: bytes
    data: bytes


def leave_out(source: Path, blocks: Collection[int], target: Path) -> None:
    """Write the model without these blocks; the target is there in whole or not at all.

    Args:
        source: a GGUF file of version 3.
        blocks: numbers of blocks, from 0.
        target: the file to write.

    Raises:
        InputError: the source is no such file, or lacks one of the blocks.
    """
    try:
        made = _without(source.read_bytes(), frozenset(blocks))
    except (struct.error, KeyError, ValueError, OverflowError) as error:
        raise InputError(
            str(source), f"no GGUF file that can be read ({error})", "Install the weights again."
        ) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(made)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _without(content: bytes, blocks: frozenset[int]) -> bytes:
    reader = _Reader(content)
    magic, version, tensors, pairs = reader.take("<4sIQQ")
    if magic != b"GGUF" or version != _VERSION:
        raise ValueError(f"it starts with {magic!r}, version {version}")
    start, places = reader.place, dict[bytes, int]()
    for _ in range(pairs):
        key, (kind,) = reader.string(), reader.take("<I")
        places[key] = reader.place
        reader.skip(kind)
    header = bytearray(content[start : reader.place])
    found = _tensors(reader, tensors)
    at = next((place for key, place in places.items() if key.endswith(b".block_count")), None)
    if at is None:
        raise ValueError("it does not say how many blocks it has")
    (count,) = struct.unpack_from("<I", content, at)
    if absent := sorted(block for block in blocks if not 0 <= block < count):
        raise ValueError(f"of its {count} blocks none has the number {absent[0]}")
    struct.pack_into("<I", header, at - start, count - len(blocks))
    kept = [_renamed(tensor, blocks) for tensor in found if not _is_in(tensor, blocks)]
    return _joined(struct.pack("<4sIQQ", magic, version, len(kept), pairs) + header, kept)


def _joined(head: bytes, tensors: list[_Tensor]) -> bytes:
    described, data, offset = [head], [], 0
    for tensor in tensors:
        described += [struct.pack("<Q", len(tensor.name)), tensor.name, tensor.shape, struct.pack("<Q", offset)]
        data.append(_padded(tensor.data))
        offset += len(data[-1])
    return b"".join([_padded(b"".join(described)), *data])


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % _ALIGNMENT)


def _is_in(tensor: _Tensor, blocks: frozenset[int]) -> bool:
    match = _BLOCK.fullmatch(tensor.name)
    return match is not None and int(match[1]) in blocks


def _renamed(tensor: _Tensor, blocks: frozenset[int]) -> _Tensor:
    match = _BLOCK.fullmatch(tensor.name)
    if match is None:
        return tensor
    number = int(match[1])
    number -= sum(block < number for block in blocks)
    return _Tensor(b"blk.%d.%s" % (number, match[2]), tensor.shape, tensor.data)


def _tensors(reader: _Reader, count: int) -> list[_Tensor]:
    """The tensors in the order of their data; each ends where the next begins."""
    found: list[tuple[int, bytes, bytes]] = []
    for _ in range(count):
        name, start = reader.string(), reader.place
        (dimensions,) = reader.take("<I")
        reader.place += 8 * dimensions + 4
        shape = reader.content[start : reader.place]
        found.append((reader.take("<Q")[0], name, shape))
    found.sort()
    data = reader.place + -reader.place % _ALIGNMENT
    ends = [offset for offset, _, _ in found[1:]] + [len(reader.content) - data]
    return [
        _Tensor(name, shape, reader.content[data + offset : data + end])
        for (offset, name, shape), end in zip(found, ends, strict=True)
    ]


class _Reader:
    """Reads on from a place in the bytes."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def take(self, form: str) -> tuple[Any, ...]:
        """Values in `struct`'s notation."""
        values = struct.unpack_from(form, self.content, self.place)
        self.place += struct.calcsize(form)
        return values

    def string(self) -> bytes:
        """A string, its length before it."""
        length: int = self.take("<Q")[0]
        self.place += length
        return self.content[self.place - length : self.place]

    def skip(self, kind: int) -> None:
        """Pass over a value of a type."""
        if kind == _STRING:
            self.string()
        elif kind == _ARRAY:
            inner, length = self.take("<IQ")
            if inner in (_STRING, _ARRAY):
                for _ in range(length):
                    self.skip(inner)
            else:
                self.place += _WIDTHS[inner] * length
        else:
            self.place += _WIDTHS[kind]
