"""The recorded order of turns: who spoke when, and what that tells of the harness that decided it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from ifonly.agents.errors import ActionError
from ifonly.agents.records import InputStep, ModelStep, ToolStep, UserMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import ToolCall, Trajectory

__all__ = ["Script", "ScriptTurn", "execution_order"]


@dataclass(frozen=True, slots=True)
class ScriptTurn:
    """An input or a model step, with the tool steps that the reply led to."""

    step: InputStep | ModelStep
    tools: tuple[ToolStep, ...] = ()


class Script:
    """The turns of a recorded run.

    Args:
        run: the run, one growing conversation.

    Raises:
        ActionError: a model step was asked with other messages than all those before it, as where several agents keep
            conversations of their own; or the log does not say what it was asked with.
    """

    def __init__(self, run: Trajectory) -> None:
        _check_conversation(run)
        self.turns: list[ScriptTurn] = []
        for step in run.steps:
            if isinstance(step, ToolStep):
                self.turns[-1] = ScriptTurn(self.turns[-1].step, (*self.turns[-1].tools, step))
            else:
                self.turns.append(ScriptTurn(step))

    def turn(self, index: int) -> ScriptTurn | None:
        """The turn of this index, if there is one."""
        return self.turns[index] if 0 <= index < len(self.turns) else None

    @cached_property
    def agent(self) -> str:
        """The name of the model steps' sites."""
        asked = (turn.step.site for turn in self.turns if isinstance(turn.step, ModelStep))
        return next(asked, "agent/0").rpartition("/")[0]

    @cached_property
    def repeated(self) -> UserMessage | None:
        """The user's prompt, if the harness puts it again after a round of tools."""
        inputs = [turn.step.message for turn in self.turns if isinstance(turn.step, InputStep)]
        prompt = next((message for message in inputs if isinstance(message, UserMessage)), None)
        after_tools = [after.step for before, after in pairwise(self.turns) if before.tools]
        again = any(isinstance(step, InputStep) and step.message == prompt for step in after_tools)
        return prompt if again else None

    def follows(self, index: int) -> str | None:
        """The kind of turn that came after a reply without calls at this index; None if the run ended, or had calls."""
        turn, following = self.turn(index), self.turn(index + 1)
        return following.step.kind if turn and following and not turn.tools else None


def _check_conversation(run: Trajectory) -> None:
    said = run.messages
    for index, step in enumerate(run.steps):
        if isinstance(step, ModelStep) and step.request.messages != said[:index]:
            asked = f"lifting {run.id} to a causal model"
            if not step.request.messages:
                found = f"the log does not say what {step.site} was asked with"
                raise ActionError(asked, found, "Without its requests a run can be shown, and not be re-run.")
            raise ActionError(
                asked,
                f"{step.site} was not asked with the {index} messages before it: several agents, or text left out",
                "What-ifs and blame take one growing conversation: each request repeats all that came before it. Write "
                "the messages of one agent as an OpenAI chat list, and ask of that; `ifonly show` and "
                "`ifonly simulate` take this run as it is.",
            )


def execution_order(said: Sequence[ToolCall], tools: Sequence[ToolStep]) -> list[int]:
    """The indices of a reply's calls in the order of their recorded execution; as they stand, if there is none."""
    waiting, order = [*range(len(said))], []
    for tool in tools:
        order.append(next(index for index in waiting if said[index] == tool.call))
        waiting.remove(order[-1])
    return order or waiting
