"""Alternatives that only asking models now can answer: another model, another prompt, and the same asked once more.

| source | at | action |
|---|---|---|
| ``redraw`` | model steps | asked the same again, and all later steps with fresh noise |
| ``named`` | model steps | the model that the user names answers, from here on |
| ``named`` | the first prompt | the text that the user names |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.actions import ModelAction, PromptAction, RedrawAction
from ifonly.agents.errors import ActionError
from ifonly.agents.records import InputStep, ModelStep
from ifonly.sim.blame.alternatives import Alternative

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ifonly.agents.records import Trajectory

__all__ = ["named_alternatives"]


def named_alternatives(
    run: Trajectory, models: Sequence[str] = (), prompts: Sequence[str] = (), *, redraw: bool = True
) -> tuple[Alternative, ...]:
    """What the user names, and (where `redraw`) each model step asked once more, in the order of the run.

    Args:
        run: the recorded run.
        models: that are to answer instead, each from each model step on where it does not answer already.
        prompts: that are to stand in place of the first system prompt, or of the first text where there is none.
        redraw: False under abducted noise, where the same again comes out the same.

    Raises:
        ActionError: a prompt is named, and the run has none.
    """
    return (*_prompts(run, prompts), *_replies(run, models, redraw=redraw))


def _prompts(run: Trajectory, prompts: Sequence[str]) -> Iterator[Alternative]:
    said = [step for step in run.steps if isinstance(step, InputStep)]
    if prompts and not said:
        raise ActionError("--prompt", f"run {run.id} has no prompt", "Leave it out.")
    first = next((step for step in said if step.message.role == "system"), said[0] if said else None)
    for text in prompts:
        if first is not None and text != first.message.content:
            yield Alternative(first.site, "prompt", PromptAction(site=first.site, content=text), "named")


def _replies(run: Trajectory, models: Sequence[str], *, redraw: bool) -> Iterator[Alternative]:
    for step in run.steps:
        if isinstance(step, ModelStep):
            if redraw:
                yield Alternative(step.site, "reply", RedrawAction(site=step.site), "redraw")
            for name in models:
                if name != step.request.model:
                    yield Alternative(step.site, "reply", ModelAction(site=step.site, model=name), "named")
