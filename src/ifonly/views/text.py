r"""Text of strangers made safe and short.

Tool results and replies are written by others, sometimes with intent. Whatever could move a cursor, colour a
terminal, reverse the order of letters or hide is shown by a visible sign instead: a control picture for control
characters (``ESC`` becomes U+241B), ``\uXXXX`` for invisible format characters, surrogates and the like.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ifonly.agents.records import Content, ToolCall

__all__ = ["call_text", "content_text", "contrast", "cut", "one_line", "pretty", "visible"]

_CONTROL_PICTURES = 0x2400
_DELETE, _DELETE_PICTURE = 0x7F, "\u2421"
_KEPT = frozenset("\n\t")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SUSPECT = re.compile(r"[^\n\t\x20-\x7e]")


def visible(text: str) -> str:
    """The text with every character that acts or hides replaced by a sign; new lines and tabs stay."""
    return _SUSPECT.sub(lambda match: _sign(match.group()), text.replace("\r\n", "\n"))


def _sign(character: str) -> str:
    code = ord(character)
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    if code < 0x20:  # noqa: PLR2004 -- the C0 block
        return chr(_CONTROL_PICTURES + code)
    if code == _DELETE:
        return _DELETE_PICTURE
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 -- the basic plane


def cut(text: str, width: int) -> str:
    """At most `width` characters, the last an ellipsis where something was left out."""
    return text if len(text) <= width else text[: max(0, width - 1)].rstrip() + "…"


def one_line(text: str, width: int = 160) -> str:
    """The visible text on one line, white space folded, cut to the width."""
    # More than ten times the width is never shown, and folding a 100 MB string is slow.
    return cut(" ".join(visible(text[: width * 10]).split()) + ("…" if len(text) > width * 10 else ""), width)


def contrast(one: str, other: str, width: int = 90) -> tuple[str, str]:
    """Two texts on a line each, both from shortly before where they part."""
    parted = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = 0 if parted < width // 2 else parted - width // 3
    mark = "…" if start else ""
    return mark + one_line(one[start:], width), mark + one_line(other[start:], width)


def content_text(content: Content) -> str:
    """The text of a message: typed parts are joined, parts that are no text are shown as JSON."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(text if isinstance(text := part.get("text"), str) else _json(part) for part in content)


def call_text(call: ToolCall) -> str:
    """A tool call as ``name(argument=value, ...)``."""
    return f"{call.name}({', '.join(f'{name}={_json(value)}' for name, value in call.arguments.items())})"


def pretty(value: JsonValue) -> str:
    """JSON over several lines."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _json(value: JsonValue | dict[str, JsonValue]) -> str:
    return json.dumps(value, ensure_ascii=False)
