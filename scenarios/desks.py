"""The desks: a clerk passes four desks, calls one of three tools at each, and its success is known in closed form.

    system prompt (care c) ---> call at desk 0 ---> call at desk 1 ---> call at desk 2 ---> call at desk 3 ---> scores
                                    ^ noise              ^ noise             ^ noise             ^ noise

At desk d the right tool is `TOOLS[d % 3]`. It is called with probability c, less `SLIP` if the call before was wrong;
the others share the rest as 7 to 3. The run succeeds if at least three calls were right. Noise is a race between
options, keyed by seed and desk (`ifonly.scenarios.scripted`): each run's counterfactual under another prompt is known.

Truth: `success(c)` by enumeration over the two states of the call before and the number of right calls.
Naive: running the agent anew under both prompts and subtracting; unbiased, and several times as noisy.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ifonly.agents.canonical import canonical_json
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.records import (
    AssistantMessage,
    EnvironmentRef,
    Message,
    Outcome,
    Request,
    SystemMessage,
    ToolCall,
    ToolResult,
    ToolSpec,
    Trajectory,
    UserMessage,
    tool_message,
)
from ifonly.agents.sites import steps_of
from ifonly.scenarios.scripted import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.agents.completion import ChatModel
    from ifonly.agents.records import Score

__all__ = ["DESKS", "TOOLS", "Desks", "law", "prompt", "record", "success"]

DESKS: Final = 4
"""How many desks there are."""
TOOLS: Final = tuple(ToolSpec(name=name) for name in ("stamp", "sign", "file"))
"""What may be called at each desk."""
NEEDED: Final = 3
SLIP: Final = 0.1
"""By how much a wrong call makes the next right one less probable."""
REF: Final = EnvironmentRef(name="desks", version="1", task="papers")
ASKED: Final = UserMessage(content="Take the papers past all desks.")
DONE: Final = AssistantMessage(content="done")


def prompt(care: float) -> SystemMessage:
    """The system prompt of a clerk with this care."""
    return SystemMessage(content=f"care {care}")


def shares(care: float, desk: int, slipped: bool) -> dict[str, float]:
    """The probability of each tool at a desk."""
    right = care - SLIP * slipped
    names = [TOOLS[(desk + k) % len(TOOLS)].name for k in range(len(TOOLS))]
    return dict(zip(names, (right, 0.7 * (1 - right), 0.3 * (1 - right)), strict=True))


def law(request: Request) -> list[tuple[AssistantMessage, float]]:
    """The clerk's replies with their probabilities."""
    made = [call.name for m in request.messages if isinstance(m, AssistantMessage) for call in m.tool_calls]
    if len(made) >= DESKS:
        return [(DONE, 1.0)]
    care = float(str(request.messages[0].content).removeprefix("care "))
    slipped = bool(made) and made[-1] != TOOLS[(len(made) - 1) % len(TOOLS)].name
    return [
        (AssistantMessage(tool_calls=(ToolCall(name=name, arguments={}, id=f"call-{len(made)}"),)), p)
        for name, p in shares(care, len(made), slipped).items()
    ]


def success(care: float) -> float:
    """P(at least three right calls), by enumeration."""
    states = {(0, False): 1.0}
    for _ in range(DESKS):
        after: dict[tuple[int, bool], float] = {}
        for (right, slipped), p in states.items():
            hit = care - SLIP * slipped
            after[right + 1, False] = after.get((right + 1, False), 0.0) + p * hit
            after[right, True] = after.get((right, True), 0.0) + p * (1 - hit)
        states = after
    return sum(p for (right, _), p in states.items() if right >= NEEDED)


class Desks:
    """The environment: every tool says that it was used; the score counts the right calls."""

    executes = True

    def logs(self, call: ToolCall) -> bool:
        """False: every call is executed."""
        return False

    def doubt(self, ref: EnvironmentRef) -> None:
        """None: results are seen as they are."""

    def start(self, ref: EnvironmentRef) -> str:
        """The reference."""
        return canonical_json(ref.model_dump())

    def tools(self, ref: EnvironmentRef) -> tuple[ToolSpec, ...]:
        """The three tools."""
        return TOOLS

    def open(self, ref: EnvironmentRef) -> _Papers:
        """Fresh papers."""
        return _Papers()


@dataclass
class _Papers:
    made: list[str] = field(default_factory=list)

    def call(self, call: ToolCall) -> ToolResult | Undetermined:
        if all(call.name != tool.name for tool in TOOLS):
            return Undetermined(why=f"no desk has a {call.name}")
        self.made.append(call.name)
        return ToolResult(content=f"{call.name} at desk {len(self.made) - 1}")

    def score(self, messages: Sequence[Message]) -> Mapping[str, Score | Undetermined]:
        right = sum(name == TOOLS[desk % len(TOOLS)].name for desk, name in enumerate(self.made))
        return {"success": right >= NEEDED}


def record(care: float, seed: int, model: ChatModel | None = None) -> Trajectory:
    """A run of the clerk, recorded: its replies, with what the model tells of them.

    Args:
        care: of the clerk.
        seed: of its noise.
        model: that answers; the clerk's own, which tells its log-probabilities, if None.
    """
    return asyncio.run(_record(care, seed, model or ScriptedModel(law, tells=True)))


async def _record(care: float, seed: int, model: ChatModel) -> Trajectory:
    papers, messages = _Papers(), list[Message]((prompt(care), ASKED))
    frame = Request(model="clerk", messages=(), tools=TOOLS, settings={"seed": seed})
    told = []
    while not isinstance(messages[-1], AssistantMessage):
        completion = await model.complete(frame.model_copy(update={"messages": tuple(messages)}))
        told.append(completion)
        messages.append(completion.reply)
        for call in completion.reply.tool_calls:
            result = papers.call(call)
            if isinstance(result, ToolResult):
                messages.append(tool_message(call, result))
    replies = iter(told)
    steps = [
        step.model_copy(update={"logprobs": next(replies).logprobs}) if step.kind == "model" else step
        for step in steps_of(messages, frame)
    ]
    scores = {name: score for name, score in papers.score(messages).items() if not isinstance(score, Undetermined)}
    return Trajectory(
        id=f"desks/{care}/{seed}",
        task=f"papers {seed}",
        agent="clerk",
        model="clerk",
        steps=tuple(steps),
        outcome=Outcome(scores=scores),
        environment=REF,
    )
