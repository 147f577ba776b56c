"""The proxy's handlers, and how it is served."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, web

from ifonly.agents.cassette import Mode, Recorded
from ifonly.agents.errors import CassetteMiss, IfonlyError, InputError, ProviderError
from ifonly.agents.proxy.relay import EXCHANGE, Exchange, Passed, Relay, forwarded
from ifonly.agents.proxy.replies import chunks_of, error_body, event, response_of
from ifonly.agents.proxy.runs import Runs
from ifonly.agents.records import Request
from ifonly.agents.streams.strict_json import JsonError, parse
from ifonly.agents.wire import from_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from ifonly.agents.cassette import Cassette
    from ifonly.agents.completion import ChatModel, Completion

__all__ = ["HOST", "Proxy", "serve"]

HOST = "127.0.0.1"
"""The only address that is listened at."""

_BODY = 64 * 2**20
_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_STATUS: tuple[tuple[type[IfonlyError], int, str], ...] = (
    (CassetteMiss, 404, "ifonly_cassette_miss"),
    (InputError, 400, "invalid_request_error"),
    (ProviderError, 502, "ifonly_upstream_error"),
    (IfonlyError, 500, "ifonly_error"),
)


class Proxy:
    """Answers OpenAI's chat completions: from the cassette, from upstream, or as the cassette's mode says.

    Only names of this machine are taken as `Host`, only JSON as content, and no `Origin` of a web page: a page in a
    browser cannot ask. No header is written anywhere.

    Args:
        upstream: base URL, such as ``https://api.openai.com/v1``; None asks nobody.
        cassette: where calls are recorded and found; None records none.
        runs: the runs that the calls make.
        tell: is given a line for each problem that the client does not see.
    """

    def __init__(
        self,
        upstream: str | None,
        cassette: Cassette | None,
        runs: Runs | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._upstream, self._cassette, self._runs = upstream and upstream.rstrip("/"), cassette, runs or Runs(None)
        self._tell = tell
        self._replays = cassette is not None and cassette.mode is Mode.NONE
        relay = None if upstream is None else Relay()
        self._model: ChatModel = Relay() if cassette is None else Recorded(cassette, relay)

    def app(self) -> web.Application:
        """The application; it opens its way upstream when it starts."""
        app = web.Application(client_max_size=_BODY, middlewares=[_guard])
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._models)
        app.cleanup_ctx.append(self._connected)
        return app

    async def _connected(self, _app: web.Application) -> AsyncIterator[None]:
        async with ClientSession() as self._session:
            yield

    async def _complete(self, asked: web.Request) -> web.StreamResponse:
        raw, started = await asked.read(), time.time()
        body = _object(raw)
        exchange = None
        if self._upstream is not None:
            exchange = Exchange(self._session, f"{self._upstream}/chat/completions", asked, raw)
        EXCHANGE.set(exchange)
        try:
            request = from_body(body)
        except InputError as error:
            if exchange is None or self._replays:
                raise
            return await self._unrecorded(exchange, error)
        try:
            completion = await self._model.complete(request)
            self._runs.add(request, completion, started, time.time())
        except Passed:
            completion = None
        except IfonlyError as error:
            # What the client has already seen of a reply cannot be taken back.
            if exchange is None or exchange.response is None:
                raise
            completion = None
            self._say(str(error))
        if exchange is not None and exchange.response is not None:
            await exchange.finish()
            return exchange.response
        if completion is None:
            raise AssertionError("an answer was passed on that is not there")
        return await self._again(asked, request, completion, body)

    async def _unrecorded(self, exchange: Exchange, error: InputError) -> web.StreamResponse:
        """A call that cannot be read, which upstream may well understand: passed on, and told."""
        self._say(f"passed on, and not recorded: {error}")
        with suppress(Passed):
            await exchange.forward(Request(model="", messages=()))
        await exchange.finish()
        if exchange.response is None:
            raise AssertionError("an answer was passed on that is not there")
        return exchange.response

    async def _again(
        self, asked: web.Request, request: Request, completion: Completion, body: dict[str, Any]
    ) -> web.StreamResponse:
        """A recorded completion, whole or in pieces as the client wants it."""
        key = "recorded" if self._cassette is None else self._cassette.key(request)
        if not body.get("stream"):
            return web.json_response(response_of(completion, request.model, key))
        options = body.get("stream_options")
        usage = isinstance(options, dict) and options.get("include_usage") is True
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(asked)
        for chunk in chunks_of(completion, request.model, key, usage=usage):
            await response.write(event(chunk))
        await response.write(event("[DONE]"))
        await response.write_eof()
        return response

    async def _models(self, asked: web.Request) -> web.Response:
        """The upstream's models; those of the cassette where there is no upstream."""
        if self._upstream is None:
            entries = () if self._cassette is None else self._cassette.entries()
            names = dict.fromkeys(entry.request.model for entry in entries)
            data = [{"id": name, "object": "model", "created": 0, "owned_by": "ifonly"} for name in names]
            return web.json_response({"object": "list", "data": data})
        try:
            async with self._session.get(f"{self._upstream}/models", headers=forwarded(asked.headers)) as answer:
                return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)
        except (ClientError, TimeoutError) as error:
            found = f"it cannot be reached: {type(error).__name__}: {error}"
            raise ProviderError(f"the upstream {self._upstream}", found, "Check --upstream.") from None

    def _say(self, text: str) -> None:
        if self._tell is not None:
            self._tell(text)


@asynccontextmanager
async def serve(proxy: Proxy, port: int = 0) -> AsyncIterator[str]:
    """Serve a proxy as long as the context lasts.

    Args:
        proxy: what answers.
        port: where to listen; 0 for any that is free.

    Yields:
        The base URL for clients.

    Raises:
        ProviderError: the port is taken.
    """
    runner = web.AppRunner(proxy.app(), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            found = f"cannot be listened at ({error.strerror})"
            raise ProviderError(f"{HOST}:{port}", found, "Take another --port, or 0 for any.") from None
        yield f"http://{HOST}:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@web.middleware
async def _guard(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Who may ask, and errors in OpenAI's shape."""
    asked = request
    if urlsplit(f"//{asked.host}").hostname not in _NAMES:
        return _refusal(403, f"the host {asked.host!r} is not this machine", "forbidden")
    if "Origin" in asked.headers:
        return _refusal(403, "pages in a browser may not ask", "forbidden")
    if asked.method == "POST" and asked.content_type != "application/json":
        return _refusal(415, f"the content is {asked.content_type}, not application/json", "invalid_request_error")
    try:
        return await handler(asked)
    except IfonlyError as error:
        status, kind = next((status, kind) for known, status, kind in _STATUS if isinstance(error, known))
        return _refusal(status, str(error), kind)
    except web.HTTPException as error:
        known = "Known are POST /v1/chat/completions and GET /v1/models."
        return _refusal(error.status, f"{asked.method} {asked.path}: {error.reason}. {known}", "invalid_request_error")


def _refusal(status: int, message: str, kind: str) -> web.Response:
    return web.json_response(error_body(message, kind), status=status)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = parse(raw)
    except JsonError as error:
        raise InputError("request body", error.found, error.fix, field=error.field) from None
    if not isinstance(value, dict):
        raise InputError("request body", "no JSON object", "Send one, with model and messages.")
    return value
