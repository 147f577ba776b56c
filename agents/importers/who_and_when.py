"""Who&When: failed logs of several agents at work, each with the step at which a human says it went wrong.

A record has the `question`, the `history` (turns of ``content``, ``role`` and, in its algorithm-generated part,
``name``), and the labels `mistake_agent`, `mistake_step` (an index into `history` from 0, as text) and
`mistake_reason`. The authors' files hold one log each and are named after folder and file; a JSONL has `log_id`.

A turn is a step, in the order of the log. What an agent says is a model step; the task, the output of a terminal and
the words of the harness come from outside the agents, and are inputs. Sites take the speaker's name: ``WebSurfer/2``
is its third turn. System prompts, where the log has them, are inputs before all turns.

What an agent was asked with is not recorded, and none is made up: the requests have no messages. Nor is it recorded who
heard whom, so `reads` names all steps before, which is an upper bound. The labels keep what the humans said, with the
site of the step (`mistake_site`); the question's answer is left out, since it must not be spread.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from ifonly.agents.importers.base import MAX_MESSAGES, UNKNOWN_MODEL, Place, checked, describe
from ifonly.agents.records import (
    AssistantMessage,
    InputStep,
    ModelStep,
    Outcome,
    Request,
    Step,
    SystemMessage,
    Trajectory,
    UserMessage,
)
from ifonly.agents.sites import SiteNamer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import JsonValue

__all__ = ["FailedLog", "LoggedTurn", "WhoAndWhen", "checked_log", "log_id_of", "speaker_of", "step_of"]

OUTSIDE = frozenset({"Computer_terminal", "ComputerTerminal", "human"})
"""Speakers that are no agents: terminals that run code, and the human who asks."""

TERMINATION = "termination condition"
"""The manner of a turn in which the harness says why it stops."""

_SPEAKER = re.compile(r"(.*?)(?: \((.*)\))?", re.DOTALL)
_DIGITS = 9


class LoggedTurn(TypedDict):
    """One turn of a log."""

    content: str
    role: str
    name: NotRequired[str | None]


class FailedLog(TypedDict):
    """What is read of a record."""

    question: str
    history: list[LoggedTurn]
    mistake_agent: str
    mistake_step: str | int
    log_id: NotRequired[str]
    mistake_reason: NotRequired[str | None]
    question_ID: NotRequired[str | None]
    level: NotRequired[str | int | None]
    is_correct: NotRequired[bool | None]
    ground_truth: NotRequired[str | None]
    system_prompt: NotRequired[dict[str, str] | None]


_LOG = cache(lambda: TypeAdapter(FailedLog))


class WhoAndWhen:
    """The importer."""

    name = "who_and_when"
    signature = frozenset({"question", "history", "mistake_agent", "mistake_step"})
    companions: tuple[str, ...] = ()
    literal_ids = False

    def detect(self, record: JsonValue, path: Path) -> bool:
        """Whether the keys of a labelled log are there."""
        return isinstance(record, dict) and record.keys() >= self.signature

    def identify(self, record: JsonValue, place: Place) -> str | None:
        """`log_id`, or folder and file."""
        return log_id_of(record, place) if isinstance(record, dict) else None

    def parse(self, record: JsonValue, place: Place) -> Trajectory:
        """See `Importer`."""
        log = checked_log(record, place)
        at = step_of(log, place)
        model, id = place.model or UNKNOWN_MODEL, log_id_of(log, place)
        steps = _steps(log, model)
        agent, _ = speaker_of(log["history"][at])
        labels = {
            "mistake_agent": log["mistake_agent"],
            "mistake_step": str(at),
            "mistake_site": steps[at - len(log["history"])].site,
            "mistake_speaker": agent if agent != log["mistake_agent"] else None,
            "mistake_reason": log.get("mistake_reason"),
            "level": None if log.get("level") is None else str(log.get("level")),
        }
        return Trajectory(
            id=id,
            task=log.get("question_ID") or id,
            agent=id.rpartition("/")[0] or self.name,
            model=model,
            steps=steps,
            # The set holds failures alone; its hand-crafted part does not repeat it in each log.
            outcome=Outcome(scores={"correct": bool(log.get("is_correct"))}),
            labels={name: value for name, value in labels.items() if value is not None},
        )


def checked_log(record: JsonValue, place: Place) -> FailedLog:
    """The record, checked.

    Raises:
        InputError: a field is missing or of the wrong type, or the log is empty or too long.
    """
    log = checked(_LOG(), record, place)
    if not 0 < len(log["history"]) <= MAX_MESSAGES:
        found = f"a log of {len(log['history']):,} turns; from 1 to {MAX_MESSAGES:,} can be read"
        raise place.error("history", found, "Leave the record out, or split the run.")
    return log


def log_id_of(record: Mapping[str, object], place: Place) -> str:
    """`log_id`, or folder and file, which is how the authors name a log."""
    given = record.get("log_id")
    stem = place.file.name.split(".json")[0]
    return str(given) if given else f"{place.file.parent.name}/{stem}".strip("/")


def speaker_of(turn: LoggedTurn) -> tuple[str, str]:
    """Who speaks in a turn, and in which manner: ``Orchestrator (-> WebSurfer)`` is ``Orchestrator``, ``-> WebSurfer``.

    Where a turn has a name, that is its speaker, and its role says nothing.
    """
    if turn.get("name"):
        return str(turn["name"]), ""
    found = _SPEAKER.fullmatch(turn["role"])
    return (found[1], found[2] or "") if found and found[1] else (turn["role"], "")


def step_of(log: FailedLog, place: Place) -> int:
    """The labelled step as an index into `history`; nothing but a whole number counts, and it is never guessed.

    Raises:
        InputError: it is none, or lies outside the log.
    """
    told, length = log["mistake_step"], len(log["history"])
    text = str(told)
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) < length:
        return int(text)
    found = f"{describe(told)} where the index of one of {length} turns is needed"
    raise place.error("mistake_step", found, f"Put a whole number from 0 to {length - 1} there.")


def _steps(log: FailedLog, model: str) -> tuple[Step, ...]:
    steps, name, asked = list[Step](), SiteNamer(), Request(model=model, messages=())
    for prompt in (log.get("system_prompt") or {}).values():
        steps.append(InputStep(site=name("system"), message=SystemMessage(content=prompt)))
    for turn in log["history"]:
        agent, manner = speaker_of(turn)
        reads = tuple(step.site for step in steps)
        if agent in OUTSIDE or manner == TERMINATION:
            site = name("user") if agent == "human" else name.tool(agent)
            steps.append(InputStep(site=site, message=UserMessage(content=turn["content"]), reads=reads))
        else:
            reply = AssistantMessage(content=turn["content"])
            steps.append(ModelStep(site=name.tool(agent), request=asked, reply=reply, reads=reads))
    return tuple(steps)
