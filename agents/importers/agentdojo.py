"""AgentDojo runs: the authors' files (one JSON object each), and a compact JSONL of them.

The compact form adds `run_id` and puts ``{"role": "system", "ref": hash}`` for the system prompt, which
stands in ``system_prompts.json`` beside the file or in the folder above. Both forms of a run give the same
trajectory.

Left out: `placeholder_args` of calls (which some pipelines carry along, unused), the repeated `tool_call` of
tool messages, and `security` of runs without attack, where it means nothing. Ids that are absent or empty
(Gemini, Command R) are None; results are then paired by position. Runs without messages or with an API error
are runs too.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired

from pydantic import Discriminator, TypeAdapter
from typing_extensions import TypedDict

from ifonly.agents.environments.agentdojo_ref import defence_of, reference
from ifonly.agents.importers.base import MESSAGES, Place, checked, steps_at
from ifonly.agents.records import Outcome, Request, Trajectory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import JsonValue

__all__ = ["AgentDojo"]

PROMPTS = "system_prompts.json"


# What lies deeper is checked once, where our messages are made.
_Object = dict[str, Any]
_Content = str | list[_Object] | None


class _Call(TypedDict):
    function: str
    args: _Object
    id: NotRequired[str | None]


class _System(TypedDict):
    role: Literal["system"]
    content: NotRequired[_Content]
    ref: NotRequired[str]


class _User(TypedDict):
    role: Literal["user"]
    content: _Content


class _Assistant(TypedDict):
    role: Literal["assistant"]
    content: _Content
    tool_calls: NotRequired[list[_Call] | None]


class _Tool(TypedDict):
    role: Literal["tool"]
    content: _Content
    tool_call: _Call
    tool_call_id: NotRequired[str | None]
    error: NotRequired[str | None]


class _Run(TypedDict):
    run_id: NotRequired[str]
    suite_name: str
    pipeline_name: str
    user_task_id: str
    injection_task_id: str | None
    attack_type: str | None
    injections: dict[str, str]
    messages: list[Annotated[_System | _User | _Assistant | _Tool, Discriminator("role")]]
    error: str | None
    utility: bool
    security: bool
    duration: float


_RUN = cache(lambda: TypeAdapter(_Run))


class AgentDojo:
    """The importer."""

    name = "agentdojo"
    signature = frozenset({"suite_name", "pipeline_name", "user_task_id", "messages"})
    companions: tuple[str, ...] = (PROMPTS,)
    literal_ids = True

    def detect(self, record: JsonValue, path: Path) -> bool:
        """Whether the keys that name an AgentDojo run are there."""
        return isinstance(record, dict) and record.keys() >= self.signature

    def identify(self, record: JsonValue, place: Place) -> str | None:
        """`run_id`, or the path that the authors' file would have."""
        return _id_of(record) if isinstance(record, dict) else None

    def parse(self, record: JsonValue, place: Place) -> Trajectory:
        """See `Importer`."""
        run = checked(_RUN(), record, place)
        suite, task, injection = run["suite_name"], run["user_task_id"], run["injection_task_id"]
        pipeline, attack = run["pipeline_name"], run["attack_type"] or "none"
        attacked = attack != "none"
        defence = defence_of(pipeline)
        model = pipeline.removesuffix(f"-{defence}") if defence else pipeline
        toolset = f"agentdojo/v1/{suite}/tool_filter" if defence == "tool_filter" else f"agentdojo/v1/{suite}"
        plain = [_message(raw, index, place) for index, raw in enumerate(run["messages"])]
        messages = checked(MESSAGES, plain, place)
        scores: dict[str, bool | float] = {"utility": run["utility"]}
        if attacked:
            scores["security"] = run["security"]
        labels = {"suite": suite, "attack": attack, "injection_task": injection, "defence": defence}
        return Trajectory(
            id=run.get("run_id") or _id_of(run),
            task=f"{suite}/{task}",
            # The harness alone: the same one runs every model.
            agent=f"agentdojo/{defence}" if defence else "agentdojo",
            model=model,
            steps=steps_at(place, messages, Request(model=model, messages=(), toolset=toolset)),
            outcome=Outcome(scores=scores, error=run["error"]),
            environment=reference(suite, task, injection, attack if attacked else None, run["injections"], pipeline),
            labels={label: value for label, value in labels.items() if value is not None},
            seconds=run["duration"],
        )


def _id_of(run: Mapping[str, object]) -> str:
    keys = ("pipeline_name", "suite_name", "user_task_id", "attack_type", "injection_task_id")
    return str(run.get("run_id") or "/".join(str(run.get(key) or "none") for key in keys))


def _message(raw: _System | _User | _Assistant | _Tool, index: int, place: Place) -> dict[str, object]:
    """The fields of our message; one pass of pydantic makes all messages of a run, twice as fast."""
    match raw["role"]:
        case "system":
            return {"role": "system", "content": _prompt(raw, index, place)}
        case "user":
            return {"role": "user", "content": raw["content"]}
        case "assistant":
            calls = tuple(
                [
                    {"name": call["function"], "arguments": call["args"], "id": call.get("id") or None}
                    for call in raw.get("tool_calls") or ()
                ]
            )
            return {"role": "assistant", "content": raw["content"], "tool_calls": calls}
        case "tool":
            return {
                "role": "tool",
                "tool_call_id": raw.get("tool_call_id") or None,
                "name": raw["tool_call"]["function"],
                "content": raw["content"],
                "error": raw.get("error"),
            }


def _prompt(raw: _System, index: int, place: Place) -> _Content:
    if "content" in raw:
        return raw["content"]
    where, wanted = f"messages.{index}.ref", raw.get("ref")
    if wanted is None:
        raise place.error(f"messages.{index}.content", "missing", "Add the system prompt, or a ref to it.")
    for prompts in place.companions.values(place.file, PROMPTS):
        if isinstance(prompts, dict) and isinstance(text := prompts.get(wanted), str):
            return text
    raise place.error(
        where,
        f"no system prompt {wanted!r}",
        f"Put {PROMPTS}, which came with the runs, beside the file or above it.",
    )
