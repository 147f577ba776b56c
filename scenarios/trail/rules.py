"""Rules that need no reading: where the surface of a trace points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.records import InputStep, ModelStep, ToolStep
from ifonly.scenarios.trail.metrics import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from ifonly.scenarios.trail.labels import Labelled

    Rule = Callable[[Labelled], Verdict]

__all__ = ["RULES", "failed"]


def failed(step: ModelStep | ToolStep) -> bool:
    """Whether the span of a step has the status of an error."""
    return (step.error if isinstance(step, ModelStep) else step.result.error) is not None


def _steps(trace: Labelled) -> list[tuple[str, ModelStep | ToolStep]]:
    """The steps that may be blamed, with their spans, in order."""
    return [(step.span, step) for step in trace.run.steps if not isinstance(step, InputStep) and step.span is not None]


def _first_model(trace: Labelled) -> Verdict:
    """The first model call; then the next ones, and everything else after them."""
    return Verdict({s: -n if isinstance(step, ModelStep) else -1e6 - n for n, (s, step) in enumerate(_steps(trace))})


def _last_model(trace: Labelled) -> Verdict:
    """The last model call; then those before it, and everything else after them."""
    return Verdict({s: n if isinstance(step, ModelStep) else n - 1e6 for n, (s, step) in enumerate(_steps(trace))})


def _longest(trace: Labelled) -> Verdict:
    """The model or tool call that took longest."""
    return Verdict({span: step.seconds or 0.0 for span, step in _steps(trace)})


def _most_tokens(trace: Labelled) -> Verdict:
    """The model call with most tokens, read and written."""
    return Verdict({s: 0 if (u := _usage(step)) is None else u for s, step in _steps(trace)})


def _usage(step: ModelStep | ToolStep) -> int | None:
    usage = step.usage if isinstance(step, ModelStep) else None
    return None if usage is None else usage.input_tokens + usage.output_tokens


def _first_error(trace: Labelled) -> Verdict:
    """The first span with the status of an error, then the other such ones; where there is none, chance decides."""
    return Verdict({span: -n if failed(step) else -1e6 for n, (span, step) in enumerate(_steps(trace))})


def _chance(trace: Labelled) -> Verdict:
    """One span, all equally likely."""
    return Verdict(dict.fromkeys(trace.spans, 0.0))


def _everything(trace: Labelled) -> Verdict:
    """Every span is named: what location accuracy cannot tell from insight."""
    return Verdict(dict.fromkeys(trace.spans, 0.0), take=len(trace.spans))


RULES: dict[str, Rule] = {
    "chance": _chance,
    "every span": _everything,
    "first model call": _first_model,
    "last model call": _last_model,
    "longest": _longest,
    "most tokens": _most_tokens,
    "first error": _first_error,
}
"""Rules by name; each scores the spans of a trace and names one, but "every span"."""
