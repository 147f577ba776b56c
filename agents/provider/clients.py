"""What litellm leaves behind in an event loop, put away when the loop ends."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["Tidy"]


class Tidy:
    """Closes, at the end of each event loop, the connections that litellm keeps open for that loop.

    litellm keeps its clients for the next call of the same loop, and never learns that a loop has ended: sockets stay
    open, and a later loop at the same address in memory is given them. It also leaves reports of calls in a queue, and
    carries them to the next loop with a warning. A loop that is shut down in order (as by `asyncio.run`) finishes its
    asynchronous generators; one waits here for that.
    """

    def __init__(self) -> None:
        self._waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncGenerator[None, None]] = WeakKeyDictionary()

    async def watch(self, litellm: Any) -> None:
        """See to it that the running loop is tidied up."""
        loop = asyncio.get_running_loop()
        if loop not in self._waiting:
            self._waiting[loop] = _until_the_end(litellm)
            await anext(self._waiting[loop])


async def _until_the_end(litellm: Any) -> AsyncGenerator[None, None]:
    mark = f"-{id(asyncio.get_running_loop())}"
    try:
        yield
    finally:
        await litellm.litellm_core_utils.logging_worker.GLOBAL_LOGGING_WORKER.clear_queue()
        clients = litellm.in_memory_llm_clients_cache
        for key in [key for key in clients.cache_dict if str(key).endswith(mark)]:
            client = clients.cache_dict.get(key)
            clients.delete_cache(key)
            closing = client.close() if hasattr(client, "close") else None
            if inspect.isawaitable(closing):
                await closing
        # A closed connection says goodbye in the next round of the loop.
        await asyncio.sleep(0)
