"""Live calls through the real litellm: to a server on this machine, to litellm's mocks, to scripted models."""

import asyncio
import json
import logging
import math
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest
from aiohttp import web

from ifonly.agents.budget import Budget, Metered
from ifonly.agents.completion import Completion
from ifonly.agents.errors import BudgetSpent, ProviderError
from ifonly.agents.optionlaw import option_law, option_of
from ifonly.agents.provider import Endpoint, Provider, complete_sync, listen, scripted
from ifonly.agents.provider.prices import price_of, rates_of, row_of
from ifonly.agents.records import (
    AssistantMessage,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from ifonly.agents.wire import INVALID, UnfinishedReply, to_body

# litellm silences these two of pydantic when it is imported, which pytest undoes after that test.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Accessing the .* attribute on the instance is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),
]

SEARCH = ToolSpec(name="search", description="Finds.", parameters={"type": "object", "properties": {}})
KEY = "sk-verysecretkey0123456789abcdef"


def asked(model, content="?", **settings):
    tools = settings.pop("tools", ())
    return Request(model=model, messages=(UserMessage(content=content),), tools=tools, settings=settings)


def chunk(delta, finish=None, logprobs=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "srv", "choices": [choice]}


def logprob(token):
    return {
        "token": token,
        "logprob": -0.5,
        "bytes": None,
        "top_logprobs": [{"token": token, "logprob": -0.5, "bytes": None}],
    }


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


class Server:
    """Speaks chat completions; the model's name says how it behaves."""

    def __init__(self):
        self.bodies, self.keys, self.tries = [], [], Counter()
        self.base = ""

    async def answer(self, request):
        body = await request.json()
        model = body["model"]
        self.bodies.append(body)
        self.keys.append(request.headers.get("Authorization", ""))
        self.tries[model] += 1
        if model.startswith("error"):
            message = (
                f"refused {request.headers.get('Authorization')}: maximum context length"
                if model == "error400"
                else f"refused, key {KEY}"
            )
            return web.json_response({"error": {"message": message}}, status=int(model[5:]))
        if model == "flaky" and self.tries[model] == 1:
            return web.json_response({"error": {"message": "busy"}}, status=503)
        if model == "junk":
            return web.Response(text='{"choices": [', content_type="application/json")
        if model == "slow":
            await asyncio.sleep(5)
        if body.get("stream"):
            return await self.stream(request, body)
        call = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"q": '}}
        message = (
            {"role": "assistant", "content": None, "tool_calls": [call]}
            if body.get("tools")
            else {"role": "assistant", "content": "Hello"}
        )
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [logprob("He"), logprob("llo")]}
        usage = {} if model == "uncounted" else {"usage": USAGE}
        return web.json_response(
            {"id": "1", "object": "chat.completion", "created": 1, "model": "srv", "choices": [choice], **usage}
        )

    async def stream(self, request, body):
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)

        async def send(value):
            await response.write(f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode())

        for token in ("He", "llo"):
            await send(chunk({"role": "assistant", "content": token}, logprobs={"content": [logprob(token)]}))
        if body["model"] == "broken":
            request.transport.close()
            return response
        await send(chunk({}, "stop"))
        if body["model"] != "uncounted":
            await send({**chunk({}), "choices": [], "usage": USAGE})
        await send("[DONE]")
        return response


