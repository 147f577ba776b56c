"""Tools: typed Python functions that a model can call, each with what executing it again would do."""

from __future__ import annotations

import copy
import functools
import inspect
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from ifonly.agents.errors import ToolEnvironmentError
from ifonly.agents.records import Effect, Record, ToolCall, ToolResult, ToolSpec
from ifonly.agents.toolbox.rendering import failed, jsonable, rendered
from ifonly.agents.toolbox.signature import GIVEN, Parameters, parameters_of, told_parameters
from ifonly.agents.wire.calls import INVALID

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pydantic import JsonValue

__all__ = ["LISTENER", "Tool", "Used", "tool"]

P = ParamSpec("P")
R = TypeVar("R")


class Used(Record):
    """A tool that a program called by itself: what was asked, what came back, `started` on the clock of `time.time`."""

    call: ToolCall
    result: ToolResult
    effect: Effect
    started: float
    seconds: float


LISTENER: ContextVar[Callable[[Used], None] | None] = ContextVar("ifonly_tool_listener", default=None)
"""Who is told of calls that the program itself makes; nobody by default."""


class Tool(Generic[P, R]):
    """A function that is called as before, and that a model can call by name.

    Args:
        function: the function, with typed parameters; `state` and `idempotency_key` are given by the session, and a
            model does not see them.
        effect: what executing it again does.
        name: by which a model calls it.

    Raises:
        ToolEnvironmentError: a parameter has no name, or an irreversible tool takes the state of the sandbox, which a
            re-run could not bring to where it was.
    """

    def __init__(self, function: Callable[P, R], effect: Effect, name: str) -> None:
        self.function, self.effect, self.name = function, effect, name
        self.is_async = inspect.iscoroutinefunction(function)
        told_parameters(function)
        self.takes = GIVEN & inspect.signature(function).parameters.keys()
        if effect == "irreversible" and "state" in self.takes:
            raise ToolEnvironmentError(
                f"tool {name!r}",
                "it is irreversible and takes `state`, yet a re-run never executes it, so its change would be missing",
                'Declare it @tool(effect="sandboxed") if it changes nothing but the state, else leave `state` out.',
            )
        functools.update_wrapper(self, function)

    @property
    def spec(self) -> ToolSpec:
        """The tool as a model is told of it.

        Raises:
            ToolEnvironmentError: a parameter's type cannot be told.
        """
        return self._parameters.spec

    @functools.cached_property
    def _parameters(self) -> Parameters:
        # Not at decoration: a type may stand further down in its module.
        return parameters_of(self.function, self.name)

    def refusal(self, arguments: Mapping[str, JsonValue]) -> ToolResult | None:
        """The error for arguments that do not fit; None where they do. Nothing is executed."""
        if arguments.keys() == {INVALID}:
            return ToolResult(content="", error=f"InvalidArguments: no JSON object: {arguments[INVALID]}")
        try:
            self._parameters.checked(copy.deepcopy(dict(arguments)))
        except (ValueError, RecursionError) as error:
            return ToolResult(content="", error=f"InvalidArguments: {error}")
        return None

    async def execute(
        self, arguments: Mapping[str, JsonValue], *, state: object = None, key: str | None = None
    ) -> ToolResult:
        """Call the function as a model asked for it; whatever goes wrong is a result with an error.

        Args:
            arguments: as the model gave them; they are copied.
            state: for a tool that takes `state`.
            key: for a tool that takes `idempotency_key`.
        """
        refused = self.refusal(arguments)
        if refused is not None:
            return refused
        given = {"state": state, "idempotency_key": key}
        try:
            checked = self._parameters.checked(copy.deepcopy(dict(arguments)))
            value: object = cast("Any", self.function)(**checked, **{name: given[name] for name in self.takes})
            if inspect.isawaitable(value):
                value = await value
            return rendered(value)
        except Exception as error:
            return failed(error)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function as it stands; a listener is told."""
        listener = LISTENER.get()
        if listener is None:
            return self.function(*args, **kwargs)
        report = _Report(listener, self, inspect.signature(self.function), args, kwargs)
        if self.is_async:
            return cast("R", _awaited(cast("Callable[..., Awaitable[object]]", self.function)(*args, **kwargs), report))
        try:
            value = self.function(*args, **kwargs)
        except BaseException as error:
            report(failed(error))
            raise
        report(value)
        return value


async def _awaited(pending: Awaitable[object], report: _Report) -> object:
    try:
        value = await pending
    except BaseException as error:
        report(failed(error))
        raise
    report(value)
    return value


class _Report:
    """Tells a listener of a call when it is over; what of it JSON cannot hold is told by its `repr`."""

    def __init__(
        self,
        listener: Callable[[Used], None],
        tool: Tool[Any, Any],
        signature: inspect.Signature,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> None:
        self._listener, self._tool = listener, tool
        self._bind = functools.partial(signature.bind, *args, **kwargs)
        self._started, self._clock = time.time(), time.perf_counter()

    def __call__(self, value: object) -> None:
        seconds = time.perf_counter() - self._clock
        try:
            bound = self._bind().arguments
        except TypeError:  # the function was never entered
            return
        arguments = {name: _held(item) for name, item in bound.items() if name not in GIVEN}
        try:
            result = value if isinstance(value, ToolResult) else rendered(value)
        except ValueError:
            result = ToolResult(content=repr(value))
        call = ToolCall(name=self._tool.name, arguments=arguments)
        told = Used(call=call, result=result, effect=self._tool.effect, started=self._started, seconds=seconds)
        self._listener(told)


def _held(value: object) -> JsonValue:
    try:
        return jsonable(value)
    except ValueError:
        return repr(value)


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...


@overload
def tool(*, effect: Effect = ..., name: str | None = ...) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(
    function: Callable[P, R] | None = None, /, *, effect: Effect = "irreversible", name: str | None = None
) -> Tool[P, R] | Callable[[Callable[P, R]], Tool[P, R]]:
    """Make a function a tool; it stays callable as before.

    Args:
        function: sync or async, with typed parameters.
        effect: what executing it again does: nothing (``pure``), a change of the session's own state (``sandboxed``),
            or a change in the world (``irreversible``); a re-run never executes the last.
        name: by which a model calls it; the function's own, if left out.
    """

    def made(function: Callable[P, R]) -> Tool[P, R]:
        return Tool(function, effect, name or function.__name__)

    return made if function is None else made(function)
