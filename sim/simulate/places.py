"""Places of a world by dotted name, and values put there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from ifonly.agents.errors import ActionError, UnknownName, nearest
from ifonly.sim.services.client import Client
from ifonly.sim.services.service import Service
from ifonly.sim.services.world import Route, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import JsonValue

__all__ = ["put"]

_ROOTS = {"service": "services", "route": "routes", "client": "client", "clients": "clients"}
_NAMED = frozenset({"services", "routes", "clients"})


def put(world: World, changes: Sequence[tuple[str, JsonValue]]) -> World:
    """The world with values put at places, checked as a whole: so a route may be put before the service it names.

    Args:
        world: to change.
        changes: place and value, in order.

    Raises:
        UnknownName: a place does not exist.
        ActionError: the world with these values is none.
    """
    data = world.model_dump(mode="json")
    for place, value in changes:
        _put(data, place, value)
    try:
        return World.model_validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"])) or "the world"
        known = _fields(first["loc"]) if first["type"] == "extra_forbidden" else ()
        told = f"{at}: {first['msg']}"
        asked = ", ".join(f"{place}={json.dumps(value)}" for place, value in changes)
        fix = f"There are: {', '.join(known)}." if known else "Correct the value, or the name of its place."
        raise ActionError(
            f"--set {asked}", told, fix, nearest(str(first["loc"][-1]), known) if known else ()
        ) from error


def _put(data: dict[str, Any], place: str, value: JsonValue) -> None:
    root, _, rest = place.partition(".")
    root = _ROOTS.get(root, root)
    if root not in data or not rest:
        raise UnknownName("place of the world", place, ["service.NAME.…", "route.NAME", "client.…", "clients.NAME.…"])
    node = data[root]
    if root in _NAMED:
        known = [*data["services"], *data["routes"]] if root == "clients" else list(node)
        name, rest = _name(known, rest, value)
        if not rest:
            node[name] = value
            return
        if name not in node:
            if name not in known:
                raise UnknownName(f"{root.removesuffix('s')} of --set", name, known)
            node[name] = dict(data["client"])
        node = node[name]
    parts = rest.split(".")
    for part in parts[:-1]:
        if not isinstance(node.get(part), dict):
            node[part] = {}
        node = node[part]
    node[parts[-1]] = value


def _name(known: Iterable[str], rest: str, value: JsonValue) -> tuple[str, str]:
    """The name that a dotted rest begins with: the longest known; a new one, which is put whole; else a guess."""
    found = [name for name in known if rest == name or rest.startswith(f"{name}.")]
    if found:
        name = max(found, key=len)
        return name, rest[len(name) + 1 :]
    if isinstance(value, dict):
        return rest, ""
    name, _, field = rest.rpartition(".")
    return (name, field) if name else (field, "")


def _fields(place: Sequence[int | str]) -> tuple[str, ...]:
    """The fields that are known where an unknown one was put."""
    roots: dict[str, type[BaseModel]] = {"services": Service, "routes": Route}
    model = roots.get(str(place[0]), Client)
    for part in place[1 if place[0] == "client" else 2 : -1]:
        field = model.model_fields.get(str(part))
        if field is None:
            continue
        inner = [one for one in (field.annotation, *get_args(field.annotation)) if isinstance(one, type)]
        model = next((one for one in inner if issubclass(one, BaseModel)), model)
    return tuple(model.model_fields)
