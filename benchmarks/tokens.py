"""Counterfactual replies token by token with the local model: 50 short prompts, each asked again with a small edit.

    python benchmarks/tokens.py [--prompts N] [--tokens N] [--json]

A reply is drawn by the server's own sampler. `same`: the share of replies that the unchanged request gives again,
under abducted noise. `likeness`: of the reply to the edited request and the recorded one (difflib's ratio), under
abducted noise and drawn independently; beside it that of two independent replies to the unedited request. `opening`:
the share of the recorded text up to the first difference. `settled`: the share of tokens that the first list of
likeliest tokens settled. One thread; needs the engine and the weights.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from statistics import fmean
from typing import TYPE_CHECKING

import aiohttp

from ifonly.agents.errors import ToolEnvironmentError
from ifonly.agents.local.server import endpoint
from ifonly.agents.local.tokens import NextToken
from ifonly.agents.records import ModelStep, Request, UserMessage
from ifonly.agents.wire import completion_of, to_body
from ifonly.sim.tokens import TokenSampler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.completion import Completion

SUBJECTS = (
    *("the sea", "the sky", "a good friend", "bread", "the moon", "a long train ride", "snow", "a city at night"),
    *("music", "an old house", "the desert", "coffee", "a library", "the wind", "a busy market", "chess", "a river"),
    *("the colour red", "a small garden", "winter", "a lighthouse", "mathematics", "a lost key", "rain", "a bridge"),
)
FORMS = ("Write one sentence about {}.", "What should I know about {}?")
PROMPTS = [form.format(subject) for subject in SUBJECTS for form in FORMS]
SAMPLERS: dict[str, dict[str, float]] = {
    "server's own": {},
    "temperature 1": {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0},
}
FIRST_LISTS = (1024, 4096, 16384)


def edited(prompt: str, number: int) -> str:
    """A small edit, one of three in turn."""
    edits = (f"Please {prompt[0].lower()}{prompt[1:]}", prompt[:-1], f"{prompt} Keep it short.")
    return edits[number % len(edits)]


@dataclass
class Asker:
    """Asks the model: by its server's sampler, and token by token."""

    url: str
    session: aiohttp.ClientSession
    model: NextToken
    sampler: TokenSampler

    async def served(self, request: Request) -> Completion:
        """A reply by the server's own sampler."""
        async with self.session.post(f"{self.url}/chat/completions", json=to_body(request)) as response:
            return completion_of(await response.json(), request)


def opening(one: Completion, other: Completion) -> float:
    """The share of the first text that opens the other too."""
    first, second = str(one.reply.content), str(other.reply.content)
    equal = takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return sum(1 for _ in equal) / max(len(first), 1)


def likeness(one: Completion, other: Completion) -> float:
    return SequenceMatcher(None, str(one.reply.content), str(other.reply.content), autojunk=False).ratio()


