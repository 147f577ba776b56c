"""ifonly: what would have happened otherwise, in recorded runs of LLM agents.

The names of this page are loaded at their first use, so that `import ifonly` costs nothing and brings in
neither torch nor litellm.
"""

from __future__ import annotations

import importlib
from importlib import metadata

__all__ = ["__version__", "agents", "scenarios", "scm", "sim"]

__version__: str

_PACKAGES = frozenset({"agents", "scenarios", "scm", "sim"})
# Public name -> module that defines it. A name added here is added to __all__ as well, and imported under
# `if TYPE_CHECKING:` for type checkers and editors.
_HOME: dict[str, str] = {}


def __getattr__(name: str) -> object:
    """The public name, imported from its home at first use (PEP 562)."""
    value: object
    if name in _PACKAGES:
        value = importlib.import_module(f"ifonly.{name}")
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name == "__version__":
        value = metadata.version("ifonly")
    else:
        raise AttributeError(f"module 'ifonly' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
