"""AgentDojo's suites as the installed package has them: tools, tasks, and first states with injected texts.

The package is an extra, and takes seconds to import: nothing of it is loaded before a suite is asked for.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel

from ifonly.agents.environments.agentdojo_state import copied
from ifonly.agents.errors import ToolEnvironmentError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from ifonly.agents.environments.agentdojo_ref import Edition

__all__ = ["Suite", "Template", "package", "suite_of"]

_Path = tuple[str | int, ...]

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
"""A text in the environment's YAML, which the package writes with every text in double quotes."""

_VECTOR = re.compile(r"\{(\w+)\}")

_MARK = "\ufdd0"
"""Stands for a text while its place is sought; a code point that is no character."""

_REMEMBERED = 64
"""First states kept per suite and edition. Making one takes 0.1 to 2 ms; they take up to 0.5 MB."""


@cache
def package(module: str) -> Any:
    """A module of the package.

    Raises:
        ToolEnvironmentError: it is not installed, or something that it needs is not.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            return importlib.import_module(f"agentdojo.{module}")
    except ImportError as error:
        fix = "Install it: pip install 'ifonly[agentdojo]'."
        raise ToolEnvironmentError("the AgentDojo environment", str(error), fix) from error


@dataclass(frozen=True, eq=False)
class Suite:
    """One suite: `tools` as the package describes them, `runtime` to run them."""

    name: str
    tools: tuple[Any, ...]
    runtime: Any
    _tasks: Mapping[str, Any]
    _text: str
    _defaults: Mapping[str, str]
    _state_type: type[BaseModel]

    def task(self, name: str) -> Any:
        """The user task or injection task of this name.

        Raises:
            ToolEnvironmentError: there is none.
        """
        return _known("task", f"{self.name}/{name}", name, self._tasks)

    def initial(self, edition: Edition, injections: Mapping[str, str]) -> BaseModel:
        """The state before the first call: shared by all that ask for it, never to be changed.

        Raises:
            ToolEnvironmentError: an unknown injection vector, or a text that breaks the YAML it is put into.
        """
        for vector in injections:
            _known("injection vector", f"{self.name}/{vector}", vector, self._defaults)
        return _template(self, edition in ("2024-06", "2024-07")).filled(injections)

    def template(self, with_typo: bool) -> Template:
        """The environment before anything is injected, with the date typo of early editions or without it."""
        text = self._text.replace('"2022-03-04"', '"2022-0 3-04"') if with_typo else self._text
        return Template(text, self._defaults, self._state_type)


@cache
def _template(suite: Suite, with_typo: bool) -> Template:
    return suite.template(with_typo)


@cache
def suite_of(version: str, name: str) -> Suite:
    """A suite of a version of the benchmark.

    Raises:
        ToolEnvironmentError: the package is absent, or does not have it.
    """
    suites = package("task_suite.load_suites").get_suites(version)
    if not suites:
        raise ToolEnvironmentError(f"AgentDojo {version!r}", "no such version of the benchmark", "Use v1.")
    suite = _known("suite", f"{version}/{name}", name, suites)
    return Suite(
        name,
        tuple(suite.tools),
        package("functions_runtime").FunctionsRuntime(suite.tools),
        {**suite.user_tasks, **suite.injection_tasks},
        package("task_suite.task_suite").read_suite_file(name, "environment.yaml", suite.data_path),
        suite.get_injection_vector_defaults(),
        suite.environment_type,
    )


def _known(kind: str, asked: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        fix = f"The installed package has: {', '.join(known)}."
        raise ToolEnvironmentError(f"AgentDojo {kind} {asked!r}", "no such name", fix, nearest(name, known))
    return known[name]


class Template:
    """An environment as YAML with ``{vector}`` in its texts.

    The package parses and validates it anew for each run, which takes 20 ms and more. Here this is done once; after
    that only the texts that hold an injected vector are parsed, and only the models that hold them validated.

    Law: ``filled(i)`` equals what the package's ``load_and_inject_default_environment(i)`` makes of the same text.

    Args:
        text: the YAML.
        defaults: harmless text by vector.
        state_type: what the data is validated to.
    """

    def __init__(self, text: str, defaults: Mapping[str, str], state_type: type[BaseModel]) -> None:
        self._text, self._defaults, self._state_type = text, defaults, state_type
        self._clean = self._parsed(defaults)
        self._holes = tuple(_holes(text))
        self._remembered: OrderedDict[tuple[tuple[str, str], ...], BaseModel] = OrderedDict()

    def filled(self, injections: Mapping[str, str]) -> BaseModel:
        """The state with these texts in place of the defaults; remembered, and shared.

        Raises:
            ToolEnvironmentError: a text breaks the YAML it is put into.
        """
        key = tuple(sorted(injections.items()))
        if key not in self._remembered:
            texts = {**self._defaults, **injections}
            self._remembered[key] = self._patched(texts, frozenset(injections)) or self._parsed(texts)
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        self._remembered.move_to_end(key)
        return self._remembered[key]

    def _parsed(self, texts: Mapping[str, str]) -> BaseModel:
        return self._state_type.model_validate(_yaml(self._text.format(**texts)))

    def _patched(self, texts: Mapping[str, str], changed: frozenset[str]) -> BaseModel | None:
        """The clean state with the changed texts put in, or None where they are more than texts."""
        state: BaseModel = copied(self._clean)
        for quoted, path in self._holes:
            if changed.isdisjoint(_VECTOR.findall(quoted)):
                continue
            filled = quoted.format(**texts)
            if path is None or not _QUOTED.fullmatch(filled):
                return None
            _put(state, path, _yaml(filled))
        return state


def _holes(text: str) -> Iterator[tuple[str, _Path | None]]:
    """The YAML's texts with a vector, quotes included, and their places in its data; None for a text that is a key."""
    quoted = [match for match in _QUOTED.findall(text) if _VECTOR.search(match)]
    number = count()
    marked = _QUOTED.sub(lambda m: f'"{_MARK}{next(number)}"' if _VECTOR.search(m[0]) else m[0], text)
    places = {text: path for path, text in _texts(_yaml(marked), ())}
    for n, match in enumerate(quoted):
        yield match, places.get(f"{_MARK}{n}")


def _texts(data: JsonValue, path: _Path) -> Iterator[tuple[_Path, str]]:
    """Every text in the data with its place."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _texts(value, (*path, key))


def _put(state: BaseModel, path: _Path, text: str) -> None:
    """Set one text, and validate the model that holds it."""
    *way, last = path
    holder: Any = state
    for key in way:
        holder = getattr(holder, str(key)) if isinstance(holder, BaseModel) else holder[key]
    if isinstance(holder, BaseModel):
        fields = {**holder.__dict__, str(last): text}
        holder.__dict__.update(type(holder).model_validate(fields).__dict__)
    else:
        holder[last] = text


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError as error:
        found = f"with them the environment is no YAML: {error}"
        raise ToolEnvironmentError(
            "AgentDojo injections", found, "Escape the texts for YAML's double quotes."
        ) from error
