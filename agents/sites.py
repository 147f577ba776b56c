"""From a conversation to steps: structural site names, calls paired with results, what each step reads."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ifonly.agents.records import (
    AssistantMessage,
    InputStep,
    Message,
    ModelStep,
    Request,
    Step,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolStep,
    UserMessage,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ConversationError", "SiteNamer", "pair_results", "steps_of"]


_RESERVED = frozenset({"environment", "outcome", "system", "user"})


class ConversationError(ValueError):
    """A message list that is no conversation; `field` is the dotted path of the culprit in the list."""

    def __init__(self, field: str, found: str, fix: str) -> None:
        super().__init__(f"{field}: {found}. {fix}")
        self.field, self.found, self.fix = field, found, fix


class SiteNamer:
    """Gives sites: the n-th step of a name is ``name/n``, whatever other steps ran before it.

    Args:
        agent: name of the model steps' sites.
    """

    def __init__(self, agent: str = "agent") -> None:
        self.agent = agent
        self._count: Counter[str] = Counter()

    def __call__(self, name: str) -> str:
        """The next site of this name."""
        site = f"{name}/{self._count[name]}"
        self._count[name] += 1
        return site

    def tool(self, name: str) -> str:
        """The next site of a tool; one that is named like something else of a run is told apart by ``tool:``."""
        return self(f"tool:{name}" if name in _RESERVED or name == self.agent else name)


def steps_of(
    messages: Sequence[Message], frame: Request, *, agent: str = "agent", pending: bool = False
) -> tuple[Step, ...]:
    """The steps of a conversation held by one agent with tools.

    Each assistant message becomes a model step whose request is all that stands before it; each tool message
    a tool step that reads the model step which made the call. A turn before the first model step is
    exogenous; later ones answer what was said, so they read it.

    Args:
        messages: the conversation in order.
        frame: what every request shares (model, tools, settings); its own messages are ignored.
        agent: name of the model steps' sites.
        pending: whether the last assistant message may have calls that were never executed (a run stopped by
            a limit).

    Raises:
        ConversationError: a tool result without call, a call without result, two calls in one message that
            share an id.
    """
    messages, site = tuple(messages), SiteNamer(agent)
    steps, seen, spoken, index = list[Step](), list[str](), False, 0
    while index < len(messages):
        message = messages[index]
        made: list[Step] = []
        match message:
            case SystemMessage() | UserMessage():
                reads = tuple(seen) if spoken else ()
                made = [InputStep(site=site(message.role), message=message, reads=reads)]
            case AssistantMessage():
                request = frame.model_copy(update={"messages": messages[:index]})
                asked = ModelStep(site=site(agent), request=request, reply=message, reads=tuple(seen))
                made = [asked, *_tool_steps(asked, messages, index + 1, site, pending)]
                spoken = True
            case ToolMessage():
                raise _orphan(message, index)
        steps += made
        seen += [step.site for step in made]
        index += len(made)
    return tuple(steps)


def _orphan(message: ToolMessage, index: int) -> ConversationError:
    return ConversationError(
        f"messages.{index}.tool_call_id",
        f"a tool result with id {message.tool_call_id!r} that answers no call of the message before it",
        "Put each tool result right after the assistant message that made the call.",
    )


def _tool_steps(
    asked: ModelStep, messages: Sequence[Message], start: int, site: SiteNamer, pending: bool
) -> list[ToolStep]:
    calls = asked.reply.tool_calls
    results = _results_after(messages, start) if calls else []
    if not results and (not calls or (pending and start == len(messages))):
        return []
    return [
        ToolStep(site=site.tool(call.name), call=call, result=result, reads=(asked.site,))
        for call, result in pair_results(calls, results, start)
    ]


def _results_after(messages: Sequence[Message], start: int) -> list[ToolMessage]:
    results = []
    for message in messages[start:]:
        if not isinstance(message, ToolMessage):
            break
        results.append(message)
    return results


def pair_results(
    calls: Sequence[ToolCall], results: Sequence[ToolMessage], start: int = 0
) -> list[tuple[ToolCall, ToolResult]]:
    """Calls with their results, in the order in which the results came (the order of execution).

    Paired by id where every call of the message has one, else by position.

    Args:
        calls: the calls of one assistant message.
        results: the tool messages right after it.
        start: index of the first result, for the error's place.

    Raises:
        ConversationError: as in `steps_of`.
    """
    ids = [call.id for call in calls]
    by_id = all(ids)
    if by_id and len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        where = f"messages.{start - 1}.tool_calls"
        raise ConversationError(where, f"two calls with the id {twice!r}", "Give each call its own id.")
    waiting: dict[str | int | None, ToolCall] = dict(zip(ids if by_id else range(len(ids)), calls, strict=True))
    pairs = []
    for offset, message in enumerate(results):
        key = message.tool_call_id if by_id else offset
        call = waiting.pop(key, None)
        if call is None:
            raise ConversationError(
                f"messages.{start + offset}.tool_call_id",
                f"a tool result with id {message.tool_call_id!r}; open calls: {list(waiting) or 'none'}",
                "Check that the id is the one of the call it answers.",
            )
        pairs.append((call, ToolResult(content=message.content, error=message.error)))
    if waiting:
        raise ConversationError(
            f"messages.{start - 1}.tool_calls",
            f"no result for {', '.join(f'{c.name} (id {c.id!r})' for c in waiting.values())}",
            "Add the missing tool message, or cut the list before the call.",
        )
    return pairs
