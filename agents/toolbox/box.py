"""A module of tools: the tools themselves, the state they share, and the judge of their end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ifonly.agents.canonical import digest
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import InputError
from ifonly.agents.modules import module_of
from ifonly.agents.toolbox.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ifonly.agents.records import Message, Score, ToolSpec

__all__ = ["Toolbox"]


@dataclass(frozen=True)
class Toolbox:
    """The tools of one Python module.

    Args:
        name: file or module, as the user named it.
        version: digest of the module's source; what it imports is not part of it.
        tools: by the name a model calls them by, in the order of the module.
        new_state: makes the state that tools take as `state`.
        judge: scores the end, given the messages and the state.
    """

    name: str
    version: str
    tools: Mapping[str, Tool[..., Any]]
    new_state: Callable[[], object] | None = field(default=None)
    judge: Callable[[Sequence[Message], Any], Mapping[str, Score]] | None = field(default=None)

    @classmethod
    def load(cls, name: str | Path) -> Toolbox:
        """The tools of a ``.py`` file or of an importable module; its code is run, so it must be the user's own choice.

        Module-level names with a meaning: every `Tool`; ``new_state()`` for a fresh state; ``score(messages, state)``
        for named verdicts and numbers.

        Raises:
            InputError: there is no such file or module, it cannot be run, or its tools contradict each other.
        """
        module, source = module_of(str(name))
        tools = dict[str, Tool[..., Any]]()
        for value in vars(module).values():
            if not isinstance(value, Tool):
                continue
            if tools.setdefault(value.name, value) is not value:
                raise InputError(str(name), f"two tools are called {value.name!r}", "Give one another name.")
        box = cls(str(name), digest(source), tools, getattr(module, "new_state", None), getattr(module, "score", None))
        if box.new_state is None and (needy := [tool.name for tool in tools.values() if "state" in tool.takes]):
            fix = "Define new_state() in the module: it returns what the first call finds."
            raise InputError(str(name), f"{needy[0]} takes `state`, and nothing makes one", fix)
        return box

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools as a model is told of them.

        Raises:
            ToolEnvironmentError: a parameter's type cannot be told.
        """
        return tuple(tool.spec for tool in self.tools.values())

    def score(self, messages: Sequence[Message], state: object) -> dict[str, Score] | Undetermined:
        """What the module's judge says; a judge that fails cannot say."""
        if self.judge is None:
            return {}
        try:
            said = self.judge(messages, state)
            return {str(name): value if isinstance(value, bool) else float(value) for name, value in said.items()}
        except Exception as error:
            return Undetermined(why=f"score() of {self.name} failed: {type(error).__name__}: {error}")
