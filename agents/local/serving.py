"""Local models served when they are first asked, beside all others that a provider asks elsewhere."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from ifonly.agents.budget import Price
from ifonly.agents.local.server import endpoint
from ifonly.agents.local.weights import MODELS
from ifonly.agents.provider import Endpoint, Provider

if TYPE_CHECKING:
    from ifonly.agents.completion import Completion
    from ifonly.agents.records import Request

__all__ = ["Serving"]


class Serving:
    """A `ChatModel` that starts the models of `MODELS` on this machine; a context manager, which ends them.

    An alias of the endpoint may name one of them. Where an `api_base` is named, all models are asked there and none is
    started.

    Args:
        at: where all other models are asked.
    """

    def __init__(self, at: Endpoint | None = None) -> None:
        self._elsewhere = Provider(at)
        self._here = self._elsewhere.endpoint.api_base is None
        self._started: dict[str, tuple[str, Provider]] = {}
        self._stack = ExitStack()
        # Of threads, since one of asyncio would belong to one event loop.
        self._starting = threading.Lock()

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what was started."""
        self._started.clear()
        self._stack.close()

    async def complete(self, request: Request) -> Completion:
        """See `ifonly.agents.completion.ChatModel`.

        Raises:
            ToolEnvironmentError: a local model is not installed.
            ProviderError: the model cannot be asked, or did not answer.
        """
        if not self._is_local(request.model):
            return await self._elsewhere.complete(request)
        await asyncio.to_thread(self.url, request.model)
        name = self._name(request.model)
        return await self._started[name][1].complete(request.model_copy(update={"model": name}))

    def url(self, model: str) -> str:
        """Where a local model is served; it is started, if it is not.

        Raises:
            UnknownName: no local model has this name.
            ToolEnvironmentError: it is not installed.
        """
        model = self._name(model)
        with self._starting:
            if model not in self._started:
                url = self._stack.enter_context(endpoint(model))
                self._started[model] = url, Provider(Endpoint(api_base=url))
        return self._started[model][0]

    def price(self, request: Request) -> Price | None:
        """See `Provider.price`; what runs here costs nothing."""
        if self._is_local(request.model):
            return Price(estimate_usd=0.0, bound_usd=0.0)
        return self._elsewhere.price(request)

    def _is_local(self, model: str) -> bool:
        return self._here and self._name(model) in MODELS

    def _name(self, model: str) -> str:
        """The model that is meant by a name; a recorded one may stand for one of this machine."""
        return self._elsewhere.endpoint.aliases.get(model, model)