@pytest.fixture(scope="module")
def server():
    made, ready, loops = Server(), threading.Event(), []

    async def main():
        app = web.Application()
        app.router.add_post("/v1/chat/completions", made.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.base = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    ready.wait(10)
    yield made
    loops[0][0].call_soon_threadsafe(loops[0][1].set)
    thread.join()


@pytest.fixture
def provider(server):
    return Provider(Endpoint(api_base=server.base, retries=0, timeout=20))


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def litellm():
    with listen(lambda *_: None):  # loads it as we do
        import litellm  # noqa: PLC0415
    return litellm


def ask(provider, request):
    return complete_sync(provider, request)


def test_a_reply(provider, server):
    made = ask(provider, asked("a", seed=3, logprobs=True, top_logprobs=1, top_k=5))
    assert made.reply == AssistantMessage(content="Hello")
    assert (made.model, made.finish, made.cost) == ("srv", "stop", 0.0)
    assert (made.usage.input_tokens, made.usage.output_tokens) == (3, 2)
    assert [token.token for token in made.logprobs] == ["He", "llo"]
    assert made.logprobs[0].top == {"He": -0.5}
    assert 0 < made.seconds < 20
    assert made.first_token_seconds is None
    sent = server.bodies[-1]
    assert (sent["model"], sent["seed"], sent["top_k"], sent["logprobs"]) == ("a", 3, 5, True)
    # A server on this machine is never sent a key of the environment.
    assert server.keys[-1] == "Bearer none"


def test_a_streamed_reply(provider, server):
    made = ask(provider, asked("a", stream=True, logprobs=True))
    assert made.reply.content == "Hello"
    assert [part.text for part in made.stream] == ["He", "llo"]
    assert [token.token for token in made.logprobs] == ["He", "llo"]
    assert made.usage.output_tokens == 2
    assert 0 < made.first_token_seconds == made.stream[0].seconds <= made.seconds
    assert server.bodies[-1]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_server_does_not_count_is_not_known(provider, stream):
    made = ask(provider, asked("uncounted", stream=stream))
    assert (made.reply.content, made.usage, made.cost) == ("Hello", None, 0.0)


def test_a_conversation_with_broken_arguments_goes_on(provider, server):
    first = ask(provider, asked("a", tools=(SEARCH,)))
    (call,) = first.reply.tool_calls
    assert (call.name, call.arguments, call.id) == ("search", {INVALID: '{"q": '}, "c1")
    result = ToolMessage(tool_call_id="c1", name="search", content="", error="no JSON")
    messages = (UserMessage(content="?"), first.reply, result)
    ask(provider, Request(model="a", messages=messages, tools=(SEARCH,)))
    sent = server.bodies[-1]["messages"]
    assert sent[1]["tool_calls"][0]["function"]["arguments"] == '{"q": '
    assert sent[2] == {"role": "tool", "tool_call_id": "c1", "content": "no JSON"}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("error401", "no key that .* takes: refused"),
        ("error429", "refuses more for now"),
        ("error500", "failed: refused"),
        ("error400", "longer than its context"),
        ("error404", "does not know it"),
    ],
)
def test_refusals_are_told_without_secrets(server, model, told):
    provider = Provider(Endpoint(api_base=server.base, api_key=KEY, retries=0))
    with pytest.raises(ProviderError, match=told) as error:
        ask(provider, asked(model))
    assert not isinstance(error.value, UnfinishedReply)
    assert KEY not in f"{error.value}{error.value.__cause__}{provider.endpoint}"
    assert error.value.__suppress_context__


@pytest.mark.parametrize(
    ("model", "told"), [("junk", "no JSON"), ("broken", "model 'broken'"), ("slow", "within 0.3 s")]
)
def test_a_reply_that_did_not_come_whole_may_have_been_billed(server, model, told):
    provider = Provider(Endpoint(api_base=server.base, retries=0, timeout=0.3 if model == "slow" else 20))
    with pytest.raises(UnfinishedReply, match=told):
        ask(provider, asked(model, stream=model == "broken"))


def test_a_failure_that_passes_is_asked_again(server):
    server.tries["flaky"] = 0
    made = ask(Provider(Endpoint(api_base=server.base, retries=1)), asked("flaky"))
    assert (made.reply.content, server.tries["flaky"]) == ("Hello", 2)


def test_where_nobody_listens():
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1:9/v1 cannot be reached"):
        ask(Provider(Endpoint(api_base="http://127.0.0.1:9/v1", retries=0)), asked("a"))


