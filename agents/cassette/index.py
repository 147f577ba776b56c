"""What a cassette holds, in memory: frames, messages and conversations by digest, calls by key and occurrence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ifonly.agents.canonical import canonical_json, context_digest, digest, extend, message_digest
from ifonly.agents.completion import Completion
from ifonly.agents.errors import IfonlyError
from ifonly.agents.records import AssistantMessage, Record, Request, ToolMessage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ifonly.agents.records import Message

__all__ = ["EMPTY", "Call", "Conversation", "Index", "completion_of", "exact", "key_of", "keyed", "reference"]

# The conversation without messages.
EMPTY = digest("")

_EXACT = len(EMPTY)


class Conversation(NamedTuple):
    """A sequence of messages: those of a shorter conversation, and then some.

    Attributes:
        after: the shorter conversation; None for the empty one.
        new: references of the messages that come after it.
        length: number of messages in all.
    """

    after: str | None
    new: tuple[str, ...]
    length: int


class Call(NamedTuple):
    """One recorded call."""

    key: str
    frame: str
    conversation: str
    session: int
    occurrence: int
    completion: dict[str, Any]


def key_of(request: Request) -> str:
    """Digest of the model and of the whole canonical request.

    Raises:
        IfonlyError: it holds what JSON cannot.
    """
    return keyed(request)[0]


def keyed(request: Request) -> tuple[str, list[str]]:
    """The request's key, and the references of its messages, from which it is made.

    Raises:
        IfonlyError: it holds what JSON cannot.
    """
    try:
        references = [reference(message) for message in request.messages]
        conversation = context_digest(request)
    except (ValueError, RecursionError) as error:
        raise IfonlyError(f"request to {request.model}", f"JSON cannot hold it ({error})", "Correct it.") from None
    for one in references:
        conversation = extend(conversation, exact(one))
    return digest(request.model + conversation), references


def reference(message: Message) -> str:
    """Digest of a message, ids of tool calls aside; after it, if there are such ids, a digest of these."""
    ids: list[str | None] = []
    if isinstance(message, AssistantMessage):
        ids = [call.id for call in message.tool_calls]
    elif isinstance(message, ToolMessage):
        ids = [message.tool_call_id]
    exact = message_digest(message)
    return exact + digest(canonical_json(ids)) if any(one is not None for one in ids) else exact


def exact(reference: str) -> str:
    """The part of a reference that leaves ids aside: messages that share it count as equal."""
    return reference[:_EXACT]


class Index:
    """Everything that stands in a cassette.

    Of each request only the recordings of its latest session count; a line that repeats session and occurrence
    replaces the earlier one.
    """

    def __init__(self) -> None:
        self.frames: dict[str, dict[str, Any]] = {}
        self.messages: dict[str, dict[str, Any]] = {}
        self.conversations: dict[str, Conversation] = {EMPTY: Conversation(None, (), 0)}
        self.calls: dict[str, dict[int, Call]] = {}
        self.session = 0

    def place(self, line: dict[str, Any]) -> None:
        """Take up one line.

        Raises:
            KeyError: the line lacks a field, or names what no line before it holds.
        """
        if "call" in line:
            self._place_call(line)
        elif "message" in line:
            self.messages[line["message"]] = line["value"]
        elif "frame" in line:
            self.frames[line["frame"]] = line["value"]
        else:
            raise KeyError("call, message or frame")

    def lines(self, request: Request, completion: Completion, session: int, occurrence: int) -> list[dict[str, Any]]:
        """The lines that record a call: what is not there yet of its frame and its messages, then the call."""
        lines: list[dict[str, Any]] = []
        value = _plain(request, {"messages"})
        frame = digest(canonical_json(value))
        if frame not in self.frames:
            lines.append({"frame": frame, "value": value})
        key, references = keyed(request)
        for one, message in dict(zip(references, request.messages, strict=True)).items():
            if one not in self.messages:
                lines.append({"message": one, "value": _plain(message)})
        known = _folded(references)
        shared = next(length for length in range(len(references), -1, -1) if known[length] in self.conversations)
        call = {
            "call": key,
            "session": session,
            "occurrence": occurrence,
            "frame": frame,
            "after": known[shared],
            "messages": references[shared:],
            "completion": _plain(completion, {"source"}),
        }
        return [*lines, call]

    def references(self, conversation: str) -> list[str]:
        """References of all messages of a conversation, in order."""
        parts, at = list[tuple[str, ...]](), self.conversations[conversation]
        while at.after is not None:
            parts.append(at.new)
            at = self.conversations[at.after]
        return [one for part in reversed(parts) for one in part]

    def request(self, call: Call) -> Request:
        """The request of a recorded call."""
        messages = [self.messages[one] for one in self.references(call.conversation)]
        return Request.model_validate({**self.frames[call.frame], "messages": messages}, strict=False)

    def current(self) -> Iterator[Call]:
        """The calls that count, in the order of their first recording."""
        for calls in self.calls.values():
            yield from (calls[occurrence] for occurrence in sorted(calls))

    def _place_call(self, line: dict[str, Any]) -> None:
        after = self.conversations[line["after"]]
        new = tuple(line["messages"])
        if line["frame"] not in self.frames or not self.messages.keys() >= set(new):
            raise KeyError("a frame or message")
        conversation = _folded(new, line["after"])[-1]
        if new:
            self.conversations.setdefault(conversation, Conversation(line["after"], new, after.length + len(new)))
        call = Call(line["call"], line["frame"], conversation, line["session"], line["occurrence"], line["completion"])
        self.session = max(self.session, call.session)
        calls = self.calls.setdefault(call.key, {})
        latest = next(iter(calls.values())).session if calls else call.session
        if call.session > latest:
            calls.clear()
        if call.session >= latest:
            calls[call.occurrence] = call


def _plain(record: Record, without: set[str] | None = None) -> dict[str, Any]:
    """A record as JSON has it, sharing nothing with it."""
    plain: dict[str, Any] = json.loads(json.dumps(record.model_dump(exclude=without)))
    return plain


def _folded(references: Sequence[str], start: str = EMPTY) -> list[str]:
    """The conversations that these references make one by one, from the one they start after."""
    folded = [start]
    for one in references:
        folded.append(extend(folded[-1], one))
    return folded


def completion_of(call: Call) -> Completion:
    """The reply of a recorded call, as it was but for its source."""
    return Completion.model_validate({**call.completion, "source": "recorded"}, strict=False)
