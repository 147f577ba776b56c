"""What may be done to a run: one grammar for Python, the command line and JSON.

An action is a do() at a site, told apart by its ``do``:

| do | at | meaning |
|---|---|---|
| ``result`` | a tool step | the tool gives this back instead |
| ``call`` | a tool step | another tool, or other arguments, is called instead |
| ``drop`` | a tool or model step | the call is not made, nor shown in the model's message; the model is not asked |
| ``reply`` | a model step | the model says this instead |
| ``redraw`` | a model or tool step | the same again with fresh noise: the model is asked, the tool executed anew |
| ``model`` | a model step | another model is asked, from here on or only here |
| ``prompt`` | an input or model step | another prompt: for the whole run, or for this one request |
| ``environment`` | ``environment/0`` | the initial state differs (an attack's injections taken out, for instance) |
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from ifonly.agents.errors import ActionError, UnknownName, nearest
from ifonly.agents.records import (
    AssistantMessage,
    Content,
    EnvironmentRef,
    InputStep,
    ModelStep,
    Record,
    ToolCall,
    ToolResult,
    ToolStep,
    Trajectory,
)

__all__ = [
    "ENVIRONMENT",
    "Action",
    "CallAction",
    "DropAction",
    "EnvironmentAction",
    "ModelAction",
    "PromptAction",
    "RedrawAction",
    "ReplyAction",
    "ResultAction",
    "check_action",
    "parse_action",
]

ENVIRONMENT = "environment/0"
"""The site of the initial state of the tool environment."""


class ResultAction(Record):
    """do(result): the tool at this site gives this back."""

    do: Literal["result"] = "result"
    site: str
    content: Content = None
    error: str | None = None

    @property
    def result(self) -> ToolResult:
        """The result put."""
        return ToolResult(content=self.content, error=self.error)


class CallAction(Record):
    """do(call): this call is made in place of the recorded one."""

    do: Literal["call"] = "call"
    site: str
    tool: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict)

    def call(self, recorded_id: str | None) -> ToolCall:
        """The call put, under the recorded call's id."""
        return ToolCall(name=self.tool, arguments=self.arguments, id=recorded_id)


class DropAction(Record):
    """do(drop): the step at this site is removed."""

    do: Literal["drop"] = "drop"
    site: str


class ReplyAction(Record):
    """do(reply): the model says this."""

    do: Literal["reply"] = "reply"
    site: str
    content: Content = None
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def reply(self) -> AssistantMessage:
        """The reply put."""
        return AssistantMessage(content=self.content, tool_calls=self.tool_calls)


class RedrawAction(Record):
    """redraw: the step takes fresh noise at its unchanged inputs."""

    do: Literal["redraw"] = "redraw"
    site: str


class ModelAction(Record):
    """do(model): another model is asked; ``scope`` tells whether only at this step or from here on."""

    do: Literal["model"] = "model"
    site: str
    model: str
    scope: Literal["step", "onward"] = "onward"


class PromptAction(Record):
    """do(prompt): at an input step, another text; at a model step, another system prompt in this request alone."""

    do: Literal["prompt"] = "prompt"
    site: str
    content: Content


class EnvironmentAction(Record):
    """do(environment): these settings of the initial state are replaced."""

    do: Literal["environment"] = "environment"
    site: Literal["environment/0"] = "environment/0"
    settings: dict[str, JsonValue]

    def changed(self, ref: EnvironmentRef) -> EnvironmentRef:
        """The reference with these settings in place of its own."""
        return ref.model_copy(update={"settings": {**ref.settings, **self.settings}})


Action = Annotated[
    ResultAction
    | CallAction
    | DropAction
    | ReplyAction
    | RedrawAction
    | ModelAction
    | PromptAction
    | EnvironmentAction,
    Field(discriminator="do"),
]
"""Any of the actions, told apart by `do`."""

_ACTION: TypeAdapter[Action] = TypeAdapter(Action)

_WHERE: dict[str, tuple[type, ...]] = {
    "result": (ToolStep,),
    "call": (ToolStep,),
    "drop": (ToolStep, ModelStep),
    "reply": (ModelStep,),
    "redraw": (ModelStep, ToolStep),
    "model": (ModelStep,),
    "prompt": (InputStep, ModelStep),
}
_KIND: dict[type, str] = {ToolStep: "a tool step", ModelStep: "a model step", InputStep: "an input step"}


def parse_action(text: str) -> Action:
    """An action from its JSON.

    Raises:
        ActionError: not JSON, an unknown ``do``, or a field that is missing, unknown or of the wrong type.
    """
    try:
        return _ACTION.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ActionError(
            f"the action {text[:200]}",
            f"{place}: {first['msg']}",
            'Write an object such as {"site": "search/0", "do": "drop"}; `do` is one of '
            f"{', '.join([*_WHERE, 'environment'])}.",
        ) from None


def check_action(action: Action, run: Trajectory) -> None:
    """See that an action fits the run it is asked of.

    Raises:
        UnknownName: the run has no such site.
        ActionError: the step at the site is of a kind that cannot take the action.
    """
    if isinstance(action, EnvironmentAction):
        if run.environment is None:
            raise ActionError(
                f"do environment at {ENVIRONMENT}",
                f"run {run.id} names no tool environment",
                "Act on a step instead, for instance with --result.",
            )
        return
    step = next((step for step in run.steps if step.site == action.site), None)
    if step is None:
        raise UnknownName("site", action.site, run.sites, f"`ifonly show {run.id} --in PATH` lists its sites.")
    if not isinstance(step, _WHERE[action.do]):
        fitting = [s.site for s in run.steps if isinstance(s, _WHERE[action.do])]
        raise ActionError(
            f"do {action.do} at {action.site}",
            _KIND[type(step)],
            f"`{action.do}` goes at {' or '.join(_KIND[k] for k in _WHERE[action.do])}.",
            nearest(action.site, fitting) or fitting[:3],
        )