def test_models_and_keys_that_are_missing():
    with pytest.raises(ProviderError, match="no such model; near: gpt-4o") as error:
        ask(Provider(), asked("gpt-4oo"))
    assert "gpt-4o" in error.value.near
    with pytest.raises(ProviderError, match="Set OPENAI_API_KEY"):
        ask(Provider(), asked("gpt-4o"))
    with pytest.raises(ProviderError, match="Set ANTHROPIC_API_KEY"):
        ask(Provider(Endpoint(retries=0)), asked("claude-3-haiku-20240307"))


def test_an_alias_names_the_model_that_is_asked(server):
    endpoint = Endpoint(api_base=server.base, aliases={"gpt-4o-2024-05-13": "openai/small"})
    ask(Provider(endpoint), asked("gpt-4o-2024-05-13"))
    assert server.bodies[-1]["model"] == "small"


@pytest.mark.parametrize("name", ["api_base", "api_key", "mock_response", "extra_headers", "callbacks", "fallbacks"])
def test_settings_do_not_steer_litellm(provider, server, name):
    before = len(server.bodies)
    with pytest.raises(ProviderError, match=f"the settings hold {name}"):
        ask(provider, asked("a", **{name: "http://elsewhere"}))
    assert len(server.bodies) == before


def test_tools_by_schema(provider, server):
    made = ask(provider, asked("a", tools=(SEARCH,), tool_mode="schema"))
    assert made.reply.content == "Hello"
    sent = server.bodies[-1]
    assert "tools" not in sent
    assert sent["response_format"]["json_schema"]["schema"]["anyOf"][0]["properties"]["tool"] == {"const": "search"}


def test_many_at_once_in_one_loop_and_many_loops(provider):
    async def main():
        return await asyncio.gather(*(provider.complete(asked("a", str(number))) for number in range(20)))

    for _ in range(3):
        assert {made.reply.content for made in asyncio.run(main())} == {"Hello"}


def test_a_sync_call_inside_a_loop_is_refused(provider):
    async def main():
        complete_sync(provider, asked("a"))

    with pytest.raises(ProviderError, match=r"await model\.complete"):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("base", "local"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:80", True),
        ("http://localhost.example.com/v1", False),
        ("https://api.openai.com/v1", False),
        (None, False),
    ],
)
def test_what_is_this_machine(base, local):
    assert Endpoint(api_base=base).loopback is local


def test_prices():
    """gpt-4o costs 2.5 and 10 dollars a million tokens, and writes 16,384 tokens at most."""
    request = asked("gpt-4o", "x" * 400, max_tokens=100)
    sent = len(json.dumps(to_body(request), separators=(",", ":"))) - len('"model":"gpt-4o",')
    price = Provider().price(request)
    assert price.bound_usd == pytest.approx((sent + 16) * 2.5e-6 + 100 * 1e-5)
    assert price.estimate_usd == pytest.approx(sent / 4 * 2.5e-6 + 100 * 1e-5)
    open_ended = Provider().price(asked("gpt-4o", "x" * 400))
    assert open_ended.bound_usd > 16384 * 1e-5
    assert Provider(Endpoint(aliases={"mine": "gpt-4o"})).price(
        asked("mine", "x" * 400, max_tokens=100)
    ).bound_usd == pytest.approx(price.bound_usd)
    assert Provider(Endpoint(api_base="http://127.0.0.1:1/v1")).price(request).bound_usd == 0
    assert Provider().price(asked("openai/nobody")) is None
    picture = [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]
    assert Provider().price(asked("gpt-4o", picture)) is None
    with pytest.raises(ProviderError, match="no such model"):
        Provider().price(asked("nobody"))


