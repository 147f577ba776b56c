"""Live replies under the noise of every recorded token, for models that are served here."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from ifonly.agents.local.tokens import NextToken
from ifonly.sim.live import equipped, seeded
from ifonly.sim.tokens.sampler import TokenSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ifonly.agents.completion import Completion
    from ifonly.agents.records import ModelStep, Request
    from ifonly.sim.live import Counted, Noise

__all__ = ["TokenReplies"]


@dataclass
class TokenReplies:
    """Replies whose every token keeps the noise that the recorded token shows; see `ifonly.sim.live.Replies`.

    Args:
        url: where a model is served whose whole law of the next token can be read.
        counted: counts the replies.
        seed: of all draws.
        settings: sampling settings where the recorded request names none.
    """

    url: Callable[[str], str]
    counted: Counted
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    noise: Noise = "token"
    assumption: str = (
        "Gumbel-max: each token's choice keeps the noise that the recorded token at its place shows (one of many SCMs "
        "with these token probabilities; arXiv 2409.17027)."
    )
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _models: dict[str, NextToken] = field(default_factory=dict)
    _sampler: TokenSampler | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __aenter__(self) -> Self:
        """Nothing is opened yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the sessions."""
        self._models.clear()
        self._sampler = None
        await self._stack.aclose()

    async def reply(self, request: Request, *, site: str, particle: str, factual: ModelStep | None) -> Completion:
        """See `ifonly.sim.live.Replies`.

        Raises:
            IfonlyError: as `TokenSampler.reply` says.
        """
        sampler = await self._open({request.model, *({factual.request.model} if factual else ())})
        asked = equipped(request, (), self.settings)
        completion = await sampler.reply(
            asked, site=site, seed=seeded(self.seed, f"{particle}/{site}"), factual=factual
        )
        completion = completion.model_copy(update={"cost": 0.0})
        self.counted.note(completion)
        return completion

    async def _open(self, names: set[str]) -> TokenSampler:
        """A sampler for these models; what it has read is kept as long as no model is added."""
        async with self._opening:
            for name in names - self._models.keys():
                self._models[name] = await self._stack.enter_async_context(NextToken(self.url(name)))
                self._sampler = None
            self._sampler = self._sampler or TokenSampler(self._models)
            return self._sampler
