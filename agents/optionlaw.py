"""The law of a choice: with which probability a model takes each of its options at a step.

An option is what a reply *does*, not how it is worded:

- ``tool:NAME`` calls a tool, ``tool:A+tool:B`` calls several in this order, whatever the arguments;
- ``say:VALUE`` is one of the values that the request's `response_format` lists (a JSON schema that is an ``enum`` of
  texts, or an object whose only property is one);
- ``say`` is any other text.

`option_law` reads the law off the log-probabilities of one reply, `from_counts` off many replies to one request. Both
give the law that the reply was drawn from, at the request's temperature, `top_k` and `top_p`.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from pydantic import Field

from ifonly.agents.records import AssistantMessage, Record, Request, TokenLogprob
from ifonly.agents.wire import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import JsonValue

    from ifonly.agents.completion import Completion

__all__ = ["MARK", "OptionLaw", "forced", "from_counts", "option_law", "option_of", "option_token"]

MARK = "<|option|>"
"""Start of a first token that stands for a whole option, as a scripted model gives it; no tokenizer has it."""


_ROUNDED = 1e-4


class OptionLaw(Record):
    """Options and the natural logarithms of their probabilities, which sum to one.

    Attributes:
        options: those with evidence; an option that never showed among the alternatives is not listed.
        log_probabilities: one for each option, all finite.
        rest: share of the probability that was seen on no option before the law was made to sum to one: tokens that a
            grammar forbids, alternatives not reported, and tokens that leave several options open.
    """

    options: tuple[str, ...]
    log_probabilities: tuple[float, ...]
    rest: float = Field(default=0.0, ge=0, le=1)

    @property
    def table(self) -> dict[str, float]:
        """The probability of each option."""
        return {option: math.exp(log) for option, log in zip(self.options, self.log_probabilities, strict=True)}


def option_of(reply: AssistantMessage, request: Request | None = None) -> str:
    """The option that a reply takes; the request tells whether its text is one of a list of values."""
    if reply.tool_calls:
        return "+".join(f"tool:{call.name}" for call in reply.tool_calls)
    if request is not None and isinstance(reply.content, str):
        text = _squeezed(reply.content)
        option = next((option for option, form in _forms(request).items() if text.rstrip("}") == form), None)
        if option is not None:
            return option
    return "say"


def from_counts(replies: Iterable[AssistantMessage], request: Request | None = None) -> OptionLaw:
    """The empirical law of several replies to one request: plain shares, nothing added.

    Raises:
        ValueError: there are no replies.
    """
    counts = Counter(option_of(reply, request) for reply in replies)
    law = _law({option: float(counts[option]) for option in sorted(counts)}, 0.0)
    if law is None:
        raise ValueError("no replies to count")
    return law


def forced(request: Request, option: str) -> Request | None:
    """The request with its options narrowed to one, or None where no setting can say that (several calls at once).

    A server may ignore `tool_choice`: see that the reply takes the option.
    """
    kind, _, name = option.partition(":")
    settings, asked = request.settings, request.settings.get("response_format")
    narrowed: dict[str, JsonValue] | None = None
    if kind == "tool" and name in {tool.name for tool in request.tools or ()}:
        narrowed = {"tool_choice": {"type": "function", "function": {"name": name}}}
    elif option == "say":
        narrowed = {"tool_choice": "none"} if request.tools else {}
    elif option in _forms(request):
        narrowed = {"response_format": _only(asked, name)}
    return None if narrowed is None else request.model_copy(update={"settings": settings | narrowed})


def option_token(law: Mapping[str, float], chosen: str) -> TokenLogprob:
    """The token that stands for a chosen option, with the whole law as its alternatives; for scripted models."""
    logs = {option: min(math.log(mass), 0.0) for option, mass in law.items() if mass > 0}
    top = {MARK + option: log for option, log in logs.items()}
    return TokenLogprob(token=MARK + chosen, logprob=logs[chosen], top=top)


def option_law(request: Request, completion: Completion, unclear: float = 0.01) -> OptionLaw | None:
    """The law of the options at this reply, as far as its log-probabilities tell.

    The reply's tokens are followed up to where one option is left. At each place where the alternatives part, the mass
    of an alternative goes to the option whose text it begins or completes; alternatives that lead to no option, which
    the grammar of a JSON schema masks, are left out, and the others weighed with the request's temperature (then
    `top_k`, then `top_p`), which the reported log-probabilities of the known servers do not contain. An alternative
    that leaves open the same options as the token taken counts as that token: another cutting of the same text.

    Servers that report the law before the grammar masks it (llama.cpp does) show few of a weak model's options among
    20 alternatives: ask them for more, or count replies.

    Args:
        request: what was asked; its tools or `response_format` list the options.
        completion: the reply.
        unclear: how much probability may be open: on alternatives that leave several options open, or, in the worst
            case, on alternatives that were not reported.

    Returns:
        The law, or None: no log-probabilities, no alternatives, no list of options (a native tool call does not say
        with which probability it was made), or more unclear than allowed.
    """
    tokens = completion.logprobs
    if not tokens:
        return None
    if tokens[0].token.startswith(MARK):
        masses = {text.removeprefix(MARK): math.exp(log) for text, log in tokens[0].top.items()}
        return _law(masses, 0.0)
    return _followed(tokens, request, unclear)


def _followed(tokens: Iterable[TokenLogprob], request: Request, unclear: float) -> OptionLaw | None:
    """The law gathered along the reply's tokens."""
    forms, text = _forms(request), ""
    law, reach, seen, left = dict.fromkeys(forms, 0.0), 1.0, 1.0, unclear
    open_options = frozenset(forms)
    for token in tokens:
        if len(open_options) < 2:  # noqa: PLR2004
            break
        taken = _led(text + token.token, forms) & open_options
        if not taken:
            return None
        others = {other: _led(text + other, forms) & open_options for other in token.top if other != token.token}
        leads = {token.token: taken} | {other: led for other, led in others.items() if other and led}
        text += token.token
        if all(led == open_options for led in leads.values()):
            continue
        if not token.top:
            return None
        raw = {other: math.exp(token.top.get(other, token.logprob)) for other in leads}
        drawn = _drawn(raw, request)
        vague = sum(mass for other, mass in drawn.items() if len(leads[other]) > 1 and leads[other] != taken)
        found = min(sum(raw.values()), 1.0)
        left -= reach * (vague + _hidden(token, found, request))
        if left < 0:
            return None
        seen *= found * (1 - vague)
        for other, mass in drawn.items():
            if leads[other] != taken and len(leads[other]) == 1:
                law[next(iter(leads[other]))] += reach * mass
        reach *= sum(mass for other, mass in drawn.items() if leads[other] == taken)
        open_options = taken
    if len(open_options) != 1:
        return None
    law[next(iter(open_options))] += reach
    return _law(law, max(0.0, 1 - seen))


