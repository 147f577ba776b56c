"""A recorded reply as the tokens that the model drew.

A text does not say how it was cut into tokens. Where the record has log-probabilities, the pieces they name do; else
the reply is taken to be cut as the tokeniser cuts it, which is how models mostly write, and is an assumption that the
recorded number of tokens may refute. Either way an unchanged request gives the recorded text again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.errors import IfonlyError

if TYPE_CHECKING:
    from ifonly.agents.local.tokens import NextToken
    from ifonly.agents.records import ModelStep
    from ifonly.sim.tokens.requests import Asked

__all__ = ["NotAbducted", "Written", "written"]

_FRESH = "Or take fresh noise there."


class NotAbducted(IfonlyError):
    """A recorded reply whose noise cannot be told: it is none that this model can have drawn so, token by token."""


@dataclass(frozen=True, slots=True)
class Written:
    """A reply as it was written.

    Attributes:
        ids: the tokens that its text shows.
        ended: whether the model then ended it, which is one more choice, or the limit cut it off.
    """

    ids: tuple[int, ...]
    ended: bool


async def written(step: ModelStep, asked: Asked, model: NextToken) -> Written:
    """The tokens of a recorded reply.

    Args:
        step: the recorded step.
        asked: its request.
        model: whose tokeniser counts.

    Raises:
        NotAbducted: the reply has tool calls or parts, or its tokens do not give its text again.
    """
    text = step.reply.content or ""
    place = f"the recorded reply at {step.site}"
    if step.reply.tool_calls or not isinstance(text, str):
        found = "it is not plain text, so its tokens are not known"
        raise NotAbducted(place, found, f"Take the law of the options there. {_FRESH}")
    pieces = tuple(token.token for token in step.logprobs or ())
    ended = pieces[-1:] == ("",)
    pieces = pieces[: len(pieces) - ended]
    cut = await model.cut(text)
    if pieces and pieces != tuple(piece.decode(errors="replace") for _, piece in cut):
        cut = await _named(pieces, model) or cut
    if b"".join(piece for _, piece in cut) != text.encode(errors="surrogatepass"):
        raise NotAbducted(place, "its tokens do not give its text again", "Take fresh noise there.")
    # A reply ends in two ways only: by itself, which is one more token, or at the limit.
    count, drawn = len(cut), None if pieces or step.usage is None else step.usage.output_tokens
    if count > asked.limit or drawn not in (None, count, count + 1):
        found = f"its text is cut into {count} tokens, and was drawn in {drawn or f'at most {asked.limit}'}"
        raise NotAbducted(place, found, f"Record log-probabilities, which say how it was cut. {_FRESH}")
    return Written(tuple(token for token, _ in cut), ended or count < asked.limit)


async def _named(pieces: tuple[str, ...], model: NextToken) -> list[tuple[int, bytes]] | None:
    """The tokens whose pieces a record names; None if one of them is no token by itself (part of a character)."""
    known = {piece: await model.cut(piece) for piece in dict.fromkeys(pieces)}
    if any(len(cut) != 1 for cut in known.values()):
        return None
    return [known[piece][0] for piece in pieces]
