"""The law of a model's next token, over HTTP from a llama.cpp server.

`/completion` with ``n_predict = 1`` and ``n_probs = K`` gives the K likeliest next tokens with their log-probabilities
under the model's own softmax at temperature 1, before any sampler: they are the same at every temperature, top-k and
seed (``post_sampling_probs`` would give the others); the server sums in single precision, so that all of them may be
off by the same 1e-4. K as great as the vocabulary gives the whole law. The prompt is a
list of token ids, so that no text is tokenised twice, and ``cache_prompt`` makes one more token cost one
evaluation. Measured on one thread of this machine for K = 40, 256, 1000, 4000 and all 49,152: 19, 20, 26, 55 and
610 ms; most of the last is JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ifonly.agents.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import aiohttp
    from numpy.typing import NDArray

__all__ = ["NextToken", "ServerFacts"]

_TIMEOUT_SECONDS = 300.0
_ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "<|end_of_text|>", "<end_of_turn>", "<eos>", "</s>")
"""How tokens that end a reply are spelled; the server is asked which of them do so in its model."""
_FORCED = 1000.0


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What does not change while a server runs.

    Attributes:
        model: its name there.
        vocabulary: number of tokens.
        context: greatest number of tokens of prompt and reply together.
        ends: the tokens that end a reply.
        letter: a token that is one letter.
        sampling: the server's own sampling parameters, which hold where a request names none.
    """

    model: str
    vocabulary: int
    context: int
    ends: frozenset[int]
    letter: int
    sampling: Mapping[str, Any]


class NextToken:
    """Asks one server; an async context manager, which holds one session.

    Args:
        url: the endpoint's base URL, with or without ``/v1``.

    Attributes:
        pieces: the bytes of each token that a law has listed so far; none for control tokens, which no text shows.
        calls: how many laws were asked for.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self.pieces: dict[int, bytes] = {}
        self.calls = 0
        self._session: aiohttp.ClientSession | None = None
        self._facts: ServerFacts | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        import aiohttp  # noqa: PLC0415

        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def facts(self) -> ServerFacts:
        """The server's facts, asked for once.

        Raises:
            ProviderError: it cannot be reached, or is no llama.cpp server.
        """
        if self._facts is None:
            models = await self._ask("/v1/models")
            settings = (await self._ask("/props"))["default_generation_settings"]
            model = models["data"][0]
            ends = [end for text in _ENDS if (end := await self._end(text)) is not None]
            self._facts = ServerFacts(
                model=model["id"],
                vocabulary=model["meta"]["n_vocab"],
                context=settings["n_ctx"],
                ends=frozenset(ends),
                letter=(await self.cut("a"))[0][0],
                sampling=settings["params"],
            )
        return self._facts

    async def template(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The prompt that the model's chat template makes of messages, ready for the reply."""
        return str((await self._ask("/apply-template", {"messages": list(messages)}))["prompt"])

    async def prompt(self, messages: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
        """The tokens of the prompt that messages make, control tokens included."""
        asked = {"content": await self.template(messages), "add_special": True, "parse_special": True}
        return tuple((await self._ask("/tokenize", asked))["tokens"])

    async def cut(self, text: str) -> list[tuple[int, bytes]]:
        """The tokens of a text as the model's tokeniser cuts it, each with its bytes; nothing in it is control."""
        asked = {"content": text, "add_special": False, "parse_special": False, "with_pieces": True}
        return [(token["id"], _bytes(token["piece"])) for token in (await self._ask("/tokenize", asked))["tokens"]]

    async def law(self, prefix: Sequence[int], top: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The law of the token that follows a prefix, likeliest first.

        Args:
            prefix: tokens of the prompt and of the reply so far.
            top: how many tokens to list; None for the whole vocabulary.

        Returns:
            Token ids and their log-probabilities under the model, at temperature 1.

        Raises:
            ProviderError: the server cannot be reached, or does not take the prefix.
        """
        facts = await self.facts()
        asked = {
            "prompt": list(prefix),
            "cache_prompt": True,
            "n_predict": 1,
            "n_probs": min(top or facts.vocabulary, facts.vocabulary),
            # A drawn token that is part of a character is held back, and its law with it; the law is as without.
            "logit_bias": [[facts.letter, _FORCED]],
        }
        self.calls += 1
        listed = (await self._ask("/completion", asked))["completion_probabilities"][0]["top_logprobs"]
        self.pieces.update((token["id"], bytes(token["bytes"])) for token in listed)
        count = len(listed)
        ids = np.fromiter((token["id"] for token in listed), np.int64, count)
        return ids, np.fromiter((token["logprob"] for token in listed), np.float64, count)

    async def _end(self, text: str) -> int | None:
        """The token of a spelling, if it is one token and the model ends with it."""
        asked = {"content": text, "add_special": False, "parse_special": True}
        cut = (await self._ask("/tokenize", asked))["tokens"]
        if len(cut) != 1:
            return None
        forced = {"prompt": cut, "n_predict": 2, "logit_bias": [[cut[0], _FORCED]]}
        return int(cut[0]) if (await self._ask("/completion", forced))["stop_type"] == "eos" else None

    async def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON that the server answers."""
        import aiohttp  # noqa: PLC0415

        asked, fix = f"the model server at {self.url}", "Start one with `ifonly serve-model`."
        if self._session is None:
            raise ProviderError(asked, "no session is open", "Use it in `async with NextToken(url) as model`.")
        try:
            method = "GET" if body is None else "POST"
            async with self._session.request(method, self.url + path, json=body) as response:
                text = await response.text()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise ProviderError(asked, f"{path} gave no answer ({error!r})", fix) from error
        if not response.ok:
            raise ProviderError(asked, f"{path} answered {response.status}: {text[:300]}", "See its message.")
        try:
            return json.loads(text)
        except ValueError as error:
            raise ProviderError(asked, f"{path} answered no JSON", "It must be a llama.cpp server.") from error


def _bytes(piece: str | list[int]) -> bytes:
    """A piece is text, or a list of bytes where it is no whole characters."""
    return piece.encode() if isinstance(piece, str) else bytes(piece)
