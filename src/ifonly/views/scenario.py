"""A scenario's answer in words, for the terminal and the page alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.views.grid import Grid
from ifonly.views.scores import estimate_text, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scenarios.scenario import Scenario
    from ifonly.scenarios.study import Asked, Figures, Finding, ScenarioAnswer, SensitivityRow, Study

__all__ = ["AskedView", "FiguresView", "ScenarioView", "StudyView", "listing", "scenario_view"]

_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class AskedView:
    """One question.

    Args:
        name: what is estimated.
        truth: in words; None where it is not known.
        answers: the naive one first.
    """

    name: str
    truth: str | None
    answers: Grid


@dataclass(frozen=True, slots=True)
class FiguresView:
    """A further table.

    Args:
        title: what it shows.
        grid: the cells.
    """

    title: str
    grid: Grid


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study.

    Args:
        title: on the world, or on which data.
        source: what was analysed.
        asked: the questions.
        sensitivity: None where there is none.
        figures: further tables.
        decision: what to do.
        notes: what else to know.
    """

    title: str
    source: str
    asked: tuple[AskedView, ...]
    sensitivity: Grid | None
    figures: tuple[FiguresView, ...]
    decision: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScenarioView:
    """A whole answer.

    Args:
        name: of the scenario.
        stage: of the pipeline.
        question: a practitioner's.
        graph: the edges in lines: causes and what they move.
        assumptions: what the causal answers rest on.
        studies: of real data, where there is some, and of the world.
        missing: the data set that was not given; None where there is none, or it was.
    """

    name: str
    stage: str
    question: str
    graph: tuple[str, ...]
    assumptions: tuple[str, ...]
    studies: tuple[StudyView, ...]
    missing: str | None


def scenario_view(answer: ScenarioAnswer) -> ScenarioView:
    """The answer in words."""
    studies = [_study("On a world whose truth is known", answer.world)]
    if answer.data is not None:
        studies.insert(0, _study(f"On real data: {answer.dataset}", answer.data))
    return ScenarioView(
        name=answer.name,
        stage=answer.stage,
        question=answer.question,
        graph=_graph(answer.edges, answer.hidden),
        assumptions=answer.assumptions,
        studies=tuple(studies),
        missing=answer.dataset if answer.data is None else None,
    )


def listing(scenarios: Sequence[Scenario]) -> Grid:
    """All scenarios, one a row."""
    return Grid(
        ("scenario", "stage", "real data", "question"),
        tuple((one.called, one.stage, "" if one.real is None else one.real.name, one.asks) for one in scenarios),
    )


def _study(title: str, study: Study) -> StudyView:
    return StudyView(
        title=title,
        source=study.source,
        asked=tuple(map(_asked, study.asked)),
        sensitivity=_sensitivity(study.sensitivity) if study.sensitivity else None,
        figures=tuple(map(_figures, study.figures)),
        decision=study.decision,
        notes=study.notes,
    )


def _asked(asked: Asked) -> AskedView:
    known = asked.truth is not None
    titles = ("analysis", "answer", *(("off by",) if known else ()), "what it assumes, or does")
    rows = tuple(_finding(one, known=known) for one in (asked.naive, *asked.answers))
    return AskedView(asked.name, None if asked.truth is None else number(asked.truth), Grid(titles, rows))


def _finding(finding: Finding, *, known: bool) -> tuple[str, ...]:
    off = ("" if finding.error is None else number(finding.error),) if known else ()
    wrong = "; wrong here" if finding.right is False and finding.name != "naive" else ""
    return finding.name, estimate_text(finding.estimate), *off, finding.why + wrong


def _sensitivity(rows: Sequence[SensitivityRow]) -> Grid:
    told = tuple((row.assumption, row.failing, estimate_text(row.estimate)) for row in rows)
    return Grid(("if this fails", "by so much", "the answer is"), told)


def _figures(figures: Figures) -> FiguresView:
    rows = tuple(tuple(cell if isinstance(cell, str) else number(cell) for cell in row) for row in figures.rows)
    return FiguresView(figures.title, Grid(figures.titles, rows))


def _graph(edges: Sequence[tuple[str, str]], hidden: Sequence[str]) -> tuple[str, ...]:
    """One line a cause; a cause with many effects names a few."""
    moved: dict[str, list[str]] = {}
    for cause, effect in edges:
        moved.setdefault(cause, []).append(effect)
    lines = []
    for cause, effects in moved.items():
        more = len(effects) - _NAMES_SHOWN
        told = ", ".join(effects[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
        lines.append(f"{cause}{' (hidden)' if cause in hidden else ''} -> {told}")
    return tuple(lines)
