"""Secrets that only their field tells: ``password=...``, ``"api_key": "..."``, ``<token>...</token>``.

The same rule of names judges keys of records (`kind_of_name`) and names in text (`assigned`). What stands there is a
secret unless it is plainly a placeholder, a type, or a word of prose.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FAMILIES", "assigned", "is_placeholder", "is_secret", "kind_of_name"]

FAMILIES: dict[str, str] = {
    "password": "password passwd passphrase passcode pwd user-pass db-pass my-pass",
    "client_secret": "client-secret consumer-secret app-secret application-secret",
    "webhook_secret": "webhook-secret",
    "aws_secret_key": "aws-secret-access-key secret-access-key aws-secret-key",
    "aws_session_token": "aws-session-token amz-security-token security-token",
    "secret": "secret secret-key secret-value secret-text",
    "access_token": "access-token oauth-token",
    "refresh_token": "refresh-token",
    "id_token": "id-token",
    "session_token": "session-token",
    "auth_token": "auth-token authentication-token authorization-token",
    "csrf_token": "csrf-token xsrf-token",
    "bot_token": "bot-token",
    "token": "token token-value",
    "api_key": "api-key subscription-key functions-key app-key application-key",
    "access_key": "access-key account-key shared-access-key shared-key storage-key consumer-key auth-key service-key",
    "private_key": "private-key ssh-key host-key deploy-key",
    "encryption_key": "encryption-key signing-key master-key decryption-key hmac-key kms-key license-key",
    "authorization": "authorization auth-header",
    "cookie": "cookie cookies set-cookie cookie-jar",
    "session_id": "session-id sess-id session-key session-cookie connect-sid",
    "credentials": "credential credentials",
    "connection_string": "connection-string conn-str",
}
"""Endings of a field's name by the kind of secret that they announce; any punctuation may stand for the hyphens."""

_ENDINGS = {ending.replace("-", ""): kind for kind, endings in FAMILIES.items() for ending in endings.split()}
_ENDING = re.compile("(?:" + "|".join(sorted(_ENDINGS, key=len, reverse=True)) + ")$")
# Tokens of a text or of a page of results, and names that say something about a secret.
_HARMLESS = re.compile(
    r"(?:next|page|continuation|sync|pad|eos|bos|unk|sep|cls|mask|stop|start|end|special|first|last|per|by|input|output|"
    r"prompt|max|min|total|nextpage|previous|prev|current|sampled|image|text|think)token$|"
    r"(?:is|has|no|non|needs|use|uses|requires?|show|hide|forgot|forgotten|reset|accept)(?:password|secret|token|cookies?)$"
)
_SHORT_PASS = re.compile(
    r"(?:db|sql|pg|smtp|imap|mail|ftp|ssh|sudo|root|admin|redis|mongo|rabbit|login|auth)[_.-]pass$"
)
# Names that also mean something else announce a secret only with a value that may be one.
_PLAUSIBLE = {
    "cookie": re.compile(r"[=\d]"),
    "token": re.compile(r"\d|.{8}"),
    "authorization": re.compile(r"[\s\d]|.{16}"),
    "credentials": re.compile(r"[\d:=]|.{16}"),
    "session_id": re.compile(r"\d|.{16}"),
}
_NAME_START = re.compile(r"[a-z0-9_.\-]*\Z")
_NAME_LONG = 64


def _keyword() -> str:
    """Pattern of the endings, but for those that end in another of them."""
    endings = {ending for endings in FAMILIES.values() for ending in endings.split()}
    shortest = {ending for ending in endings if not any(ending.endswith(f"-{other}") for other in endings)}
    return "(?:" + "|".join(ending.replace("-", "[ ._-]?") for ending in sorted(shortest)) + "|[_-]pass)"


_KEYWORD = _keyword()
_GATES = ("pass", "pwd", "secret", "token", "key", "auth", "cookie", "sess", "connect", "credential", "conn")
_SEPARATOR = (
    r"(?:[\"'`*\])]{0,3}[ \t]{0,8}(?P<sep>=>|:=|==?|:|>)[* \t]{0,8}(?:[bruf]{1,2}(?=[\"']))?|"
    # An attribute in XML, or a pair of name and value in JSON.
    r"[\"'],?\s{0,20}[\"']?value[\"']?\s{0,4}[:=]\s{0,4})"
)
_VALUE = (
    r"(?:\"(?P<double>(?:[^\"\\\n]++|\\.)++)|'(?P<single>(?:[^'\\\n]++|\\.)++)|`(?P<tick>[^`\n]++)|"
    r"(?P<bare>[^\s\"'`,;&<>\\]{3,}+))"
)
_ASSIGNED = re.compile(rf"(?P<key>{_KEYWORD}(?:[_-]?[0-9]{{1,3}})?){_SEPARATOR}{_VALUE}")
_FLAG = re.compile(rf"--[a-z-]{{0,30}}?{_KEYWORD}[ \t]{{1,4}}[\"']?(?P<bare>[^\s\"'`-][^\s\"'`]{{3,}})")

