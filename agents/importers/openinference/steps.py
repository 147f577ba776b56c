"""From spans to steps.

| span | step | site |
|---|---|---|
| LLM | a model step, after the inputs that its request shows first | ``agent/n``, or the agent's name |
| LLM right under an agent of smolagents | the same: it plans between the agent's steps | ``agent.plan/n`` |
| LLM in a TOOL | the same | ``tool.model/n`` |
| TOOL | a tool step, after what ran in it | the tool's name |
| none: a call whose result a later request shows | a tool step | the tool's name |
| smolagents' ``Step n`` whose reply is code | a tool step ``python_interpreter``, after what the code called | |
| AGENT in an agent, of smolagents | a tool step: the manager's code called it as a function | its name |

Other spans order what runs in them. An LLM span right in another tells of the same call again. A tool step comes
after what ran in it, so that the steps are in an order in which each can read those before it. What executing code took
is not told: it is taken to be from the end of the model's reply to the end of the ``Step``, with what the code called.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ifonly.agents.importers.base import UNKNOWN_MODEL
from ifonly.agents.importers.openinference.attributes import text_at
from ifonly.agents.importers.openinference.kinds import asked_of, check_content, kind_of, used_of
from ifonly.agents.importers.openinference.messages import Pool
from ifonly.agents.importers.openinference.names import agent_name, answered, is_step, managed_by, plain_name
from ifonly.agents.importers.openinference.sources import Sources, code_of, text_of
from ifonly.agents.records import (
    AssistantMessage,
    InputStep,
    ModelStep,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolStep,
    UserMessage,
)
from ifonly.agents.sites import SiteNamer

if TYPE_CHECKING:
    from ifonly.agents.importers.base import Place
    from ifonly.agents.importers.openinference.spans import Span
    from ifonly.agents.importers.openinference.told import Asked, Used
    from ifonly.agents.importers.openinference.trace import Trace
    from ifonly.agents.records import Message, Step

__all__ = ["CODE_TOOL", "Lifted", "steps_of_trace"]

CODE_TOOL = "python_interpreter"
"""What smolagents calls the tool that executes an agent's code."""


@dataclass
class _Scope:
    """An agent at work, or a tool that asks a model itself.

    Attributes:
        name: of its model steps' sites.
        caller: the model step that called it.
        managed: the names of the agents that it may call.
        last: its last model step.
        open: the calls of that one whose results are awaited.
    """

    name: str
    caller: str | None = None
    managed: tuple[str, ...] = ()
    last: ModelStep | None = None
    open: list[ToolCall] = field(default_factory=list)


@dataclass(frozen=True)
class Lifted:
    """The steps of a trace; the model asked first."""

    steps: tuple[Step, ...]
    model: str


def steps_of_trace(trace: Trace, place: Place) -> Lifted:
    """The steps of a trace, in an order in which each comes after those that it reads.

    Raises:
        InputError: a span is broken; the trace holds no content, or no model call of a known dialect.
    """
    calls = {span.id: asked_of(span) for span in trace.spans.values() if kind_of(span) == "LLM"}
    check_content(trace, calls, place)
    walk = _Walk(trace, calls, place)
    for root in trace.roots:
        walk.visit(root, None, walk.main)
    walk.close(walk.main)
    models = [step.request.model for step in walk.steps if isinstance(step, ModelStep)]
    return Lifted(tuple(walk.steps), next((m for m in models if m != UNKNOWN_MODEL), UNKNOWN_MODEL))


