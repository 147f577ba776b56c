"""Words, numbers and names of a text: what can be recognised when another turn says it again."""

from __future__ import annotations

import re

__all__ = ["claims_of", "words_of"]

_WORD = re.compile(r"[A-Za-z]{3,}|\d+")
_NUMBER = re.compile(r"\d[\d,.]*\d|\d")
_NAME = re.compile(r"\b[A-Z][a-z]{2,}\b")


def words_of(text: str) -> set[str]:
    """The words and whole numbers of a text, in lower case."""
    return set(_WORD.findall(text.lower()))


def claims_of(text: str) -> set[str]:
    """What a text claims: its numbers as they are written, and its capitalised names in lower case."""
    return set(_NUMBER.findall(text)) | {name.lower() for name in _NAME.findall(text)}
