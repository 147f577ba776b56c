"""A whole run without its secrets: equal secrets become equal tokens all through it, so that it still lifts.

The order is that of `ifonly.agents.redaction`: the tools and settings of the first request, then step after step. So
the numbers are those that a cassette gives, as long as the run is one growing conversation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from ifonly.agents.recorder.events import ToolUsed
from ifonly.agents.records import InputStep, ModelStep, ToolStep, Trajectory, UserMessage
from ifonly.agents.redaction import Redactor, redact_completion, redact_request, remembering
from ifonly.agents.redaction.calls import redact_logprobs, redact_message, redact_stream, redact_tool_call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ifonly.agents.recorder.events import Called
    from ifonly.agents.records import Step

__all__ = ["StepRedactor", "redacted"]

S = TypeVar("S", InputStep, ModelStep, ToolStep)


class StepRedactor:
    """Takes the secrets out of the steps of one run, in their order."""

    def __init__(self) -> None:
        self.redactor = Redactor(remembering())

    def begin(self, steps: Iterable[Step]) -> None:
        """See the tools and settings of the first request, which are numbered before all messages."""
        first = next((step for step in steps if isinstance(step, ModelStep)), None)
        if first is not None:
            redact_request(first.request.model_copy(update={"messages": ()}), self.redactor)

    def step(self, step: Step) -> Step:
        """The step without its secrets."""
        match step:
            case InputStep():
                return step.model_copy(update={"message": redact_message(step.message, self.redactor)})
            case ModelStep():
                return self._model(step)
            case ToolStep():
                return self._tool(step)

    def event(self, event: Called | ToolUsed) -> Called | ToolUsed:
        """The event without its secrets."""
        if isinstance(event, ToolUsed):
            used = event.used
            shown = self._tool(ToolStep(site="", call=used.call, result=used.result))
            return event.model_copy(
                update={"used": used.model_copy(update={"call": shown.call, "result": shown.result})}
            )
        said = event.completion
        return event.model_copy(
            update={
                "request": redact_request(event.request, self.redactor),
                "completion": None if said is None else redact_completion(said, self.redactor),
                "error": None if event.error is None else self.redactor.text(event.error),
            }
        )

    def _model(self, step: ModelStep) -> ModelStep:
        redactor, stream, tokens = self.redactor, step.stream, step.logprobs
        return step.model_copy(
            update={
                "request": redact_request(step.request, redactor),
                "reply": redact_message(step.reply, redactor),
                "stream": None if stream is None else redact_stream(stream, redactor),
                "logprobs": None if tokens is None else redact_logprobs(tokens, redactor),
            }
        )

    def _tool(self, step: ToolStep) -> ToolStep:
        call = redact_tool_call(step.call, self.redactor)
        seen = redact_message(UserMessage(content=step.result.content), self.redactor)
        error = None if step.result.error is None else self.redactor.text(step.result.error)
        result = step.result.model_copy(update={"content": seen.content, "error": error})
        return step.model_copy(update={"call": call, "result": result})


def redacted(run: Trajectory) -> Trajectory:
    """The run without its secrets."""
    steps = StepRedactor()
    steps.begin(run.steps)
    clean = tuple(steps.step(step) for step in run.steps)
    rest = run.model_dump(mode="json", exclude={"steps"})
    text = cast("dict[str, object]", steps.redactor.value(rest))
    return Trajectory.model_validate({**text, "steps": clean})
