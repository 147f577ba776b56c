"""References to AgentDojo tasks: what its environments need to be made anew. Needs no `agentdojo` package.

A reference names the benchmark version, the suite and the task, and what of a run's arm changes what its tools do:
the injected texts, the defence (one rewrites every tool result), and the *edition* of the package's data and tool
executor by which the run was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from pydantic import Field, ValidationError

from ifonly.agents.errors import ToolEnvironmentError
from ifonly.agents.records import EnvironmentRef, Record

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DETECTOR",
    "NAME",
    "REDACTED",
    "REWRITING_DEFENCES",
    "SPOTLIGHTING",
    "AgentDojoSettings",
    "Defence",
    "Edition",
    "defence_of",
    "edition_of",
    "reference",
    "rewrites_results",
    "settings_of",
    "without_injections",
]

NAME = "agentdojo"
"""The name by which references call this environment."""

Defence = Literal["tool_filter", "repeat_user_prompt", "spotlighting_with_delimiting", "transformers_pi_detector"]
"""What may stand between tools and model."""

SPOTLIGHTING: Defence = "spotlighting_with_delimiting"
"""The defence that marks tool results as data."""

DETECTOR: Defence = "transformers_pi_detector"
"""The defence that removes what a classifier takes for an injection."""

REWRITING_DEFENCES: tuple[Defence, ...] = (SPOTLIGHTING, DETECTOR)
"""The defences that rewrite tool results: one puts them between << and >>, one removes what a classifier suspects."""

REDACTED = "<Data omitted because a prompt injection was detected>"
"""What `transformers_pi_detector` puts in place of a result."""

Edition = Literal["2024-06", "2024-07", "2024-11", "package"]
"""The state of the package by which a run was made, named by the month in which it was in use.

`2024-06` hands a call's arguments to the tool as they are; the later ones validate them first. `2024-06` and
`2024-07` have the date ``2022-0 3-04`` in banking, which `2024-11` corrects. `package` is what is installed.
"""

_NOVEMBER = ("claude-3-5-sonnet-20241022", "gemini-1.5-flash-002", "gemini-1.5-pro-002")
_JULY = ("claude-3-5-sonnet-20240620", "gpt-4o-mini-2024-07-18", "meta-llama_Llama-3-70b-chat-hf")
_TRAVEL_IN_JUNE = ("gpt-3.5-turbo-0125", "gpt-4-0125-preview")
_GPT4O = "gpt-4o-2024-05-13"
_GPT4O_ATTACKS_IN_JUNE = ("captcha_dos", "direct", "dos")


class AgentDojoSettings(Record):
    """What an AgentDojo reference carries in its `settings`.

    Args:
        injections: injected text by vector; vectors left out keep the suite's harmless default.
        injection_task: whose success is scored as ``security``; None leaves that score out.
        attack: name of the attack; for the denial-of-service ones ``security`` is that utility was lost.
        defence: what stood between tools and model.
        edition: of the package.
    """

    injections: dict[str, str] = Field(default_factory=dict)
    injection_task: str | None = None
    attack: str | None = None
    defence: Defence | None = None
    edition: Edition = "package"

    @property
    def denial_of_service(self) -> bool:
        """Whether the attack aims at the user task alone (the package's ``is_dos_attack``)."""
        return self.attack is not None and (self.attack == "dos" or self.attack.endswith("_dos"))


def defence_of(pipeline: str) -> Defence | None:
    """The defence that a pipeline's name ends with."""
    names: tuple[Defence, ...] = get_args(Defence)
    return next((name for name in names if pipeline.endswith(f"-{name}")), None)


def edition_of(suite: str, user_task: str, attack: str | None, pipeline: str) -> Edition:
    """The edition by which the authors made a run, read off the stamps and error texts that their runs show.

    The first suites ran from 1 to 5 June 2024; travel was run again on 15 and 16 July, but for the pipelines and
    attacks named here and for the user tasks of gpt-4o without attack.
    """
    defence = defence_of(pipeline)
    if pipeline in _NOVEMBER or (defence == DETECTOR and suite == "banking"):
        return "2024-11"
    if pipeline in _JULY:
        return "2024-07"
    if suite != "travel" or pipeline in _TRAVEL_IN_JUNE:
        return "2024-06"
    benign = attack is None and not user_task.startswith("injection_task")
    if pipeline.startswith(_GPT4O) and (benign or (defence is None and attack in _GPT4O_ATTACKS_IN_JUNE)):
        return "2024-06"
    return "2024-07"


def reference(
    suite: str,
    user_task: str,
    injection_task: str | None,
    attack: str | None,
    injections: Mapping[str, str],
    pipeline: str,
) -> EnvironmentRef:
    """The reference of one of the authors' recorded runs.

    Args:
        suite: banking, slack, travel or workspace.
        user_task: the task given to the agent; an ``injection_task_N`` where one was run alone.
        injection_task: the task that the injection wants done.
        attack: name of the attack.
        injections: injected text by vector.
        pipeline: name of the model, with its defence.
    """
    settings = AgentDojoSettings(
        injections=dict(injections),
        injection_task=injection_task,
        attack=attack,
        defence=defence_of(pipeline),
        edition=edition_of(suite, user_task, attack, pipeline),
    )
    return EnvironmentRef(name=NAME, version="v1", task=f"{suite}/{user_task}", settings=settings.model_dump())


def without_injections(ref: EnvironmentRef) -> EnvironmentRef:
    """The clean world of an attacked run: nothing is injected, yet the same injection task is scored."""
    settings = settings_of(ref).model_copy(update={"injections": {}})
    return ref.model_copy(update={"settings": settings.model_dump()})


def settings_of(ref: EnvironmentRef) -> AgentDojoSettings:
    """The settings of an AgentDojo reference.

    Raises:
        ToolEnvironmentError: the reference belongs to another environment, or its settings are not of this form.
    """
    if ref.name != NAME:
        raise ToolEnvironmentError(
            f"settings of {NAME}", f"a reference to {ref.name!r}", "Open it with the environment it names."
        )
    try:
        return AgentDojoSettings.model_validate(ref.settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "settings"
        raise ToolEnvironmentError(
            f"settings of {ref.task!r}, field {place}",
            first["msg"],
            f"Known settings: {', '.join(AgentDojoSettings.model_fields)}.",
        ) from error


def rewrites_results(ref: EnvironmentRef | None) -> bool:
    """Whether the run's defence stood between tools and model and changed results (`REWRITING_DEFENCES`)."""
    return ref is not None and ref.name == NAME and ref.settings.get("defence") in REWRITING_DEFENCES
