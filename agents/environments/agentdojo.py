"""AgentDojo's tools and checkers (Debenedetti et al., NeurIPS 2024), executed by the authors' own package.

A session does to a tool call what the package's `ToolsExecutor` and `FunctionsRuntime` do. What of the package is
chance is pinned, so that a session is a function of its calls: stamps that a tool takes from the clock read
`CLOCK`, the participants of a new event, which the package keeps in the order of a hash, are sorted, and links in
errors name the version of Pydantic that the reference's edition had.

The package is an extra, and takes seconds to import: nothing of it is loaded before a session is opened.
"""

from __future__ import annotations

import ast
import copy
import datetime
import importlib
import io
import re
import warnings
from collections import OrderedDict
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel

from ifonly.agents.environments.agentdojo_ref import SPOTLIGHTING, AgentDojoSettings, settings_of
from ifonly.agents.environments.agentdojo_state import copied, dumped, joined, revised
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import EnvironmentError_, nearest
from ifonly.agents.records import AssistantMessage, ToolResult, ToolSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import JsonValue

    from ifonly.agents.environments.agentdojo_ref import Edition
    from ifonly.agents.records import Content, EnvironmentRef, Message, Score, ToolCall

__all__ = ["CLOCK", "AgentDojo", "AgentDojoSession"]

CLOCK = datetime.datetime(2024, 6, 24, 12, 0, 0, 1)
"""The instant at which every call happens: later than all dates of files in the data, and with a fraction of a
second, by which stamps from the clock are told from those of the data."""

_PYDANTIC: dict[str, str] = {"2024-06": "2.7", "2024-07": "2.7", "2024-11": "2.9"}
"""The version of Pydantic whose documentation the errors of an edition link to."""

_LINK = re.compile(r"^(    For further information visit https://errors\.pydantic\.dev/)[\d.]+(/)", re.MULTILINE)

_INSTALL = "Install it: pip install 'ifonly[agentdojo]'."


@cache
def _package(module: str) -> Any:  # noqa: ANN401 -- the extra may be absent, so it has no types here
    """A module of the package.

    Raises:
        EnvironmentError_: it is not installed, or a package that it needs is missing.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            return importlib.import_module(f"agentdojo.{module}")
    except ImportError as error:
        raise EnvironmentError_("the AgentDojo environment", str(error), _INSTALL) from error


@dataclass(frozen=True)
class _Suite:
    """One suite of the package, with its environment as text in which ``{vector}`` stands for the injections."""

    suite: Any
    runtime: Any
    text: str
    defaults: Mapping[str, str]

    def data(self, edition: Edition, injections: Mapping[str, str]) -> JsonValue:
        """The environment's data with the injections in it.

        Raises:
            EnvironmentError_: an unknown vector, or a text that breaks the YAML it is put into.
        """
        for vector in injections:
            _known("injection vector", f"{self.suite.name}/{vector}", vector, self.defaults)
        early = edition in ("2024-06", "2024-07")
        text = self.text.replace('"2022-03-04"', '"2022-0 3-04"') if early else self.text
        text = text.format(**{**self.defaults, **injections})
        try:
            return yaml.load(text, yaml.CSafeLoader)  # type: ignore[no-any-return]
        except yaml.YAMLError as error:
            found = f"with them the state is no YAML: {error}"
            raise EnvironmentError_(f"injections into {self.suite.name}", found, "Escape the texts for YAML.") from error

    def task(self, name: str) -> Any:  # noqa: ANN401
        """The user task or injection task of this name."""
        known = {**self.suite.user_tasks, **self.suite.injection_tasks}
        return _known("task", f"{self.suite.name}/{name}", name, known)


@cache
def _suite(version: str, name: str) -> _Suite:
    load_suites = _package("task_suite.load_suites")
    suites = load_suites.get_suites(version)
    if not suites:
        raise EnvironmentError_(f"AgentDojo {version!r}", "no such benchmark version", "Use v1.")
    suite = _known("suite", f"{version}/{name}", name, suites)
    text = _package("task_suite.task_suite").read_suite_file(name, "environment.yaml", suite.data_path)
    runtime = _package("functions_runtime").FunctionsRuntime(suite.tools)
    return _Suite(suite, runtime, text, suite.get_injection_vector_defaults())


@cache
def _clean(version: str, name: str, edition: Edition) -> tuple[JsonValue, BaseModel]:
    """A suite's data without injections, and the state it makes."""
    suite = _suite(version, name)
    data = suite.data(edition, {})
    return data, suite.suite.environment_type.model_validate(data)