def _hidden(token: TokenLogprob, found: float, request: Request) -> float:
    """The share of the options that may lie on alternatives which were not reported."""
    if request.settings.get("temperature") == 0:
        return 0.0
    reported = {**token.top, token.token: token.top.get(token.token, token.logprob)}
    hidden = max(0.0, 1 - math.fsum(math.exp(log) for log in reported.values()))
    # The reported masses are rounded: a sum of many that misses one by this much misses nothing.
    return 0.0 if hidden < _ROUNDED else hidden / (hidden + found)


def _drawn(masses: Mapping[str, float], request: Request) -> dict[str, float]:
    """The law of the next token among these, as the sampler draws it."""
    settings = request.settings
    temperature, top_k, top_p = (settings.get(key) for key in ("temperature", "top_k", "top_p"))
    power = 1.0
    ranked = sorted(masses.items(), key=lambda item: -item[1])
    if isinstance(temperature, int | float):
        ranked, power = (ranked, 1 / temperature) if temperature > 0 else (ranked[:1], 1.0)
    if isinstance(top_k, int) and top_k > 0:
        ranked = ranked[:top_k]
    highest = ranked[0][1] or 1.0
    weights = {text: (mass / highest) ** power for text, mass in ranked}
    if isinstance(top_p, int | float) and 0 < top_p < 1:
        bar, kept = top_p * sum(weights.values()), dict[str, float]()
        for text, weight in weights.items():
            if sum(kept.values()) < bar:
                kept[text] = weight
        weights = kept
    total = sum(weights.values())
    return {text: weight / total for text, weight in weights.items()}


def _law(masses: Mapping[str, float], rest: float) -> OptionLaw | None:
    known = {option: mass for option, mass in masses.items() if mass > 0}
    if not known:
        return None
    total = math.fsum(known.values())
    logs = tuple(min(math.log(mass / total), 0.0) for mass in known.values())
    return OptionLaw(options=tuple(known), log_probabilities=logs, rest=rest)


def _led(text: str, forms: Mapping[str, str]) -> frozenset[str]:
    """The options that a text beginning so can still become."""
    start = _squeezed(text)
    return frozenset(option for option, form in forms.items() if form.startswith(start) or start.startswith(form))


_SPACE = re.compile(r'("(?:[^"\\]|\\.)*"?)|\s+', re.DOTALL)


def _squeezed(text: str) -> str:
    """JSON, whole or cut off, without the spaces outside its texts."""
    return _SPACE.sub(lambda found: found[1] or "", text)


def _forms(request: Request) -> dict[str, str]:
    """The options that a request lists, each with the JSON that a reply taking it begins with."""
    if request.settings.get("tool_mode") == schema.MODE and request.tools:
        tools, answers = schema.offered(request)
        said = {f"tool:{tool.name}": f'{{"tool":{_json(tool.name)}' for tool in tools}
        return said | ({"say": '{"answer":'} if answers else {})
    listed = _listed(request.settings.get("response_format"))
    if listed is None:
        return {}
    name, values = listed
    before = "" if name is None else f"{{{_json(name)}:"
    return {f"say:{text}": before + _json(text) for text in values}


def _listed(asked: JsonValue) -> tuple[str | None, list[str]] | None:
    """The texts among which a `response_format` lets the reply choose, and the property that holds the choice."""
    name: str | None = None
    values: JsonValue = None
    match asked:
        case {"json_schema": {"schema": {"enum": list(values)}}}:
            pass
        case {"json_schema": {"schema": {"properties": dict(properties)}}} if len(properties) == 1:
            ((name, inner),) = properties.items()
            values = inner.get("enum") if isinstance(inner, dict) else None
    texts = [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
    return (name, texts) if texts and isinstance(values, list) and len(texts) == len(values) else None


def _only(asked: JsonValue, value: str) -> JsonValue:
    """The same format with one value to choose from; it holds one list named ``enum``."""
    if not isinstance(asked, dict):
        return asked
    return {key: [value] if key == "enum" else _only(inner, value) for key, inner in asked.items()}


def _json(text: object) -> str:
    return json.dumps(text, ensure_ascii=False)
