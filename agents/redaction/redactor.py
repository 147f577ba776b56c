"""Secrets replaced by tokens that are numbered in the order in which they appear."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from ifonly.agents.redaction.fields import is_secret, kind_of_name
from ifonly.agents.redaction.spans import TOKEN, repetitions, spans

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import JsonValue

    from ifonly.agents.redaction.spans import Span

    Find = Callable[[str], list[Span]]

__all__ = ["Redactor", "remembering"]

_SEEN_AGAIN = 8
_SURELY_RANDOM = 16
_SHORT_KEY = 12
_SHORT_TEXT = 7


def remembering(texts: int = 4096) -> Find:
    """A search for secrets that remembers its answers for the texts it saw last: a conversation comes again and again.

    Args:
        texts: how many are kept, in memory alone.
    """
    return lru_cache(texts)(spans)


class Redactor:
    """Redacts what belongs together: one call, one run.

    The k-th distinct secret of a kind becomes ``[redacted:KIND:k]``, so equal secrets get equal tokens, and another
    key in the place of the first gives the same text. Tokens that are in a text already stay, and later secrets are
    numbered after them. Nothing that comes later moves a number.

    Args:
        find: gives the secrets of a text; a `remembering` one spares the work where texts come again.
    """

    def __init__(self, find: Find = spans) -> None:
        self._find = find
        self._numbers: dict[tuple[str, str], int] = {}
        self._last: dict[str, int] = {}
        self._repeated: dict[str, str] = {}

    def text(self, text: str) -> str:
        """The text with its secrets replaced; the same object if it has none."""
        pieces = self._pieces(text)
        if len(pieces) == 1 and pieces[0][2] is None:
            return text
        return "".join(token or text[start:end] for start, end, token in pieces)

    def value(self, value: JsonValue) -> JsonValue:
        """The value with the secrets in its texts and keys replaced.

        A field whose name announces a secret loses its text as a whole, and so does the ``value`` beside such a
        ``name`` or ``key``. Objects are walked in the order of their keys, which keep their places: equal objects give
        equal tokens, however they were written.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return self.fields(value)
        return value

    def fields(self, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """As `value`, of an object."""
        named = fields.get("name", fields.get("key"))
        beside = _announced(named) if isinstance(named, str) and "value" in fields else None
        redacted: dict[str, tuple[str, JsonValue]] = {}
        for key in sorted(fields, key=lambda key: (_numberless(key), key)):
            kind = beside if key == "value" else _announced(key)
            if key == "token" and "logprob" in fields:
                kind = None
            redacted[key] = self.text(key), self._field(fields[key], kind)
        return dict(redacted[key] for key in fields)

    def split(self, parts: Sequence[str]) -> list[tuple[str, bool]]:
        """The parts of one text, redacted as one, and whether each was touched.

        A secret that is spread over several parts stands in the part in which it begins; the rest of them lose theirs.
        """
        ends = list(accumulate(map(len, parts)))
        pieces: list[list[str]] = [[] for _ in parts]
        touched = [False] * len(parts)
        text = "".join(parts)
        for start, end, token in self._pieces(text):
            at = start
            while at < end:
                index = bisect_right(ends, at)
                stop = min(end, ends[index])
                if token is None:
                    pieces[index].append(text[at:stop])
                else:
                    touched[index] = True
                    if at == start:
                        pieces[index].append(token)
                at = stop
        return [("".join(piece), touch) for piece, touch in zip(pieces, touched, strict=True)]

    def _field(self, value: JsonValue, kind: str | None) -> JsonValue:
        if kind is None:
            return self.value(value)
        if isinstance(value, str):
            return self._whole(value, kind)
        if isinstance(value, list):
            return [self._field(item, kind) if isinstance(item, str) else self.value(item) for item in value]
        return self.value(value)

    def _whole(self, text: str, kind: str) -> str:
        if not is_secret(kind, TOKEN.sub("", text)):
            return self.text(text)
        found = self._find(text)
        if found and (found[0].start, found[0].end) == (0, len(text)):
            kind = found[0].kind
        return self._token(text, kind)

    def _pieces(self, text: str) -> list[tuple[int, int, str | None]]:
        """The text cut into what stays (None) and what a token replaces, in order."""
        cuts: list[tuple[int, int, str | None]] = []
        last = 0
        if len(text) < (_SEEN_AGAIN if self._repeated else _SHORT_TEXT):
            return [(0, len(text), None)]
        known = repetitions(text, self._find(text), self._repeated)
        marks = [(span.start, span.end, span.kind) for span in known]
        tokens = [(token.start(), token.end(), "") for token in TOKEN.finditer(text)]
        for start, end, kind in sorted(marks + tokens):
            if not kind:
                self._note(text[start:end])
                continue
            cuts.append((last, start, None))
            cuts.append((start, end, self._token(text[start:end], kind)))
            last = end
        cuts.append((last, len(text), None))
        return [cut for cut in cuts if cut[0] < cut[1]]

    def _note(self, token: str) -> None:
        kind, number = token[1:-1].split(":")[1:]
        self._last[kind] = max(self._last.get(kind, 0), int(number))

    def _token(self, secret: str, kind: str) -> str:
        number = self._numbers.get((kind, secret))
        if number is None:
            number = self._last[kind] = self._last.get(kind, 0) + 1
            self._numbers[kind, secret] = number
            if _is_telling(secret):
                self._repeated.setdefault(secret, kind)
        return f"[redacted:{kind}:{number}]"


def _is_telling(secret: str) -> bool:
    """Whether a secret is one wherever it stands: no word or number that prose may hold."""
    if len(secret) < _SEEN_AGAIN or secret.isdigit():
        return False
    return any(map(str.isdigit, secret)) or (len(secret) >= _SURELY_RANDOM and " " not in secret)


@lru_cache(4096)
def _numberless(key: str) -> str:
    """The key with its secrets hidden, so that rotated keys sort alike."""
    return _without_secrets(key, "[redacted:{}:")


@lru_cache(4096)
def _announced(name: str) -> str | None:
    """What kind of secret a field of this name holds, whether or not a secret in the name itself is hidden yet."""
    return kind_of_name(TOKEN.sub("", _without_secrets(name, "")))


def _without_secrets(key: str, instead: str) -> str:
    if len(key) < _SHORT_KEY:
        return key
    parts, last = list[str](), 0
    for span in spans(key):
        parts += [key[last : span.start], instead.format(span.kind)]
        last = span.end
    return "".join([*parts, key[last:]])