def _known(kind: str, asked: str, name: str, known: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if name not in known:
        fix = f"The installed package has: {', '.join(known)}."
        raise EnvironmentError_(f"AgentDojo {kind} {asked!r}", "no such name", fix, nearest(name, known))
    return known[name]


class AgentDojo:
    """The environment of AgentDojo's four suites.

    Args:
        remembered: how many injected states are kept; parsing one takes 1 to 30 ms, copying it 0.1 to 2 ms.
    """

    executes = True

    def __init__(self, remembered: int = 64) -> None:
        self._remembered = remembered
        self._states: OrderedDict[tuple[object, ...], BaseModel] = OrderedDict()

    def open(self, ref: EnvironmentRef) -> AgentDojoSession:
        """A fresh state for the task, with its injections.

        Raises:
            EnvironmentError_: the package is absent, or does not know the version, suite, task or injection vector.
        """
        settings = settings_of(ref)
        suite, task = _resolve(ref)
        goal = None if settings.injection_task is None else suite.task(settings.injection_task)
        return AgentDojoSession(suite.runtime, self._initial(ref, suite, settings), task, goal, settings)

    def tools(self, ref: EnvironmentRef) -> tuple[ToolSpec, ...]:
        """The tools of the task's suite; the `tool_filter` defence offered the model an unrecorded choice of them.

        Raises:
            EnvironmentError_: as in `open`.
        """
        suite, _ = _resolve(ref)
        return tuple(
            ToolSpec(name=tool.name, description=tool.description, parameters=tool.parameters.model_json_schema())
            for tool in suite.suite.tools
        )

    def _initial(self, ref: EnvironmentRef, suite: _Suite, settings: AgentDojoSettings) -> BaseModel:
        """The state before the first call: shared, never to be changed."""
        key = (ref.version, suite.suite.name, settings.edition, tuple(sorted(settings.injections.items())))
        if key not in self._states:
            data = suite.data(settings.edition, settings.injections)
            clean_data, clean = _clean(ref.version, suite.suite.name, settings.edition)
            state = revised(clean, clean_data, data)
            self._states[key] = suite.suite.environment_type.model_validate(data) if state is None else state
            if len(self._states) > self._remembered:
                self._states.popitem(last=False)
        self._states.move_to_end(key)
        return self._states[key]


def _resolve(ref: EnvironmentRef) -> tuple[_Suite, Any]:
    name, _, task = ref.task.partition("/")
    suite = _suite(ref.version, name)
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
        self, runtime: Any, initial: BaseModel, task: Any, goal: Any | None, settings: AgentDojoSettings  # noqa: ANN401
    ) -> None:
        self._runtime, self._initial, self._task, self._goal = runtime, initial, task, goal
        self._settings = settings
        self._state: Any = copied(initial)
        self._events = set(_items(self._state, "calendar", "events"))
        self._shape = "<<{}>>" if settings.defence == SPOTLIGHTING else "{}"

    def call(self, call: ToolCall) -> ToolResult:
        """Execute a call; the package's own refusals and a tool's failure are results with an error."""
        unchecked = self._settings.edition == "2024-06"
        if call.name == _package("agent_pipeline.llms.google_llm").EMPTY_FUNCTION_NAME:
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
                text = _package("agent_pipeline.tool_execution").tool_result_to_str(value, dumped)
        except Exception as failure:
            # The package stops the run here; a session must outlive arguments that no run had.
            text, error = "", f"{type(failure).__name__}: {failure}"
        return ToolResult(content=self._shape.format(text), error=self._pin_link(error))

    def _run(self, name: str, arguments: dict[str, Any]) -> tuple[Any, str | None]:
        executor = _package("agent_pipeline.tool_execution")
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


def _judge(task: Any, reply: str, before: BaseModel, after: BaseModel, calls: list[Any]) -> bool | Undetermined:  # noqa: ANN401
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
    function_call = _package("functions_runtime").FunctionCall
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
