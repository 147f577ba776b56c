"""Noise keyed by name: a site's uniforms depend on the seed and the site, never on the order of draws."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["Draw"]

_SMALLEST = 2.0**-54
"""Stands in for a uniform of exactly 0, at which quantile functions are infinite (probability 2**-53)."""

_EIGHT = Struct("<8Q")
_UNIT = 2.0**-53
_WORDS = 4
"""Doubles that Philox4x64 gives for one value of its counter."""


@dataclass(frozen=True, slots=True)
class Draw:
    """The map from a site to its independent uniforms.

    One extra retry, tool call or branch adds sites and so shifts no other site's noise. Streams of different
    sites or seeds are independent: Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1,
    2, 3") under a 128-bit key which is a BLAKE2b hash of seed and site.

    Attributes:
        seed: any integer.
    """

    seed: int = 0

    def key(self, site: str) -> int:
        """Return the 128-bit Philox key of a site."""
        return int.from_bytes(blake2b(f"{self.seed}/{site}".encode(), digest_size=16).digest())

    def generator(self, site: str) -> np.random.Generator:
        """Return a new generator at the start of the site's stream."""
        return np.random.Generator(np.random.Philox(key=self.key(site)))

    def uniform(self, site: str, shape: tuple[int, ...] = ()) -> NDArray[np.float64]:
        """Return the site's uniforms on the open interval (0, 1).

        Args:
            site: the site.
            shape: shape of the result; a larger shape starts with the numbers of a smaller one.
        """
        uniform = np.asarray(self.generator(site).random(shape))
        return np.maximum(uniform, _SMALLEST, out=uniform)

    def eight(self, site: str) -> tuple[float, ...]:
        """Return eight uniforms on (0, 1) of a site, at a twentieth of the price of a generator.

        They are the words of a 64-byte BLAKE2b hash of seed and site (RFC 7693), 53 bits of each; a hash of another
        length is another function, so they are independent of `uniform` at the same site.
        """
        words = _EIGHT.unpack(blake2b(f"{self.seed}/{site}".encode(), digest_size=64).digest())
        return tuple([max((word >> 11) * _UNIT, _SMALLEST) for word in words])

    def eights(self, sites: Iterable[str]) -> NDArray[np.float64]:
        """Return `eight` of many sites at once, equal to the last digit: (sites, 8)."""
        seed = f"{self.seed}/"
        digests = b"".join([blake2b((seed + site).encode(), digest_size=64).digest() for site in sites])
        words = np.frombuffer(digests, dtype="<u8").reshape(-1, 8) >> np.uint64(11)
        return np.asarray(np.maximum(words * _UNIT, _SMALLEST))

    def rows(self, site: str, first: int, count: int, width: int) -> NDArray[np.float64]:
        """Return uniforms on (0, 1) of many units at a site, shape (count, width).

        Row i belongs to unit number ``first + i``: it depends on seed, site and that number alone, so that units can be
        drawn in blocks of any size and order. Philox is counter-based: a unit's row starts at a counter of its own.

        Args:
            site: the site.
            first: number of the first unit, from 0.
            count: how many units.
            width: how many uniforms each has.
        """
        blocks = -(-width // _WORDS)
        stream = np.random.Philox(key=self.key(site)).advance(first * blocks)
        uniform = np.random.Generator(stream).random((count, blocks * _WORDS))[:, :width]
        return np.maximum(uniform, _SMALLEST)
