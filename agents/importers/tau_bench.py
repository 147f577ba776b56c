"""tau-bench results: one record a trial; ``traj`` is the conversation of agent, simulated user and tools.

User turns are inputs: they come from a simulated user outside the agent. Where ``policy_system_prompt.md``
stands beside the file, and the conversation starts without a system prompt, it is put first. The log names
neither the tools offered nor the model; a run is named ``file/task/trial`` after its file, since records of
several models share their numbers. Of ``info`` nothing is kept: it tells of the task and its gold actions,
not of the run.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pydantic import JsonValue, TypeAdapter
from typing_extensions import TypedDict

from ifonly.agents.importers.base import UNKNOWN_MODEL, Place, checked, steps_at
from ifonly.agents.importers.chat import ChatMessage, messages_of
from ifonly.agents.records import Outcome, Request, SystemMessage, Trajectory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["TauBench"]

POLICY = "policy_system_prompt.md"


class _Trial(TypedDict):
    task_id: int | str
    trial: int
    reward: float
    traj: list[ChatMessage]


_TRIAL = cache(lambda: TypeAdapter(_Trial))


class TauBench:
    """The importer."""

    name = "tau_bench"
    signature = frozenset({"task_id", "trial", "reward", "traj"})
    companions: tuple[str, ...] = (POLICY, "db/*")
    literal_ids = False

    def detect(self, record: JsonValue, path: Path) -> bool:
        """Whether the keys of a tau-bench trial are there."""
        return isinstance(record, dict) and record.keys() >= self.signature

    def identify(self, record: JsonValue, place: Place) -> str | None:
        """File, task and trial."""
        return _id_of(record, place) if isinstance(record, dict) else None

    def parse(self, record: JsonValue, place: Place) -> Trajectory:
        """See `Importer`."""
        trial = checked(_TRIAL(), record, place)
        messages = messages_of(trial["traj"], place, "traj.")
        policy = place.companions.text(place.file.parent / POLICY)
        shared = policy is not None and not isinstance(messages[0] if messages else None, SystemMessage)
        if shared:
            messages.insert(0, SystemMessage(content=policy))
        model = place.model or UNKNOWN_MODEL
        frame = Request(model=model, messages=())
        return Trajectory(
            id=_id_of(trial, place),
            task=str(trial["task_id"]),
            agent=model,
            model=model,
            steps=steps_at(place, messages, frame, "traj.", int(shared)),
            outcome=Outcome(scores={"reward": trial["reward"]}),
            labels={"trial": str(trial["trial"])},
        )


def _id_of(record: Mapping[str, object], place: Place) -> str:
    stem = place.file.name.split(".json")[0]
    return f"{stem}/{record.get('task_id')}/{record.get('trial')}"
