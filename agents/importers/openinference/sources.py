"""Where the messages of a request come from: which earlier step said what stands in them.

Telemetry does not tell. A message comes from a step if it *is* what that step added to the conversation (the same text,
the same call id), or if its text *contains* what the step said: a framework often wraps it ("Observation: ..."), or
shows the code in it alone. Texts below `LEAST` characters count only where they are the whole message, for short ones
stand everywhere. The sources of a message are looked for when it is first seen, among the steps before.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from ifonly.agents.records import AssistantMessage, ModelStep, ToolStep, message_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.importers.base import Place
    from ifonly.agents.importers.openinference.messages import Pool
    from ifonly.agents.records import Content, Message, Step

__all__ = ["LEAST", "MAX_COMPARED", "Sources", "code_of", "text_of"]

LEAST = 24
"""Characters of the shortest text that is looked for inside messages."""

MAX_COMPARED = 4 * 10**9
"""Characters searched in a trace, in all: some seconds."""


_CODE = re.compile(r"```(?:py|python)?[ \t]*\n(.*?)\n?```", re.DOTALL)


class Sources:
    """The steps so far, and what each says.

    Args:
        pool: in which equal messages are one object.
        place: of the record, for errors.
    """

    def __init__(self, pool: Pool, place: Place) -> None:
        self._pool, self._place = pool, place
        self._order: dict[str, int] = {}
        self._said: dict[int, list[str]] = defaultdict(list)
        self._answered: dict[str, str] = {}
        self._needles: list[tuple[str, str]] = []
        self._inside: dict[int, tuple[str, ...]] = {}
        self._compared = 0

    def add(self, step: Step) -> None:
        """Register a step that came next."""
        self._order[step.site] = len(self._order)
        self._said[id(self._pool.same(message_of(step)))].append(step.site)
        texts: list[str] = []
        match step:
            case ModelStep():
                said = text_of(step.reply.content)
                texts = [said, *(call.id or "" for call in step.reply.tool_calls)]
                for code in code_of(said):
                    # The last is how smolagents shows the call of its interpreter.
                    texts += [code, repr(code)[1:-1], f"'arguments': {code!r}"]
            case ToolStep():
                error = step.result.error or ""
                texts = [text_of(step.result.content), error, error.partition(": ")[2]]
                if step.call.id:
                    self._answered[step.call.id] = step.site
        self._needles += [(text.strip(), step.site) for text in texts if len(text.strip()) >= LEAST]

    def of(self, messages: Sequence[Message]) -> list[tuple[str, ...]]:
        """For each message, the sites of the steps that it comes from.

        Raises:
            InputError: the trace is too large to be searched.
        """
        seen, found = Counter[int](), list[tuple[str, ...]]()
        for message in messages:
            key = id(message)
            said = self._said.get(key, [])
            again, seen[key] = seen[key], seen[key] + 1
            if again < len(said):
                found.append((said[again],))
            elif message.role == "tool" and message.tool_call_id in self._answered:
                found.append((self._answered[message.tool_call_id],))
            elif said and message.role == "assistant":
                found.append((said[-1],))
            else:
                found.append(self._containing(message))
        return found

    def sorted(self, sites: set[str]) -> tuple[str, ...]:
        """Sites in the order in which their steps ran."""
        return tuple(sorted(sites, key=self._order.__getitem__))

    def _containing(self, message: Message) -> tuple[str, ...]:
        if id(message) not in self._inside:
            text = text_of(message.content)
            if isinstance(message, AssistantMessage):
                text = "\n".join([text, *(call.id or "" for call in message.tool_calls)])
            self._compared += len(text) * len(self._needles)
            if self._compared > MAX_COMPARED:
                found = f"more than {MAX_COMPARED:,} characters in which earlier steps are looked for"
                raise self._place.error("spans", found, "Split the trace at its agents.")
            self._inside[id(message)] = self.sorted({site for needle, site in self._needles if needle in text})
        return self._inside[id(message)]


def code_of(text: str) -> list[str]:
    """The Python blocks of a reply."""
    return _CODE.findall(text)


def text_of(content: Content) -> str:
    """The text of a message, without what is no text."""
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))  # type: ignore[misc]
    return content or ""
