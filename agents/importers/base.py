"""What an importer is, and what all share: the place of a record, and checks that name the culprit."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from ifonly.agents.errors import InputError, nearest
from ifonly.agents.files import RecordFile, parsed
from ifonly.agents.records import Message
from ifonly.agents.sites import ConversationError, steps_of
from ifonly.agents.streams.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pydantic import JsonValue
    from pydantic_core import ErrorDetails

    from ifonly.agents.records import Request, Step, Trajectory

__all__ = [
    "MAX_MESSAGES",
    "MESSAGES",
    "UNKNOWN_MODEL",
    "Companions",
    "Importer",
    "Place",
    "checked",
    "describe",
    "steps_at",
]

UNKNOWN_MODEL = "unknown"
"""The model of runs whose log does not say, and for which the reader was told none."""

MAX_MESSAGES = 10_000
"""Longest conversation. Every request holds all before it, so that memory grows with the square: 0.4 GB here."""

MESSAGES = TypeAdapter(list[Message])
"""Makes messages of their fields."""

T = TypeVar("T")


class Importer(Protocol):
    """One format: recognises its records and turns them into trajectories."""

    name: str
    signature: frozenset[str]
    """Keys that every record of this format has; for the error about an unknown format."""
    companions: tuple[str, ...]
    """Patterns of files that stand beside the runs and hold none."""
    literal_ids: bool
    """Whether each part of an id between slashes is 'none' or stands in the record's text."""

    def detect(self, record: JsonValue, path: Path) -> bool:
        """Whether the record is of this format; cheap, and strict enough never to take another's."""
        ...

    def identify(self, record: JsonValue, place: Place) -> str | None:
        """The id that the record's trajectory has, or None where the record is broken."""
        ...

    def parse(self, record: JsonValue, place: Place) -> Trajectory:
        """The trajectory.

        Raises:
            InputError: the record is broken; names file, record and field.
        """
        ...


