"""Abduction of a step's choice among options, and its counterfactual under another request.

A model step chooses an option (which tool to call, or to say something) and then words it. The choice is Gumbel-max:
as an exponential race, Y = argmin over k of E_k / p_k with E_k ~ Exp(1). Given the recorded option i,

    T ~ Exp(1),   E_i = p_i T,   E_j = p_j T + E'_j,   E'_j ~ Exp(1)                                  (top-down)

and under the changed request the same E choose argmin over k of E_k / q_k (Maddison et al. 2014, "A* sampling";
Oberst and Sontag 2019, "Counterfactual off-policy evaluation with Gumbel-max SCMs", sec. 3). All exponentials are keyed
by particle, site and the option's name. Other couplings of the same laws are `inverse-cdf`, one uniform that drives
both choices through their distribution functions (options in the order of their names), and `independent`. p and q come
from log-probabilities where the model gives them, else from asking several times. The wording within an option takes
fresh noise.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from math import fsum, inf, log
from typing import TYPE_CHECKING, Any

from ifonly.agents.canonical import request_key
from ifonly.agents.completion import Completion
from ifonly.agents.errors import ProviderError
from ifonly.agents.optionlaw import forced, from_counts, option_law, option_of
from ifonly.scm.draw import Draw
from ifonly.sim.live import Plain, equipped, seeded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.completion import ChatModel
    from ifonly.agents.records import AssistantMessage, ModelStep, Request, ToolSpec
    from ifonly.scm.contamination import Coupling
    from ifonly.sim.live import Noise

__all__ = ["Choice", "chosen"]

_TRIES = 24
"""Asks for a reply that takes a given option, before giving up."""


def chosen(
    draw: Draw,
    name: str,
    q: Mapping[str, float],
    p: Mapping[str, float] | None,
    factual: str | None,
    coupling: Coupling = "gumbel-max",
) -> str:
    """The option that the abducted noise chooses.

    Args:
        draw: source of the noise.
        name: of the noise: particle and site.
        q: probabilities of the options under the changed request.
        p: those under the recorded request; None where there is no recording here: the noise keeps its prior.
        factual: the recorded option, with p > 0.
        coupling: of the noise in both worlds.
    """
    if coupling == "independent":
        p = None
    if coupling == "inverse-cdf":
        return _cut(float(draw.uniform(f"{name}#uniform")), q, p, factual)
    fresh = {option: -log(float(draw.uniform(f"{name}/{option}"))) for option in {*q, *(p or ())}}
    if p is None or factual is None:
        race = fresh
    else:
        time = -log(float(draw.uniform(f"{name}#time")))
        race = {k: p.get(k, 0.0) * time + (0.0 if k == factual else fresh[k]) for k in fresh}
    return min(sorted(q), key=lambda option: race[option] / q[option] if q[option] > 0 else inf)


def _cut(u: float, q: Mapping[str, float], p: Mapping[str, float] | None, factual: str | None) -> str:
    """The option of q at the uniform, which lies within the recorded option's share of p where there is one."""
    if p is not None and factual is not None:
        names = sorted(p)
        before = fsum(p[name] for name in names[: names.index(factual)])
        u = (before + u * p[factual]) / fsum(p.values())
    reached, total = 0.0, fsum(q.values())
    for option in sorted(q):
        reached += q[option] / total
        if u < reached:
            return option
    return max(option for option in q if q[option] > 0)


@dataclass
class Choice(Plain):
    """Replies whose option takes the abducted noise of the recorded choice.

    Args:
        model: whom to ask.
        seed: of all draws.
        asks: how often a request is asked where the model tells no log-probabilities.
        settings: sampling settings where the recorded request names none.
        tools: those of the environment, where the log does not say what was offered.
        coupling: of a choice's noise with the recorded one.
    """

    model: ChatModel
    seed: int = 0
    asks: int = 8
    settings: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[ToolSpec, ...] = ()
    noise: Noise = "choice"
    coupling: Coupling = "gumbel-max"
    _asked: dict[tuple[str, int], asyncio.Task[Completion]] = field(default_factory=dict)

    @property
    def assumption(self) -> str:
        """See `ifonly.sim.live.Replies`."""
        named = "Gumbel-max" if self.coupling == "gumbel-max" else self.coupling
        return (
            f"{named}: a step's choice among options keeps the noise that the recorded choice shows (one of many SCMs "
            "with these option probabilities); the wording within an option is drawn anew."
        )

    async def reply(self, request: Request, *, site: str, particle: str, factual: ModelStep | None) -> Completion:
        """See `ifonly.sim.live.Replies`."""
        name = f"{particle}/{site}"
        first, q = await self._law(request, name)
        p = None if factual is None else await self._factual(factual)
        recorded = None if factual is None else option_of(factual.reply, factual.request)
        option = chosen(Draw(self.seed), name, q, p, recorded, self.coupling)
        if option_of(first.reply, request) == option:
            return first
        return await self._with(request, option, name)

    async def _law(self, request: Request, name: str) -> tuple[Completion, dict[str, float]]:
        """A reply to the request, and the probabilities of its options."""
        first = await self._ask(request, f"{name}/0")
        law = option_law(request, first)
        if law is not None:
            return first, law.table
        return first, await self._counted(request, first.reply)

    async def _factual(self, step: ModelStep) -> dict[str, float]:
        """The probabilities under the recorded request, in which the recorded option is possible.

        Raises:
            ProviderError: it has no probability.
        """
        law = option_law(step.request, Completion(reply=step.reply, logprobs=step.logprobs))
        if law is None:
            law = option_law(step.request, await self._shared(step.request, 0))
        table = await self._counted(step.request, step.reply) if law is None else law.table
        recorded = option_of(step.reply, step.request)
        if table.get(recorded, 0.0) <= 0:
            found = f"the model gives the recorded option {recorded!r} no probability"
            raise ProviderError(f"abduction at {step.site}", found, "Ask with --noise fresh, or the recorded model.")
        return table

    async def _counted(self, request: Request, known: AssistantMessage) -> dict[str, float]:
        """Shares of options among a known reply and several asks, for a model that tells no log-probabilities."""
        others = [await self._shared(request, number) for number in range(self.asks)]
        law = from_counts([known, *(other.reply for other in others)], request)
        return law.table

    async def _with(self, request: Request, option: str, name: str) -> Completion:
        """A reply that takes the option: forced where the model can be, else the first that does.

        Raises:
            ProviderError: the model keeps giving others.
        """
        narrowed = forced(request, option) or request
        for number in range(1, _TRIES):
            completion = await self._ask(narrowed, f"{name}/{number}")
            if option_of(completion.reply, request) == option:
                return completion
        found = f"none of {_TRIES} replies was {option!r}, which the noise chooses"
        raise ProviderError(f"a reply of {request.model}", found, "Ask with --noise fresh.")

    async def _shared(self, request: Request, number: int) -> Completion:
        """The reply of this number to a request, asked once for all particles."""
        key = (request_key(request), number)
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(self._ask(request, f"{key[0]}/{number}"))
        return await asyncio.shield(self._asked[key])

    async def _ask(self, request: Request, name: str) -> Completion:
        settings = {"logprobs": True, "top_logprobs": 20, **self.settings, "seed": seeded(self.seed, name)}
        return await self.model.complete(equipped(request, self.tools, settings))
