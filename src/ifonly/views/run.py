"""One recorded run as screens show it; `RunView` is also what ``ifonly show --json`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from ifonly.agents.records import InputStep, Message, ModelStep, Score, ToolStep, message_of
from ifonly.views.injected import injections_of, segments
from ifonly.views.scores import meaning
from ifonly.views.text import call_text, content_text, one_line

if TYPE_CHECKING:
    from ifonly.agents.records import Trajectory

__all__ = ["RunLine", "RunView", "ScoreView", "StepView", "run_line", "run_view", "saying"]

SUMMARY_WIDTH = 200


class View(BaseModel):
    """Base of the view models: frozen, closed."""

    # Schemas are built at first use: a list of runs needs no more than one of them.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class StepView(View):
    """One step in a line.

    Attributes:
        site: its structural name.
        kind: input, model or tool.
        name: of the tool, the model, or the role of the input.
        reads: the sites whose values its input contains.
        summary: its value, visible, on one line, cut.
        injected: whether the value carries words that an attack put into the environment.
        cost: in US dollars, if known.
        seconds: of wall time, if known.
        message: the whole value, where it was asked for.
    """

    site: str
    kind: Literal["input", "model", "tool"]
    name: str
    reads: tuple[str, ...]
    summary: str
    injected: bool
    cost: float | None
    seconds: float | None
    message: Message | None = None


class ScoreView(View):
    """One score, and what its value says in words where that is known."""

    name: str
    value: Score
    meaning: str | None


class RunLine(View):
    """A run without its steps: a line of a list of runs."""

    id: str
    task: str
    agent: str
    model: str
    labels: dict[str, str]
    scores: dict[str, Score]
    error: str | None
    length: int


class RunView(View):
    """A run with its steps (the shape of ``show`` in DESIGN.md, section 8)."""

    version: Literal[1] = 1
    id: str
    task: str
    agent: str
    model: str
    labels: dict[str, str]
    scores: dict[str, Score]
    meanings: dict[str, str]
    error: str | None
    environment: str | None
    seconds: float | None
    steps: tuple[StepView, ...]

    @property
    def score_views(self) -> tuple[ScoreView, ...]:
        """The scores with their meanings."""
        return tuple(
            ScoreView(name=name, value=value, meaning=self.meanings.get(name)) for name, value in self.scores.items()
        )


def run_line(run: Trajectory) -> RunLine:
    """A run as a line of a list."""
    return RunLine(
        id=run.id,
        task=run.task,
        agent=run.agent,
        model=run.model,
        labels=dict(run.labels),
        scores=dict(run.outcome.scores),
        error=run.outcome.error,
        length=len(run.steps),
    )


def run_view(run: Trajectory, *, full: bool = False) -> RunView:
    """A run as it is shown.

    Args:
        run: the recorded run.
        full: whether the steps carry their whole value.
    """
    words = {name: meaning(run, name) for name in run.outcome.scores}
    place = run.environment
    return RunView(
        id=run.id,
        task=run.task,
        agent=run.agent,
        model=run.model,
        labels=dict(run.labels),
        scores=dict(run.outcome.scores),
        meanings={name: said for name, said in words.items() if said is not None},
        error=run.outcome.error,
        environment=f"{place.name} {place.version}, {place.task}" if place else None,
        seconds=run.seconds,
        steps=tuple(_step(step, injections_of(run), full=full) for step in run.steps),
    )


def saying(message: Message) -> str:
    """What a message says, as plain text: calls first, then the text or the error."""
    calls = [f"calls {call_text(call)}" for call in (message.tool_calls if message.role == "assistant" else ())]
    error = f"error: {message.error}" if message.role == "tool" and message.error else ""
    return " ".join(filter(None, ["; ".join(calls), error, content_text(message.content)]))


def _step(step: InputStep | ModelStep | ToolStep, injections: tuple[str, ...], *, full: bool) -> StepView:
    message = message_of(step)
    injected = any(part.injected for part in segments(content_text(message.content), injections))
    failed = f"error: {step.error} " if isinstance(step, ModelStep) and step.error is not None else ""
    summary = one_line(failed + saying(message), SUMMARY_WIDTH)
    return StepView(
        site=step.site,
        kind=step.kind,
        name=_name(step),
        reads=step.reads,
        summary=summary,
        injected=injected and step.kind == "tool",
        cost=None if isinstance(step, InputStep) else step.cost,
        seconds=None if isinstance(step, InputStep) else step.seconds,
        message=message if full else None,
    )


def _name(step: InputStep | ModelStep | ToolStep) -> str:
    match step:
        case InputStep():
            return step.message.role
        case ModelStep():
            return step.request.model
        case ToolStep():
            return step.call.name