def test_prices_that_grow_with_the_prompt_count_in_full(litellm):
    row = {
        "input_cost_per_token": 1.0,
        "input_cost_per_token_above_200k_tokens": 2.0,
        "input_cost_per_token_priority": 9.0,
        "output_cost_per_token": 1.0,
        "output_cost_per_reasoning_token": 3.0,
        "max_output_tokens": 10,
    }
    body = to_body(asked("m", n=2))
    sent = len(json.dumps(body, separators=(",", ":"))) - len('"model":"m",')
    assert price_of(row, body).bound_usd == (sent + 16) * 2 + 2 * 10 * 3
    assert price_of(row, {**body, "service_tier": "priority"}).bound_usd > (sent + 16) * 9
    assert price_of({**row, "max_output_tokens": None}, body) is None
    assert row_of(litellm.model_cost, "openai/gpt-4o") == row_of(litellm.model_cost, "gpt-4o")
    assert row_of(litellm.model_cost, "anthropic/gpt-4o") is None
    usual = {"input_cost_per_token": 2, "output_cost_per_token": 3.0}
    assert rates_of(usual) == (2.0, None, 3.0)
    assert rates_of({**usual, "cache_read_input_token_cost": 0.5, "input_cost_per_token_above_200k_tokens": 9}) == (
        2.0,
        0.5,
        3.0,
    )
    assert rates_of({"input_cost_per_second": 1.0}) is None


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-3.5-turbo", "gpt-4o-mini"])
def test_a_bound_is_above_what_the_real_tokenizer_counts(litellm, model):
    """litellm counts the tokens of OpenAI's models itself; texts that make most tokens for their length are tried."""
    row = row_of(litellm.model_cost, model)
    for text in ("hello world " * 50, "\u2603\U0001f600" * 100, "".join(map(chr, range(33, 700))), "a\nb\t" * 99):
        body = to_body(asked(model, text, tools=(SEARCH,) * 5, max_tokens=1))
        count = litellm.token_counter(model=model, messages=body["messages"], tools=body["tools"])
        assert price_of(row, body).bound_usd >= count * row["input_cost_per_token"]


CALL = AssistantMessage(tool_calls=(ToolCall(name="search", arguments={"q": "x"}),))
SAY = AssistantMessage(content="Hello big world")
TRUTH = {"tool:search": 0.25, "say": 0.75}


def law(request):
    return [(CALL, 0.25), (SAY, 0.5), (AssistantMessage(content="Bye"), 0.25)]


def test_a_scripted_model_tells_its_law():
    with scripted("told", law) as model:
        for stream in (False, True):
            request = asked(model, tools=(SEARCH,), logprobs=True, top_logprobs=5, seed=1, stream=stream)
            found = option_law(request, ask(Provider(), request))
            assert found.table == pytest.approx(TRUTH)
        warm = asked(model, logprobs=True, seed=1, temperature=2.0)
        weights = [math.sqrt(p) for p in (0.25, 0.5, 0.25)]
        expected = {"tool:search": weights[0] / sum(weights), "say": sum(weights[1:]) / sum(weights)}
        assert option_law(warm, ask(Provider(), warm)).table == pytest.approx(expected)
        assert ask(Provider(), asked(model, seed=1)).logprobs is None


def test_a_scripted_model_is_drawn_from_its_law():
    """200 fixed seeds; chi-square of two degrees of freedom, above 23.03 once in 100,000 sets of seeds."""
    with scripted("drawn", law) as model:

        async def main():
            provider = Provider()
            return await asyncio.gather(*(provider.complete(asked(model, seed=seed)) for seed in range(200)))

        replies = [made.reply for made in asyncio.run(main())]
    count = Counter(reply.content for reply in replies)
    expected = {None: 50, "Hello big world": 100, "Bye": 50}
    assert sum((count[key] - n) ** 2 / n for key, n in expected.items()) < 23.03


def test_the_same_seed_gives_the_same_reply_however_it_is_told():
    with scripted("same", law) as model, scripted("other", law) as other:
        plain = [ask(Provider(), asked(model, seed=seed)).reply.content for seed in range(12)]
        assert [
            ask(Provider(), asked(model, seed=seed, stream=True, logprobs=True)).reply.content for seed in range(12)
        ] == plain
        assert [ask(Provider(), asked(model, "!", seed=seed)).reply.content for seed in range(12)] != plain
        assert [ask(Provider(), asked(other, seed=seed)).reply.content for seed in range(12)] != plain
        fresh = {ask(Provider(), asked(model)).reply.content for _ in range(30)}
        assert len(fresh) > 1


