"""How much of a file is read before it counts as abuse."""

from __future__ import annotations

from dataclasses import dataclass

from ifonly.agents.streams.strict_json import MAX_DEPTH, MAX_TEXT, MAX_VALUES

__all__ = ["MIB", "Limits"]

# Bytes of a mebibyte.
MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes. Plain JSONL may be of any length: only its records are bounded."""

    record: int = 128 * MIB
    """One record: a line of JSONL, an element of a JSON list, a JSON document."""
    text: int = MAX_TEXT
    """One string inside a record."""
    values: int = MAX_VALUES
    """Values inside a record."""
    depth: int = MAX_DEPTH
    """Nesting of objects and lists."""
    compressed: int = 64 * MIB
    """A gzip file on disk."""
    inflated: int = 512 * MIB
    """The same file unpacked."""
    ratio: int = 200
    """Unpacked to packed size, watched from the first 8 MiB on."""
