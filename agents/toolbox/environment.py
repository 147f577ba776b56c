"""The environment that a toolbox makes, live and in a re-run.

In a re-run, pure and sandboxed tools are executed again, in a fresh state. An irreversible tool is never executed: its
result is the recorded one if exactly the same irreversible calls, in the same order, came before it in the recording
(each may have changed the world that the next one met), else the session cannot say.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ifonly.agents.canonical import canonical_json, digest
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import ToolEnvironmentError, nearest
from ifonly.agents.records import EnvironmentRef, ToolResult, ToolStep
from ifonly.agents.sites import SiteNamer
from ifonly.agents.toolbox.ledger import effect_key

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from ifonly.agents.environments.base import Session
    from ifonly.agents.records import Effect, Message, Score, ToolCall, ToolSpec, Trajectory
    from ifonly.agents.toolbox.box import Toolbox
    from ifonly.agents.toolbox.ledger import Ledger
    from ifonly.agents.toolbox.tools import Tool

__all__ = ["NAME", "Performed", "PythonEnvironment", "PythonSession", "perform"]

NAME = "python"
"""The name by which references call this environment."""


@dataclass(frozen=True, slots=True)
class Performed:
    """A call that was made, with what is known of it: its effect, and the key under which it happened."""

    result: ToolResult | Undetermined
    effect: Effect | None = None
    key: str | None = None


class PythonEnvironment:
    """The tools of a toolbox as an environment; any text may be a task.

    Args:
        toolbox: the tools.
        log: the recorded run whose results irreversible tools give; without one they cannot say.
    """

    executes = True

    def __init__(self, toolbox: Toolbox, log: Trajectory | None = None) -> None:
        self.toolbox, self._log = toolbox, log

    def ref(self, task: str) -> EnvironmentRef:
        """The reference of a task."""
        return EnvironmentRef(name=NAME, version=self.toolbox.version, task=task)

    def logs(self, call: ToolCall) -> bool:
        """Whether the tool is irreversible."""
        tool = self.toolbox.tools.get(call.name)
        return tool is not None and tool.effect == "irreversible"

    def doubt(self, ref: EnvironmentRef) -> None:
        """None: the agent sees what the tool gives."""

    def start(self, ref: EnvironmentRef) -> str:
        """Digest of version and task."""
        return digest(canonical_json([ref.version, ref.task]))

    def open(self, ref: EnvironmentRef) -> PythonSession:
        """A fresh state for a re-run.

        Raises:
            ToolEnvironmentError: the reference is of another environment, or of other source than these tools have.
        """
        self._check(ref)
        names = tuple(self._log.outcome.scores) if self._log else ()
        return PythonSession(self.toolbox, _Logged(self.toolbox, self._log), names)

    def live(self, ref: EnvironmentRef, run: str, ledger: Ledger) -> PythonSession:
        """A fresh state for a run that is being recorded: everything is executed, irreversible tools by the ledger.

        Args:
            ref: of the task.
            run: id of the run, which is part of every idempotency key.
            ledger: where irreversible effects are kept.

        Raises:
            ToolEnvironmentError: as in `open`.
        """
        self._check(ref)
        return PythonSession(self.toolbox, _Ledgered(run, ledger))

    def tools(self, ref: EnvironmentRef) -> tuple[ToolSpec, ...]:
        """The tools of the toolbox, whatever the task.

        Raises:
            ToolEnvironmentError: a tool cannot be told to a model.
        """
        return self.toolbox.specs

    def _check(self, ref: EnvironmentRef) -> None:
        if ref.name != NAME:
            found = f"tools of {self.toolbox.name}, and the run's environment is {ref.name!r}"
            raise ToolEnvironmentError(f"environment {ref.name!r}", found, "Leave the tools file out for this run.")
        if ref.version != self.toolbox.version:
            raise ToolEnvironmentError(
                f"tools of {ref.task!r}, version {ref.version}",
                f"{self.toolbox.name} has other source now, version {self.toolbox.version}",
                "Bring back the file by which the run was recorded, or record the run again.",
            )


class _Effects(Protocol):
    """How irreversible calls are answered."""

    async def answer(self, site: str, tool: Tool[..., Any], call: ToolCall) -> Performed: ...


class _Ledgered:
    """They happen, once each."""

    def __init__(self, run: str, ledger: Ledger) -> None:
        self._run, self._ledger = run, ledger

    async def answer(self, site: str, tool: Tool[..., Any], call: ToolCall) -> Performed:
        key = effect_key(self._run, site, call.name, call.arguments)

        async def effect() -> ToolResult:
            return await tool.execute(call.arguments, key=key)

        result = await self._ledger.once(key, effect, again="idempotency_key" in tool.takes)
        return Performed(result, tool.effect, key)


class _Logged:
    """They do not happen: the log tells what came of them."""

    def __init__(self, toolbox: Toolbox, log: Trajectory | None) -> None:
        steps = [step for step in log.steps if isinstance(step, ToolStep)] if log else []
        self._recorded = [step for step in steps if _had_effect(toolbox, step.call)]
        self._name = None if log is None else log.id
        self._made = 0
        self._diverged: str | None = None

    async def answer(self, site: str, tool: Tool[..., Any], call: ToolCall) -> Performed:
        expected = self._recorded[self._made] if self._made < len(self._recorded) else None
        self._made += 1
        if self._diverged is None and expected is not None and _same(expected.call, call):
            return Performed(expected.result, tool.effect, expected.key)
        if self._name is None:
            why = f"{call.name} is irreversible, so it is not executed again, and there is no log of it"
        elif self._diverged is not None:
            why = f"{call.name} is irreversible, and an irreversible call before it was not as recorded"
        else:
            why = f"{call.name} is irreversible, so it is not executed, and {self._name} did not make this call here"
        self._diverged = self._diverged or site
        near = None if expected is None else f"{expected.site}: {canonical_json(expected.call.arguments)}"
        return Performed(Undetermined(why=why, near=near), tool.effect)


def _had_effect(toolbox: Toolbox, call: ToolCall) -> bool:
    tool = toolbox.tools.get(call.name)
    return tool is not None and tool.effect == "irreversible" and tool.refusal(call.arguments) is None


def _same(one: ToolCall, other: ToolCall) -> bool:
    return canonical_json([one.name, one.arguments]) == canonical_json([other.name, other.arguments])


class PythonSession:
    """The state of one run of a toolbox.

    Args:
        toolbox: the tools.
        effects: answers irreversible calls.
        scores: the names that are undetermined where the judge fails.
    """

    def __init__(self, toolbox: Toolbox, effects: _Effects, scores: Sequence[str] = ()) -> None:
        self._toolbox, self._effects, self._scores = toolbox, effects, tuple(scores) or ("score",)
        self.state = toolbox.new_state() if toolbox.new_state else None
        self._site = SiteNamer()

    async def perform(self, call: ToolCall) -> Performed:
        """Make a call; a tool that is not there, and arguments that do not fit, are results with an error."""
        site, tool = self._site.tool(call.name), self._toolbox.tools.get(call.name)
        if tool is None:
            near = nearest(call.name, self._toolbox.tools) or tuple(self._toolbox.tools)
            return Performed(ToolResult(content="", error=f"UnknownTool: {call.name!r}; there is {', '.join(near)}"))
        refused = tool.refusal(call.arguments)
        if refused is not None:
            return Performed(refused, tool.effect)
        if tool.effect == "irreversible":
            return await self._effects.answer(site, tool, call)
        return Performed(await tool.execute(call.arguments, state=self.state), tool.effect)

    def call(self, call: ToolCall) -> ToolResult | Undetermined:
        """`perform`, from code that is not async; an async tool gets an event loop of its own for the call."""
        tool = self._toolbox.tools.get(call.name)
        making = self.perform(call)
        return (_looped(making) if tool is not None and tool.is_async else _finished(making)).result

    def score(self, messages: Sequence[Message]) -> Mapping[str, Score | Undetermined]:
        """What the module's `score` says of the conversation and the state."""
        said = self._toolbox.score(messages, self.state)
        return dict.fromkeys(self._scores, said) if isinstance(said, Undetermined) else said


async def perform(session: Session, call: ToolCall, effect: Effect | None = None) -> Performed:
    """Make a call in any session; `effect` is what its tools do where the session does not tell."""
    if isinstance(session, PythonSession):
        return await session.perform(call)
    return Performed(session.call(call), effect)


def _finished(coroutine: Coroutine[Any, Any, Performed]) -> Performed:
    """The value of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: Performed = done.value
        return value
    coroutine.close()
    raise ToolEnvironmentError("a tool declared with def", "it waits for an event loop", "Declare it with async def.")


def _looped(coroutine: Coroutine[Any, Any, Performed]) -> Performed:
    """The value of a coroutine that waits, also where this thread has a loop running."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