def test_a_greedy_scripted_model_takes_the_likeliest():
    with scripted("greedy", law) as model:
        assert {ask(Provider(), asked(model, temperature=0, seed=seed)).reply.content for seed in range(5)} == {
            "Hello big world"
        }


def test_a_law_depends_on_the_request():
    def echo(request):
        assert request.tools == (SEARCH,)
        assert request.settings["seed"] == 4
        return [(AssistantMessage(content=str(len(request.messages))), 1.0)]

    with scripted("echo", echo) as model:
        messages = (
            SystemMessage(content="s"),
            UserMessage(content="?"),
            CALL,
            ToolMessage(tool_call_id=None, name="search", content="y"),
        )
        request = Request(model=model, messages=messages, tools=(SEARCH,), settings={"seed": 4})
        assert ask(Provider(), request).reply.content == "4"


def test_a_scripted_model_ends_with_its_context(litellm):
    before = (list(litellm.custom_provider_map), list(litellm.provider_list), set(litellm.model_cost))
    with scripted("short", law, price_per_call=0.5) as model:
        with pytest.raises(ProviderError, match="there is one already"), scripted("short", law):
            pass
        assert Provider().price(asked(model)).bound_usd == 0.5
    assert (list(litellm.custom_provider_map), list(litellm.provider_list), set(litellm.model_cost)) == before
    with pytest.raises(ProviderError, match="no such model"):
        ask(Provider(), asked(model))


def test_a_law_that_is_none_is_refused():
    with scripted("wrong", lambda _: [(SAY, 0.5)]) as model, pytest.raises(ProviderError, match=r"sum to 0\.5"):
        ask(Provider(Endpoint(retries=0)), asked(model))


@pytest.mark.parametrize("stream", [False, True])
def test_a_budget_is_spent_through_litellm(stream):
    with scripted("paid", law, price_per_call=0.25) as model:
        provider, budget = Provider(), Budget(usd=1.0)
        metered = Metered(provider, budget, provider.price)
        for seed in range(4):
            made = ask(metered, asked(model, seed=seed, stream=stream, max_tokens=50))
            assert made.cost == pytest.approx(0.25)
        with pytest.raises(BudgetSpent):
            ask(metered, asked(model, seed=5))
        assert (budget.spent, budget.calls) == (pytest.approx(1.0), 4)
    with scripted("gift", law) as model, pytest.raises(BudgetSpent, match="price is not known"):
        ask(Metered(provider, Budget(usd=1.0), provider.price), asked(model))


USER = [{"role": "user", "content": "?"}]
OFFER = [
    {
        "type": "function",
        "function": {"name": "search", "description": "Finds.", "parameters": {"type": "object", "properties": {}}},
    }
]


@contextmanager
def hearing():
    heard = []
    with listen(lambda *call: heard.append(call)):
        yield heard


def test_a_sync_call_is_heard(litellm):
    before = time.time()
    with hearing() as heard:
        messages = list(USER)
        answer = litellm.completion(
            model="gpt-4o", messages=messages, mock_response="hi", temperature=0.5, seed=3, tools=OFFER
        )
        messages.append(answer.choices[0].message)  # what callers do next is no part of the request
    ((request, made, started, ended),) = heard
    assert request == asked("gpt-4o", tools=(SEARCH,), temperature=0.5, seed=3)
    assert made.reply == AssistantMessage(content="hi")
    assert made.finish == "stop"
    assert made.usage.output_tokens > 0
    assert made.cost == pytest.approx(made.usage.input_tokens * 2.5e-6 + made.usage.output_tokens * 1e-5)
    assert before <= started <= ended <= time.time()
    assert made.seconds == pytest.approx(ended - started, abs=1e-3)


