"""From actions on steps to interventions on sites of the lifted world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.actions import (
    ENVIRONMENT,
    CallAction,
    DropAction,
    EnvironmentAction,
    ModelAction,
    PromptAction,
    RedrawAction,
    ReplyAction,
    ResultAction,
    check_action,
)
from ifonly.agents.errors import ActionError
from ifonly.agents.records import InputStep, ModelStep, SystemMessage, ToolStep
from ifonly.scm.actions import Map, Put, Redraw
from ifonly.sim.lift import facts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ifonly.agents.actions import Action
    from ifonly.agents.records import Content, Request, Trajectory
    from ifonly.scm.actions import Action as Do

__all__ = ["Intervention", "compile_actions", "redrawing"]


@dataclass(frozen=True, slots=True)
class Intervention:
    """What is done to the world, site by site.

    Args:
        actions: kernel actions by site of the world.
        put: the steps whose value is put.
        held: the steps that are held at their recorded value.
        redrawn: the steps that take fresh noise wherever the world comes to them.
    """

    actions: Mapping[str, Do]
    put: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    redrawn: frozenset[str] = frozenset()

    @property
    def optional(self) -> frozenset[str]:
        """The sites that a world need not come to."""
        return self.held | self.redrawn


def redrawing(run: Trajectory, site: str) -> Intervention:
    """No action but fresh noise at this model step and all after it: what the same run does when it is asked again."""
    steps = [step.site for step in run.steps if isinstance(step, ModelStep)]
    redrawn = steps[steps.index(site) :] if site in steps else []
    return Intervention(dict.fromkeys(redrawn, Redraw()), redrawn=frozenset(redrawn))


def compile_actions(actions: Iterable[Action], run: Trajectory, *, hold: bool = False) -> Intervention:
    """The interventions that actions on a run mean.

    Args:
        actions: what is to be done.
        run: the recorded run.
        hold: whether later replies and user turns are put to their recorded values.

    Raises:
        UnknownName: an action names a site that the run does not have.
        ActionError: an action does not fit the step at its site, or two actions meet at one.
    """
    does: dict[str, Do] = {}
    put, first = set(), len(run.steps)
    position = {ENVIRONMENT: -1} | {step.site: index for index, step in enumerate(run.steps)}
    steps = {step.site: step for step in run.steps}
    for action in actions:
        check_action(action, run)
        site, do = _do(action, steps.get(action.site))
        if site in does:
            raise ActionError(
                f"do {action.do} at {action.site}", "another action is already done there", "Ask one of them."
            )
        does[site] = do
        first = min(first, position[action.site])
        if site == action.site and isinstance(do, Put):
            put.add(site)
    held = {s.site for s in run.steps[first + 1 :] if hold and not isinstance(s, ToolStep) and s.site not in does}
    facts = facts_of(run)
    return Intervention(does | {site: Put(facts[site]) for site in held}, frozenset(put), frozenset(held))


def _do(action: Action, step: InputStep | ModelStep | ToolStep | None) -> tuple[str, Do]:  # noqa: PLR0911 one a kind
    """The site of the world that an action touches, and what it does there."""
    match action, step:
        case ResultAction(), _:
            return action.site, Put(action.result)
        case CallAction(), ToolStep():
            return f"{action.site}.call", Put(action.call(step.call.id))
        case DropAction(), ToolStep():
            return f"{action.site}.call", Put(None)
        case DropAction(), _:
            return action.site, Put(None)
        case ReplyAction(), _:
            return action.site, Put(action.reply)
        case RedrawAction(), _:
            return action.site, Redraw()
        case ModelAction(scope="onward"), _:
            return f"{action.site}.model", Put(action.model)
        case ModelAction(), _:
            return f"{action.site}.request", Map(_with_model(action.model))
        case PromptAction(), InputStep():
            return action.site, Put(step.message.model_copy(update={"content": action.content}))
        case PromptAction(), _:
            return f"{action.site}.request", Map(_with_system_prompt(action.content))
        case EnvironmentAction(), _:
            return ENVIRONMENT, Map(action.changed)
    raise AssertionError(f"check_action let {action} pass at {step}")


def _with_model(model: str) -> Callable[[Request], Request]:
    def function(request: Request) -> Request:
        return request.model_copy(update={"model": model})

    return function


def _with_system_prompt(content: Content) -> Callable[[Request], Request]:
    def function(request: Request) -> Request:
        rest = tuple(message for message in request.messages if not isinstance(message, SystemMessage))
        return request.model_copy(update={"messages": (SystemMessage(content=content), *rest)})

    return function
