"""What the table of shapes is written in: a pattern with its literal anchors, and the usual ways to make one.

A pattern is tried only where one of its anchors stands, so text without secrets costs one search an anchor. Every
pattern is linear: what can repeat is bounded, possessive, or the end of the pattern. Where a pattern has a group, the
group is the secret and the rest its context, which stays.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, NamedTuple

from ifonly.agents.redaction.fields import is_placeholder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "EDGE",
    "UUID",
    "WIDE",
    "WORD",
    "Shape",
    "beside",
    "connection",
    "digit_or_long",
    "dotted",
    "filled",
    "in_field",
    "no_word",
    "pairs",
    "prefixed",
    "user_and_password",
]

# The start of a word.
EDGE = r"(?<![A-Za-z0-9])"
# Letters and digits.
WORD = "[A-Za-z0-9]"
# The letters of base64 for URLs.
WIDE = "[A-Za-z0-9_-]"
# In lower case.
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_LONG = 20


class Shape(NamedTuple):
    """One shape of secret.

    Attributes:
        name: names the shape.
        kind: stands in the token; shapes that replace each other when keys are rotated share it.
        anchors: literals of which one is in every such secret or beside it.
        pattern: begins `back` characters before the anchor.
        back: see `pattern`; None where that varies, and all of the text is searched.
        folded: whether anchors and pattern are for lower-cased text.
        accept: refuses matches that are none.
        solid: whether such a secret is one word of 15 characters or more, and tells by itself what it is.
    """

    name: str
    kind: str
    anchors: tuple[str, ...]
    pattern: re.Pattern[str]
    back: int | None = 0
    folded: bool = False
    accept: Callable[[re.Match[str]], bool] | None = None
    solid: bool = False

    def matches(self, text: str, low: str) -> Iterator[tuple[int, int]]:
        """Start and end of each such secret; `low` is the text in lower case, character for character."""
        subject = low if self.folded else text
        for anchor in self.anchors:
            if anchor in subject:
                for match in self._near(anchor, subject):
                    if self.accept is None or self.accept(match):
                        yield match.span(match.lastindex or 0)

    def _near(self, anchor: str, subject: str) -> Iterator[re.Match[str]]:
        if self.back is None:
            yield from self.pattern.finditer(subject)
            return
        at = subject.find(anchor)
        while at >= 0:
            match = self.pattern.match(subject, max(0, at - self.back))
            after = at + len(anchor)
            if match:
                after = max(after, match.end())
                yield match
            at = subject.find(anchor, after)


def prefixed(name: str, prefixes: str, body: str, kind: str | None = None) -> Shape:
    """A key that begins with one of these prefixes, at the edge of a word."""
    anchors = tuple(prefixes.split())
    heads = "|".join(map(re.escape, anchors))
    return Shape(name, kind or name, anchors, re.compile(f"{EDGE}(?:{heads}){body}"), solid=True)


def beside(name: str, anchors: str, pattern: str, kind: str | None = None, **more: object) -> Shape:
    """A secret told by what stands around it."""
    return Shape(name, kind or name, tuple(anchors.split()), re.compile(pattern), **more)  # type: ignore[arg-type]


def in_field(vendor: str, body: str, kind: str | None = None) -> Shape:
    """A secret without a shape of its own, in a field that names the vendor and says key, token, secret or auth."""
    name = r"[a-z0-9_. -]{0,24}?(?:key|token|secret|auth)[a-z0-9_-]{0,12}"
    pattern = rf"{vendor}{name}[\"'`\]]{{0,2}}[ \t]{{0,4}}(?:=>|:=|[=:])[ \t]{{0,4}}[\"'`]?({body})(?![0-9a-z])"
    return Shape(f"{vendor}_field", kind or vendor, (vendor,), re.compile(pattern), folded=True)


def connection(name: str, schemes: str, kind: str = "url_credentials") -> Shape:
    """A connection string: what stands between ``://`` and ``@`` is the secret."""
    anchors = tuple(schemes.split())
    heads = "|".join(map(re.escape, anchors))
    pattern = rf"(?:{heads})[a-z0-9+]{{0,16}}://([^\s\"'<>/@:]{{0,200}}:[^\s\"'<>/]{{1,256}})@"
    return Shape(name, kind, anchors, re.compile(pattern), folded=True)


def digit_or_long(match: re.Match[str]) -> bool:
    """Words joined by hyphens are no key: a digit, or 20 letters in a row."""
    return re.search(r"\d|[A-Za-z]{20}", match[0][3:]) is not None


def dotted(match: re.Match[str]) -> bool:
    """Whether there is more than one part."""
    return "." in match[0]


def no_word(match: re.Match[str]) -> bool:
    """After a scheme's name, prose goes on with a word, a header with a credential."""
    secret = match[1]
    return len(secret) >= _LONG or re.search(r"\d", secret) is not None


def user_and_password(match: re.Match[str]) -> bool:
    """Whether it is base64 of a user and a password."""
    try:
        return b":" in base64.b64decode(match[1] + "=" * (-len(match[1]) % 4))
    except (binascii.Error, ValueError):
        return False


def filled(match: re.Match[str]) -> bool:
    """Whether there is more than a placeholder."""
    return not is_placeholder(match[match.lastindex or 0])


def pairs(match: re.Match[str]) -> bool:
    """Whether it gives values to names."""
    return "=" in match[1]
