"""The study of real preferences: AlpacaEval's judge, and PandaLM's and hh-rlhf's raters where they are beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.alignment.arms import ADVERSARIAL, Contrast, contrasts, own_columns, own_fit
from ifonly.scenarios.alignment.figures import arm_figures, arm_summary, predicted, raw_rate, scatter, summary, table
from ifonly.scenarios.alignment.log import AlpacaLog, read_log
from ifonly.scenarios.alignment.published import Agreement, Reproduced, agreement, reproduce
from ifonly.scenarios.alignment.rater_figures import rater_figures
from ifonly.scenarios.alignment.style import STYLE
from ifonly.scenarios.study import Asked, Finding, SensitivityRow, Study
from ifonly.scm.preference.logistic import discounted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ifonly.scm.policy.value import Value

__all__ = ["study_log"]

_SHARES: Final = (0.75, 0.5, 0.0)
"""How much of what style seems to do is taken for its own."""


def study_log(folder: Path, seed: int) -> Study:
    """Study the annotations of AlpacaEval; nothing is drawn.

    Args:
        folder: that holds them; pairs of other raters are looked for beside it.
        seed: not used.

    Raises:
        InputError: a file is missing or does not hold what is needed.
        UnknownName: a column is missing.
    """
    del seed
    log = read_log(folder)
    made = reproduce(log)
    arms = contrasts(log, made)
    agreed = agreement(made.values())
    over, under = _turned(log, made)
    others, missing = rater_figures(folder.parent)
    judged = sum(len(row.liked) for row in log.models.values())
    return Study(
        source=f"{judged:,} preferences of one judge between {len(log.models)} models and {log.baseline}, "
        f"on {log.instructions} instructions",
        asked=(
            *(_rate(log, one) for one in (over, under)),
            *(_change(one) for one in arms if one.paired),
        ),
        sensitivity=_sensitivity(log, over),
        figures=(
            *(() if agreed is None else (summary(agreed),)),
            arm_figures(arms),
            arm_summary(arms),
            *others,
            table(made),
        ),
        pictures=(*(() if agreed is None else (scatter(made),)), predicted(arms)),
        decision=_decision(over, under),
        notes=(*_notes(arms, agreed), *missing),
    )


def _even(log: AlpacaLog, one: Reproduced) -> Value:
    """The win rate at the baseline's length, lists and emphasis, by the model's own regression."""
    return own_fit(log, one.row).mean(dict.fromkeys(STYLE, 0.0))


def _turned(log: AlpacaLog, made: dict[str, Reproduced]) -> tuple[Reproduced, Reproduced]:
    """The two models whose order turns most: the raw rate is for the first, both controlled ones for the second."""
    found = [one for name, one in made.items() if name not in ADVERSARIAL]
    raw, length, style = (
        np.array([of(one) for one in found])
        for of in (lambda one: raw_rate(one).value, lambda one: one.rate, lambda one: _even(log, one).value)
    )
    gains = [values[None, :] - values[:, None] for values in (-raw, length, style)]
    over, under = np.unravel_index(int(np.minimum.reduce(gains).argmax()), gains[0].shape)
    return found[over], found[under]


def _rate(log: AlpacaLog, one: Reproduced) -> Asked:
    return Asked(
        name=f"win rate of {one.row.name}, were its answers as long as the baseline's",
        naive=Finding(name="naive", estimate=raw_rate(one).estimate(), why="the raw win rate"),
        answers=(
            Finding(
                name="length controlled",
                estimate=one.made.rate.estimate(),
                why="P(preferred | do(length difference = 0)) by the regression of arXiv 2404.04475",
            ),
            Finding(
                name="style held",
                estimate=_even(log, one).estimate(),
                why="length, lists and emphasis as the baseline's, by the model's own regression",
            ),
        ),
    )


def _change(one: Contrast) -> Asked:
    answers = [
        Finding(name="style held", estimate=one.predicted.estimate(), why="by the arm's style alone, content fixed")
    ]
    if one.by_length is not None:
        told = "by length alone, with the length term of arXiv 2404.04475"
        answers.append(Finding(name="length term", estimate=one.by_length.estimate(), why=told))
    observed = Finding(
        name="observed", estimate=one.observed.estimate(), why="what happened when the model was told so"
    )
    return Asked(
        name=f"change of {one.model}'s win rate from {one.start} to {one.end}",
        naive=Finding(
            name="across models", estimate=one.naive.estimate(), why="all models at once, no model or instruction held"
        ),
        answers=(*answers, observed),
    )


def _decision(over: Reproduced, under: Reproduced) -> str:
    return (
        f"Rank by the rate at equal style: {under.row.name} is ahead of {over.row.name} there ({under.rate:.3f} "
        f"against {over.rate:.3f} at equal length), while the raw win rate has it the other way "
        f"({raw_rate(under).value:.3f} against {raw_rate(over).value:.3f})."
    )


def _sensitivity(log: AlpacaLog, one: Reproduced) -> tuple[SensitivityRow, ...]:
    row = one.row
    columns = own_columns(log, row)
    return tuple(
        SensitivityRow(
            assumption="within a model, longer answers are liked for their style, and not for content that goes along",
            failing=f"{share:.0%} of what style seems to do is its own: win rate of {row.name} at equal style",
            estimate=discounted(columns, row.liked, STYLE, share).mean().estimate(),
        )
        for share in _SHARES
    )


def _notes(arms: Sequence[Contrast], agreed: Agreement | None) -> tuple[str, ...]:
    off = [one for one in arms if one.gap.estimate().low > 0 or one.gap.estimate().high < 0]
    names = "; ".join(f"{one.model}, {one.start} to {one.end}" for one in off) or "none"
    less = sum(abs(one.predicted.value) < abs(one.observed.value) for one in arms)
    told = (
        "Not as published: instruction difficulty is fitted on the models here, and the preferences for the baseline "
        "told to be concise or verbose, which hold the length effect, are put at what its published rates let expect. "
    )
    part = 0.0 if agreed is None else 1 - agreed.inside
    held = (f"{told}{part:.0%} of the models, where sampling alone would leave 5 %, lie outside the sampling error.",)
    return (
        *(() if agreed is None else held),
        f"Of {len(arms)} pairs of arms, predicted and observed change differ by more than their 95 % interval in "
        f"{len(off)} ({names}); the observed one is the larger in {less}. Being told to be concise changes more than "
        "style: content is left out, and being told to be verbose adds some. The prediction is of style alone.",
        "The columns of style held were settled with these arms in view, among length term and length ratio, one alone "
        "or both, with and without markup: within models the length term alone has as small a cross-validated loss.",
        "The two models of the decision are those whose order turns most; their intervals are of each model by itself.",
        "Across instructions of one model a longer answer may also be a better one, which would make the prediction "
        "too large; the arms say by how much it is off.",
        "Changes from the leaderboard are of all its instructions, and their errors are taken as if arms were "
        "independent, which is too wide.",
    )
