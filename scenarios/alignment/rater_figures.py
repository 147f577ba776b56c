"""Humans and judges, as tables: how far each moves with length, lists and what is shown first, and mixes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.scenarios.alignment.raters import (
    HARMLESS,
    HUMANS,
    JUDGES,
    PANDALM,
    Harmless,
    Pairs,
    chance,
    read_harmless,
    read_pairs,
)
from ifonly.scenarios.alignment.style import RATIO
from ifonly.scenarios.study import Figures

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.scm.estimate import Estimate

__all__ = ["rater_figures"]

_MIXES = (1.0, 0.5, 0.0)


def rater_figures(folder: Path) -> tuple[tuple[Figures, ...], tuple[str, ...]]:
    """Tables of the raters' data in a folder, and a note for each set that is not there.

    Args:
        folder: that holds the folders of `raters`.

    Raises:
        InputError: a set is there, but does not hold what is needed.
        UnknownName: a column is missing.
    """
    figures: list[Figures] = []
    notes = [
        f"No {name} beside the annotations: left out." for name in (PANDALM, HARMLESS) if not (folder / name).is_dir()
    ]
    if (folder / PANDALM).is_dir():
        pairs = read_pairs(folder / PANDALM)
        figures += [_moved(pairs), _placed(pairs), _mixed(pairs)]
        notes.append(
            "PandaLM shows each pair of models in one order, AlpacaEval's was drawn and not kept: what standing first "
            "does is told by strengths that add up, or beside the humans, and by nothing else. Judge in both orders."
        )
        notes.append(f"{pairs.left_out} of PandaLM's pairs are left out: a judge's reply there was no choice.")
    if (folder / HARMLESS).is_dir():
        figures.append(_harmless(read_harmless(folder / HARMLESS)))
    return tuple(figures), tuple(notes)


def _moved(pairs: Pairs) -> Figures:
    columns = tuple(pairs.columns)
    rows: list[tuple[str | float, ...]] = []
    for rater in ("humans", *HUMANS, *JUDGES):
        judge = rater in JUDGES
        held = [_told(chance(pairs.effect(rater, one, content=True), one)) if judge else "" for one in columns]
        gap = pairs.effect(rater, RATIO).less(pairs.effect("humans", RATIO)).estimate()
        rows.append(
            (
                rater,
                *(_told(chance(pairs.effect(rater, one), one)) for one in columns),
                *held,
                _told(gap) if judge else "",
                _told(pairs.first(rater).estimate()) if judge else "",
            )
        )
    return Figures(
        title="PandaLM: chance that a rater prefers an answer that is twice as long, or has two list items, else equal",
        titles=(
            "rater",
            *columns,
            *(f"{one}, humans' verdict held" for one in columns),
            "length: log-odds less humans'",
            "first answer taken, less humans",
        ),
        rows=tuple(rows),
    )


def _placed(pairs: Pairs) -> Figures:
    humans, rows = pairs.placed("humans"), list[tuple[str | float, ...]]()
    for rater in ("humans", *HUMANS, *JUDGES):
        odds, adding = pairs.placed(rater)
        gap = _told(odds.less(humans.odds).estimate()) if rater in JUDGES else ""
        rows.append((rater, _told(chance(odds, "first")), gap, adding))
    return Figures(
        title="PandaLM: chance that the first of two equally strong answers is preferred, if strengths add up",
        titles=("rater", "first", "log-odds less humans'", "p-value of strengths that add up"),
        rows=tuple(rows),
    )


def _mixed(pairs: Pairs) -> Figures:
    return Figures(
        title="PandaLM: chance that the longer answer is preferred, by mix of annotators",
        titles=("humans", "judges", "chance"),
        rows=tuple((share, 1 - share, _told(pairs.mixed(share).estimate())) for share in _MIXES),
    )


def _harmless(found: Harmless) -> Figures:
    fit = found.fit
    return Figures(
        title="hh-rlhf, harmless: which answer humans choose",
        titles=("figure", "chance"),
        rows=(
            ("the longer answer was chosen", _told(found.longer.estimate())),
            *(
                (f"{one}: an answer with more of it is chosen", _told(chance(fit.coefficient(one), one)))
                for one in fit.names
            ),
        ),
    )


def _told(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
