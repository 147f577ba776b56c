"""From what was heard of a program, its model calls and tool calls, to the steps of a run.

A request that begins with a known conversation and its last reply goes on with that conversation, if the same agent
makes it; any other request begins a new one. Results of tools are taken from the request in which they appear, since
that is what the model saw; what the tool itself reported adds its time and its effect. A tool that no reply called is a
step that reads nothing. Sites count through the run, in the order in which calls were sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field

from ifonly.agents.canonical import Equality, canonical_json, message_digest
from ifonly.agents.completion import Completion
from ifonly.agents.records import (
    AssistantMessage,
    EnvironmentRef,
    InputStep,
    Message,
    Record,
    Request,
    Step,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolStep,
    message_of,
)
from ifonly.agents.sites import ConversationError, SiteNamer, pair_results
from ifonly.agents.toolbox.tools import Used

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Called", "Event", "Happened", "Head", "ToolUsed", "steps_of_events"]


class Head(Record):
    """What is known of a run before its first step."""

    id: str
    task: str
    agent: str
    model: str = ""
    environment: EnvironmentRef | None = None
    labels: dict[str, str] = Field(default_factory=dict)


class Called(Record):
    """A model call that has ended; times are seconds since the epoch."""

    kind: Literal["called"] = "called"
    agent: str
    request: Request
    completion: Completion | None = None
    error: str | None = None
    started: float
    ended: float


class ToolUsed(Record):
    """A tool that the program has called."""

    kind: Literal["used"] = "used"
    agent: str
    used: Used

    @property
    def started(self) -> float:
        """When it was called."""
        return self.used.started


Event = Annotated[Called | ToolUsed, Field(discriminator="kind")]
"""Something that was heard of a program."""


class Happened(NamedTuple):
    """The steps that the events make, and the error of the last model call, if it failed."""

    steps: tuple[Step, ...]
    error: str | None


def steps_of_events(events: Iterable[Called | ToolUsed], agent: str) -> Happened:
    """The steps that the events make.

    Args:
        events: in any order.
        agent: name of the run's main agent.
    """
    ordered = sorted(events, key=lambda event: event.started)
    builder = _Builder(agent, {event.agent for event in ordered})
    error = None
    for event in ordered:
        if isinstance(event, ToolUsed):
            builder.use(event.used)
        elif event.completion is not None:
            builder.call(event, event.completion)
            error = None
        else:
            error = event.error
    builder.end()
    return Happened(tuple(builder.steps), error)


@dataclass
class _Open:
    """A call of the last reply, with what its tool reported."""

    call: ToolCall
    used: Used | None = None


@dataclass
class _Conversation:
    """A conversation as far as it has come: its messages, and the sites of its steps.

    Attributes:
        agent: who holds it.
        messages: all of them.
        keys: their digests.
        seen: the sites of its steps.
        caller: the site of its last reply.
        waiting: the calls of that reply.
        retold: the same calls as the next request has them, with ids of its own maybe.
    """

    agent: str
    messages: list[Message] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    caller: str | None = None
    waiting: list[_Open] = field(default_factory=list)
    retold: tuple[ToolCall, ...] = ()

    def hear(self, message: Message) -> None:
        self.messages.append(message)
        self.keys.append(_key(message))


class _Builder:
    """Makes steps of events that come in order."""

    def __init__(self, agent: str, agents: set[str]) -> None:
        self._site, self._agents = SiteNamer(agent), agents
        self._conversations: list[_Conversation] = []
        self.steps: list[Step] = []

    def call(self, called: Called, completion: Completion) -> None:
        """A reply, and before it what is new in its request."""
        request, keys = called.request, [_key(message) for message in called.request.messages]
        talk = self._conversation(called.agent, keys)
        known = len(talk.messages)
        if talk.waiting and isinstance(said := request.messages[known - 1], AssistantMessage):
            talk.retold = said.tool_calls
        self._listen(talk, request.messages[known:])
        if [message_digest(m) for m in talk.messages] == [message_digest(m) for m in request.messages]:
            # Equal but for ids and empty texts: as the steps say it, so that the run is one growing conversation.
            request = request.model_copy(update={"messages": tuple(talk.messages)})
        step = completion.step(self._site(called.agent), request, tuple(talk.seen))
        self._add(talk, step)
        talk.caller = step.site
        talk.waiting = [_Open(call) for call in step.reply.tool_calls]

    def use(self, used: Used) -> None:
        """A tool that was called: by a reply that waits for it, or else by the program itself."""
        for talk in reversed(self._conversations):
            for waiting in talk.waiting:
                if waiting.used is None and _same(waiting.call, used.call):
                    waiting.used = used
                    return
        self.steps.append(_tool_step(self._tool_site(used.call.name), used.call, used.result, (), used))

    def end(self) -> None:
        """The tools whose results no request shows."""
        left = [(talk, one) for talk in self._conversations for one in talk.waiting if one.used is not None]
        for talk, one in sorted(left, key=lambda pair: pair[1].used.started if pair[1].used else 0.0):
            if one.used is not None and talk.caller is not None:
                site = self._tool_site(one.call.name)
                self._add(talk, _tool_step(site, one.call, one.used.result, (talk.caller,), one.used))

    def _conversation(self, agent: str, keys: Sequence[str]) -> _Conversation:
        """The longest known conversation that a request of these messages goes on with, else a new one."""
        fitting = [talk for talk in self._conversations if talk.agent == agent and keys[: len(talk.keys)] == talk.keys]
        if fitting:
            return max(fitting, key=lambda talk: len(talk.keys))
        self._conversations.append(_Conversation(agent))
        return self._conversations[-1]

    def _listen(self, talk: _Conversation, messages: Sequence[Message]) -> None:
        """Steps for what a request says beyond what was known."""
        index = 0
        while index < len(messages):
            message = messages[index]
            if isinstance(message, ToolMessage):
                results = _results(messages[index:])
                self._results(talk, results)
                index += len(results)
                continue
            if isinstance(message, AssistantMessage):
                talk.hear(message)  # put into the program's mouth, or made before the recording: no step
            else:
                reads = tuple(talk.seen) if talk.caller else ()
                self._add(talk, InputStep(site=self._site(message.role), message=message, reads=reads))
            index += 1

    def _results(self, talk: _Conversation, results: Sequence[ToolMessage]) -> None:
        waiting, talk.waiting = talk.waiting, []
        try:
            pairs = pair_results(talk.retold if waiting else (), results)
        except ConversationError:
            for message in results:
                talk.hear(message)
            return
        for call, result in pairs:
            one = next(one for one, retold in zip(waiting, talk.retold, strict=True) if retold is call)
            reads = () if talk.caller is None else (talk.caller,)
            self._add(talk, _tool_step(self._tool_site(call.name), one.call, result, reads, one.used))

    def _add(self, talk: _Conversation, step: Step) -> None:
        self.steps.append(step)
        talk.seen.append(step.site)
        talk.hear(message_of(step))

    def _tool_site(self, name: str) -> str:
        return self._site(f"tool:{name}") if name in self._agents else self._site.tool(name)


def _tool_step(site: str, call: ToolCall, result: ToolResult, reads: tuple[str, ...], used: Used | None) -> ToolStep:
    measured = {} if used is None else {"seconds": used.seconds, "effect": used.effect}
    return ToolStep(site=site, call=call, result=result, reads=reads).model_copy(update=measured)


def _results(messages: Sequence[Message]) -> list[ToolMessage]:
    found: list[ToolMessage] = []
    for message in messages:
        if not isinstance(message, ToolMessage):
            break
        found.append(message)
    return found


def _same(one: ToolCall, other: ToolCall) -> bool:
    return one.name == other.name and canonical_json(one.arguments) == canonical_json(other.arguments)


def _key(message: Message) -> str:
    return message_digest(message, Equality.CALLS_ONLY)
