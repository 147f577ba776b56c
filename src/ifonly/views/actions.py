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
from ifonly.agents.records import ModelStep, ToolStep
from ifonly.views.injected import carries, injections_of, segments
from ifonly.views.text import content_text, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ifonly.agents.actions import Action
    from ifonly.agents.records import Trajectory

__all__ = ["action_text", "question"]

_WIDTH = 90


def question(actions: Iterable[Action], run: Trajectory) -> str:
    """The question that the actions ask of a run, without its question mark."""
    texts = [_cleaned(action, run) or _silent(action, run) or action_text(action) for action in actions]
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
    was, put = content_text(step.result.content), content_text(action.content)
    cleaned = carries(was, injections) and not carries(put, injections) and _keeps_rest(was, put, injections)
    return f"{action.site} had returned a result without the injection" if cleaned else None


def _silent(action: Action, run: Trajectory) -> str | None:
    """In words, where the action leaves out what a model said: no call, or more than one."""
    model = any(step.site == action.site and isinstance(step, ModelStep) for step in run.steps)
    return f"{action.site} had said nothing" if model and isinstance(action, DropAction) else None


def _keeps_rest(was: str, put: str, injections: tuple[str, ...]) -> bool:
    """Whether most words around the injection stand in the other text, too: quoting may differ."""
    around = {word for part in segments(was, injections) if not part.injected for word in part.text.split()}
    return 2 * len(around & set(put.split())) > len(around)


def _environment(action: EnvironmentAction) -> str:
    if action.settings.get("injections") == {}:
        return "the environment had not carried the injection"
    return f"the environment had begun with other {', '.join(action.settings)}"
