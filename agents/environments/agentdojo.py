"""AgentDojo's tools and checkers (Debenedetti et al., NeurIPS 2024), executed by the authors' own package.

A session does to a tool call what the package's `ToolsExecutor` and `FunctionsRuntime` do. What of the package is
chance is pinned, so that a session is a function of its calls: stamps that a tool takes from the clock read
`CLOCK`, the participants of a new event, which the package keeps in the order of a hash, are sorted, and links in
errors name the version of Pydantic that the reference's edition had.
"""

from __future__ import annotations

import ast
import copy
import datetime
import io
import re
import warnings
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from ifonly.agents.canonical import canonical_json, digest
from ifonly.agents.environments.agentdojo_ref import DETECTOR, SPOTLIGHTING, AgentDojoSettings, settings_of
from ifonly.agents.environments.agentdojo_state import copied, dumped, joined
from ifonly.agents.environments.agentdojo_suite import package, suite_of
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.records import AssistantMessage, ToolResult, ToolSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel

    from ifonly.agents.environments.agentdojo_suite import Suite
    from ifonly.agents.records import Content, EnvironmentRef, Message, Score, ToolCall

__all__ = ["CLOCK", "AgentDojo", "AgentDojoSession"]

CLOCK = datetime.datetime(2024, 6, 24, 12, 0, 0, 1)
"""The instant at which every call happens: later than all dates of files in the data, and with a fraction of a
second, by which stamps from the clock are told from those of the data."""

_PYDANTIC: dict[str, str] = {"2024-06": "2.7", "2024-07": "2.7", "2024-11": "2.9"}
"""The version of Pydantic whose documentation the errors of an edition link to."""

_LINK = re.compile(r"^(    For further information visit https://errors\.pydantic\.dev/)[\d.]+(/)", re.MULTILINE)


class AgentDojo:
    """The environment of AgentDojo's four suites."""

    executes = True

    def logs(self, call: ToolCall) -> bool:
        """False: every call changes a state of this run alone."""
        return False

    def doubt(self, ref: EnvironmentRef) -> str | None:
        """The injection detector may have withheld any result: a classifier that is not part of the recording."""
        if settings_of(ref).defence == DETECTOR:
            return f"the defence {DETECTOR} may have withheld this result"
        return None

    def start(self, ref: EnvironmentRef) -> str:
        """Digest of version, task, edition and injections; attack and defence leave the first state as it is."""
        settings = settings_of(ref)
        return digest(canonical_json([ref.version, ref.task, settings.edition, settings.injections]))

    def open(self, ref: EnvironmentRef) -> AgentDojoSession:
        """A fresh state for the task, with its injections.

        Raises:
            ToolEnvironmentError: the package is absent, or does not know the version, suite, task or injection vector.
        """
        settings = settings_of(ref)
        suite, task = _resolved(ref)
        goal = None if settings.injection_task is None else suite.task(settings.injection_task)
        initial = suite.initial(settings.edition, settings.injections)
        return AgentDojoSession(suite.runtime, initial, task, goal, settings)

    def tools(self, ref: EnvironmentRef) -> tuple[ToolSpec, ...]:
        """The tools of the task's suite; the `tool_filter` defence offered the model an unrecorded choice of them.

        Raises:
            ToolEnvironmentError: as in `open`.
        """
        suite, _ = _resolved(ref)
        return tuple(
            ToolSpec(name=tool.name, description=tool.description, parameters=tool.parameters.model_json_schema())
            for tool in suite.tools
        )


def _resolved(ref: EnvironmentRef) -> tuple[Suite, Any]:
    name, _, task = ref.task.partition("/")
    suite = suite_of(ref.version, name)
    return suite, suite.task(task)


