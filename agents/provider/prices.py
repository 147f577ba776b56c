"""What a call will cost, from a row of the price table.

A bound must hold, so it leans on what is certain: a tokenizer that works on bytes never makes more tokens than there
are bytes, so the bytes of the body, and a few tokens for each message and tool, bound the prompt; `max_tokens`, or what
the model can write at most, bounds the reply; of the prices that the table has for prompts of different lengths and
kinds the highest counts. An estimate takes a token for four bytes and a reply of `TYPICAL_REPLY` tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ifonly.agents.budget import Price
from ifonly.agents.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TYPICAL_REPLY", "TokenRates", "price_of", "rates_of", "row_of"]

TYPICAL_REPLY = 256
"""Tokens of a reply, for estimates."""

_BYTES_A_TOKEN = 4
_PER_MESSAGE = 16
_PER_TOOL = 32
_WITH_TOOLS = 1024
"""Tokens beside the text: roles and separators; the prompt that Anthropic adds for tools has some 500."""

_ELSEWHERE = ("_batches", "_flex", "_priority")
"""Endings of prices that a call pays only with a `service_tier`."""

_PLAIN = frozenset({"text", "refusal", "input_text", "output_text"})


class TokenRates(NamedTuple):
    """US dollars a token of the prompt, of a prompt read from the provider's cache (None: not told), of the reply."""

    input: float
    cached: float | None
    output: float


def rates_of(row: Mapping[str, Any]) -> TokenRates | None:
    """The usual prices of a row; None where it prices no tokens."""
    asked, cached, said = (
        row.get(name) for name in ("input_cost_per_token", "cache_read_input_token_cost", "output_cost_per_token")
    )
    if not isinstance(asked, int | float) or not isinstance(said, int | float):
        return None
    return TokenRates(float(asked), float(cached) if isinstance(cached, int | float) else None, float(said))


def row_of(table: Mapping[str, Any], model: str) -> Mapping[str, Any] | None:
    """The row of a model, under its own name or under that without the provider, if the provider is the same."""
    if model in table:
        row: Mapping[str, Any] = table[model]
        return row
    provider, _, bare = model.partition("/")
    row = table.get(bare) or {}
    return row if str(row.get("litellm_provider", "")).startswith(provider) else None


def price_of(row: Mapping[str, Any], body: Mapping[str, Any]) -> Price | None:
    """The price of a call; None where no bound can be given.

    That is where the table has no price per token or no longest reply (and the body no `max_tokens`), and where the
    body holds what is not paid by its bytes: pictures, sound, files, searches.

    Args:
        row: of the model.
        body: as it goes over the wire.
    """
    output = _output_limit(row, body)
    prices = {kind: _prices(row, kind, body) for kind in ("input", "output")}
    if output is None or not all(prices.values()) or not _is_text(body):
        return None
    sent = len(canonical_json({key: body.get(key) for key in body if key != "model"}).encode("utf-8", "surrogatepass"))
    tools, choices = len(body.get("tools") or ()), body.get("n")
    most = sent + _PER_MESSAGE * len(body["messages"]) + (_WITH_TOOLS + _PER_TOOL * tools if tools else 0)
    replies = choices if isinstance(choices, int) and choices > 0 else 1
    fixed = float(row.get("input_cost_per_request") or 0.0)
    about = sent / _BYTES_A_TOKEN * prices["input"][0] + replies * min(output, TYPICAL_REPLY) * prices["output"][0]
    bound = most * max(prices["input"]) + replies * output * max(prices["output"])
    return Price(estimate_usd=min(about, bound) + fixed, bound_usd=bound + fixed)


def _output_limit(row: Mapping[str, Any], body: Mapping[str, Any]) -> int | None:
    asked = [body.get("max_completion_tokens"), body.get("max_tokens")]
    able = [row.get("max_output_tokens") or row.get("max_tokens")]
    limits = [int(limit) for limit in [*asked, *able] if isinstance(limit, int | float) and limit > 0]
    return min(limits, default=None)


def _prices(row: Mapping[str, Any], kind: str, body: Mapping[str, Any]) -> list[float]:
    """The prices of a token, the usual one first."""
    usual = row.get(f"{kind}_cost_per_token")
    if not isinstance(usual, int | float):
        return []
    starts = [f"{kind}_cost_per_token", f"{kind}_cost_per_reasoning_token"]
    if kind == "input":
        starts.append("cache_creation_input_token_cost")
    tier = body.get("service_tier") is not None
    named = [key for key in row if key.startswith(tuple(starts)) and (tier or not key.endswith(_ELSEWHERE))]
    return [float(usual), *(float(row[key]) for key in named if isinstance(row[key], int | float))]


def _is_text(body: Mapping[str, Any]) -> bool:
    if body.get("web_search_options") or body.get("audio") or body.get("modalities") not in (None, ["text"]):
        return False
    lists = [message["content"] for message in body["messages"] if isinstance(message.get("content"), list)]
    return all(part.get("type") in _PLAIN for parts in lists for part in parts)
