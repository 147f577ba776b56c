"""The laws of a model's next tokens, each read once and only as far as needed.

A server lists the likeliest tokens; a longer list costs more. A law is read at the first of `STEPS` that says what the
sampler draws from, and longer where that does not settle the choice (`ifonly.scm.race`). Lists are kept, the oldest
given up first, so that many draws from one prompt read it once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.race import law_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from numpy.typing import NDArray

    from ifonly.agents.local.tokens import NextToken
    from ifonly.scm.gumbel import Floats
    from ifonly.scm.race import Law, Shaping

__all__ = ["STEPS", "Laws", "Listing"]

STEPS: tuple[int | None, ...] = (64, 4096, None)
"""How many of the likeliest tokens are asked for, one after the other; None for all."""

_KEPT = 2**22


@dataclass(frozen=True, slots=True)
class Listing:
    """A law as a server lists it, and as the sampler draws from it.

    Attributes:
        ids: the likeliest tokens, likeliest first.
        log_p: their log-probabilities under the model at temperature 1.
        law: the shaped law.
        last: whether no longer list can say more of the law.
        longer: reads the next longer one.
    """

    ids: NDArray[np.int64]
    log_p: Floats
    law: Law
    last: bool
    longer: Callable[[], Awaitable[Listing]]


class Laws:
    """Reads laws of one model.

    Args:
        model: whose.
        steps: how many of the likeliest tokens are asked for, one after the other; ends with None.
    """

    def __init__(self, model: NextToken, steps: Sequence[int | None] = STEPS) -> None:
        self.model = model
        self.steps = tuple(steps)
        self._kept: OrderedDict[bytes, tuple[int, NDArray[np.int64], Floats]] = OrderedDict()
        self._size = 0

    async def read(self, prefix: Sequence[int], shaping: Shaping, least: int = 0) -> Listing:
        """The law of the token after a prefix, under a shaping.

        Args:
            prefix: tokens so far.
            shaping: of the sampler.
            least: the place in the steps to begin at.
        """
        options = (await self.model.facts()).vocabulary
        # The first step is for laws that are cut off: it hardly ever settles a whole one.
        least = max(least, min(1, len(self.steps) - 1) if shaping.open else 0)
        while True:
            step, ids, log_p = await self._listed(prefix, least)
            law = law_of(ids, log_p, options, shaping)
            if law is not None:
                last = len(ids) == options or law.rest == -np.inf
                return Listing(ids, log_p, law, last, partial(self.read, tuple(prefix), shaping, step + 1))
            least = step + 1

    async def _listed(self, prefix: Sequence[int], least: int) -> tuple[int, NDArray[np.int64], Floats]:
        key = blake2b(np.asarray(prefix, dtype=np.int64).tobytes(), digest_size=16).digest()
        found = self._kept.pop(key, None)
        if found is None or found[0] < least:
            self._size -= 0 if found is None else len(found[1])
            found = (least, *await self.model.law(prefix, self.steps[least]))
            self._size += len(found[1])
        self._kept[key] = found
        while self._size > _KEPT:
            self._size -= len(self._kept.popitem(last=False)[1][1])
        return found
