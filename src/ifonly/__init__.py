"""ifonly: what would have happened otherwise, in recorded runs of LLM agents.

    >>> import ifonly
    >>> run = ifonly.find_run("runs/", "a part of its id")
    >>> answer = ifonly.whatif(run, [ifonly.parse_action('{"site": "search/0", "do": "drop"}')])

The names of this page are loaded at their first use, so that `import ifonly` costs nothing and brings in
neither torch nor litellm.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ifonly.agents.actions import parse_action
    from ifonly.agents.corpus import Corpus
    from ifonly.agents.errors import IfonlyError
    from ifonly.agents.reading import find_run, read
    from ifonly.agents.recorder import agent, record, recover
    from ifonly.agents.records import Trajectory
    from ifonly.agents.toolbox.tools import tool
    from ifonly.agents.verify import verify
    from ifonly.scm.estimate import Estimate
    from ifonly.sim.continuations import Bounds, FromCorpus, Hold
    from ifonly.sim.coverage import coverage
    from ifonly.sim.simulate.whole import simulate
    from ifonly.sim.summary import summarise
    from ifonly.sim.whatif import whatif
    from ifonly.sim.whatif_live import whatif_live

__all__ = [
    "Bounds",
    "Corpus",
    "Estimate",
    "FromCorpus",
    "Hold",
    "IfonlyError",
    "Trajectory",
    "__version__",
    "agent",
    "agents",
    "coverage",
    "find_run",
    "parse_action",
    "read",
    "record",
    "recover",
    "scenarios",
    "scm",
    "sim",
    "simulate",
    "summarise",
    "tool",
    "verify",
    "whatif",
    "whatif_live",
]

__version__: str

_PACKAGES = frozenset({"agents", "scenarios", "scm", "sim"})
# Public name -> module that defines it.
_HOME: dict[str, str] = {
    "Bounds": "ifonly.sim.continuations",
    "Corpus": "ifonly.agents.corpus",
    "Estimate": "ifonly.scm.estimate",
    "FromCorpus": "ifonly.sim.continuations",
    "Hold": "ifonly.sim.continuations",
    "IfonlyError": "ifonly.agents.errors",
    "Trajectory": "ifonly.agents.records",
    "agent": "ifonly.agents.recorder",
    "coverage": "ifonly.sim.coverage",
    "find_run": "ifonly.agents.reading",
    "parse_action": "ifonly.agents.actions",
    "read": "ifonly.agents.reading",
    "record": "ifonly.agents.recorder",
    "recover": "ifonly.agents.recorder",
    "simulate": "ifonly.sim.simulate.whole",
    "summarise": "ifonly.sim.summary",
    "tool": "ifonly.agents.toolbox.tools",
    "verify": "ifonly.agents.verify",
    "whatif": "ifonly.sim.whatif",
    "whatif_live": "ifonly.sim.whatif_live",
}


def __getattr__(name: str) -> object:
    """The public name, imported from its home at first use (PEP 562)."""
    value: object
    if name in _PACKAGES:
        value = importlib.import_module(f"ifonly.{name}")
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name == "__version__":
        # Not imported above: it costs a tenth of what `ifonly show` may take.
        value = importlib.import_module("importlib.metadata").version("ifonly")
    else:
        raise AttributeError(f"module 'ifonly' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
