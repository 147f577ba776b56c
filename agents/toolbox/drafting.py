"""The first draft of a tools file: what recorded runs tell of the tools that they call."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, Any

from ifonly.agents.records import ModelStep, ToolStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import JsonValue

    from ifonly.agents.records import ToolSpec, Trajectory

__all__ = ["draft"]

_HEAD = '''"""Tools of the agent, drafted by `ifonly tools` from {runs}.

An answer rests on what you say here:
- `@tool` alone: irreversible, never executed again; the log answers, where the same such calls came before it.
- `@tool(effect="pure")`: executed again; changes nothing. Put the real code in the place of the dots.
- `@tool(effect="sandboxed")`: executed again on `state`, a parameter that new_state() makes for each re-run alone.
"""

from typing import Any

from ifonly import tool

'''
_SCORE = '''
def score(messages: Any, state: Any) -> dict[str, bool | float]:
    """Say how a run ended, by name; false or 0 is a failure. It judges recorded and changed runs alike."""
    # For instance: return {{{scores}}}
    raise NotImplementedError("say in score() of the tools file when a run succeeded")
'''
_USED = ("Any", "new_state", "score", "tool")
_SCHEMA = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_VALUE = {"array": "list[Any]", "object": "dict[str, Any]", **_SCHEMA}


def draft(runs: Iterable[Trajectory]) -> str:
    """The text of a Python file that declares each tool that the runs call or offer, all irreversible, and a judge.

    Args:
        runs: of one agent.
    """
    runs = list(runs)
    offered = {spec.name: spec for run in runs for spec in _offered(run)}
    made: dict[str, list[Mapping[str, JsonValue]]] = {name: [] for name in offered}
    for step in (step for run in runs for step in run.steps if isinstance(step, ToolStep)):
        made.setdefault(step.call.name, []).append(step.call.arguments)
    told = f"run {runs[0].id}" if len(runs) == 1 else f"{len(runs)} runs"
    names = dict.fromkeys(name for run in runs for name in run.outcome.scores)
    scores = ", ".join(f"{name!a}: ..." for name in names) or '"solved": "done" in str(messages[-1].content)'
    functions = _functions(made)
    parts = [_tool(name, functions[name], offered.get(name), calls) for name, calls in made.items()]
    return _HEAD.format(runs=_escaped(told)) + "\n".join(parts) + "\n" + _SCORE.format(scores=scores)


def _offered(run: Trajectory) -> tuple[ToolSpec, ...]:
    asked = (step.request.tools for step in run.steps if isinstance(step, ModelStep))
    return next((tools for tools in asked if tools), ())


def _functions(names: Iterable[str]) -> dict[str, str]:
    """A name of a Python function for each tool, no two alike, and none that the file uses otherwise."""
    found: dict[str, str] = {}
    for name in names:
        function = re.sub(r"\W", "_", name)
        while not function.isidentifier() or keyword.iskeyword(function) or function in {*_USED, *found.values()}:
            function = f"tool_{function}"
        found[name] = function
    return found


def _tool(name: str, function: str, spec: ToolSpec | None, calls: list[Mapping[str, JsonValue]]) -> str:
    told = f"(name={name!a})" if function != name else ""
    about = _escaped(spec.description.strip().splitlines()[0]) if spec and spec.description.strip() else ""
    signature = f"def {function}({', '.join(_parameters(spec, calls))}) -> Any:"
    return f'\n@tool{told}\n{signature}\n    """{about or f"As {_escaped(name)} was called."}"""\n    ...\n'


def _parameters(spec: ToolSpec | None, calls: list[Mapping[str, JsonValue]]) -> list[str]:
    """Those that the tool was offered with, else those that it was called with; the required ones first."""
    properties = spec.parameters.get("properties") if spec else None
    required = spec.parameters.get("required") if spec else None
    found: dict[str, tuple[str, bool]] = {}
    if isinstance(properties, dict):
        needed = required if isinstance(required, list) else []
        found = {name: (_of_schema(schema), name in needed) for name, schema in properties.items()}
    for name in dict.fromkeys(name for call in calls for name in call):
        types = dict.fromkeys(_of_value(call[name]) for call in calls if name in call)
        found.setdefault(name, (" | ".join(types), all(name in call for call in calls)))
    usable = {name: told for name, told in found.items() if name.isidentifier() and not keyword.iskeyword(name)}
    first = [f"{name}: {type_}" for name, (type_, needed) in usable.items() if needed]
    return first + [f"{name}: {type_} | None = None" for name, (type_, needed) in usable.items() if not needed]


def _of_schema(schema: Any) -> str:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return _VALUE.get(kind, "Any") if isinstance(kind, str) else "Any"


def _of_value(value: JsonValue) -> str:
    kinds = {bool: "bool", int: "int", float: "float", str: "str", list: "list[Any]", dict: "dict[str, Any]"}
    return kinds.get(type(value), "None")


def _escaped(text: str) -> str:
    """Text that may stand in a docstring, on one line."""
    return text.encode("unicode_escape").decode("ascii").replace('"', "'")
