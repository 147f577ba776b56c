"""Python that a user names: a file, or a module that Python finds. Its code is run, so it must be the user's choice."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ifonly.agents.canonical import digest
from ifonly.agents.errors import InputError, UnknownName

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["module_of", "named_in"]


def module_of(name: str) -> tuple[ModuleType, str]:
    """The module, run, and its source.

    Args:
        name: a ``.py`` file, or an importable module.

    Raises:
        InputError: there is no such file or module, or it cannot be run.
    """
    if not name.endswith(".py"):
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            fix = "Name a file (tools.py), or a module that Python finds (package.module)."
            raise InputError(name, f"no such module: {error}", fix) from error
        path = getattr(module, "__file__", None)
        return module, Path(path).read_text(encoding="utf-8") if path else name
    path = Path(name)
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(name, f"cannot be read: {error}", "Name a Python file.") from error
    return _run(path, source), source


def named_in(text: str) -> object:
    """What ``FILE.py:NAME`` or ``module:NAME`` names.

    Args:
        text: as typed.

    Raises:
        InputError: it has no colon, or as `module_of`.
        UnknownName: the module has no such name.
    """
    place, colon, name = text.rpartition(":")
    if not colon:
        raise InputError(text, "names no function", f"Write FILE.py:NAME, for instance {text}:world.")
    module, _ = module_of(place)
    if not hasattr(module, name):
        raise UnknownName(f"name in {place}", name, [one for one in vars(module) if not one.startswith("_")])
    found: object = getattr(module, name)
    return found


def _run(path: Path, source: str) -> ModuleType:
    # Dataclasses and type hints look their module up by name, so it has to stand in sys.modules.
    name = f"ifonly_file_{digest(f'{path.resolve()}{source}')}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(str(path), "Python cannot load it", "Name a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        found = f"running it failed: {type(error).__name__}: {error}"
        raise InputError(str(path), found, "Correct the file; `python FILE` shows the whole traceback.") from error
    return module
