"""One report for each call that litellm makes, put together from the events that it sends.

litellm tells a `CustomLogger` of a call before it is sent (in the caller's thread) and after it has ended: sync calls
from a thread of its own, async ones from the hook that runs before `acompletion` returns and again from a task,
streamed ones from a task once the stream is read to its end, failures up to twice. A call is known by its id; its first
end counts.

The request is taken down when the call is sent, since callers go on to change their list of messages. A failure of a
call that may be retried is held until the end: litellm reports the failure of the first attempt, and for async calls
nothing after it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from ifonly.agents.errors import IfonlyError, ProviderError
from ifonly.agents.wire import TRANSPORT, UnfinishedReply, from_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ifonly.agents.completion import Completion
    from ifonly.agents.records import Request

__all__ = ["Hearing"]

_CHAT = frozenset({"completion", "acompletion"})


@dataclass
class _Call:
    request: Request
    started: float
    is_async: bool
    may_retry: bool
    failed: tuple[ProviderError, float] | None = None
    again: bool = False


class Hearing:
    """Takes litellm's events and calls back once a call.

    Args:
        callback: takes a request, its completion or error, and the seconds since the epoch at which the call began and
            ended; what it raises is kept for `close`.
        private: names of litellm's own parameters, which never stand in a request.
        name: litellm's name of a provider's model.
    """

    def __init__(
        self,
        callback: Callable[[Request, Completion | ProviderError, float, float], None],
        private: frozenset[str],
        name: Callable[[str, str], str],
    ) -> None:
        self._callback, self._private, self._name = callback, private | TRANSPORT, name
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._originals: dict[str, dict[str, Any]] = {}
        self._open: dict[str, _Call] = {}
        self._done: set[str] = set()
        self._problems: list[Exception] = []
        self.ended = 0

    def announce(self, given: Mapping[str, Any]) -> None:
        """Take the arguments of an async call as its caller gave them: events show them as the provider needs them."""
        kept = {key: given[key] for key in ("tools", "tool_choice") if given.get(key) is not None}
        with self._lock:
            self._originals[str(given.get("litellm_call_id"))] = kept

    def begin(self, details: Mapping[str, Any]) -> None:
        """Take a call that is about to be sent, for the first time or again."""
        key = str(details.get("litellm_call_id"))
        with self._lock:
            known = self._open.get(key)
        if details.get("call_type") not in _CHAT or known is not None:
            if known is not None:
                known.again = known.failed is not None
            return
        call = self._call(key, details)
        if call is not None:
            with self._lock:
                if key not in self._done:
                    self._open[key] = call

    def succeed(self, details: Mapping[str, Any], make: Callable[[Request], Completion], ended: float) -> None:
        """Take the reply to a call.

        Args:
            details: of the call.
            make: makes the completion, for the request.
            ended: seconds since the epoch.
        """
        self._end(details, make, ended)

    def fail(self, details: Mapping[str, Any], error: ProviderError, ended: float) -> None:
        """Take the failure of a call, or of an attempt."""
        key = str(details.get("litellm_call_id"))
        with self._lock:
            call = self._open.get(key)
            if call is not None and call.may_retry:
                call.failed = call.failed or (error, ended)
                self._changed.notify_all()
                return
        self._end(details, lambda _request: error, ended)

    def waits(self, *, sync_only: bool = False) -> bool:
        """Whether a call has not ended, and may yet."""
        with self._lock:
            return any(call.failed is None and not (sync_only and call.is_async) for call in self._open.values())

    def wait(self, patience: float, *, sync_only: bool = False) -> None:
        """Block until every call has ended, or none has for so many seconds."""
        while self.waits(sync_only=sync_only):
            with self._changed:
                before = self.ended
                if not self._changed.wait(patience) and before == self.ended:
                    return

    def close(self) -> None:
        """Report the calls that were held or never ended.

        Raises:
            Exception: the first that the callback, or the reading of a call, raised.
        """
        with self._lock:
            left, self._open = list(self._open.values()), {}
        for call in sorted(left, key=lambda call: call.started):
            error, ended = call.failed or (_lost(call, "a stream that was not read to its end"), call.started)
            if call.again and call.is_async:
                error = _lost(call, f"it failed ({error.found}) and was sent again by litellm")
            self._tell(call, error, ended)
        if self._problems:
            raise self._problems[0]

    def _end(self, details: Mapping[str, Any], make: Callable[[Request], Any], ended: float) -> None:
        key = str(details.get("litellm_call_id"))
        if details.get("call_type") not in _CHAT:
            return
        with self._lock:
            if key in self._done:
                return
            self._done.add(key)
            call = self._open.get(key)
        call = call or self._call(key, details)
        try:
            if call is not None:
                self._tell(call, make(call.request), ended)
        except IfonlyError as error:
            if call is not None:
                self._tell(call, error, ended)
        finally:
            with self._lock:
                self._open.pop(key, None)
                self._originals.pop(key, None)
                self.ended += 1
                self._changed.notify_all()

    def _call(self, key: str, details: Mapping[str, Any]) -> _Call | None:
        """What an event tells of its call; None, and the problem kept, where the messages cannot be read."""
        with self._lock:
            original = self._originals.get(key, {})
        own = details.get("litellm_params") or {}
        try:
            request = from_body(_body(details, original, self._private, self._name))
        except IfonlyError as error:
            self._problems.append(error)
            return None
        started = details.get("start_time")
        return _Call(
            request=request,
            started=started.timestamp() if started is not None else 0.0,
            is_async=own.get("acompletion") is True,
            may_retry=bool(own.get("max_retries")),
        )

    def _tell(self, call: _Call, found: Any, ended: float) -> None:
        try:
            self._callback(call.request, found, call.started, max(ended, call.started))
        except Exception as error:  # litellm would swallow it; `close` raises it
            self._problems.append(error)


def _body(
    details: Mapping[str, Any], original: Mapping[str, Any], private: frozenset[str], name: Callable[[str, str], str]
) -> dict[str, Any]:
    """The body of a call, of what an event says about it."""
    given = dict(details.get("optional_params") or {})
    extra = given.pop("extra_body", None)
    given |= extra if isinstance(extra, dict) else {}
    given = {key: value for key, value in given.items() if key not in private}
    named = name(str(details.get("custom_llm_provider") or ""), str(details.get("model") or ""))
    body = {**given, "messages": details.get("messages"), "model": named, **original}
    plain: dict[str, Any] = to_jsonable_python(body, exclude_none=True, serialize_unknown=True)
    return plain


def _lost(call: _Call, why: str) -> UnfinishedReply:
    found, fix = f"litellm did not report how the call ended: {why}", "Read streams to their end; retry by max_retries."
    return UnfinishedReply(f"model {call.request.model!r}", found, fix)
