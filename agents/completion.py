"""What a live model call gives back, and the Protocol of everything that can be asked.

A `ChatModel` is one place to put a request: the provider, a cassette around it, a meter, a scripted model. They nest,
and all share the one method, so whoever asks need not know what answers.
"""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import Field

from ifonly.agents.records import (
    MEASURED,
    AssistantMessage,
    ModelStep,
    Record,
    Request,
    Routing,
    StreamPart,
    TokenLogprob,
    Usage,
)

__all__ = ["ChatModel", "Completion"]


class Completion(Record):
    """One reply of a model, with what was measured beside it.

    Attributes:
        reply: what the model said.
        model: the model as the provider names it, which may be more exact than the request does.
        usage: tokens; None where the provider does not say.
        cost: US dollars; None where no price is known.
        seconds: wall time of the call.
        first_token_seconds: wall time to the first piece; None where the reply was not streamed.
        logprobs: of the tokens of the reply, where asked for and given.
        stream: the pieces as they came; None where the reply was not streamed.
        finish: why the model stopped, in the words of OpenAI's API (``stop``, ``length``, ``tool_calls``).
        source: whether the model was asked now, or the reply was recorded.
    """

    reply: AssistantMessage
    model: str | None = None
    usage: Usage | None = None
    cost: float | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, ge=0)
    first_token_seconds: float | None = Field(default=None, ge=0)
    logprobs: tuple[TokenLogprob, ...] | None = None
    stream: tuple[StreamPart, ...] | None = None
    finish: str | None = None
    source: Literal["live", "recorded"] = "live"

    def step(self, site: str, request: Request, reads: tuple[str, ...], routing: Routing | None = None) -> ModelStep:
        """The model step that this reply makes, with all that was measured."""
        step = ModelStep(site=site, request=request, reply=self.reply, reads=reads, routing=routing)
        return step.model_copy(update=self.measured)

    @property
    def measured(self) -> dict[str, object]:
        """What was measured, by the names that a `ModelStep` has for it."""
        return {name: getattr(self, name) for name in sorted(MEASURED & type(self).model_fields.keys())}


class ChatModel(Protocol):
    """Whatever can be asked for a reply."""

    async def complete(self, request: Request) -> Completion:
        """The reply to a request.

        Raises:
            IfonlyError: there is none; the subclass says why (`ProviderError`, `CassetteMiss`, `BudgetSpent`).
        """
        ...
