"""What litellm raises, as errors that say what to do; secrets are taken out of every message."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.errors import ProviderError, nearest
from ifonly.agents.redaction import Redactor
from ifonly.agents.wire import UnfinishedReply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Asked", "failure", "unknown"]


@dataclass(frozen=True)
class Asked:
    """What was asked when it failed.

    Args:
        model: as the request names it.
        name: as litellm does.
        provider: in litellm's words, if known.
        api_base: where, if not at the provider's own address.
        timeout: seconds.
        secrets: texts that must not be told.
        known: names of models, for the nearest.
        began: whether a part of the reply had come.
    """

    model: str
    name: str
    provider: str = ""
    api_base: str | None = None
    timeout: float | None = None
    secrets: tuple[str, ...] = ()
    known: Iterable[str] = ()
    began: bool = False


# Names of classes and words of messages that tell a kind of failure; litellm's classes do not tell all of them.
_KINDS: tuple[tuple[str, frozenset[str], str], ...] = (
    ("timeout", frozenset({"Timeout", "APITimeoutError", "TimeoutException", "TimeoutError"}), r"timed? ?out"),
    ("context", frozenset({"ContextWindowExceededError"}), r"context (length|window)|maximum context"),
    ("rate", frozenset({"RateLimitError"}), r"rate limit|too many requests"),
    (
        "key",
        frozenset({"AuthenticationError", "PermissionDeniedError"}),
        r"missing credentials|api_key client option|api key (is )?(missing|required|not)|no api key",
    ),
    (
        "address",
        frozenset({"ConnectError", "ClientConnectorError", "ConnectionRefusedError", "gaierror"}),
        r"connection error|cannot connect|connection refused",
    ),
    ("json", frozenset({"JSONDecodeError"}), r"expecting (property name|value|',')|unterminated string"),
    ("model", frozenset({"NotFoundError"}), r"model .*(not found|does not exist)"),
    ("policy", frozenset({"ContentPolicyViolationError"}), r"content policy"),
    ("request", frozenset({"BadRequestError", "UnsupportedParamsError", "UnprocessableEntityError"}), r"(?!)"),
    ("server", frozenset({"InternalServerError", "ServiceUnavailableError", "BadGatewayError"}), r"(?!)"),
)


def failure(error: BaseException, asked: Asked) -> ProviderError:
    """The error that tells a user what litellm's means."""
    told, what = _told(error, asked), f"model {asked.model!r}"
    where = asked.api_base or "the provider"
    kind = _kind(error)
    variable = f"{asked.provider.upper()}_API_KEY" if asked.provider else "the provider's variable"
    near = nearest(asked.name, asked.known) if kind == "model" else ()
    found, fix = {
        "timeout": (f"no whole reply within {asked.timeout or 0:g} s", "Raise the timeout, or lower max_tokens."),
        "context": (f"the request is longer than its context: {told}", "Shorten it, or use a model with a longer one."),
        "rate": (f"{where} refuses more for now: {told}", "Wait, ask fewer at once, or allow more retries."),
        "key": (f"no key that {where} takes: {told}", f"Set {variable}, or pass api_key."),
        "address": (f"{where} cannot be reached: {told}", "Start the server, or correct api_base."),
        "json": (
            f"{where} answered with what is no JSON: {told}",
            "Check api_base: it must end in /v1 for most servers.",
        ),
        "model": (
            f"{where} does not know it: {told}",
            f"Correct the name, or give it an alias: --alias {asked.model}=PROVIDER/MODEL.",
        ),
        "policy": (f"{where} refuses the content: {told}", "Change the request."),
        "request": (f"{where} refuses the request: {told}", "Change the setting that it names."),
        "server": (f"{where} failed: {told}", "Ask again later."),
    }.get(kind, (f"{type(error).__name__}: {told}", "See the message."))
    lost = asked.began or kind in ("timeout", "json")
    return (UnfinishedReply if lost else ProviderError)(what, found, fix, near)


def unknown(asked: Asked) -> ProviderError:
    """The error about a model of which not even the provider is known."""
    fix = (
        f"Say which model is meant, as litellm names it: --alias {asked.model}=PROVIDER/MODEL (openai/gpt-4o, say); "
        "or where a server of your own is: --api-base."
    )
    return ProviderError(f"model {asked.model!r}", "no such model", fix, nearest(asked.name, asked.known))


def _kind(error: BaseException) -> str:
    names = {cls.__name__ for one in _chain(error) for cls in type(one).__mro__}
    text = str(error).lower()
    for kind, classes, words in _KINDS:
        if names & classes or re.search(words, text):
            return kind
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        yield one
        one = one.__cause__ or one.__context__ or getattr(one, "original_exception", None)


_SHOWN = 300
_PREFIX = re.compile(r"^(?:(?:litellm\.)?\w+(?:Error|Exception)(?: - |: ))+")


def _told(error: BaseException, asked: Asked) -> str:
    """The message, short, without litellm's prefixes and without secrets."""
    text = str(error)
    environment = (value for key, value in os.environ.items() if key.endswith(("_KEY", "_TOKEN", "_SECRET")))
    for secret in sorted({*asked.secrets, *environment}, key=len, reverse=True):
        if len(secret) >= len("secret"):
            text = text.replace(secret, "[secret]")
    text = Redactor().text(text)
    text = _PREFIX.sub("", " ".join(text.split())).rstrip(".")
    return text[:_SHOWN] + ("..." if len(text) > _SHOWN else "")
