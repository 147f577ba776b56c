"""What counts as the failure that is to be explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import ActionError
from ifonly.agents.records import Score

if TYPE_CHECKING:
    from ifonly.agents.records import Trajectory

__all__ = ["Failure", "failure_of", "parse_failure"]

_SECURITY = "security"
"""The score by which environments with injections say that one reached its goal: true is bad."""


class Failure(BaseModel):
    """A score that has a value, or lies below it.

    Attributes:
        score: its name.
        value: the value that is a failure; where `below`, the least that is none.
        below: whether every lower value is a failure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    score: str
    value: Score
    below: bool = False

    def holds(self, score: Score | Undetermined | None) -> bool | None:
        """Whether this score is a failure; None where there is no score."""
        if score is None or isinstance(score, Undetermined):
            return None
        return float(score) < float(self.value) if self.below else float(score) == float(self.value)

    def of(self, run: Trajectory) -> bool | None:
        """Whether this run failed; None where it has no such score."""
        return self.holds(run.outcome.scores.get(self.score))

    @property
    def text(self) -> str:
        """As it is typed: ``security=true``, ``reward<1``."""
        value = str(self.value).lower() if isinstance(self.value, bool) else f"{self.value:g}"
        return f"{self.score}{'<' if self.below else '='}{value}"


def parse_failure(text: str) -> Failure:
    """From ``NAME=VALUE`` or ``NAME<VALUE``.

    Raises:
        ActionError: the text says neither.
    """
    below = "<" in text
    name, sign, value = text.partition("<" if below else "=")
    verdict = {"true": True, "false": False}.get(value.lower())
    try:
        number = float(value) if verdict is None else verdict
    except ValueError:
        number = None
    if not name or not sign or number is None or (below and verdict is not None):
        fix = "Write for instance --score security=true, --score reward=0, or --score reward<1."
        raise ActionError(f"--score {text}", "no NAME=VALUE or NAME<VALUE", fix)
    return Failure(score=name, value=number, below=below)


def failure_of(run: Trajectory) -> Failure | None:
    """What counts as this run's failure where nobody said; None if it did not fail.

    An injection that reached its goal (AgentDojo's ``security``, which is true then), else the first score that is
    false or 0.
    """
    place = run.environment
    attacked = place is not None and (place.name == "agentdojo" or "injections" in place.settings)
    if attacked and run.outcome.scores.get(_SECURITY) is True:
        return Failure(score=_SECURITY, value=True)
    for name, score in run.outcome.scores.items():
        if not score and not (attacked and name == _SECURITY):
            return Failure(score=name, value=score)
    return None
