"""World files: YAML or JSON, read with a check of every name and written whole."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from pydantic import ValidationError

from ifonly.agents.errors import InputError
from ifonly.sim.services.world import World

__all__ = ["read_world", "world_text"]

_FIX = "Write {services: {NAME: {latency: {base: SECONDS, per_output_token: SECONDS}}}}; --save-world makes an example."


def read_world(path: str | Path) -> World:
    """The world that a file states.

    Raises:
        InputError: the file cannot be read, or states none.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"cannot be read ({error})", "Check the path.") from error
    try:
        data = yaml.safe_load(text)  # JSON is YAML
    except yaml.YAMLError as error:
        found = f"is neither YAML nor JSON ({' '.join(str(error).split())})"
        raise InputError(str(path), found, _FIX) from error
    try:
        return World.model_validate_json(json.dumps(data))
    except (ValidationError, TypeError) as error:
        if isinstance(error, TypeError):
            raise InputError(str(path), f"states no world ({error})", _FIX) from error
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or None
        raise InputError(str(path), f"states no world: {first['msg']}", _FIX, field=place) from error


def world_text(world: World, path: str | Path) -> str:
    """The text of a world's file: JSON where its name ends so, else YAML; what is as by default is left out."""
    data = world.model_dump(mode="json", exclude_defaults=True)
    _kinds(data, world.model_dump(mode="json"))
    if Path(path).suffix == ".json":
        return json.dumps(data, indent=2) + "\n"
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


def _kinds(data: object, whole: object) -> None:
    """Put back what tells laws apart, which is a default of each."""
    if isinstance(data, dict) and isinstance(whole, dict):
        if "law" in whole:
            data["law"] = whole["law"]
        for name, value in data.items():
            _kinds(value, whole.get(name))
    elif isinstance(data, list) and isinstance(whole, list):
        for one, other in zip(data, whole, strict=True):
            _kinds(one, other)
