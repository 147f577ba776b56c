"""A scripted model: every probability is known, and its noise is a race between options.

`ScriptedModel` answers requests by a law that is written down. The choice among replies is Gumbel-max, as an
exponential race with noise keyed by the request's seed, the number of the step and the reply, so that equal seeds share
their noise under whatever law: the counterfactual of any of its runs is known exactly, not only in law.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log

from ifonly.agents.completion import Completion
from ifonly.agents.optionlaw import option_of, option_token
from ifonly.agents.records import AssistantMessage, Request, Usage
from ifonly.scm.draw import Draw

__all__ = ["Law", "ScriptedModel"]

Law = Callable[[Request], Sequence[tuple[AssistantMessage, float]]]
"""The replies to a request with their probabilities."""


@dataclass
class ScriptedModel:
    """A model whose replies follow a law.

    Args:
        law: its replies with their probabilities.
        tells: whether it gives log-probabilities, from which the law of its choice can be read.
        cost: of a call, in US dollars.
        asked: every request so far, in order.
    """

    law: Law
    tells: bool = False
    cost: float = 0.01
    asked: list[Request] = field(default_factory=list)

    async def complete(self, request: Request) -> Completion:
        """See `ifonly.agents.completion.ChatModel`. The request must carry a seed."""
        self.asked.append(request)
        replies = [(reply, p) for reply, p in self.law(request) if p > 0]
        law: dict[str, float] = {}
        for reply, p in replies:
            law[option_of(reply)] = law.get(option_of(reply), 0.0) + p
        draw, step = Draw(int(str(request.settings["seed"]))), step_of(request)
        allowed = [(reply, p) for reply, p in replies if _allows(request, option_of(reply))]
        reply = min(allowed, key=lambda one: arrival(draw, f"{step}/{option_of(one[0])}/{one[0].content}", one[1]))[0]
        return Completion(
            reply=reply,
            usage=Usage(input_tokens=10, output_tokens=2),
            cost=self.cost,
            seconds=0.1,
            logprobs=(option_token(law, option_of(reply)),) if self.tells else None,
        )


def step_of(request: Request) -> str:
    """The name of the step that a request is for: how many replies came before."""
    return f"step/{sum(message.role == 'assistant' for message in request.messages)}"


def arrival(draw: Draw, name: str, p: float) -> float:
    """E / p with E ~ Exp(1) keyed by name: the least of these wins the race."""
    return -log(float(draw.uniform(name))) / p


def _allows(request: Request, option: str) -> bool:
    """Whether the request's `tool_choice` leaves an option."""
    match request.settings.get("tool_choice"):
        case {"function": {"name": str(name)}}:
            return option == f"tool:{name}"
        case "none":
            return option == "say"
    return True