class _Walk:
    """Visits the spans of a trace and makes their steps."""

    def __init__(self, trace: Trace, calls: dict[str, Asked], place: Place) -> None:
        self.steps: list[Step] = []
        self.main = _Scope("agent")
        self._calls, self._place = calls, place
        self._pool, self._site = Pool(), SiteNamer()
        self._sources = Sources(self._pool, place)
        self._agents = {"agent"}
        self._requests = self._read(trace)
        self._results = self._shown()
        # Whether a model call outside every agent needs a name of its own.
        self._several = any(kind_of(span) == "AGENT" for span in trace.spans.values())

    def visit(self, span: Span, above: Span | None, scope: _Scope) -> None:
        """Make the steps of a span and of all that ran in it."""
        match kind_of(span):
            case "LLM":
                self._model(span, above, scope)
            case "AGENT":
                self._agent(span, scope)
            case kind:
                before, inner = len(self.steps), scope
                if kind == "TOOL":
                    inner = _Scope(f"{used_of(span).name}.model", scope.last.site if scope.last else None)
                for child in span.children:
                    self.visit(child, span, inner)
                if kind == "TOOL":
                    self._tool(span, used_of(span), scope, before)
                elif is_step(span):
                    self._code(span, scope, before)

    def close(self, scope: _Scope) -> None:
        """Make the tool steps of calls without span, whose results a later request shows."""
        for call in scope.open:
            if scope.last and call.id in self._results:
                message = self._results[call.id]
                result = ToolResult(content=message.content, error=message.error)
                self._add(ToolStep(site=self._tool_site(call.name), call=call, result=result, reads=(scope.last.site,)))
        scope.open = []

    def _read(self, trace: Trace) -> dict[str, tuple[Message, ...]]:
        """The messages of every request; replies first, for messages that lost their role."""
        requests = {}
        for key, call in self._calls.items():
            place = trace.spans[key].place
            if call.reply is not None:
                self._pool.message({**call.reply, "role": "assistant"}, place, "reply")
            requests[key] = tuple(
                [self._pool.message(raw, place, f"messages.{index}") for index, raw in enumerate(call.messages)]
            )
        return requests

    def _shown(self) -> dict[str | None, ToolMessage]:
        """The results that requests show, by the id of the call; an id that two results share tells nothing."""
        shown: dict[str | None, ToolMessage] = {}
        twice = set[str]()
        for messages in self._requests.values():
            for said in messages:
                known = shown.setdefault(said.tool_call_id, said) if isinstance(said, ToolMessage) else said
                if known is not said and isinstance(said, ToolMessage) and said.tool_call_id:
                    twice.add(said.tool_call_id)
        return {key: said for key, said in shown.items() if key and key not in twice}

    def _add(self, step: Step) -> None:
        self.steps.append(step)
        self._sources.add(step)

    def _tool_site(self, name: str) -> str:
        return self._site(f"tool:{name}") if name in self._agents else self._site.tool(name)

    def _model(self, span: Span, above: Span | None, scope: _Scope) -> None:
        self.close(scope)
        call, messages = self._calls[span.id], self._requests[span.id]
        reads = self._inputs(messages, scope)
        reply = self._pool.message({**(call.reply or {}), "role": "assistant"}, span.place, "reply")
        assert isinstance(reply, AssistantMessage)
        request = Request(
            # A call that failed may not tell its model: it is the one that the agent asked before.
            model=call.model or self._place.model or (scope.last.request.model if scope.last else UNKNOWN_MODEL),
            messages=messages,
            tools=call.tools,
            settings=call.settings,
        )
        scope.last = ModelStep(
            site=self._site(self._asker(above, scope)),
            request=request,
            reply=reply,
            reads=reads,
            usage=call.usage,
            seconds=span.seconds,
            started=span.started,
            span=span.id,
            error=span.error,
        )
        self._add(scope.last)
        scope.open = list(reply.tool_calls)
        for child in span.children:
            if kind_of(child) != "LLM":
                self.visit(child, span, scope)

    def _asker(self, above: Span | None, scope: _Scope) -> str:
        """The name of a model step's site."""
        if above is not None and scope is self.main and self._several:
            return plain_name(above.name)
        plans = above is not None and kind_of(above) == "AGENT" and "smolagents" in above.scope
        return f"{scope.name}.plan" if plans else scope.name

    def _inputs(self, messages: tuple[Message, ...], scope: _Scope) -> tuple[str, ...]:
        """Make the input steps that a request shows first; the sites of all steps that it reads."""
        called = {scope.caller} if scope.caller is not None else set[str]()
        said, spoken = set[str](), False
        for message, sources in zip(messages, self._sources.of(messages), strict=True):
            made = sources
            if not sources and isinstance(message, SystemMessage | UserMessage):
                before = said if spoken else called if message.role == "user" else set[str]()
                step = InputStep(site=self._site(message.role), message=message, reads=self._sources.sorted(before))
                self._add(step)
                made = (step.site,)
            spoken = spoken or message.role in ("assistant", "tool")
            said.update(made)
        return self._sources.sorted(said or called)

    def _agent(self, span: Span, scope: _Scope) -> None:
        nested, before = scope is not self.main, len(self.steps)
        caller = scope.last.site if nested and scope.last else None
        inner = _Scope(agent_name(span, scope.managed, nested=nested), caller, managed_by(span))
        self._agents.add(inner.name)
        for child in span.children:
            self.visit(child, span, inner)
        self.close(inner)
        if nested and "smolagents" in span.scope:
            used = used_of(span)
            task = {"task": used.arguments["task"]} if "task" in used.arguments else used.arguments
            call = ToolCall(name=inner.name, arguments=task)
            self._finish(span, call, ToolResult(content=used.result, error=span.error), scope, before)

    def _tool(self, span: Span, used: Used, scope: _Scope, before: int) -> None:
        call = answered(scope.open, used)
        if call is not None:
            scope.open.remove(call)
        else:
            call = ToolCall(name=used.name, arguments=used.arguments, id=used.id)
        shown = self._results.get(call.id)
        content = used.result if shown is None else shown.content
        error = span.error if shown is None or shown.error is None else shown.error
        self._finish(span, call, ToolResult(content=content, error=error), scope, before)

    def _code(self, span: Span, scope: _Scope, before: int) -> None:
        """The execution of the code that a reply of smolagents' holds."""
        asked = next((child for child in reversed(span.children) if kind_of(child) == "LLM"), None)
        step = next((s for s in self.steps[before:] if isinstance(s, ModelStep) and asked and s.span == asked.id), None)
        if asked is None or step is None or step.error is not None or step.reply.tool_calls:
            return
        written = "\n\n".join(code_of(text_of(step.reply.content)))
        made = ToolStep(
            site=self._tool_site(CODE_TOOL),
            call=ToolCall(name=CODE_TOOL, arguments={"code": written} if written else {}),
            result=ToolResult(content=text_at(span.tree, "output.value"), error=span.error),
            reads=self._since(before, step),
            seconds=None if span.ended is None or asked.ended is None else max(0.0, span.ended - asked.ended),
            started=asked.ended,
            span=span.id,
        )
        self._add(made)

    def _finish(self, span: Span, call: ToolCall, result: ToolResult, scope: _Scope, before: int) -> None:
        self._add(
            ToolStep(
                site=self._tool_site(call.name),
                call=call,
                result=result,
                reads=self._since(before, scope.last),
                seconds=span.seconds,
                started=span.started,
                span=span.id,
            )
        )

    def _since(self, before: int, asked: ModelStep | None) -> tuple[str, ...]:
        """The model step that called, and the steps that ran inside the call."""
        inner = [step.site for step in self.steps[before:] if not isinstance(step, InputStep)]
        return self._sources.sorted({*inner, *([asked.site] if asked else [])})
