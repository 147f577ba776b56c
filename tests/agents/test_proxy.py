"""The recording proxy, asked by OpenAI's own client, before a real upstream and without any."""

import asyncio
import json
from contextlib import asynccontextmanager

import openai
import pytest
from aiohttp import ClientSession, web

from ifonly.agents.cassette import Cassette, Mode
from ifonly.agents.proxy import Proxy, Runs, serve
from ifonly.agents.reading import read
from ifonly.agents.recorder import recover
from ifonly.agents.records import ModelStep, ToolStep

KEY = "sk-proj-" + "Zx9" * 16
TOOLS = [{"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {"type": "object"}}}]
ASK = [{"role": "system", "content": "You look."}, {"role": "user", "content": "How is the weather?"}]


class Upstream:
    """OpenAI's API, as far as it is needed: it calls a tool, then says what the tool said."""

    def __init__(self):
        self.asked, self.fail = [], None

    async def complete(self, request):
        body = await request.json()
        self.asked.append((dict(request.headers), body))
        if isinstance(self.fail, int):
            return web.json_response({"error": {"message": "no", "type": "t", "code": "c"}}, status=self.fail)
        last = body["messages"][-1]
        if last["role"] == "tool":
            message = {"role": "assistant", "content": f"It says {last['content']}."}
        else:
            call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"where": "sky"}'}}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
        if body.get("stream"):
            return await self.stream(request, message)
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        return web.json_response({"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-x-1"}
                                 | {"choices": [choice], "usage": usage})  # fmt: skip

    async def stream(self, request, message):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        deltas = [{"role": "assistant", "content": None}]
        if message["content"]:
            deltas += [{"content": word} for word in message["content"].split(" ")]
        deltas += [{"tool_calls": [call | {"index": 0}]} for call in message.get("tool_calls", ())]
        for delta in deltas:
            chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x-1"}
            chunk["choices"] = [{"index": 0, "delta": delta, "finish_reason": None}]
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
            if self.fail == "break" and "content" in delta and delta["content"]:
                request.transport.close()
                return response
        chunk["choices"] = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        await response.write(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())
        return response

    async def models(self, request):
        return web.json_response({"object": "list", "data": [{"id": "gpt-x", "object": "model", "created": 1,
                                                               "owned_by": "x"}]})  # fmt: skip

    @asynccontextmanager
    async def served(self):
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.complete)
        app.router.add_get("/v1/models", self.models)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            await runner.cleanup()


async def conversation(client, *, stream=False, text="How is the weather?"):
    """An agent with one tool; what it says at last."""
    messages = [ASK[0], {"role": "user", "content": text}]
    while True:
        if stream:
            content, calls = "", []
            async for chunk in await client.chat.completions.create(
                model="gpt-x", messages=messages, tools=TOOLS, stream=True
            ):
                delta = chunk.choices[0].delta
                content += delta.content or ""
                calls += delta.tool_calls or ()
        else:
            said = (await client.chat.completions.create(model="gpt-x", messages=messages, tools=TOOLS)).choices[0]
            content, calls = said.message.content, said.message.tool_calls or ()
        if not calls:
            return content
        made = [{"id": c.id, "type": "function", "function": c.function.model_dump()} for c in calls]
        messages.append({"role": "assistant", "content": content or None, "tool_calls": made})
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in calls]


@asynccontextmanager
async def proxied(upstream, cassette=None, runs=None):
    async with (
        serve(Proxy(upstream, cassette, runs)) as url,
        openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as client,
    ):
        yield client