@dataclass
class Companions:
    """Files beside the runs that several records share, each read once."""

    limits: Limits = field(default_factory=Limits)
    _texts: dict[Path, str | None] = field(default_factory=dict)
    _values: dict[tuple[Path, str], list[JsonValue]] = field(default_factory=dict)

    def text(self, path: Path) -> str | None:
        """The file's text, or None where there is no such file.

        Raises:
            InputError: it cannot be read.
        """
        if path not in self._texts:
            self._texts[path] = self._read(path) if path.is_file() else None
        return self._texts[path]

    def values(self, file: Path, name: str) -> list[JsonValue]:
        """The JSON values of the files of a name in a file's folder and in the folder above.

        Raises:
            InputError: one of them cannot be read.
        """
        if (file, name) not in self._values:
            beside = [folder / name for folder in (file.parent, file.parent.parent)]
            self._values[file, name] = [self._load(path) for path in beside if path.is_file()]
        return self._values[file, name]

    def _read(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                raw = file.read(self.limits.text + 1)
            text = raw.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(str(path), str(error), "Check the file's rights, and that it is UTF-8.") from None
        if len(raw) > self.limits.text:
            raise InputError(str(path), f"larger than {self.limits.text:,} bytes", "Shorten it.")
        return text

    def _load(self, path: Path) -> JsonValue:
        number, raw = next(iter(RecordFile(path, self.limits)))
        value = parsed(path, number, raw, self.limits)
        if isinstance(value, InputError):
            raise value
        return value


@dataclass(frozen=True)
class Place:
    """Where a record stands, and what is known beside it.

    Args:
        file: its file, as named by the user.
        number: its number in the file, from 1.
        companions: access to the files beside it.
        model: the model to assume where the log names none.
    """

    file: Path
    number: int
    companions: Companions = field(default_factory=Companions)
    model: str | None = None

    def error(self, path: str | None, found: str, fix: str, near: Iterable[str] = ()) -> InputError:
        """The error about a field of this record."""
        return InputError(str(self.file), found, fix, record=self.number, field=path, near=near)


_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "dict_type": "an object",
    "list_type": "a list",
    "tuple_type": "a list",
    "int_type": "an integer",
    "float_type": "a number",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def checked(adapter: TypeAdapter[T], value: object, place: Place, *, strip: str = "", as_json: bool = False) -> T:
    """The value, checked against the shape that its format requires.

    Args:
        adapter: the shape.
        value: the record.
        place: its place.
        strip: cut off the front of the culprit's path, where the record was wrapped.
        as_json: whether lists are to count as tuples, as they do in JSON.

    Raises:
        InputError: names the first field that is missing or of the wrong type.
    """
    try:
        return adapter.validate_json(to_json(value)) if as_json else adapter.validate_python(value, strict=True)
    except ValidationError as error:
        raise _broken(error.errors(include_url=False)[0], value, place, strip) from None
    except PydanticSerializationError as error:
        raise place.error(None, str(error), "Flatten the value, or store it as text.") from None


def _broken(error: ErrorDetails, value: object, place: Place, strip: str) -> InputError:
    """What pydantic found first, told in the words of the record."""
    path, parent = _followed(error["loc"], value)
    where, found = ".".join(map(str, path)).removeprefix(strip), error["input"]
    match error["type"]:
        case "missing":
            near = nearest(str(error["loc"][-1]), parent if isinstance(parent, dict) else ())
            return place.error(where, "missing", "Add it, or correct the name of the field.", near)
        case "union_tag_not_found":
            near = nearest("role", found if isinstance(found, dict) else ())
            return place.error(f"{where}.role", "missing", "Give each message its role.", near)
        case "union_tag_invalid":
            tag, tags = error["ctx"]["tag"], error["ctx"]["expected_tags"].replace("'", "").split(", ")
            fix = f"Use one of: {', '.join(tags)}."
            return place.error(f"{where}.role", f"unknown role {tag!r}", fix, nearest(tag, tags))
        case "extra_forbidden":
            return place.error(where, "unknown field", "Remove it, or correct its name.")
    if wanted := _WANTED.get(error["type"]):
        return place.error(where or None, f"{describe(found)} where {wanted} is needed", f"Put {wanted} there.")
    return place.error(where or None, f"{describe(found)}: {error['msg']}", "Correct the value.")


def _followed(loc: Sequence[str | int], value: Any) -> tuple[list[str | int], Any]:
    """The part of pydantic's location that stands in the input (unions do not), and what holds its end."""
    path: list[str | int] = []
    parent = value
    for position, part in enumerate(loc, 1):
        at_end = position == len(loc)
        if isinstance(value, dict) and (part in value or at_end):
            path.append(part)
            parent, value = value, value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            path.append(part)
            parent, value = value, value[part] if part < len(value) else None
    return path, parent


def describe(value: object) -> str:
    """A value in few words, for an error."""
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            return f"the text {value[:40]!r}"
        case int() | float():
            return f"the number {value!r:.40}"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return f"an object with {', '.join(map(repr, list(value)[:5])) or 'no keys'}"
        case _:
            return f"a {type(value).__name__}"


def steps_at(
    place: Place, messages: Sequence[Message], frame: Request, prefix: str = "messages.", shift: int = 0
) -> tuple[Step, ...]:
    """The steps of a record's conversation.

    Args:
        place: the record's place.
        messages: the conversation.
        frame: what its requests share.
        prefix: of the messages' paths in the record.
        shift: how many messages at the front do not stand in the record.

    Raises:
        InputError: the messages are no conversation.
    """
    if len(messages) > MAX_MESSAGES:
        found = f"a conversation of {len(messages):,} messages; the limit is {MAX_MESSAGES:,}"
        raise place.error(prefix.removesuffix(".") or None, found, "Split the run at a turn of the user.")
    try:
        return steps_of(messages, frame, pending=True)
    except ConversationError as error:
        _, index, *rest = error.field.split(".")
        path = ".".join([str(int(index) - shift), *rest])
        raise place.error(f"{prefix}{path}", error.found, error.fix) from None
