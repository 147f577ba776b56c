"""What can be read off a step and its span without understanding it. No label enters; nor does what a run was scored.

Each is a number; counts, durations and sizes as logarithms. `FEATURES` names them in their order.
"""

from __future__ import annotations

import re
from collections import Counter
from math import log1p
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.canonical import canonical_json
from ifonly.agents.records import AssistantMessage, InputStep, ModelStep, ToolStep, message_of
from ifonly.scenarios.trail.rules import failed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ifonly.agents.records import Content, Step
    from ifonly.scenarios.trail.labels import Labelled

__all__ = ["FEATURES", "features_of"]

FEATURES = (
    "model",
    "tool",
    "code",
    "planning",
    "reads_nothing",
    "other_agent",
    "calls_tool",
    "failed",
    "error_after",
    "error_before",
    "error_text",
    "gives_up",
    "empty",
    "repeated",
    "repeats",
    "tag_missing",
    "readers",
    "place",
    "first_of_name",
    "last_of_name",
    "turn",
    "steps",
    "tokens_read",
    "tokens_written",
    "seconds",
    "length",
)
"""What each feature says of a step:

- it is a model call; a tool call; executed code; a model call that plans; one that reads nothing; one of another agent
- it calls a tool; its span has the status of an error; a step that reads it failed, or one that it reads
- its value speaks of an error; says that something cannot be done; is empty
- its value was there before in the run; how often, as a logarithm
- its prompt names a closing tag, such as <end_plan>, that the reply lacks
- how many steps read it; its place in the run, from 0 to 1; it is the first, the last of its name; the how-manieth
- how many steps the run has; tokens read, written; seconds; characters of the value
"""

_ERROR = re.compile(r"error|exception|traceback|not found|no results|failed|invalid|timed? ?out|denied", re.IGNORECASE)
_GIVES_UP = re.compile(
    r"\b(?:can ?not|can't|unable to|could not|couldn't|don't have|do not have|assum\w+|unfortunately)\b", re.IGNORECASE
)
_TAG = re.compile(r"<(?:end_\w+|/\w+)>")


def features_of(trace: Labelled) -> NDArray[np.float64]:
    """The features of the spans of a trace.

    Returns:
        Shape (spans, features), in the order of `Labelled.spans`.
    """
    steps = trace.run.steps
    readers: dict[str, list[Step]] = {step.site: [] for step in steps}
    for step in steps:
        for site in step.reads:
            readers[site].append(step)
    at = {step.site: step for step in steps}
    names = Counter(_name(step) for step in steps)
    met, turns, rows = Counter[str](), Counter[str](), dict[str, list[float]]()
    for index, step in enumerate(steps):
        if isinstance(step, InputStep) or step.span is None:
            continue
        value = _value(step)
        turn = turns[_name(step)]
        row = [
            *_kind(step),
            *_errors(step, readers[step.site], [at[site] for site in step.reads]),
            *_words(step, met[value]),
            log1p(len(readers[step.site])),
            index / max(1, len(steps) - 1),
            turn == 0,
            turn == names[_name(step)] - 1,
            log1p(turn),
            log1p(len(steps)),
            *_sizes(step),
        ]
        rows.setdefault(step.span, [float(number) for number in row])
        met[value] += 1
        turns[_name(step)] += 1
    return np.array([rows[span] for span in trace.spans], dtype=float).reshape(len(trace.spans), len(FEATURES))


def _name(step: Step) -> str:
    return step.site.rpartition("/")[0]


def _value(step: ModelStep | ToolStep) -> str:
    """What a step chose: a call of a tool, or a reply."""
    if isinstance(step, ToolStep):
        return canonical_json([step.call.name, step.call.arguments])
    calls = [[call.name, call.arguments] for call in step.reply.tool_calls]
    return canonical_json([calls, step.reply.content])


def _kind(step: ModelStep | ToolStep) -> list[bool]:
    name, model = _name(step), isinstance(step, ModelStep)
    return [
        model,
        not model,
        name == "python_interpreter",
        name.endswith(".plan"),
        model and not step.reads,
        model and name not in ("agent", "agent.plan"),
        isinstance(step, ModelStep) and bool(step.reply.tool_calls),
    ]


def _errors(step: ModelStep | ToolStep, after: list[Step], before: list[Step]) -> list[bool]:
    tools = [other for other in after if isinstance(other, ToolStep)]
    read = [other for other in before if isinstance(other, ToolStep)]
    return [failed(step), any(map(failed, tools)), bool(read) and failed(read[-1])]


def _words(step: ModelStep | ToolStep, met: int) -> list[float]:
    text = _text(message_of(step).content)
    shown = text if isinstance(step, ToolStep) else ""
    asks = isinstance(step, ModelStep) and bool(step.reply.tool_calls)
    return [
        float(bool(_ERROR.search(shown))),
        float(bool(_GIVES_UP.search(text))),
        float(not text.strip() and not asks),
        float(met > 0),
        log1p(met),
        float(isinstance(step, ModelStep) and _lacks_tag(step)),
    ]


def _lacks_tag(step: ModelStep) -> bool:
    """Whether the last prompt names closing tags (or the first, where that one does not), and the reply has none."""
    prompts = [message for message in step.request.messages if not isinstance(message, AssistantMessage)]
    if not prompts or step.reply.tool_calls:
        return False
    asked = set(_TAG.findall(_text(prompts[-1].content))) or set(_TAG.findall(_text(prompts[0].content)))
    said = _text(step.reply.content)
    return bool(asked) and not any(tag in said for tag in asked)


def _sizes(step: ModelStep | ToolStep) -> list[float]:
    usage = step.usage if isinstance(step, ModelStep) else None
    return [
        log1p(usage.input_tokens if usage else 0),
        log1p(usage.output_tokens if usage else 0),
        log1p(max(0.0, step.seconds or 0.0)),
        log1p(len(_text(message_of(step).content))),
    ]


def _text(content: Content) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return content or ""