def consume(stream):
    return "".join(piece.choices[0].delta.content or "" for piece in stream)


async def aconsume(stream):
    return "".join([piece.choices[0].delta.content or "" async for piece in stream])


def test_a_sync_stream_is_heard(litellm):
    with hearing() as heard:
        consume(litellm.completion(model="gpt-4o", messages=USER, mock_response="hi there you", stream=True))
    ((request, made, _, _),) = heard
    assert (request.settings, made.reply.content) == ({"stream": True}, "hi there you")
    assert 0 <= made.first_token_seconds <= made.seconds


def test_async_calls_are_heard_around_a_loop_and_inside_one(litellm):
    async def call(**settings):
        made = await litellm.acompletion(model="gpt-4o", messages=USER, mock_response="hi there", **settings)
        if settings.get("stream"):
            await aconsume(made)

    async def inside(heard, **settings):
        async with listen(lambda *call: heard.append(call)):
            await call(**settings)

    for settings in ({}, {"stream": True}):
        for number in range(5):
            with hearing() as heard:
                asyncio.run(call(seed=number, **settings))
            within = []
            asyncio.run(inside(within, seed=number, **settings))
            for one in (heard, within):
                ((request, made, _, _),) = one
                assert (request.settings, made.reply.content) == ({"seed": number, **settings}, "hi there")


def test_a_plain_with_in_a_coroutine_says_what_it_cannot_hear(litellm):
    async def main():
        with hearing() as heard:
            await litellm.acompletion(model="gpt-4o", messages=USER, mock_response="hi")
        assert len(heard) == 1
        with hearing():
            await aconsume(await litellm.acompletion(model="gpt-4o", messages=USER, mock_response="hi", stream=True))

    with pytest.raises(ProviderError, match="async with"):
        asyncio.run(main())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("sync", [False, True])
def test_calls_to_a_server_are_heard(litellm, server, sync, stream):
    given = {
        "model": "openai/a",
        "messages": USER,
        "api_base": server.base,
        "api_key": KEY,
        "stream": stream,
        "top_k": 3,
    }

    async def main():
        made = await litellm.acompletion(**given)
        if stream:
            await aconsume(made)
        await litellm.close_litellm_async_clients()

    with hearing() as heard:
        if sync:
            made = litellm.completion(**given)
            assert not stream or consume(made) == "Hello"
        else:
            asyncio.run(main())
    ((request, made, _, _),) = heard
    assert request.model == "openai/a"
    assert request.settings == {"top_k": 3, **({"stream": True} if stream else {})}
    assert (made.reply.content, made.usage.output_tokens, made.cost) == ("Hello", 2, None)
    assert KEY not in repr(heard)


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("retries", [0, 1])
def test_failures_are_heard_once_without_secrets(litellm, server, sync, retries):
    given = {
        "model": "openai/error401",
        "messages": USER,
        "api_base": server.base,
        "api_key": KEY,
        "max_retries": retries,
    }

    async def main():
        try:
            await litellm.acompletion(**given)
        finally:
            await litellm.close_litellm_async_clients()

    with hearing() as heard, pytest.raises(litellm.AuthenticationError):
        litellm.completion(**given) if sync else asyncio.run(main())
    ((request, error, started, ended),) = heard
    assert isinstance(error, ProviderError)
    assert "Set OPENAI_API_KEY" in str(error)
    assert request.messages == (UserMessage(content="?"),)
    assert started <= ended
    assert KEY not in str(error)


def test_a_call_that_never_left_is_heard(litellm):
    with hearing() as heard, pytest.raises(litellm.BadRequestError):
        litellm.completion(model="nobody", messages=USER)
    ((request, error, _, _),) = heard
    assert (request.model, isinstance(error, ProviderError)) == ("nobody", True)


def test_a_sync_call_that_litellm_repeats_is_heard_by_its_end(litellm, server):
    server.tries["flaky"] = 0
    with hearing() as heard:
        given = {"messages": USER, "api_base": server.base, "api_key": KEY, "num_retries": 1}
        litellm.completion(model="openai/flaky", **given)
    ((_, made, _, _),) = heard
    assert made.reply.content == "Hello"


