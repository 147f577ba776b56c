"""Tables and pictures of AlpacaEval's annotations: rates made again, and arms predicted and observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scenarios.study import Figures, Picture, Series
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scenarios.alignment.arms import Contrast
    from ifonly.scenarios.alignment.published import Agreement, Reproduced

__all__ = ["arm_figures", "arm_summary", "predicted", "raw_rate", "scatter", "summary", "table"]


def raw_rate(one: Reproduced) -> Value:
    """The mean preference for a model."""
    liked = one.row.liked
    mean = float(liked.mean())
    return Value("raw", mean, liked - mean)


def summary(agreed: Agreement) -> Figures:
    """How well published rates are made again."""
    return Figures(
        title="Published length-controlled win rates, made again from the preferences",
        titles=("figure", "value"),
        rows=(
            ("models with a published rate", float(agreed.models)),
            ("correlation", agreed.pearson),
            ("rank correlation", agreed.spearman),
            (f"largest difference ({agreed.of})", agreed.largest),
            ("root mean square difference", agreed.typical),
            ("mean difference, ours less theirs", agreed.bias),
            ("share inside the sampling error of having a part of the instructions", agreed.inside),
        ),
    )


def arm_figures(arms: Sequence[Contrast]) -> Figures:
    """Every pair of arms, predicted and observed."""

    def told(value: Value | None) -> str:
        if value is None:
            return "none"
        made = value.estimate()
        return f"{made.value:.3f} [{made.low:.3f}, {made.high:.3f}]"

    return Figures(
        title="Told to be concise or verbose: change of the win rate predicted from style, and observed",
        titles=(
            "model",
            "from",
            "to",
            "style held",
            "length term",
            "across models",
            "observed",
            "beyond style",
            "observed by",
        ),
        rows=tuple(
            (
                one.model,
                one.start,
                one.end,
                *(told(value) for value in (one.predicted, one.by_length, one.naive, one.observed, _beyond(one))),
                "instruction" if one.paired else "leaderboard",
            )
            for one in arms
        ),
    )


def _beyond(one: Contrast) -> Value:
    """What being told does that its style does not explain: observed less predicted."""
    return Value("beyond style", -one.gap.value, -one.gap.influence, one.gap.weights)


def arm_summary(arms: Sequence[Contrast]) -> Figures:
    """How far each analysis is from what was observed."""
    kinds: tuple[tuple[str, Callable[[Contrast], Value | None]], ...] = (
        ("style held", lambda one: one.predicted),
        ("length term", lambda one: one.by_length),
        ("across models", lambda one: one.naive),
        ("no change", lambda _: Value("none", 0.0, np.zeros(2))),
    )
    rows = []
    for name, of in kinds:
        found = [(value.value, one.observed.value) for one in arms if (value := of(one)) is not None]
        said, seen = np.array(found).T
        rows.append(
            (name, float(len(found)), float(np.sqrt(np.square(said - seen).mean())), float((seen - said).mean()))
        )
    own = [one for one in arms if one.by_length is not None]
    gap = [one.predicted.value - one.observed.value for one in own]
    beyond = [one.observed.value - one.predicted.value for one in own]
    rows.append(
        (
            "style held, where there is a length term",
            float(len(own)),
            float(np.sqrt(np.square(gap).mean())),
            float(np.mean(beyond)),
        )
    )
    return Figures(
        title="Predicted against observed changes, over all pairs of arms",
        titles=("analysis", "pairs", "root mean square error", "mean of observed less predicted"),
        rows=tuple(rows),
    )


def table(made: dict[str, Reproduced]) -> Figures:
    """Every model."""
    rows: list[tuple[str | float, ...]] = []
    for name, one in sorted(made.items(), key=lambda item: -item[1].rate):
        theirs = "none" if one.published is None else one.published.controlled
        rows.append(
            (
                name,
                raw_rate(one).value,
                one.rate,
                theirs,
                "none" if one.difference is None else one.difference,
                one.error,
            )
        )
    return Figures(
        title="Win rates against the baseline, by model",
        titles=("model", "raw", "length controlled", "published", "difference", "its standard error"),
        rows=tuple(rows),
    )


def scatter(made: dict[str, Reproduced]) -> Picture:
    """Ours against the published rates."""
    found = [(one.published.controlled, one.rate) for one in made.values() if one.published is not None]
    theirs, ours = zip(*found, strict=True)
    return Picture(
        title="Length-controlled win rates, made again",
        x="published",
        y="from the preferences here",
        series=(
            Series(name="models", x=theirs, y=ours, line=False),
            Series(name="equal", x=(min(theirs), max(theirs)), y=(min(theirs), max(theirs))),
        ),
    )


def predicted(arms: Sequence[Contrast]) -> Picture:
    """Observed against predicted changes."""

    def series(name: str, kept: Sequence[Contrast]) -> Series:
        made = [one.observed.estimate() for one in kept]
        return Series(
            name=name,
            x=tuple(one.predicted.value for one in kept),
            y=tuple(one.observed.value for one in kept),
            low=tuple(one.low for one in made),
            high=tuple(one.high for one in made),
            line=False,
        )

    ends = [one.predicted.value for one in arms]
    shown = (series("observed by instruction", [one for one in arms if one.paired]),)
    board = [one for one in arms if not one.paired]
    return Picture(
        title="Told to be concise or verbose: change of the win rate",
        x="predicted from style",
        y="observed",
        series=(
            *(one for one in shown if one.x),
            *((series("from the leaderboard", board),) if board else ()),
            Series(name="equal", x=(min(ends), max(ends)), y=(min(ends), max(ends))),
        ),
    )
