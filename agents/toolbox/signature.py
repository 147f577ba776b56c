"""What a model is told of a Python function, and how its arguments are checked: signature, types and docstring."""

from __future__ import annotations

import inspect
import re
import typing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, create_model

from ifonly.agents.errors import ToolEnvironmentError
from ifonly.agents.records import ToolSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["GIVEN", "Parameters", "parameters_of", "told_parameters"]

# Parameters that the session gives, and the model does not see.
GIVEN = frozenset({"state", "idempotency_key"})

_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns?|Raises|Yields?|Examples?|Notes?):\s*$", re.MULTILINE)
_ARGS = ("Args", "Arguments", "Parameters")
_NAMED = re.compile(r"(\w+)(?:\s*\([^)]*\))?:\s*(.*)")


def told_parameters(function: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    """The parameters that the model sees.

    Raises:
        ToolEnvironmentError: a parameter has no name that a JSON object could give it by.
    """
    parameters = inspect.signature(function).parameters.values()
    unnamed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for parameter in parameters:
        if parameter.kind in unnamed:
            asked = f"tool {function.__name__!r}, parameter {str(parameter)!r}"
            found = "it cannot be given by its name"
            raise ToolEnvironmentError(asked, found, "Give each parameter of a tool a name of its own.")
    return tuple(parameter for parameter in parameters if parameter.name not in GIVEN)


class Parameters:
    """The parameters of a tool: how a model is told of them, and how what it gives is checked.

    Args:
        spec: as the model sees it.
        model: takes the arguments by their names; its fields are numbered, so that none clashes with pydantic's own.
        names: of the fields, by number.
    """

    def __init__(self, spec: ToolSpec, model: type[BaseModel], names: tuple[str, ...]) -> None:
        self.spec, self._model, self._names = spec, model, names

    def checked(self, arguments: Mapping[str, JsonValue]) -> dict[str, Any]:
        """The arguments as the function takes them; those left out are left to its own defaults.

        Raises:
            ValueError: they do not fit; the text names each that does not.
        """
        try:
            given = self._model.model_validate(dict(arguments))
        except ValidationError as error:
            raise ValueError(_told(error)) from None
        return {
            name: getattr(given, _field(number))
            for number, name in enumerate(self._names)
            if _field(number) in given.model_fields_set
        }


def parameters_of(function: Callable[..., Any], name: str) -> Parameters:
    """What the signature and the docstring say.

    Raises:
        ToolEnvironmentError: a type cannot be resolved, or has no JSON schema.
    """
    told = told_parameters(function)
    summary, described = _docstring(function)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        fields: dict[str, Any] = {
            _field(number): (hints.get(parameter.name, Any), _info(parameter, described.get(parameter.name)))
            for number, parameter in enumerate(told)
        }
        model = create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)
        schema = _plain(model.model_json_schema())
    except (NameError, TypeError, ValueError, AttributeError) as error:
        found = f"its signature cannot be told to a model: {type(error).__name__}: {error}"
        raise ToolEnvironmentError(f"tool {name!r}", found, "Give each parameter a type that JSON can hold.") from error
    spec = ToolSpec(name=name, description=summary, parameters=schema)
    return Parameters(spec, model, tuple(parameter.name for parameter in told))


def _field(number: int) -> str:
    return f"parameter_{number}"


def _info(parameter: inspect.Parameter, description: str | None) -> Any:
    default = ... if parameter.default is inspect.Parameter.empty else parameter.default
    return Field(default, alias=parameter.name, description=description)


def _plain(schema: dict[str, Any]) -> dict[str, JsonValue]:
    """Without the titles that pydantic makes of names: they are tokens without news."""
    schema.pop("title", None)
    for part in schema.get("properties", {}).values():
        part.pop("title", None)
    return schema


def _docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """The text before the first section, and what a google-style list of arguments says of each."""
    text = inspect.getdoc(function) or ""
    parts = _SECTION.split(text)
    described = dict[str, str]()
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        if title in _ARGS:
            described.update(_arguments(body))
    return parts[0].strip(), described


def _arguments(body: str) -> dict[str, str]:
    found, name = dict[str, str](), None
    lines = [line for line in inspect.cleandoc(body).splitlines() if line.strip()]
    for line in lines:
        match = _NAMED.match(line)
        if match and not line[0].isspace():
            name = match[1]
            found[name] = match[2].strip()
        elif name is not None:
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found


def _told(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"])
        parts.append(f"{where}: {problem['msg']}" if where else problem["msg"])
    return "; ".join(parts)
