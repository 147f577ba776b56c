"""What one pass through an agent world leaves behind: its steps with their provenance, and its scores."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ifonly.agents.records import MEASURED, Outcome, message_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.environments.base import Undetermined
    from ifonly.agents.records import InputStep, Message, ModelStep, Score, ToolStep, Trajectory

__all__ = ["Provenance", "Walk", "WalkStep", "alike"]


class Provenance(StrEnum):
    """Where a step's value comes from."""

    RECORDED = "recorded"
    EDITED = "edited"
    PUT = "put"
    HELD = "held"
    REEXECUTED = "re-executed"
    SIMULATED = "simulated"
    LIVE = "live"
    DROPPED = "dropped"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class WalkStep:
    """One site of a world that was run.

    Args:
        site: its structural name.
        step: what happened there; None where it was dropped or is undetermined.
        provenance: where the value comes from.
        source: the recorded run and site it was taken from, if not this one's.
        draws: how many recorded draws of this step's noise the value was drawn from; None where none was drawn.
        why: what is missing, where undetermined.
    """

    site: str
    step: InputStep | ModelStep | ToolStep | None
    provenance: Provenance
    source: str | None = None
    draws: int | None = None
    why: Undetermined | None = None

    @property
    def message(self) -> Message | None:
        """What the step adds to the conversation."""
        return message_of(self.step) if self.step else None


@dataclass(frozen=True, slots=True)
class Walk:
    """One path through a world.

    Args:
        steps: in the order in which they ran.
        scores: by name; Undetermined where the path or its judge cannot say.
        stopped: why the path could not go on; None where it ran to its end.
        wants_model: whether it stopped because a model's reply is missing, which a live or fitted model could give.
        draws: what was drawn from recorded runs, in order: where the value came from, and from how many places.
    """

    steps: tuple[WalkStep, ...]
    scores: Mapping[str, Score | Undetermined]
    stopped: Undetermined | None = None
    wants_model: bool = False
    draws: tuple[tuple[str, int], ...] = ()

    def trajectory(self, run: Trajectory) -> Trajectory:
        """The path as a trajectory like the one recorded, with only the scores that are settled."""
        scores = {name: score for name, score in self.scores.items() if isinstance(score, bool | int | float)}
        error = self.stopped.why if self.stopped else run.outcome.error
        return run.model_copy(
            update={
                "steps": tuple(step.step for step in self.steps if step.step is not None),
                "outcome": Outcome(scores=scores, error=error),
            }
        )


def alike(step: InputStep | ModelStep | ToolStep, recorded: InputStep | ModelStep | ToolStep) -> bool:
    """Whether two steps differ at most in what was measured beside them."""
    measured = MEASURED & type(recorded).model_fields.keys()
    return step == recorded.model_copy(update=dict.fromkeys(measured))
