"""One call on its way upstream: what the client sent goes on as it came, and what comes back is passed on and read."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError, ClientTimeout, web

from ifonly.agents.errors import IfonlyError, ProviderError
from ifonly.agents.proxy.replies import event
from ifonly.agents.streams.strict_json import JsonError, parse
from ifonly.agents.wire import Assembler, completion_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiohttp import ClientResponse, ClientSession

    from ifonly.agents.completion import Completion
    from ifonly.agents.records import Request

__all__ = ["EXCHANGE", "Exchange", "Passed", "Relay", "forwarded"]

_FORWARDED = (
    "authorization",
    "api-key",
    "x-api-key",
    "openai-organization",
    "openai-project",
    "openai-beta",
    "http-referer",
    "x-title",
)
"""What of a client's headers goes upstream; none of it is written anywhere."""

_TIMEOUT = ClientTimeout(total=None, sock_connect=30, sock_read=600)
_FAILED = 400
_DONE = b"[DONE]"


class Passed(Exception):
    """The upstream's answer is no completion; it was passed on as it came."""


def forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that go upstream."""
    kept = {name: headers[name] for name in _FORWARDED if name in headers}
    return {**kept, "Accept-Encoding": "identity"}


class Exchange:
    """One call of a client.

    Args:
        session: the way upstream.
        url: of the upstream's chat completions.
        asked: the client's request.
        body: its body, as it came.

    Attributes:
        response: what the client gets, once something came from upstream; a stream lacks its end until `finish`.
    """

    def __init__(self, session: ClientSession, url: str, asked: web.Request, body: bytes) -> None:
        self._session, self._url, self._asked, self._body = session, url, asked, body
        self._gone = self._whole = self._marked = False
        self.response: web.StreamResponse | None = None

    async def forward(self, request: Request) -> Completion:
        """Ask upstream, pass the answer on, and read it.

        Raises:
            Passed: the answer is an error, or no completion; the client has it.
            ProviderError: the upstream cannot be reached.
        """
        headers = {**forwarded(self._asked.headers), "Content-Type": "application/json"}
        began = time.perf_counter()
        try:
            async with self._session.post(self._url, data=self._body, headers=headers, timeout=_TIMEOUT) as answer:
                if answer.status < _FAILED and answer.content_type == "text/event-stream":
                    return await self._stream(answer, request, began)
                return await self._at_once(answer, request, began)
        except (ClientError, TimeoutError) as error:
            if self.response is not None:
                raise Passed from error
            found = f"it cannot be reached: {type(error).__name__}: {error}"
            raise ProviderError(f"the upstream {self._url}", found, "Check --upstream.") from None

    async def finish(self) -> None:
        """Send the end of a stream, which waits until the call is recorded; one that broke off breaks off here, too."""
        if isinstance(self.response, web.Response) or self.response is None:
            return
        if not self._whole and self._asked.transport is not None:
            self._asked.transport.close()
        elif not self._gone:
            if self._marked:
                await self._send(event(_DONE.decode()))
            await self.response.write_eof()

    async def _at_once(self, answer: ClientResponse, request: Request, began: float) -> Completion:
        raw = await answer.read()
        self.response = web.Response(body=raw, status=answer.status, content_type=answer.content_type)
        if answer.status >= _FAILED:
            raise Passed
        try:
            value = parse(raw)
            return completion_of(value if isinstance(value, dict) else {}, request, time.perf_counter() - began)
        except (JsonError, ProviderError) as error:
            raise Passed from error

    async def _stream(self, answer: ClientResponse, request: Request, began: float) -> Completion:
        self.response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await self.response.prepare(self._asked)
        assembler, unread = Assembler(request), list[Exception]()
        async for line in _lines(answer):
            data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
            if data == _DONE:
                self._marked = True
                break
            await self._send(line)
            if data and not unread:
                try:
                    value: Any = parse(data)
                    assembler.add(value if isinstance(value, dict) else {}, time.perf_counter() - began)
                except (JsonError, ProviderError) as error:
                    unread.append(error)
        self._whole = True
        if unread:
            raise Passed from unread[0]
        try:
            return assembler.completion()
        except ProviderError as error:
            raise Passed from error

    async def _send(self, data: bytes) -> None:
        """Pass a piece on. A client that has gone is no reason to lose a reply that is paid for."""
        if self.response is None or self._gone:
            return
        try:
            await self.response.write(data)
        except (ConnectionError, RuntimeError):
            self._gone = True


class Relay:
    """Asks upstream in the name of the exchange that is going on; a `ChatModel`."""

    async def complete(self, request: Request) -> Completion:
        """See `ChatModel`.

        Raises:
            IfonlyError: there is no upstream.
        """
        exchange = EXCHANGE.get()
        if exchange is None:
            raise IfonlyError("a model call", "there is no upstream", "Start the proxy with --upstream URL.")
        return await exchange.forward(request)


EXCHANGE: ContextVar[Exchange | None] = ContextVar("ifonly_exchange", default=None)
"""The exchange that the running handler serves."""


async def _lines(answer: ClientResponse) -> AsyncIterator[bytes]:
    """The lines of a stream with their ends, however long they are."""
    rest = b""
    async for data in answer.content.iter_any():
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest + b"\n"
