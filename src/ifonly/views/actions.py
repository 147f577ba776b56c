"""Actions in words: the second half of the sentence that begins with "if only"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.actions import (
    CallAction,
    DropAction,
    EnvironmentAction,
    ModelAction,
    PromptAction,
    RedrawAction,
    ReplyAction,
    ResultAction,
)
from ifonly.agents.records import ToolStep
from ifonly.views.injected import carries, injections_of
from ifonly.views.text import content_text, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ifonly.agents.actions import Action
    from ifonly.agents.records import Trajectory

__all__ = ["action_text", "question"]

_WIDTH = 90


def question(actions: Iterable[Action], run: Trajectory) -> str:
    """The question that the actions ask of a run, without its question mark."""
    texts = [_cleaned(action, run) or action_text(action) for action in actions]
    return "If only " + ", and ".join(texts) if texts else "If nothing had been otherwise"


def action_text(action: Action) -> str:
    """One action, as what had been otherwise."""
    match action:
        case ResultAction():
            said = f"failed with “{action.error}”" if action.error else f"returned “{content_text(action.content)}”"
            text = f"{action.site} had {said}"
        case CallAction():
            given = ", ".join(f"{name}={value!r}" for name, value in action.arguments.items())
            text = f"{action.site} had been the call {action.tool}({given})"
        case DropAction():
            text = f"the call {action.site} had not been made"
        case ReplyAction():
            calls = "".join(f", and called {call.name}" for call in action.tool_calls)
            text = f"{action.site} had said “{content_text(action.content)}”{calls}"
        case RedrawAction():
            text = f"{action.site} had been asked the same once more"
        case ModelAction():
            onward = "" if action.scope == "step" else " and from there on"
            text = f"{action.model} had answered at {action.site}{onward}"
        case PromptAction():
            text = f"the prompt at {action.site} had read “{content_text(action.content)}”"
        case EnvironmentAction():
            text = _environment(action)
    return one_line(text, _WIDTH * 2)


def _cleaned(action: Action, run: Trajectory) -> str | None:
    """In words, where the action puts a result without the injection that the recorded one carried."""
    step = next((step for step in run.steps if step.site == action.site), None)
    injections = injections_of(run)
    if not isinstance(action, ResultAction) or not isinstance(step, ToolStep) or not injections:
        return None
    was, put = (carries(content_text(content), injections) for content in (step.result.content, action.content))
    return f"{action.site} had returned a result without the injection" if was and not put else None


def _environment(action: EnvironmentAction) -> str:
    if action.settings.get("injections") == {}:
        return "the environment had not carried the injection"
    return f"the environment had begun with other {', '.join(action.settings)}"
