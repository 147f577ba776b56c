"""When an executed tool result counts as the recorded one.

Four verdicts. `exact`: equal, byte for byte. `equivalent`: equal but for what no re-execution can reproduce and no
reader would act on: the stamp of a clock, the wording or link of a Pydantic validation error, the order of a set, and
100 against 100.0. `redacted`: the record holds a notice in place of the result. `differs`: anything else.

Each rule is held to the one place where it applies, so that another number, word or line always `differs`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Literal

from ifonly.agents.environments.agentdojo_ref import REDACTED

if TYPE_CHECKING:
    from ifonly.agents.records import Content, ToolResult

__all__ = ["Verdict", "canonical_error", "canonical_result", "compare"]

Verdict = Literal["exact", "equivalent", "redacted", "differs"]
"""How an executed result stands to the recorded one."""

_CLOCK = re.compile(
    r"^([ -]*(?:timestamp|last_modified): )\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}(?=(?:>>)?$)", re.MULTILINE
)
"""A YAML date field with a fraction of a second: only a clock gives one, dates in data have whole seconds."""

_WHOLE = re.compile(r"(?<![\w.,-])(-?\d+)\.0(?![\w,.]*\d)")
"""A number written with a zero fraction, and no part of a longer one, a version or an address."""

_SET = re.compile(r"^( *)(?:- )?participants:\n((?:\1 *- \S+@\S+\n?)+)", re.MULTILINE)
"""A YAML block of e-mail addresses that the tool keeps as a set."""

_FIELD_ERROR = re.compile(r"^  .*?( \[type=\w+.*)?$")
_SET_INDEX = re.compile(r"^(participants\.)\d+$")
_LINK = re.compile(r"^    For further information visit https://errors\.pydantic\.dev/\S+$")


def compare(recorded: ToolResult, executed: ToolResult) -> Verdict:
    """The verdict on an executed result."""
    if recorded == executed:
        return "exact"
    if canonical_error(recorded.error) != canonical_error(executed.error):
        return "differs"
    if recorded.content == REDACTED:
        return "redacted"
    same = canonical_result(recorded.content) == canonical_result(executed.content)
    return "equivalent" if same else "differs"


def canonical_result(content: Content) -> str:
    """The spelling that equivalent contents share."""
    if content is None:
        return ""
    if not isinstance(content, str):
        content = json.dumps(content, sort_keys=True, ensure_ascii=False)
    text = _CLOCK.sub(r"\1<clock>", content)
    text = _SET.sub(_sorted_set, text)
    return _WHOLE.sub(r"\1", text)


def canonical_error(error: str | None) -> str | None:
    """The spelling that equivalent errors share: of a Pydantic error its fields, types and inputs are kept."""
    if error is None or not error.startswith("ValidationError: "):
        return error
    lines = [line for line in error.split("\n") if not _LINK.match(line)]
    return "\n".join(_SET_INDEX.sub(r"\1*", _FIELD_ERROR.sub(r"  \1", line)) for line in lines)


def _sorted_set(match: re.Match[str]) -> str:
    head, block = match.group(0)[: -len(match.group(2))], match.group(2)
    return head + "\n".join(sorted(block.rstrip("\n").split("\n"))) + ("\n" if block.endswith("\n") else "")
