"""Tool calls executed again, as a pure function of their history.

A session's state is a fold over the calls made so far, so a result is named by the environment reference and the
calls up to and including its own. `Rerun` answers from memory where it has seen the history, goes on with the open
session where the history extends it, and else opens a fresh one: never a dirty state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.canonical import canonical_json, digest, extend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.agents.environments.base import Environment, Session, Undetermined
    from ifonly.agents.records import EnvironmentRef, Message, Score, ToolCall, ToolResult

__all__ = ["Rerun"]


class Rerun:
    """Results and scores of an environment as functions of the calls made.

    Args:
        environment: where calls are executed.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._results: dict[str, ToolResult | Undetermined] = {}
        self._session: tuple[str, Session] | None = None

    def result(self, ref: EnvironmentRef, history: Sequence[ToolCall]) -> ToolResult | Undetermined:
        """The result of the last call of the history, the others having been made before it.

        Raises:
            ToolEnvironmentError: the environment does not know the task.
        """
        key = _keys(ref, history)[-1]
        if key not in self._results:
            self._advance(ref, history)
        return self._results[key]

    def score(
        self, ref: EnvironmentRef, history: Sequence[ToolCall], messages: Sequence[Message]
    ) -> Mapping[str, Score | Undetermined]:
        """The scores of the state that the history led to, given the whole conversation."""
        return self._advance(ref, history).score(messages)

    def _advance(self, ref: EnvironmentRef, history: Sequence[ToolCall]) -> Session:
        """A session in which exactly this history was executed, with every result on the way noted."""
        keys = _keys(ref, history)
        done, session = 0, None
        if self._session is not None and self._session[0] in keys:
            done, session = keys.index(self._session[0]), self._session[1]
        if session is None:
            session = self.environment.open(ref)
        for call, key in zip(history[done:], keys[done + 1 :], strict=True):
            result = session.call(call)
            self._results.setdefault(key, result)
        self._session = keys[-1], session
        return session


def _keys(ref: EnvironmentRef, history: Sequence[ToolCall]) -> list[str]:
    keys = [digest(canonical_json(ref.model_dump()))]
    for call in history:
        keys.append(extend(keys[-1], digest(canonical_json([call.name, call.arguments]))))
    return keys