def test_an_async_call_that_litellm_repeats_is_never_told_wrong(litellm):
    """litellm reports the first failure of an async call it repeats, and not its end: we say that we do not know."""
    pytest.importorskip("tenacity")
    tries = []

    def failing_once(_request):
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("busy")
        return [(SAY, 1.0)]

    with scripted("once", failing_once) as model, hearing() as heard:
        made = asyncio.run(litellm.acompletion(model=model, messages=USER, num_retries=1))
    assert made.choices[0].message.content == "Hello big world"
    ((_, error, _, _),) = heard
    assert isinstance(error, UnfinishedReply)
    assert "sent again by litellm" in str(error)


def test_a_stream_that_nobody_reads_is_told_at_the_end(litellm):
    heard = []
    with listen(lambda *call: heard.append(call), patience=0.05):
        stream = litellm.completion(model="gpt-4o", messages=USER, mock_response="hi there", stream=True)
        next(stream)
    ((_, error, _, _),) = heard
    assert isinstance(error, UnfinishedReply)
    assert "not read to its end" in str(error)


def test_fifty_threads_are_heard(litellm):
    def work(number):
        for turn in range(3):
            name = f"{number}/{turn}"
            litellm.completion(model="gpt-4o", messages=[{"role": "user", "content": name}], mock_response=f"re {name}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    with hearing() as heard:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert Counter(request.messages[0].content for request, _, _, _ in heard) == Counter(
        f"{n}/{t}" for n in range(50) for t in range(3)
    )
    assert all(made.reply.content == f"re {request.messages[0].content}" for request, made, _, _ in heard)


def test_two_may_listen_and_each_stops_at_its_end(litellm):
    lists = (
        "callbacks",
        "input_callback",
        "success_callback",
        "failure_callback",
        "_async_success_callback",
        "_async_failure_callback",
    )
    before = {name: list(getattr(litellm, name)) for name in lists}
    with hearing() as outer:
        with hearing() as inner:
            litellm.completion(model="gpt-4o", messages=USER, mock_response="1")
        litellm.completion(model="gpt-4o", messages=USER, mock_response="2")
    litellm.completion(model="gpt-4o", messages=USER, mock_response="3")
    assert [made.reply.content for _, made, _, _ in outer] == ["1", "2"]
    assert [made.reply.content for _, made, _, _ in inner] == ["1"]
    assert {name: list(getattr(litellm, name)) for name in lists} == before


def test_what_a_callback_raises_is_raised_at_the_end(litellm):
    def broken(*_):
        raise ValueError("broken callback")

    with pytest.raises(ValueError, match="broken callback"), listen(broken):
        litellm.completion(model="gpt-4o", messages=USER, mock_response="x")
    with pytest.raises(litellm.BadRequestError), listen(broken):
        litellm.completion(model="nobody", messages=USER)


def test_our_own_calls_are_heard_as_they_were_asked(provider):
    with hearing() as heard, scripted("heard", law) as model:
        requests = [asked(model, tools=(SEARCH,), seed=seed, stream=bool(seed % 2)) for seed in range(6)]
        made = [ask(Provider(), request) for request in requests]
    assert len(heard) == 6
    for request, one, (told, other, _, _) in zip(requests, made, heard, strict=True):
        settings = {key: value for key, value in request.settings.items() if value is not False}
        assert (told.model, told.tools, told.settings) == (request.model, request.tools, settings)
        assert isinstance(other, Completion)
        assert option_of(other.reply) == option_of(one.reply)
        assert other.reply.content == one.reply.content


def test_loops_end_without_warnings(provider, caplog):
    """litellm complains on its logger when it carries reports from one event loop to the next."""
    caplog.set_level(logging.WARNING)
    with hearing():
        for number in range(3):
            ask(provider, asked("a", str(number)))
    assert not caplog.records
