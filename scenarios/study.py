"""What a scenario answers, as data: questions with naive and causal answers, sensitivity, figures and a decision.

Everything here is a frozen record, so that the terminal, the page and ``--json`` say the same.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from ifonly.agents.records import Record
from ifonly.scm.estimate import Estimate

__all__ = [
    "VERSION",
    "Asked",
    "Figures",
    "Finding",
    "Picture",
    "ScenarioAnswer",
    "SensitivityRow",
    "Series",
    "Stage",
    "Study",
]

VERSION: Final = 1
"""Of the JSON answer; it rises when a field changes its meaning or goes."""

Stage = Literal["pretraining", "alignment", "routing", "agents", "evaluation"]
"""Where in the pipeline of a model the question stands (arXiv 2605.25998)."""


class Finding(Record):
    """What one analysis says.

    Attributes:
        name: of the analysis.
        estimate: its answer.
        why: what it assumes, or what it does wrongly.
        right: whether its assumptions hold; None on real data, where nobody knows.
        error: value less truth; None where the truth is not known, or there is no value.
    """

    name: str
    estimate: Estimate
    why: str = ""
    right: bool | None = None
    error: float | None = None


class Asked(Record):
    """One question and its answers.

    Attributes:
        name: what is estimated, in words.
        truth: the answer, where it is known.
        naive: what one would get without a causal model.
        answers: the causal ones, the one to act on first.
    """

    name: str
    truth: float | None = None
    naive: Finding
    answers: Annotated[tuple[Finding, ...], Field(min_length=1)]


class SensitivityRow(Record):
    """What becomes of an answer if an assumption fails by so much.

    Attributes:
        assumption: which one.
        failing: by how much, in words.
        estimate: the answer then: often bounds.
    """

    assumption: str
    failing: str
    estimate: Estimate


class Figures(Record):
    """Further figures, as a table.

    Attributes:
        title: what they show.
        titles: of the columns.
        rows: the cells; numbers are told with three decimals.
    """

    title: str
    titles: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


class Series(Record):
    """One line, or some points, of a picture; with bars or a band where `low` and `high` are given.

    Attributes:
        name: of the series.
        x: places.
        y: values, as many.
        low: lower ends of intervals, as many, or none.
        high: upper ends.
        line: whether the points are joined.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    line: bool = True


class Picture(Record):
    """A picture of series over one axis.

    Attributes:
        title: what it shows.
        x: label of the horizontal axis.
        y: label of the vertical axis.
        series: what is drawn, at most six.
    """

    title: str
    x: str
    y: str
    series: Annotated[tuple[Series, ...], Field(min_length=1, max_length=6)]


class Study(Record):
    """A scenario worked through, on its world or on real data.

    Attributes:
        source: what was analysed.
        asked: the questions.
        sensitivity: what failing assumptions would do.
        figures: further tables.
        pictures: further pictures, beside the one of all answers that is drawn anyway.
        decision: what to do, in a sentence.
        notes: what else a reader must know.
    """

    source: str
    asked: Annotated[tuple[Asked, ...], Field(min_length=1)]
    sensitivity: tuple[SensitivityRow, ...] = ()
    figures: tuple[Figures, ...] = ()
    pictures: tuple[Picture, ...] = ()
    decision: str
    notes: tuple[str, ...] = ()


class ScenarioAnswer(Record):
    """The answer of ``ifonly scenario NAME``.

    Attributes:
        version: of this form.
        name: of the scenario.
        stage: of the pipeline.
        question: a practitioner's.
        edges: of the causal graph, (cause, effect), sorted.
        hidden: sites that nobody observes.
        assumptions: what the causal answers rest on.
        seed: of all draws.
        world: the study of the world, whose truth is known.
        data: the study of real data; None where none was given.
        dataset: name of the real data; None where the scenario has none.
    """

    version: Literal[1] = VERSION
    name: str
    stage: Stage
    question: str
    edges: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...] = ()
    assumptions: tuple[str, ...]
    seed: int
    world: Study
    data: Study | None = None
    dataset: str | None = None