def test_calls_are_forwarded_recorded_and_made_runs(tmp_path):
    upstream = Upstream()

    async def main():
        with Cassette(tmp_path / "calls.jsonl", Mode.NEW) as cassette:
            runs = Runs(tmp_path / "runs.jsonl")
            async with upstream.served() as url, proxied(url, cassette, runs) as client:
                assert await conversation(client) == "It says rain."
                assert len(list(tmp_path.glob("*.partial"))) == 1
                listed = [model.id async for model in client.models.list()]
            runs.close()
            return listed

    assert asyncio.run(main()) == ["gpt-x"]
    assert [headers["Authorization"] for headers, _ in upstream.asked] == [f"Bearer {KEY}"] * 2
    (run,) = read(tmp_path / "runs.jsonl").trajectories
    assert run.sites == ("system/0", "user/0", "agent/0", "look/0", "agent/1")
    assert [type(step) for step in run.steps[2:]] == [ModelStep, ToolStep, ModelStep]
    assert run.steps[4].request.messages == run.messages[:4]
    assert run.steps[2].usage.input_tokens == 7
    assert run.model == "gpt-x"
    for file in tmp_path.iterdir():
        assert KEY not in file.read_text()
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("stream", [False, True])
def test_a_replay_needs_no_upstream(tmp_path, stream):
    upstream = Upstream()

    async def main():
        with Cassette(tmp_path / "calls.jsonl", Mode.NEW) as cassette:
            async with upstream.served() as url, proxied(url, cassette) as client:
                first = await conversation(client, stream=stream)
        with Cassette(tmp_path / "calls.jsonl") as cassette:
            async with proxied(None, cassette) as client:
                again = [await conversation(client, stream=stream) for _ in range(1)]
                models = [model.id async for model in client.models.list()]
                with pytest.raises(openai.NotFoundError) as miss:
                    await conversation(client, stream=stream, text="Something else?")
        return first, again, models, miss.value

    first, again, models, miss = asyncio.run(main())
    assert first == ("Itsaysrain." if stream else "It says rain.")
    assert again == [first]
    assert models == ["gpt-x"]
    assert len(upstream.asked) == 2
    assert miss.code == "ifonly_cassette_miss"
    assert "Something else?" in str(miss)


