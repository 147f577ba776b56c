"""A model behind a cassette."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from ifonly.agents.cassette.cassette import Mode

if TYPE_CHECKING:
    from ifonly.agents.cassette.cassette import Cassette
    from ifonly.agents.completion import ChatModel, Completion
    from ifonly.agents.records import Request

__all__ = ["Recorded"]


class Recorded:
    """Serves recorded completions, and asks the model for the rest if the cassette's mode says so; a `ChatModel`.

    Equal requests are told apart by their occurrence, counted here in the order of asking, however long each answer
    takes. An asking that ended in an error gives its occurrence back to the next.

    Args:
        cassette: where completions are found and added.
        model: what is asked; None if nothing may be asked, whatever the mode.
    """

    def __init__(self, cassette: Cassette, model: ChatModel | None = None) -> None:
        self.cassette, self.model = cassette, model
        self._asked: dict[str, int] = {}
        self._free: dict[str, list[int]] = {}

    async def complete(self, request: Request) -> Completion:
        """The recorded completion, or the model's, which is recorded before it is given back.

        Raises:
            CassetteMiss: nothing is recorded and the model may not be asked.
            IfonlyError: the model or the file failed.
        """
        mode = self.cassette.mode
        key = self.cassette.key(request)
        occurrence = self._take(key)
        try:
            found = None if mode is Mode.ALL else self.cassette.at(key, occurrence)
            if found is not None:
                return found
            if mode is Mode.NONE or self.model is None:
                raise self.cassette.miss(request, occurrence)
            completion = await self.model.complete(request)
            self.cassette.add(request, completion, occurrence)
        except BaseException:
            heappush(self._free.setdefault(key, []), occurrence)
            raise
        return completion

    def _take(self, key: str) -> int:
        if free := self._free.get(key):
            return heappop(free)
        self._asked[key] = occurrence = self._asked.get(key, -1) + 1
        return occurrence