_PLACEHOLDER = re.compile(
    r"(?:(?:bearer|basic|token)[ \t]+)?(?:"
    r"none|null|nil|true|false|undefined|n/?a|string|str|int|integer|bool|boolean|object|number|bytes|any|required|"
    r"optional|empty|unknown|default|hidden|masked|missing|invalid|redacted|removed|(?:optional|union)\[.*|"
    r"your[_ -][a-z_ -]+|my[_-](?:api[_-])?(?:key|token|secret|password)|change[_-]?me|<[^<>]*>?|\[[a-z _-]*\]|"
    r"\$\{?[a-z_][a-z0-9_]*\}?|\{\{.*|\{[a-z_.]*\}?|%\(?[a-z_]*\)?s?|[*.•x_-]+|bearer|basic|"
    r"os\.environ.*|os\.getenv.*|process\.env.*)",
    re.DOTALL,
)
_CODE = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*")
_SCHEMES = frozenset({"bearer", "basic", "token", "digest", "negotiate", "apikey", "api-key", "key", "ntlm", "oauth"})
_CALLED = re.compile(
    r"(?:[a-z_][a-z0-9_]*\.)*(?:[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*|(?:get|load|read|fetch|make)[a-z0-9_]*)\("
)
_LINK = re.compile(r"https?://[^@]*\Z|\[[a-z]+\Z")
_PROSE = re.compile(r"[a-z]{1,14}")
_NEXT_WORD = re.compile(r"[,.;:]?[ \t]+[a-z]{2,}|[.,]?[ \t]*\(")
_CLOSERS = ")]}.,:!?*"
_LEAST, _SAID = 3, 200
"""Characters of the shortest bare value, and of the longest that may be anything but a secret."""


@lru_cache(4096)
def kind_of_name(name: str) -> str | None:
    """What kind of secret a field of this name holds; None if none."""
    low = name.lower()
    bare = "".join(filter(str.isalnum, low)).rstrip("0123456789")
    ending = _ENDING.search(bare)
    if ending is None:
        return "password" if _SHORT_PASS.search(low) else None
    return None if _HARMLESS.search(bare) else _ENDINGS[ending[0]]


def is_secret(kind: str, value: str) -> bool:
    """Whether a value in a field that announces this kind of secret is one."""
    plausible = _PLAUSIBLE.get(kind)
    return not is_placeholder(value) and (plausible is None or plausible.search(value) is not None)


def is_placeholder(value: str) -> bool:
    """Whether a value only stands for a secret, or names its type."""
    value = value.strip().lower()
    return not value or (len(value) <= _SAID and _PLACEHOLDER.fullmatch(value) is not None)


def assigned(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and kind of each value that a name announces as a secret; the text is in lower case."""
    if not any(gate in text for gate in _GATES):
        return
    match = _ASSIGNED.search(text)
    while match:
        begin, end, kind = _judge(match, text)
        if kind:
            yield begin, end, kind
        # What is no value may hold the next name.
        match = _ASSIGNED.search(text, end if kind else begin)
    if "--" in text:
        for flag in _FLAG.finditer(text):
            if not is_placeholder(flag["bare"]):
                yield *flag.span("bare"), "password" if "pass" in flag[0] else "token"


def _judge(match: re.Match[str], text: str) -> tuple[int, int, str | None]:
    """Start, end and kind of the value; the kind is None where it is no secret."""
    group = next(group for group in ("double", "single", "tick", "bare") if match[group] is not None)
    begin, end = match.span(group)
    start = match.start()
    before = _NAME_START.search(text[max(0, start - _NAME_LONG) : start])
    start -= len(before[0]) if before else 0
    name = text[start : match.end("key")]
    kind = kind_of_name(name)
    if kind is None or (match["sep"] == ">" and text[start - 1 : start] != "<"):
        return begin, end, None
    value = match[group]
    if group != "bare":
        # What looks like a value may be what stands between two strings.
        plain = len(value) >= _LEAST and value.lstrip()[:1] not in {"", ",", ":", "}", "]", ")"}
        return begin, end, kind if plain and is_secret(kind, value) else None
    value = value.rstrip(_CLOSERS)
    end = begin + len(value)
    said = (
        len(value) < _LEAST
        or not is_secret(kind, value)
        or (len(value) <= _SAID and _is_said(match, value, name, text))
    )
    return begin, end, None if said else kind


def _is_said(match: re.Match[str], value: str, name: str, text: str) -> bool:
    """Whether a bare value is code that gets the secret from elsewhere, prose, a link, or a name itself."""
    end = match.start("bare") + len(value)
    after = text[end : end + 24]
    kind = kind_of_name(name)
    if (
        value in _SCHEMES
        or _CALLED.match(value)
        or _LINK.match(value)
        or (value[-1] == "=" and after[:1] in {'"', "'", "`"})
    ):
        return True
    if _CODE.fullmatch(value) and (after[:1] in {"(", "["} or value == name or kind_of_name(value) == kind):
        return True
    return match["sep"] == ":" and _PROSE.fullmatch(value) is not None and _NEXT_WORD.match(after) is not None
