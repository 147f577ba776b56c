"""What a miss says: the recorded request that is nearest to the one asked, and how they differ, field by field.

The distance counts messages that are not equal at the same place, settings that differ, and the model and the tools.
It is taken over digests, once for each conversation and once for each frame; of the few that come out nearest, the one
whose first differing message reads most alike is shown.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from heapq import nsmallest
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ifonly.agents.canonical import canonical_json
from ifonly.agents.cassette.index import exact, key_of, reference
from ifonly.agents.errors import CassetteMiss

if TYPE_CHECKING:
    from ifonly.agents.cassette.index import Call, Index
    from ifonly.agents.records import Request

__all__ = ["differences", "miss_of"]

_SHOWN = 5
_NEAR = 3
_READ = 8
_WINDOW = 400
_BEFORE, _AFTER = 12, 40

_ABSENT = "absent"

Difference = tuple[str, str, str]


def miss_of(file: str, index: Index, request: Request, occurrence: int) -> CassetteMiss:
    """The error for a redacted request that the cassette does not hold, or not this often.

    Args:
        file: the cassette's, to name it.
        index: what the cassette holds.
        request: what was asked.
        occurrence: which asking of it, from 0.
    """
    asked = f"{request.model}, {len(request.messages)} messages, in {file}"
    record = "Record it with mode new or all."
    if calls := index.calls.get(key_of(request)):
        found = f"recorded {len(calls)} times, asked for the {occurrence + 1}. time"
        difference = [("occurrence", str(occurrence), ", ".join(map(str, sorted(calls))))]
        return CassetteMiss(asked, found, record, difference=difference)
    ranked = _ranked(index, request)
    if not ranked:
        return CassetteMiss(asked, "nothing is recorded yet", record)
    difference = differences(_fields(request), _fields(index.request(ranked[0])))
    shown = "; ".join(f"{field}: asked {ours}, recorded {theirs}" for field, ours, theirs in difference[:_SHOWN])
    more = f"; and {len(difference) - _SHOWN} more" if difference[_SHOWN:] else ""
    near = [_named(index, call) for call in ranked[:_NEAR]]
    fix = "Record it with mode new or all, or undo the difference."
    return CassetteMiss(asked, f"the nearest recorded request differs in {shown}{more}", fix, near, difference)


def differences(asked: object, recorded: object, place: str = "") -> list[Difference]:
    """Each field that differs, as its dotted place, what was asked and what is recorded; 1, 1.0 and true differ."""
    if isinstance(asked, dict) and isinstance(recorded, dict):
        keys = [*asked, *(key for key in recorded if key not in asked)]
        inner = [(key, asked.get(key, _Absent), recorded.get(key, _Absent)) for key in keys]
    elif isinstance(asked, list) and isinstance(recorded, list):
        pairs = zip_longest(asked, recorded, fillvalue=_Absent)
        inner = [(str(number), ours, theirs) for number, (ours, theirs) in enumerate(pairs)]
    elif _text(asked) == _text(recorded):
        return []
    else:
        return [(place, *_excerpts(_text(asked), _text(recorded)))]
    return [one for key, ours, theirs in inner for one in differences(ours, theirs, f"{place}.{key}" if place else key)]


class _Absent:
    """Stands for a field that one side does not have."""


def _text(value: object) -> str:
    """As it is shown: texts in quotes and ASCII, so that what looks alike is told apart."""
    if value is _Absent:
        return _ABSENT
    return ascii(value) if isinstance(value, str) else canonical_json(value)


def _excerpts(asked: str, recorded: str) -> tuple[str, str]:
    """Both texts from shortly before the first character in which they differ."""
    start = max(0, _common(asked, recorded) - _BEFORE)
    return _excerpt(asked, start), _excerpt(recorded, start)


def _excerpt(text: str, start: int) -> str:
    end = start + _BEFORE + _AFTER
    return ("..." if start else "") + text[start:end] + ("..." if text[end:] else "")


def _common(first: str, second: str) -> int:
    """Length of the common beginning."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _named(index: Index, call: Call) -> str:
    length = index.conversations[call.conversation].length
    return f"{index.frames[call.frame]['model']}, {length} messages ({call.key[:8]})"