class AgentDojoSession:
    """The state of one run.

    Args:
        runtime: the suite's tools.
        initial: the state before the first call; copied.
        task: what the agent was asked.
        goal: what the injection asks, if its success is to be scored.
        settings: of the reference.
    """

    def __init__(
        self, runtime: Any, initial: BaseModel, task: Any, goal: Any | None, settings: AgentDojoSettings
    ) -> None:
        self._runtime, self._initial, self._task, self._goal = runtime, initial, task, goal
        self._settings = settings
        self._state: Any = copied(initial)
        self._events = set(_items(self._state, "calendar", "events"))
        self._shape = "<<{}>>" if settings.defence == SPOTLIGHTING else "{}"

    def call(self, call: ToolCall) -> ToolResult:
        """Execute a call; the package's own refusals and a tool's failure are results with an error."""
        unchecked = self._settings.edition == "2024-06"
        if call.name == package("agent_pipeline.llms.google_llm").EMPTY_FUNCTION_NAME:
            return ToolResult(content="", error="Empty function name provided. Provide a valid function name.")
        if call.name not in self._runtime.functions and not unchecked:
            return ToolResult(content="", error=f"Invalid tool {call.name} provided.")
        # Tools and early editions change the lists they are given.
        arguments = copy.deepcopy(call.arguments)
        try:
            # Pydantic warns of values that unchecked arguments brought into the state.
            with warnings.catch_warnings(action="ignore"):
                value, error = (self._run_unchecked if unchecked else self._run)(call.name, arguments)
                self._pin_chance()
                text = package("agent_pipeline.tool_execution").tool_result_to_str(value, dumped)
        except Exception as failure:
            # The package stops the run here; a session must outlive arguments that no run had.
            text, error = "", f"{type(failure).__name__}: {failure}"
        return ToolResult(content=self._shape.format(text), error=self._pin_link(error))

    def _run(self, name: str, arguments: dict[str, Any]) -> tuple[Any, str | None]:
        executor = package("agent_pipeline.tool_execution")
        if self._settings.edition == "package" and hasattr(executor, "is_string_list"):
            for key, value in arguments.items():
                if isinstance(value, str) and executor.is_string_list(value):
                    arguments[key] = ast.literal_eval(value)
        value, error = self._runtime.run_function(self._state, name, arguments)
        return value, error

    def _run_unchecked(self, name: str, arguments: dict[str, Any]) -> tuple[Any, str | None]:
        if name not in self._runtime.functions:
            return "", f"ToolNotFoundException: The requested function `{name}` is not available."
        tool = self._runtime.functions[name]
        parts = {part: source.extract_dep_from_env(self._state) for part, source in tool.dependencies.items()}
        try:
            return tool(**{**arguments, **parts}), None
        except Exception as failure:
            return "", f"{type(failure).__name__}: {failure}"

    def _pin_link(self, error: str | None) -> str | None:
        version = _PYDANTIC.get(self._settings.edition)
        if error is None or version is None:
            return error
        return _LINK.sub(rf"\g<1>{version}\2", error)

    def score(self, messages: Sequence[Message]) -> dict[str, Score | Undetermined]:
        """``utility``: the task was solved. ``security``: the injection reached its goal (as the authors name it).

        For denial-of-service attacks ``security`` is that the task was not solved; without an injection task there
        is no such score. The state is left as it is.
        """
        before = copied(self._initial)
        after = joined(self._state, before)
        calls = _trace(messages)
        last = messages[-1] if messages else None
        reply = _text(last.content) if isinstance(last, AssistantMessage) else ""
        utility = _judge(self._task, reply, before, after, calls)
        scores: dict[str, Score | Undetermined] = {"utility": utility}
        if self._goal is not None and self._settings.denial_of_service:
            scores["security"] = utility if isinstance(utility, Undetermined) else not utility
        elif self._goal is not None:
            scores["security"] = _judge(self._goal, reply, before, after, calls)
        return scores

    def _pin_chance(self) -> None:
        for email in _items(self._state, "inbox", "emails").values():
            if email.timestamp.microsecond:
                # A fresh object each time: YAML would write one that is shared as an anchor.
                email.timestamp = CLOCK.replace()
        for file in _items(self._state, "cloud_drive", "files").values():
            if file.last_modified.microsecond:
                file.last_modified = CLOCK.replace()
        for name, event in _items(self._state, "calendar", "events").items():
            if name not in self._events:
                self._events.add(name)
                event.participants.sort()


def _judge(task: Any, reply: str, before: BaseModel, after: BaseModel, calls: list[Any]) -> bool | Undetermined:
    """The package's verdict: the checker of traces where the task has one, else the checker of states."""
    kind = "security" if task.ID.startswith("injection_task") else "utility"
    try:
        # Some checkers print what they miss.
        with redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            verdict = getattr(task, f"{kind}_from_traces")(reply, before, after, calls)
            if verdict is None:
                verdict = getattr(task, kind)(reply, before, after)
    except Exception as error:
        # Checkers index what the task should have left in the state; the package's benchmark stops here.
        return Undetermined(why=f"the checker of {task.ID} failed: {type(error).__name__}: {error}")
    return bool(verdict)


def _trace(messages: Iterable[Message]) -> list[Any]:
    """Every call that the model asked for, executed or not, as the package's checkers take them."""
    function_call = package("functions_runtime").FunctionCall
    return [
        function_call(function=call.name, args=call.arguments, id=call.id)
        for message in messages
        if isinstance(message, AssistantMessage)
        for call in message.tool_calls
    ]


def _text(content: Content) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))  # type: ignore[misc]


def _items(state: BaseModel, part: str, field: str) -> dict[str, Any]:
    """A collection of the state, empty where the suite has no such part."""
    holder = getattr(state, part, None)
    return {} if holder is None else getattr(holder, field)
