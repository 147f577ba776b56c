"""Signs of a step that can be read off a log: eighteen numbers a step, each with a name and a meaning.

No sign knows the language beyond a few English words, the terminal's exit codes and an orchestrator's ledger. They were
chosen while looking at the public logs; a fair test of the choice are logs that were not seen.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scenarios.whowhen.origin import origins
from ifonly.scenarios.whowhen.words import words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ifonly.scenarios.whowhen.logs import Log, Turn

__all__ = ["SIGNS", "signs_of"]

SIGNS = {
    "opening": "the first turn of a group chat, which holds the task and the manager's plan",
    "position": "log(1 + step)",
    "position, orchestrated": "the same where an orchestrator leads, else 0",
    "last": "the last turn",
    "outside": "spoken by no agent: a terminal, the human, the harness",
    "instruction": "an orchestrator tells an agent what to do",
    "routing": "an orchestrator names the next speaker, and no more",
    "thought": "an orchestrator's plan or ledger",
    "first turn": "the first turn of its agent, after the opening",
    "after outside": "answers to a terminal, the human or the harness",
    "length": "log(1 + characters) of what an agent says to others",
    "invented": "says that something is assumed, simulated, a placeholder, a sample, or known from memory",
    "repeats": "share of its words that were said before",
    "origin": "the final answer descends from here, as `origin` reads it",
    "code failed": "the terminal answers with an exit code other than 0",
    "error next": "the next turn tells of an error",
    "loop seen": "the orchestrator's next ledger says that the run goes in circles",
    "progress seen": "the orchestrator's next ledger says that there is progress",
}
"""The signs with their meanings, in the order of the columns."""

_INVENTED = re.compile(
    r"\b(assum\w*|hypothe\w*|simulat\w*|placeholder|mock\w*|sample|dummy|fictional|from memory|general knowledge)\b",
    re.IGNORECASE,
)
_ERROR = re.compile(
    r"\b(error|exception|traceback|failed|not found|404|timeout|timed out|denied|captcha)\b", re.IGNORECASE
)
_FAILED = re.compile(r"exitcode: [1-9]")
_NEXT_SPEAKER = "Next speaker"
_LEDGER_WITHIN = 2


@dataclass
class _Before:
    """What was said before a turn."""

    words: set[str]
    agents: set[str] = field(default_factory=set)


def signs_of(log: Log) -> NDArray[np.float64]:
    """Return the signs of every step, shape (steps, signs)."""
    before, answer, rows = _Before(words_of(log.question)), origins(log), []
    for turn in log.turns:
        origin = {"origin": turn.step in answer}
        rows.append({**_placed(log, turn, before), **_said(log, turn), **_content(turn, before), **origin})
        before.words |= words_of(turn.text)
        before.agents.add(turn.agent)
    return np.array([[float(row[name]) for name in SIGNS] for row in rows])


def _placed(log: Log, turn: Turn, before: _Before) -> dict[str, float]:
    late = math.log1p(turn.step)
    previous = log.turns[turn.step - 1] if turn.step else None
    return {
        "opening": turn.step == 0 and not log.orchestrated,
        "position": late,
        "position, orchestrated": late if log.orchestrated else 0.0,
        "last": turn.step == len(log) - 1,
        "outside": turn.outside,
        "first turn": turn.step > 0 and not turn.outside and turn.agent not in before.agents,
        "after outside": previous is not None and previous.outside,
    }


def _said(log: Log, turn: Turn) -> dict[str, float]:
    """What the turn is in an orchestrator's game, and how the next turns take it."""
    routing = turn.manner == "thought" and turn.text.startswith(_NEXT_SPEAKER)
    following = log.turns[turn.step + 1] if turn.step + 1 < len(log) else None
    ledger = "" if turn.manner else _ledger_after(log, turn.step)
    return {
        "instruction": turn.calls is not None,
        "routing": routing,
        "thought": turn.manner == "thought",
        "code failed": following is not None and following.outside and bool(_FAILED.match(following.text.strip())),
        "error next": following is not None and not turn.outside and bool(_ERROR.search(following.text)),
        "loop seen": _ledger_says(ledger, "is_in_loop", "true"),
        "progress seen": _ledger_says(ledger, "is_progress_being_made", "true"),
    }


def _content(turn: Turn, before: _Before) -> dict[str, float]:
    words = words_of(turn.text)
    spoken = not (turn.outside or turn.manner)
    return {
        "length": math.log1p(len(turn.text)) if spoken else 0.0,
        "invented": spoken and turn.step > 0 and bool(_INVENTED.search(turn.text)),
        "repeats": 0.0 if turn.outside or not words else len(words & before.words) / len(words),
    }


def _ledger_after(log: Log, step: int) -> str:
    following = log.turns[step + 1 : step + 1 + _LEDGER_WITHIN]
    return next((turn.text for turn in following if turn.manner == "thought" and '"is_in_loop"' in turn.text), "")


def _ledger_says(ledger: str, key: str, answer: str) -> bool:
    """What a ledger answers under a key; it is read as text, since many are no whole JSON."""
    found = re.search(rf'"{key}":\s*\{{[^{{}}]*?"answer":\s*(true|false)', ledger, re.DOTALL)
    return found is not None and found[1] == answer
