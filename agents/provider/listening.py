"""The context in which litellm's calls are heard. litellm is handed in: only the package's own module imports it."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ifonly.agents.errors import ProviderError
from ifonly.agents.provider.endpoint import private
from ifonly.agents.provider.failures import Asked, failure
from ifonly.agents.provider.hearing import Hearing
from ifonly.agents.wire import completion_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ifonly.agents.completion import Completion
    from ifonly.agents.records import Request

__all__ = ["Listening"]

_TICK = 0.002

_LISTS = (
    "callbacks",
    "input_callback",
    "success_callback",
    "failure_callback",
    "_async_success_callback",
    "_async_failure_callback",
)
"""Where litellm puts a logger that was added to the first."""


class Listening:
    """See `ifonly.agents.provider.listen`.

    Args:
        litellm: the module.
        callback: is told of each call.
        cost: what a reply cost, of litellm's name of the model and its response.
        patience: seconds to wait at the end while nothing is reported.
    """

    def __init__(
        self,
        litellm: Any,
        callback: Callable[[Request, Completion | ProviderError, float, float], None],
        cost: Callable[[str, Any], float | None],
        patience: float,
    ) -> None:
        self._litellm, self._patience = litellm, patience
        self._hearing = Hearing(callback, private(litellm), lambda provider, model: _name(litellm, provider, model))
        self._logger = _logger(litellm, self._hearing, cost)

    def __enter__(self) -> None:
        manager = self._litellm.logging_callback_manager
        manager.add_litellm_callback(self._logger)
        if self._logger not in self._litellm.callbacks:
            fix = "Remove some from litellm.callbacks."
            raise ProviderError("listening to litellm", "it takes no more callbacks", fix)

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        inside = _in_loop()
        self._hearing.wait(self._patience, sync_only=inside)
        late = inside and self._hearing.waits()
        self._leave(kind)
        if late and kind is None:
            found = "calls of this event loop have not been reported, and cannot be while it is held up here"
            raise ProviderError("the end of listening to litellm", found, "Write: async with listen(...).")

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        seen, silent = -1, 0.0
        while self._hearing.waits() and silent < self._patience:
            silent = silent + _TICK if seen == self._hearing.ended else 0.0
            seen = self._hearing.ended
            await asyncio.sleep(_TICK)
        self._leave(kind)

    def _leave(self, kind: type[BaseException] | None) -> None:
        for name in _LISTS:
            loggers = getattr(self._litellm, name)
            while self._logger in loggers:
                loggers.remove(self._logger)
        try:
            self._hearing.close()
        except Exception:
            # What went wrong inside matters more, and must not be hidden.
            if kind is None:
                raise


def _name(litellm: Any, provider: str, model: str) -> str:
    """A name by which litellm finds the model again: events tell it without its provider."""
    row = litellm.model_cost.get(model) or {}
    alone = not provider or model.startswith(f"{provider}/") or row.get("litellm_provider") == provider
    return model if alone else f"{provider}/{model}"


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Events:
    """What litellm calls, in one shape for `Hearing`; litellm wants exactly these names of parameters."""

    def __init__(self, litellm: Any, hearing: Hearing, cost: Callable[[str, Any], float | None]) -> None:
        super().__init__()
        self._known, self._hearing, self._cost = litellm.model_cost, hearing, cost
        # litellm takes loggers of one class for one logger, unless a plain attribute tells them apart.
        self.listener = uuid.uuid4().hex

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        self._hearing.begin(kwargs)

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._succeed(kwargs, kwargs.get("complete_streaming_response") or response_obj, start_time, end_time)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        error, own = kwargs.get("exception"), kwargs.get("litellm_params") or {}
        model, key = str(kwargs.get("model")), own.get("api_key")
        provider = str(kwargs.get("custom_llm_provider") or "")
        asked = Asked(model, model, provider, secrets=(key,) if isinstance(key, str) else (), known=self._known)
        told = failure(error if isinstance(error, BaseException) else RuntimeError(str(error)), asked)
        self._hearing.fail(kwargs, told, end_time.timestamp())

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        whole = kwargs.get("async_complete_streaming_response") or response_obj
        self._succeed(kwargs, whole, start_time, end_time)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.log_failure_event(kwargs, response_obj, start_time, end_time)

    async def async_pre_call_deployment_hook(self, kwargs: Any, call_type: Any) -> None:
        self._hearing.announce(kwargs)

    async def async_post_call_success_deployment_hook(self, request_data: Any, response: Any, call_type: Any) -> None:
        # Comes before `acompletion` returns; the event comes from a task, for which a loop may have no time left.
        logging = request_data.get("litellm_logging_obj")
        if logging is not None:
            self._succeed(logging.model_call_details, response, logging.start_time, datetime.now())

    def _succeed(self, details: Mapping[str, Any], response: Any, start: datetime, end: datetime) -> None:
        began, ended = start.timestamp(), end.timestamp()
        first: datetime | None = details.get("completion_start_time")

        def make(request: Request) -> Completion:
            made = completion_of(response.model_dump(), request, max(0.0, ended - began))
            streamed = None if first is None or not request.settings.get("stream") else first.timestamp() - began
            return made.model_copy(
                update={
                    "cost": None if made.usage is None else self._cost(request.model, response),
                    "first_token_seconds": None if streamed is None else max(0.0, streamed),
                }
            )

        self._hearing.succeed(details, make, ended)


def _logger(litellm: Any, hearing: Hearing, cost: Callable[[str, Any], float | None]) -> Any:
    """A `CustomLogger`, whose class is known only once litellm is loaded."""
    made = type("Listener", (_Events, litellm.integrations.custom_logger.CustomLogger), {})
    return made(litellm, hearing, cost)
