"""Labelled logs: what an attributor may see, and what it may not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ifonly.agents.errors import InputError
from ifonly.agents.files import RecordFile, expand, parsed
from ifonly.agents.importers.base import Companions, Place
from ifonly.agents.importers.who_and_when import (
    OUTSIDE,
    TERMINATION,
    WhoAndWhen,
    checked_log,
    log_id_of,
    speaker_of,
    step_of,
)
from ifonly.agents.streams.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import JsonValue

__all__ = ["Label", "Labelled", "Log", "Turn", "read_labelled"]

_FINAL = re.compile(r"FINAL ANSWER:[ \t]*(\S.*)")
_SAID = 15
"""A last word of fewer characters, such as TERMINATE, is no answer."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a log.

    Attributes:
        step: its index, from 0.
        agent: who speaks.
        manner: of an orchestrator: ``thought``, ``-> WebSurfer``; else empty.
        text: what is said.
    """

    step: int
    agent: str
    manner: str
    text: str

    @property
    def outside(self) -> bool:
        """Whether it comes from no agent: a terminal, the human who asks, or the harness."""
        return self.agent in OUTSIDE or self.manner == TERMINATION

    @property
    def calls(self) -> str | None:
        """The agent that an orchestrator tells to act, if this turn does."""
        return self.manner.removeprefix("-> ") if self.manner.startswith("-> ") else None


@dataclass(frozen=True)
class Log:
    """A failed log, without its labels.

    Attributes:
        id: of the log.
        part: ``Algorithm-Generated`` or ``Hand-Crafted``.
        question: that the agents were asked.
        turns: in order.
        answer: the right one; None unless the setting with ground truth was chosen.
    """

    id: str
    part: str
    question: str
    turns: tuple[Turn, ...]
    answer: str | None = None

    def __len__(self) -> int:
        """How many turns there are."""
        return len(self.turns)

    @cached_property
    def agents(self) -> tuple[str, ...]:
        """All speakers, in the order in which they first spoke."""
        return tuple(dict.fromkeys(turn.agent for turn in self.turns))

    @cached_property
    def orchestrated(self) -> bool:
        """Whether one agent tells the others when to act; else all talk in one chat."""
        return any(turn.calls for turn in self.turns)

    @cached_property
    def final(self) -> str:
        """The answer that the run gave: after FINAL ANSWER, else the last thing that an agent said at length."""
        told = _FINAL.findall(self.turns[-1].text)
        if told:
            return str(told[-1])
        said = (turn.text for turn in reversed(self.turns) if not turn.outside and len(turn.text.strip()) > _SAID)
        return next(said, "")


@dataclass(frozen=True, slots=True)
class Label:
    """What a human said: the agent at fault, and the step at which the run was lost."""

    agent: str
    step: int


@dataclass(frozen=True, slots=True)
class Labelled:
    """A log with its label. Logs of one question, which both parts may hold, have the same `question`."""

    log: Log
    label: Label
    question: str


def read_labelled(path: Path, *, answers: bool = False) -> list[Labelled]:
    """Read labelled logs.

    Args:
        path: a file or folder.
        answers: whether logs tell the right answer, which is another setting of the task.

    Raises:
        InputError: a file or record cannot be read, is no labelled log, or repeats an id. All must be whole, since a
            table over some of them would be of another set.
    """
    limits, found = Limits(), dict[str, Labelled]()
    for file in expand([path]):
        if isinstance(file, InputError):
            raise file
        for place, value in _records(file, limits):
            one = _labelled(value, place, answers=answers)
            if one.log.id in found:
                raise place.error("log_id", f"the id {one.log.id!r} was used before", "Keep one of the two.")
            found[one.log.id] = one
    return list(found.values())


def _records(file: Path, limits: Limits) -> Iterator[tuple[Place, JsonValue]]:
    for number, raw in RecordFile(file, limits):
        value = parsed(file, number, raw, limits)
        if isinstance(value, InputError):
            raise value
        yield Place(file, number, Companions(limits)), value


def _labelled(value: JsonValue, place: Place, *, answers: bool) -> Labelled:
    log = checked_log(value, place)
    id, turns = log_id_of(log, place), list[Turn]()
    for step, turn in enumerate(log["history"]):
        agent, manner = speaker_of(turn)
        turns.append(Turn(step, agent, manner, turn["content"]))
    answer = log.get("ground_truth") if answers else None
    if answers and answer is None:
        raise place.error("ground_truth", "missing", "Leave --with-answer out, or add the field.")
    return Labelled(
        Log(id, id.rpartition("/")[0] or WhoAndWhen.name, log["question"], tuple(turns), answer),
        Label(log["mistake_agent"], step_of(log, place)),
        log.get("question_ID") or log["question"],
    )
