"""What an attributor of one's own said, from a JSONL file: one object a line.

``{"log_id": "Hand-Crafted/8", "step": 8, "agent": "WebSurfer"}``, or with a ``ranking`` of steps, best first, in the
place of ``step``. Steps are whole numbers from 0. Without ``agent`` the one who speaks in the first step is blamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from ifonly.agents.errors import InputError, nearest
from ifonly.agents.files import RecordFile, parsed
from ifonly.agents.importers.base import Companions, Place, checked, describe
from ifonly.agents.streams.limits import Limits
from ifonly.scenarios.whowhen.blame import Blame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ifonly.scenarios.whowhen.logs import Labelled, Log

__all__ = ["read_predictions"]


class _Prediction(TypedDict):
    log_id: str
    step: NotRequired[int | None]
    ranking: NotRequired[list[int] | None]
    agent: NotRequired[str | None]


def read_predictions(path: Path, logs: Sequence[Labelled]) -> dict[str, Blame]:
    """What was said of logs, by their ids; logs that the file leaves out are not in it.

    Args:
        path: the file.
        logs: of which predictions are made.

    Raises:
        InputError: a line cannot be read, names no log or no step of it, or a log twice.
    """
    known, limits, found = {one.log.id: one.log for one in logs}, Limits(), dict[str, Blame]()
    for number, raw in RecordFile(path, limits):
        value = parsed(path, number, raw, limits)
        if isinstance(value, InputError):
            raise value
        place = Place(path, number, Companions(limits))
        line = checked(TypeAdapter(_Prediction), value, place)
        id = line["log_id"]
        if id not in known:
            fix = "Predict for logs that are scored, by their ids."
            raise place.error("log_id", f"no log {id!r} among {len(known)}", fix, nearest(id, known))
        if id in found:
            raise place.error("log_id", f"a second prediction for {id!r}", "Keep one of the two.")
        found[id] = _blame(line, known[id], place)
    return found


def _blame(line: _Prediction, log: Log, place: Place) -> Blame:
    one, many = line.get("step"), line.get("ranking")
    if (one is None) == (many is None):
        raise place.error("step", "neither or both of step and ranking", "Give a step, or a ranking of steps.")
    steps = [one] if one is not None else many or []
    for index, step in enumerate(steps):
        field = "step" if one is not None else f"ranking.{index}"
        if not 0 <= step < len(log):
            fix = f"Put a whole number from 0 to {len(log) - 1} there."
            raise place.error(field, f"{describe(step)}, which is no step of {log.id} ({len(log)} turns)", fix)
        if step in steps[:index]:
            raise place.error(field, f"step {step} a second time", "Name each step once.")
    agent = line.get("agent")
    return Blame(tuple((step,) for step in steps), None if agent is None else ((agent,),))