def test_a_stream_comes_piece_by_piece_and_again_in_the_same_pieces(tmp_path):
    async def pieces(client):
        after = [*ASK, {"role": "assistant", "content": "I look."}, {"role": "tool", "content": "a b c d"}]
        after[2]["tool_calls"] = [{"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
        after[3]["tool_call_id"] = "c"
        stream = await client.chat.completions.create(model="gpt-x", messages=after, stream=True)
        return [chunk.choices[0].delta.content async for chunk in stream if chunk.choices[0].delta.content]

    async def main():
        with Cassette(tmp_path / "calls.jsonl", Mode.NEW) as cassette:
            async with Upstream().served() as url, proxied(url, cassette) as client:
                first = await pieces(client)
            async with proxied(None, cassette) as client:
                return first, await pieces(client)

    first, again = asyncio.run(main())
    assert first == again == ["It", "says", "a", "b", "c", "d."]


def test_mode_all_asks_again_and_new_does_not(tmp_path):
    upstream = Upstream()

    async def main(mode):
        with Cassette(tmp_path / "calls.jsonl", mode) as cassette:
            async with upstream.served() as url, proxied(url, cassette) as client:
                await conversation(client)

    for mode, asked in [(Mode.NEW, 2), (Mode.NEW, 2), (Mode.ALL, 4), (Mode.NONE, 4)]:
        asyncio.run(main(mode))
        assert len(upstream.asked) == asked


def test_conversations_at_the_same_time_are_runs_of_their_own(tmp_path):
    async def main():
        runs = Runs(tmp_path / "runs.jsonl", task="weather")
        async with Upstream().served() as url, proxied(url, None, runs) as client:
            await asyncio.gather(*(conversation(client, text=text) for text in "abc"))
        return runs.close()

    done = asyncio.run(main())
    assert sorted(run.messages[1].content for run in done) == ["a", "b", "c"]
    assert {run.sites for run in done} == {("system/0", "user/0", "agent/0", "look/0", "agent/1")}
    assert {run.task for run in done} == {"weather"}
    assert len(read(tmp_path / "runs.jsonl").trajectories) == 3


def test_errors_of_the_upstream_are_passed_on_and_not_recorded(tmp_path):
    upstream = Upstream()

    async def main():
        runs = Runs(None)
        with Cassette(tmp_path / "calls.jsonl", Mode.NEW) as cassette:
            async with upstream.served() as url, proxied(url, cassette, runs) as client:
                upstream.fail = 429
                with pytest.raises(openai.RateLimitError):
                    await conversation(client)
            assert len(cassette) == 0
        return runs.close()

    assert asyncio.run(main()) == ()


def test_a_stream_that_breaks_off_breaks_off_for_the_client_too(tmp_path):
    upstream = Upstream()
    upstream.fail = "break"
    messages = [*ASK, {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "a b c"}]  # fmt: skip

    async def main():
        with Cassette(tmp_path / "calls.jsonl", Mode.NEW) as cassette:
            async with upstream.served() as url, proxied(url, cassette) as client:
                stream = await client.chat.completions.create(model="gpt-x", messages=messages, stream=True)
                with pytest.raises(Exception, match=r"incomplete|closed"):
                    _ = [chunk async for chunk in stream]
            return len(cassette)

    assert asyncio.run(main()) == 0


def test_a_call_that_cannot_be_read_is_passed_on_and_told(tmp_path):
    told, odd = [], {"model": "m", "messages": [{"role": "odd", "content": "x"}]}

    async def main():
        with Cassette(tmp_path / "c.jsonl", Mode.NEW) as cassette:
            async with (
                Upstream().served() as upstream,
                serve(Proxy(upstream, cassette, tell=told.append)) as url,
                ClientSession() as session,
                session.post(f"{url}/chat/completions", json=odd) as answer,
            ):
                return await answer.json()

    assert asyncio.run(main())["choices"][0]["message"]["tool_calls"]
    assert "not recorded" in told[0]


def test_an_upstream_that_is_not_there_is_told():
    async def main():
        async with proxied("http://127.0.0.1:9/v1") as client:
            with pytest.raises(openai.InternalServerError) as caught:
                await conversation(client)
            return caught.value

    error = asyncio.run(main())
    assert error.status_code == 502
    assert "--upstream" in str(error)


@pytest.mark.parametrize(
    ("headers", "data", "path", "status", "told"),
    [
        ({"Host": "evil.example"}, "{}", "/chat/completions", 403, "not this machine"),
        ({"Host": "evil.example:80"}, None, "/models", 403, "not this machine"),
        ({"Origin": "https://evil.example"}, "{}", "/chat/completions", 403, "browser"),
        ({"Content-Type": "text/plain"}, "{}", "/chat/completions", 415, "application/json"),
        ({}, "{nonsense", "/chat/completions", 400, "request body"),
        ({}, "[]", "/chat/completions", 400, "no JSON object"),
        ({}, '{"model": "m", "messages": [{"role": "odd"}]}', "/chat/completions", 400, "field 0.role: unknown role"),
        ({}, "{}", "/embeddings", 404, "Known are"),
        ({}, None, "/chat/completions", 405, "Known are"),
    ],
)
def test_what_cannot_be_taken_is_told_in_openais_shape(tmp_path, headers, data, path, status, told):
    async def main():
        with Cassette(tmp_path / "c.jsonl", Mode.NEW) as cassette:
            async with serve(Proxy(None, cassette)) as url, ClientSession() as session:
                given = {"Content-Type": "application/json"} | headers
                how = session.get if data is None else session.post
                async with how(url + path, headers=given, **({} if data is None else {"data": data})) as answer:
                    assert "Access-Control-Allow-Origin" not in answer.headers
                    return answer.status, await answer.json()

    got, body = asyncio.run(main())
    assert got == status
    assert told in body["error"]["message"]
    assert body["error"]["type"]


def test_the_port_is_told_and_may_be_taken():
    async def main():
        async with serve(Proxy(None, None)) as url:
            port = int(url.rpartition(":")[2].partition("/")[0])
            with pytest.raises(Exception, match="cannot be listened at"):
                async with serve(Proxy(None, None), port):
                    pass

    asyncio.run(main())


def test_what_was_delivered_survives_a_crash(tmp_path):
    async def main():
        runs = Runs(tmp_path / "runs.jsonl")
        async with Upstream().served() as url, proxied(url, None, runs) as client:
            await conversation(client)
        for run in runs._growing:  # as a crash would
            run.journal.leave()

    asyncio.run(main())
    assert len(recover(tmp_path / "runs.jsonl")) == 1
    (run,) = read(tmp_path / "runs.jsonl").trajectories
    assert run.sites[-1] == "agent/1"
    assert run.outcome.error.startswith("interrupted")


def test_the_sync_client_is_served_too(tmp_path):
    async def main():
        async with Upstream().served() as url, serve(Proxy(url, None)) as proxy:

            def ask():
                with openai.OpenAI(base_url=proxy, api_key=KEY) as client:
                    said = client.chat.completions.create(model="gpt-x", messages=ASK, tools=TOOLS)
                return said.choices[0].message.tool_calls[0].function.name

            return await asyncio.to_thread(ask)

    assert asyncio.run(main()) == "look"
