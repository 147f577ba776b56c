"""A prompt cache: which prefixes a service holds."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ifonly.sim.services.requests import Call
    from ifonly.sim.services.service import Cache

__all__ = ["PromptCache"]


class PromptCache:
    """Prefixes, each readable from a time on, until some seconds after its last use."""

    __slots__ = ("_held", "_minimum", "_seconds")

    def __init__(self, cache: Cache) -> None:
        self._seconds = inf if cache.seconds is None else cache.seconds
        self._minimum = cache.minimum
        self._held: dict[str, tuple[float, float]] = {}

    def tokens(self, call: Call, now: float) -> int:
        """How many tokens of the prompt are held."""
        if call.prefix is None or call.prefix_tokens < self._minimum:
            return 0
        readable, used = self._held.get(call.prefix, (inf, 0.0))
        return call.prefix_tokens if readable <= now <= used + self._seconds else 0

    def use(self, call: Call, now: float, readable: float) -> None:
        """A prompt is answered from `now`, its first token comes at `readable`."""
        if call.prefix is None or call.prefix_tokens < self._minimum:
            return
        before, used = self._held.get(call.prefix, (inf, 0.0))
        held = now <= used + self._seconds
        self._held[call.prefix] = (min(before, readable) if held else readable, now)