async def compare(asker: Asker, prompts: Sequence[str], tokens: int, sampler: dict[str, float]) -> dict[str, object]:
    """The figures of one sampler."""
    rows, spent = [], {"unchanged": 0.0, "changed": 0.0}
    calls, drawn = asker.model.calls, asker.sampler.chosen
    settled = asker.sampler.settled
    for number, prompt in enumerate(prompts):
        site, settings = f"agent/{number}", {"max_tokens": tokens, "logprobs": True, **sampler}
        asked, changed = (
            Request(model="smollm2", messages=(UserMessage(content=text),), settings=settings)
            for text in (prompt, edited(prompt, number))
        )
        seeded = [asked.model_copy(update={"settings": settings | {"seed": seed}}) for seed in (number, number + 1000)]
        recorded, other = [await asker.served(request) for request in seeded]
        factual = ModelStep(site=site, request=asked, reply=recorded.reply, logprobs=recorded.logprobs)
        start = time.perf_counter()
        again = await asker.sampler.reply(asked, site=site, seed=number, factual=factual)
        spent["unchanged"] += time.perf_counter() - start
        start = time.perf_counter()
        kept = await asker.sampler.reply(changed, site=site, seed=number, factual=factual)
        spent["changed"] += time.perf_counter() - start
        fresh = await asker.sampler.reply(changed, site=site, seed=number + 1000)
        rows.append((recorded, again, kept, fresh, other))
    drawn = asker.sampler.chosen - drawn
    return {
        "prompts": len(rows),
        "same": fmean(again.reply == recorded.reply for recorded, again, *_ in rows),
        "likeness_abducted": fmean(likeness(recorded, kept) for recorded, _, kept, _, _ in rows),
        "likeness_independent": fmean(likeness(recorded, fresh) for recorded, _, _, fresh, _ in rows),
        "likeness_unedited": fmean(likeness(recorded, other) for recorded, _, _, _, other in rows),
        "opening_abducted": fmean(opening(recorded, kept) for recorded, _, kept, _, _ in rows),
        "opening_independent": fmean(opening(recorded, fresh) for recorded, _, _, fresh, _ in rows),
        "equal_abducted": fmean(kept.reply == recorded.reply for recorded, _, kept, _, _ in rows),
        "equal_independent": fmean(fresh.reply == recorded.reply for recorded, _, _, fresh, _ in rows),
        "laws_read": asker.model.calls - calls,
        "tokens": drawn,
        "settled": (asker.sampler.settled - settled) / drawn,
        "seconds_unchanged": spent["unchanged"] / len(rows),
        "seconds_changed": spent["changed"] / len(rows),
    }


async def first_lists(url: str, prompts: Sequence[str], tokens: int) -> dict[int, dict[str, float]]:
    """How far the first list of a law that nothing cuts off should reach: settled share, milliseconds a token."""
    found = {}
    for top in FIRST_LISTS:
        async with NextToken(url) as model:
            await model.facts()
            sampler, start = TokenSampler({"smollm2": model}, (64, top, None)), time.perf_counter()
            for number, prompt in enumerate(prompts):
                settings = {"max_tokens": tokens, **SAMPLERS["temperature 1"]}
                request = Request(model="smollm2", messages=(UserMessage(content=prompt),), settings=settings)
                await sampler.reply(request, site=f"agent/{number}", seed=number)
            milliseconds = 1000 * (time.perf_counter() - start) / sampler.chosen
            found[top] = {"settled": sampler.settled / sampler.chosen, "milliseconds_a_token": milliseconds}
    return found


async def measure(url: str, count: int, tokens: int) -> dict[str, object]:
    start = time.perf_counter()
    async with NextToken(url) as model, aiohttp.ClientSession() as session:
        await model.facts()
        asker = Asker(url, session, model, TokenSampler({"smollm2": model}))
        # Whole laws cost several times more: fewer prompts.
        shares = {name: PROMPTS[:count] if not sampler else PROMPTS[: count // 6] for name, sampler in SAMPLERS.items()}
        samplers = {name: await compare(asker, shares[name], tokens, SAMPLERS[name]) for name in SAMPLERS}
    lists = await first_lists(url, PROMPTS[:2], tokens)
    return {"samplers": samplers, "first_lists": lists, "seconds": time.perf_counter() - start}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        with endpoint() as url:
            figures = asyncio.run(measure(url, min(arguments.prompts, len(PROMPTS)), arguments.tokens))
    except ToolEnvironmentError as error:
        print(f"skipped: {error}")
        return
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    samplers = figures["samplers"]
    print(f"{'':22}" + "".join(f"{name:>17}" for name in samplers))
    for row in next(iter(samplers.values())):
        print(f"{row:22}" + "".join(f"{found[row]:17.3f}" for found in samplers.values()))
    print("\nfirst list, temperature 1, nothing cut off")
    for top, found in figures["first_lists"].items():
        print(f"{top:8,}: settled {found['settled']:.3f}, {found['milliseconds_a_token']:.0f} ms a token")
    print(f"\n{figures['seconds']:.0f} seconds in all")


if __name__ == "__main__":
    main()
