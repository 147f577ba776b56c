"""What to type next, where an answer leaves something open."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.importers.base import UNKNOWN_MODEL
from ifonly.views.scores import number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ifonly.agents.records import Trajectory
    from ifonly.sim.answers import WhatIfAnswer
    from ifonly.sim.blame.answers import BlameAnswer

__all__ = ["NextStep", "after_blame", "after_whatif", "words_of"]

# Options that the next command leaves out, with how many words follow each.
_DROPPED = {"--continue": 1, "--html": 1, "--save": 1, "--json": 0, "--dry-run": 0}
_TOOLS = "tools.py"


@dataclass(frozen=True, slots=True)
class NextStep:
    """A command, and what it is good for."""

    why: str
    command: str


def after_blame(run: Trajectory, answer: BlameAnswer, typed: Sequence[str]) -> tuple[NextStep, ...]:
    """What would settle which step it was; nothing where one is blamed for certain.

    Args:
        run: that was asked about.
        answer: of `ifonly.sim.blame`.
        typed: the command that was typed, in words; without it there is nothing to add to.
    """
    if not typed or answer.flip_set:
        return ()
    if answer.failure is None and run.outcome.scores:
        return tuple(_said_to_fail(run, typed))
    if "nothing judges" in (answer.reason or ""):
        return tuple(_said_to_fail(run, typed, but=answer.failure.score if answer.failure else None))
    if "replay does not reproduce" in (answer.reason or ""):
        return (NextStep("See which calls do not come out as recorded", _verify(typed)),)
    if answer.live is not None and answer.live.stopped:
        why = "Not all was asked. What was paid for is kept, and costs nothing again: this goes on from there"
        return (NextStep(why, _again(typed, "--continue", "live", "--resume")),)
    return tuple(_settling(run, typed, live=answer.live is not None))


def after_whatif(run: Trajectory, answer: WhatIfAnswer, typed: Sequence[str]) -> tuple[NextStep, ...]:
    """What would settle a what-if; nothing where every score is known. The arguments are as in `after_blame`."""
    known = [one.counterfactual.value is not None for one in answer.outcomes.values()]
    if not typed or (known and all(known)):
        return ()
    return tuple(_settling(run, typed, live=answer.continuation == "live"))


def words_of(command: str) -> tuple[str, ...]:
    """A command in words: as a shell cuts it, or, where none would take it, at its spaces."""
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return tuple(command.split())


def _said_to_fail(run: Trajectory, typed: Sequence[str], but: str | None = None) -> Iterator[NextStep]:
    for name, score in run.outcome.scores.items():
        if name == but:
            why = f"Let score(messages, state) of the tools file return {name}, too, and ask again"
            yield NextStep(why, _again(typed))
            continue
        value = str(score).lower() if isinstance(score, bool) else number(score)
        yield NextStep(f"If {name} = {value} is the failure", _again(typed, "--score", f"{name}={value}"))


def _settling(run: Trajectory, typed: Sequence[str], *, live: bool) -> Iterator[NextStep]:
    """Tools and a judge first: without them no changed run can be scored, whatever a model says."""
    if run.environment is None:
        drafted = ["ifonly", "tools", *_places(typed), "--out", _TOOLS]
        why = "Nothing can execute this run's tools again, nor judge a changed run"
        yield NextStep(f"{why}. A first draft of both, for you to fill in", shlex.join(drafted))
        yield NextStep("Then ask again with them", _again(typed, "--tools", _TOOLS))
    elif not run.outcome.scores:
        yield NextStep("No score says how this run ended: add score(messages, state) to the tools, then", _again(typed))
        return
    if live:
        return
    tools = ["--tools", _TOOLS] if run.environment is None else []
    alias = ["--alias", f"{UNKNOWN_MODEL}=PROVIDER/MODEL"] if run.model == UNKNOWN_MODEL else []
    asking = ["--continue", "live", *tools, *alias]
    told = f"The run does not say which model it was: name it in --alias{' (openai/gpt-4o, say)' if alias else ''}. "
    why = "What nobody recorded can be asked of the model. This tells calls and price, and asks nothing"
    yield NextStep(f"{told if alias else ''}{why}", _again(typed, *asking, "--dry-run"))
    yield NextStep("This asks, within a budget", _again(typed, *asking, "--budget-usd", "1"))


def _again(typed: Sequence[str], *more: str) -> str:
    """The same command, without what is shown or continued otherwise, and with more."""
    kept, skip = list[str](), 0
    given = {word for word in more if word.startswith("--")}
    for word in typed:
        name, equals, _ = word.partition("=")
        if skip:
            skip -= 1
        elif name in _DROPPED or (name in given and name != "--alias"):
            skip = 0 if equals else _DROPPED.get(name, 1)
        else:
            kept.append(word)
    return shlex.join([*kept, *more])


def _places(typed: Sequence[str]) -> list[str]:
    """The run, and where it is: the words after the name of the command up to its options, and each --in."""
    words = list(typed[2:])
    run = next((word for word in words if not word.startswith("-")), "RUN")
    within = [part for at, word in enumerate(words[:-1]) if word == "--in" for part in ("--in", words[at + 1])]
    return [run, *within]


def _verify(typed: Sequence[str]) -> str:
    run, *within = _places(typed)
    paths = within[1::2] or [run]
    tools = [part for at, word in enumerate(typed[:-1]) if word == "--tools" for part in ("--tools", typed[at + 1])]
    return shlex.join(["ifonly", "verify", *paths, *tools])
