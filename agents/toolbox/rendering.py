"""What a tool gives back, as text: equal values give equal text, in every process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from ifonly.agents.records import ToolResult

if TYPE_CHECKING:
    from pydantic import JsonValue

__all__ = ["failed", "jsonable", "rendered"]


def rendered(value: object) -> ToolResult:
    """The result of a tool that returned this: text as it stands, nothing as empty text, anything else as JSON.

    Raises:
        ValueError: JSON cannot hold the value (pydantic's `PydanticSerializationError` is one).
    """
    if value is None:
        return ToolResult(content="")
    text = value if isinstance(value, str) else json.dumps(jsonable(value), ensure_ascii=False)
    return ToolResult(content=_whole(text))


def failed(error: BaseException) -> ToolResult:
    """The result of a tool that raised this."""
    return ToolResult(content="", error=_whole(f"{type(error).__name__}: {error}"))


def jsonable(value: object) -> JsonValue:
    """The value as JSON holds it; sets are sorted, since the order of their elements differs between processes.

    Raises:
        ValueError: JSON cannot hold it.
    """
    found: JsonValue = to_jsonable_python(_sorted(value))
    return found


def _sorted(value: Any) -> Any:
    match value:
        case BaseModel():
            return _sorted({name: getattr(value, name) for name in type(value).model_fields})
        case dict():
            return {key: _sorted(item) for key, item in value.items()}
        case set() | frozenset():
            return sorted((_sorted(item) for item in value), key=lambda item: json.dumps(to_jsonable_python(item)))
        case list() | tuple():
            return [_sorted(item) for item in value]
        case _:
            return value


def _whole(text: str) -> str:
    """The text with lone surrogates, which no file of runs can hold, spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
