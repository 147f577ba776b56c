"""From the options of ``ifonly whatif`` to actions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue, TypeAdapter, ValidationError

from ifonly.agents.actions import (
    CallAction,
    DropAction,
    EnvironmentAction,
    ModelAction,
    PromptAction,
    RedrawAction,
    ReplyAction,
    ResultAction,
    parse_action,
)
from ifonly.agents.errors import ActionError, InputError
from ifonly.agents.rerun import Rerun
from ifonly.sim.clean import INJECTIONS, clean_environment, clean_result
from ifonly.sim.swaps.cells import swapped_in

if TYPE_CHECKING:
    from ifonly.agents.actions import Action
    from ifonly.agents.environments.base import Environment
    from ifonly.agents.records import Trajectory

__all__ = ["Ask", "text_of"]

_OBJECT = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True)
class Ask:
    """What is asked, as it was typed; `actions` says it of a run.

    Args:
        at: the site; needed by all but `clean` and `given`.
        result: a tool result to put.
        reply: a reply to put: text, or JSON with ``content`` and ``tool_calls``.
        call: a tool to call instead.
        arguments: of that call, as JSON.
        drop: whether the call is left out.
        redraw: whether the model is asked again.
        model: another model to ask.
        only_here: whether that model is asked at this step alone.
        prompt: another prompt.
        clean: whether the injection is taken out: of the result at the site, or else of the environment.
        given: actions as JSON, or ``@FILE``.
    """

    at: str | None = None
    result: str | None = None
    reply: str | None = None
    call: str | None = None
    arguments: str | None = None
    drop: bool = False
    redraw: bool = False
    model: str | None = None
    only_here: bool = False
    prompt: str | None = None
    clean: bool = False
    given: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """See that one thing is asked, and whole.

        Raises:
            ActionError: none or several are asked, or a part is missing.
        """
        for option, value, needs, there in (
            ("--arguments", self.arguments, "--call TOOL", self.call),
            ("--only-here", self.only_here, "--model M", self.model),
        ):
            if value and not there:
                raise ActionError(option, f"no {needs.split()[0]}", f"Give it together with {needs}.")
        asked = self._asked()
        if len(asked) > 1:
            raise ActionError(
                " ".join(asked), "several actions at one site", "Ask one, or give each with --action JSON."
            )
        if not asked and not self.given:
            raise ActionError(
                f"--at {self.at}" if self.at else "a what-if without an action",
                "nothing to do there",
                "Add one of --result, --reply, --call, --drop, --redraw, --model, --prompt, --clean, or --action JSON.",
            )
        if asked and self.at is None and asked != ["--clean"]:
            raise ActionError(asked[0], "no site", "Say where with --at SITE; `ifonly show RUN` lists the sites.")

    @property
    def swaps(self) -> bool:
        """Whether one swap of the model, from a step onward, is all that is asked."""
        given = tuple(parse_action(text_of(text)) for text in self.given)
        typed = self.model is not None and not self.only_here
        return (typed and not given) or (not self._asked() and swapped_in(given) is not None)

    def actions(self, run: Trajectory, environment: Environment) -> tuple[Action, ...]:
        """The actions on one run, whose tool calls are executed in this environment.

        Raises:
            ActionError: JSON that is no action, or a run that was not attacked.
            InputError: a file that cannot be read.
            UnknownName: the run has no such site.
        """
        given = tuple(parse_action(text_of(text)) for text in self.given)
        here = self._action(run, environment)
        return given if here is None else (here, *given)

    def everywhere(self) -> tuple[Action, ...]:
        """The actions, where they are the same for every run.

        Raises:
            ActionError: JSON that is no action, or an action that differs from run to run.
            InputError: a file that cannot be read.
        """
        given = tuple(parse_action(text_of(text)) for text in self.given)
        if not self.clean:
            here = None if self.at is None else self._action_at(self.at)
        elif self.at is None:
            here = EnvironmentAction(settings={INJECTIONS: {}})
        else:
            fix = "Take the attack out of the whole environment: --clean without --at."
            raise ActionError(f"--clean --at {self.at} of many runs", "a clean result differs from run to run", fix)
        return given if here is None else (here, *given)

    def _asked(self) -> list[str]:
        values = {
            "--result": self.result is not None,
            "--reply": self.reply is not None,
            "--call": self.call is not None,
            "--drop": self.drop,
            "--redraw": self.redraw,
            "--model": self.model is not None,
            "--prompt": self.prompt is not None,
            "--clean": self.clean,
        }
        return [name for name, there in values.items() if there]

    def _action(self, run: Trajectory, environment: Environment) -> Action | None:
        if self.clean:
            return clean_environment(run) if self.at is None else clean_result(run, Rerun(environment), self.at)
        return None if self.at is None else self._action_at(self.at)

    def _action_at(self, at: str) -> Action | None:
        """The action that one of the options says; they exclude each other."""
        if self.result is not None:
            return ResultAction(site=at, content=text_of(self.result))
        if self.reply is not None:
            return _reply(at, text_of(self.reply))
        if self.call is not None:
            return CallAction(site=at, tool=self.call, arguments=_arguments(self.arguments))
        if self.model is not None:
            return ModelAction(site=at, model=self.model, scope="step" if self.only_here else "onward")
        if self.prompt is not None:
            return PromptAction(site=at, content=text_of(self.prompt))
        if self.drop:
            return DropAction(site=at)
        return RedrawAction(site=at) if self.redraw else None


def text_of(given: str) -> str:
    """The text itself, or that of the file named after an @."""
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(given[1:], str(error), "Name a UTF-8 file after the @, or give the text itself.") from error


def _reply(site: str, given: str) -> ReplyAction:
    """A reply with calls where the text is a JSON object that has them; else the text."""
    try:
        value = _OBJECT.validate_json(given)
    except ValidationError:
        return ReplyAction(site=site, content=given)
    if not value.keys() & {"content", "tool_calls"}:
        return ReplyAction(site=site, content=given)
    try:
        return ReplyAction.model_validate_json(_OBJECT.dump_json({**value, "site": site, "do": "reply"}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ActionError(
            f"--reply {given[:80]}",
            f"{place}: {first['msg']}",
            'Write {"content": "...", "tool_calls": [{"name": "...", "arguments": {...}}]}, or plain text.',
        ) from None


def _arguments(given: str | None) -> dict[str, JsonValue]:
    if given is None:
        return {}
    text = text_of(given)
    try:
        return _OBJECT.validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]["msg"]
        fix = """Write a JSON object, for instance --arguments '{"n": 5}'."""
        raise ActionError(f"--arguments {text[:80]}", found, fix) from None
