"""Samples replies token by token, under prior or abducted noise."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.completion import Completion
from ifonly.agents.errors import ProviderError, UnknownName
from ifonly.agents.records import AssistantMessage, TokenLogprob, Usage
from ifonly.scm.draw import Draw
from ifonly.scm.race import Noise, abduct, prior, winner
from ifonly.sim.tokens.laws import STEPS, Laws
from ifonly.sim.tokens.recorded import NotAbducted, written
from ifonly.sim.tokens.requests import asked_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.agents.local.tokens import NextToken
    from ifonly.agents.records import ModelStep, Request
    from ifonly.scm.gumbel import Floats
    from ifonly.sim.tokens.laws import Listing
    from ifonly.sim.tokens.requests import Asked

__all__ = ["TokenModel", "TokenSampler"]


@dataclass(frozen=True, slots=True)
class _Facts:
    """A recorded reply, ready to be abducted: its tokens, the one that ended it included, and their laws."""

    ids: tuple[int, ...]
    listings: tuple[Listing, ...]


class TokenSampler:
    """Samples replies of models whose laws can be read, with noise that can be abducted.

    Args:
        models: by the name that requests use; a prefix such as ``openai/`` counts for nothing. A reply recorded from
            one may be continued by another if they share their vocabulary.
        steps: how many of the likeliest tokens are asked for, one after the other; ends with None.

    Attributes:
        chosen: tokens chosen so far.
        settled: those of them that the first list settled.
    """

    def __init__(self, models: Mapping[str, NextToken], steps: Sequence[int | None] = STEPS) -> None:
        self.chosen = self.settled = 0
        self._laws = {name: Laws(model, steps) for name, model in models.items()}
        # A server keeps one conversation evaluated: replies side by side would each evaluate all of their own again.
        self._turn = asyncio.Lock()

    async def reply(self, request: Request, *, site: str, seed: int, factual: ModelStep | None = None) -> Completion:
        """The reply to a request under the noise of a site.

        Args:
            request: what is asked; its own seed plays no part.
            site: the name of the step.
            seed: of the noise; given a factual reply, each seed is a draw from the posterior.
            factual: what was asked and replied in fact; None for noise from its prior.

        Raises:
            UnknownName: no model here has the request's name.
            ProviderError: the model cannot be reached, or the request's reply is not drawn by single tokens.
            NotAbducted: the factual reply is none that its model can have drawn.
        """
        start = time.monotonic()
        laws = self._laws_of(request)
        asked, told = await asked_of(request, laws.model), await laws.model.facts()
        async with self._turn:
            facts = _Facts((), ()) if factual is None else await self._facts(factual, laws)
            ids, listings = await self._generate(laws, asked, Draw(seed), site, facts)
        ended = bool(ids) and ids[-1] in told.ends
        text = b"".join(laws.model.pieces[token] for token in ids)
        return Completion(
            reply=AssistantMessage(content=text.decode(errors="replace")),
            model=told.model,
            usage=Usage(input_tokens=len(asked.prompt), output_tokens=len(ids)),
            seconds=time.monotonic() - start,
            logprobs=tuple(
                _logprob(laws.model, token, listing, asked.alternatives)
                for token, listing in zip(ids, listings, strict=True)
            ),
            finish="stop" if ended else "length",
        )

    async def _generate(
        self, laws: Laws, asked: Asked, draw: Draw, site: str, facts: _Facts
    ) -> tuple[tuple[int, ...], list[Listing]]:
        told = await laws.model.facts()
        ids: tuple[int, ...] = ()
        listings: list[Listing] = []
        while len(ids) < asked.limit and not (ids and ids[-1] in told.ends):
            drawn = prior(draw, f"{site}/token/{len(ids)}", told.vocabulary)
            token, listing = await self._choose(laws, asked, ids, drawn, facts)
            ids, listings = (*ids, token), [*listings, listing]
        return ids, listings

    async def _choose(
        self, laws: Laws, asked: Asked, ids: tuple[int, ...], drawn: Floats, facts: _Facts
    ) -> tuple[int, Listing]:
        """The next token; its law, and then that of the recorded token, are read on until they settle it."""
        listing = first = await laws.read(asked.prompt + ids, asked.shaping)
        recorded = next(iter(facts.listings[len(ids) :]), None)
        while True:
            noise = Noise(drawn, drawn)
            if recorded is not None:
                noise = abduct(drawn, recorded.law, facts.ids[len(ids)])
            if (token := winner(noise, listing.law)) is not None:
                break
            if recorded is not None and listing.last:
                recorded = await recorded.longer()
            else:
                listing = await listing.longer()
        self.chosen += 1
        self.settled += listing is first
        return token, listing

    async def _facts(self, step: ModelStep, changed: Laws) -> _Facts:
        """The recorded reply with the laws at all of its positions, read in their order, which costs least."""
        laws = self._laws_of(step.request)
        told, place = await laws.model.facts(), f"the recorded reply at {step.site}"
        if told.vocabulary != (await changed.model.facts()).vocabulary:
            found = "its model has another vocabulary than the one that is asked now"
            raise NotAbducted(place, found, "Take fresh noise there.")
        asked = await asked_of(step.request, laws.model)
        reply = await written(step, asked, laws.model)
        ids: tuple[int, ...] = ()
        listings: list[Listing] = []
        for wanted in (*(frozenset([token]) for token in reply.ids), *([told.ends] * reply.ended)):
            listing = await laws.read(asked.prompt + ids, asked.shaping)
            while (token := _likeliest(listing, wanted)) is None and not listing.last:
                listing = await listing.longer()
            if token is None:
                found = f"{told.model} cannot have drawn its token {len(ids)} so: the sampling parameters cut it off"
                raise NotAbducted(place, found, "Name the parameters it was sampled with, or take fresh noise there.")
            ids, listings = (*ids, token), [*listings, listing]
        return _Facts(ids, tuple(listings))

    def _laws_of(self, request: Request) -> Laws:
        name = request.model if request.model in self._laws else request.model.rpartition("/")[2]
        if name not in self._laws:
            raise UnknownName("model whose laws can be read", request.model, self._laws)
        return self._laws[name]


class TokenModel:
    """One site's replies as a `ChatModel`; the seed of a request is that of the noise.

    Args:
        sampler: where replies come from.
        site: the name of the step.
        factual: what was asked and replied in fact; None for noise from its prior.
    """

    def __init__(self, sampler: TokenSampler, site: str, factual: ModelStep | None = None) -> None:
        self.sampler, self.site, self.factual = sampler, site, factual

    async def complete(self, request: Request) -> Completion:
        """The reply under the noise of the site.

        Raises:
            IfonlyError: as `TokenSampler.reply` says; or the request has no seed.
        """
        seed = request.settings.get("seed")
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise ProviderError(
                f"a reply at {self.site}", "the request has no seed", "Put an integer into its settings."
            )
        return await self.sampler.reply(request, site=self.site, seed=seed, factual=self.factual)


def _likeliest(listing: Listing, wanted: frozenset[int]) -> int | None:
    """The likeliest of the tokens wanted that the sampler can draw."""
    return next((int(token) for token in listing.law.ids if int(token) in wanted), None)


def _logprob(model: NextToken, token: int, listing: Listing, alternatives: int) -> TokenLogprob:
    """A token's log-probability under the model, as OpenAI's API reports it: temperature 1, nothing cut off."""
    place = int(np.flatnonzero(listing.ids == token)[0])
    others = zip(listing.ids[:alternatives], listing.log_p[:alternatives], strict=True)
    return TokenLogprob(
        token=_shown(model, token),
        logprob=min(float(listing.log_p[place]), 0.0),
        top={_shown(model, int(other)): min(float(log_p), 0.0) for other, log_p in others},
    )


def _shown(model: NextToken, token: int) -> str:
    return model.pieces[token].decode(errors="replace")