def _fields(request: Request) -> dict[str, Any]:
    """The request as nested fields, messages last, without the ids that do not count."""
    fields: dict[str, Any] = request.model_dump(mode="json")
    for message in fields["messages"]:
        message.pop("tool_call_id", None)
        for call in message.get("tool_calls", ()):
            call.pop("id")
        if message["role"] == "assistant":
            message["content"] = message["content"] or None
    return {**{key: value for key, value in fields.items() if key != "messages"}, "messages": fields["messages"]}


def _ranked(index: Index, request: Request) -> list[Call]:
    """The recorded requests that are nearest, best first."""
    asked = [exact(reference(message)) for message in request.messages]
    frame = request.model_dump(mode="json", exclude={"messages"})
    frames = {name: _frame_distance(frame, recorded) for name, recorded in index.frames.items()}
    equal = _equal_messages(index, asked)
    calls = [next(iter(calls.values())) for calls in index.calls.values()]

    def distance(call: Call) -> int:
        length = index.conversations[call.conversation].length
        return frames[call.frame] + max(len(asked), length) - equal[call.conversation]

    distances = [distance(call) for call in calls]
    best = min(distances, default=0)
    tied = [call for call, far in zip(calls, distances, strict=True) if far == best]
    if len(tied) > 1:
        alike = [(_roughly(index, call, request, asked), -number, call) for number, call in enumerate(tied)]
        few = sorted(alike, key=lambda one: one[:2], reverse=True)[:_READ]
        tied = [one[-1] for one in sorted(few, key=lambda one: _closely(index, one[-1], request, asked), reverse=True)]
    further = nsmallest(_NEAR, range(len(calls)), key=lambda at: distances[at])
    return [*tied[:_READ], *(calls[at] for at in further if distances[at] > best)]


def _frame_distance(asked: dict[str, Any], recorded: dict[str, Any]) -> int:
    ours, theirs = asked["settings"], recorded["settings"]
    settings = sum(
        1 for key in ours.keys() | theirs.keys() if key not in ours or key not in theirs or ours[key] != theirs[key]
    )
    return settings + sum(1 for field in ("model", "toolset", "tools") if asked[field] != recorded[field])


def _equal_messages(index: Index, asked: list[str]) -> dict[str, int]:
    """How many messages of each conversation equal the asked ones at the same place."""
    equal: dict[str, int] = {}
    # A conversation stands after the one it goes on from.
    for name, conversation in index.conversations.items():
        count = 0 if conversation.after is None else equal[conversation.after]
        start = conversation.length - len(conversation.new)
        for one, ours in zip(conversation.new, asked[start:], strict=False):
            count += exact(one) == ours
        equal[name] = count
    return equal


def _roughly(index: Index, call: Call, request: Request, asked: list[str]) -> float:
    """Share of the first differing message that begins and ends alike."""
    ours, theirs = _first_unlike(index, call, request, asked)
    longest = max(len(ours), len(theirs))
    if not longest:
        return 1.0
    begun = _common(ours, theirs)
    rest = min(len(ours), len(theirs)) - begun
    ended = _common(ours[: -rest - 1 : -1], theirs[: -rest - 1 : -1]) if rest else 0
    return (begun + ended) / longest


def _closely(index: Index, call: Call, request: Request, asked: list[str]) -> float:
    """How alike difflib finds the texts around the place where the first differing message differs."""
    ours, theirs = _first_unlike(index, call, request, asked)
    start = max(0, _common(ours, theirs) - _WINDOW // 4)
    return SequenceMatcher(None, ours[start : start + _WINDOW], theirs[start : start + _WINDOW], autojunk=False).ratio()


def _first_unlike(index: Index, call: Call, request: Request, asked: list[str]) -> tuple[str, str]:
    """The texts of the first message in which a recorded request differs from the asked one."""
    recorded = index.references(call.conversation)
    for number, (ours, theirs) in enumerate(zip_longest(asked, recorded)):
        if theirs is None or ours != exact(theirs):
            mine = "" if ours is None else _said(request.messages[number].model_dump(mode="json"))
            return mine, "" if theirs is None else _said(index.messages[theirs])
    return "", ""


def _said(message: dict[str, Any]) -> str:
    content = message["content"]
    calls = [(call["name"], call["arguments"]) for call in message.get("tool_calls") or ()]
    return (content if isinstance(content, str) else canonical_json(content)) + (canonical_json(calls) if calls else "")
