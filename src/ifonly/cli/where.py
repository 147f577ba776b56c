"""Choosing runs by what they are: ``--where key=value``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ifonly.agents.errors import ActionError, UnknownName
from ifonly.views.scores import score_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ifonly.agents.records import Trajectory

__all__ = ["Where"]


@dataclass(frozen=True)
class Where:
    """Conditions that must all hold.

    Args:
        conditions: pairs of a key (``id``, ``task``, ``agent``, ``model``, a label or a score) and its value.
    """

    conditions: tuple[tuple[str, str], ...] = ()
    _seen: set[str] = field(default_factory=set, init=False, compare=False, repr=False)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Where:
        """From ``key=value`` texts.

        Raises:
            ActionError: a text without ``=``.
        """
        pairs = []
        for text in texts:
            key, equals, value = text.partition("=")
            if not equals or not key:
                raise ActionError(f"--where {text}", "no key=value", "Write for instance --where security=true.")
            pairs.append((key, value))
        return cls(tuple(pairs))

    def choose(self, runs: Sequence[Trajectory]) -> tuple[Trajectory, ...]:
        """The runs for which all conditions hold.

        Raises:
            UnknownName: no run at all has one of the keys.
        """
        chosen = tuple(run for run in runs if self.holds(run))
        self.known()
        return chosen

    def holds(self, run: Trajectory) -> bool:
        """Whether all conditions hold for a run; for runs that are seen one at a time."""
        fact = _facts(run)
        self._seen.update(fact)
        return all(fact.get(key) == value for key, value in self.conditions)

    def known(self) -> None:
        """See that some run that was looked at has each key.

        Raises:
            UnknownName: no run at all has one of them.
        """
        for key, _ in self.conditions:
            if key not in self._seen:
                raise UnknownName("key of --where", key, sorted(self._seen))


def _facts(run: Trajectory) -> dict[str, str]:
    scores = {name: score_text(score) for name, score in run.outcome.scores.items()}
    named = {"id": run.id, "task": run.task, "agent": run.agent, "model": run.model}
    return {**run.labels, **scores, **named}
