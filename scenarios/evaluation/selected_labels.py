"""Humans labelled what looked doubtful: the labels are no sample of the items.

    style ---> human ---> judge
      |                     |
      +----> labelled <-----+      judge also reads style

Half of the answers are long (style). P(human yes) = .35 + .3 style; P(judge yes) = .2 + .5 human + .15 style.
Annotators were sent long answers, and those that the judge refused: P(labelled) = .03 + .12 style + .15 (1 - judge).

Truth: .35 + .3 x .5 = .5. Naive: the mean of the labels. Given style and the judge's verdict, who was labelled does not
hang on the human's: so the mean is identified by what is recorded (back-door), and nothing else is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.evaluation.sampled import BY, estimator_of, judged_of, label_odds, mean_of_values, share_decision
from ifonly.scenarios.known import Estimator, KnownWorld, Query, sampled_query
from ifonly.scenarios.scenario import Scenario, asked_of
from ifonly.scenarios.study import Figures, Study
from ifonly.scenarios.tabular import Site, Tabular
from ifonly.scm.evaluation.misclassified import rates, rogan_gladen
from ifonly.scm.evaluation.powered import powered
from ifonly.scm.evaluation.selected import doubly_robust, labelling
from ifonly.scm.evaluation.stratified import stratified_mean
from ifonly.scm.policy.weighting import snipw

if TYPE_CHECKING:
    from ifonly.scenarios.known import Sample
    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.logged import Floats

__all__ = ["SCENARIOS"]

_ITEMS: Final = 4_000


def _chance(style: float, judge: float) -> float:
    """Of a label; also of arrays."""
    return 0.03 + 0.12 * style + 0.15 * (1 - judge)


_TABLE: Final = Tabular(
    {
        "style": Site((0.5, 0.5)),
        "human": Site(lambda style: 0.35 + 0.3 * style, ("style",)),
        "judge": Site(lambda human, style: 0.2 + 0.5 * human + 0.15 * style, ("human", "style")),
        "labelled": Site(_chance, ("style", "judge")),
    }
)


def _naive() -> float:
    """E[human | labelled], from the chance of a label given style and human."""
    above = below = 0.0
    for style, h in ((0, 0.35), (1, 0.65)):
        for human, p in ((1, h), (0, 1 - h)):
            chance = _chance(style, 0.2 + 0.5 * human + 0.15 * style)
            above += 0.5 * p * human * chance
            below += 0.5 * p * chance
    return above / below


def _features(sample: Sample) -> Floats:
    """Style, and style times judge: all four cells, so that no model can miss."""
    return np.stack([sample["style"], sample["style"] * sample["judge"]], 1)


def _robust(sample: Sample, level: float) -> Estimate:
    return doubly_robust(labelling(judged_of(sample), _features(sample))).estimate(level)


def _weighted(sample: Sample, level: float) -> Estimate:
    chances = np.asarray(_chance(sample["style"], sample["judge"]))  # type: ignore[arg-type]
    return snipw(labelling(judged_of(sample), None, chances)).estimate(level)


def _cells(sample: Sample, level: float) -> Estimate:
    strata = (2 * sample["style"] + sample["judge"]).tolist()
    return stratified_mean(judged_of(sample), strata).estimate(level)


# Analyses that take the labels, or the judge, for what they are not.
_WRONG: Final = (
    Estimator(
        "prediction-powered, tuned",
        estimator_of(lambda judged, level: powered(judged).estimate(level)),
        right=False,
        why="takes labels for random",
    ),
    Estimator(
        "Rogan-Gladen",
        estimator_of(lambda judged, level: rogan_gladen(judged.judge[~judged.labelled], rates(judged), level)),
        right=False,
        why="takes labels for random given the human's verdict",
    ),
    Estimator(
        "the judge alone",
        lambda sample, level: mean_of_values(sample["judge"], level),
        right=False,
        why="takes the judge's verdicts for the humans'",
    ),
    Estimator(
        "naive",
        estimator_of(lambda judged, level: mean_of_values(judged.human[judged.seen], level)),
        right=False,
        why="the labels taken for a sample of the items",
    ),
)


def _query() -> Query:
    return sampled_query(
        "share of all answers that humans would approve",
        (0.35 + 0.3 * 0.5, lambda: _TABLE.mean(lambda v: v["human"])),
        (_naive(), "the labels taken for a sample of the items"),
        (
            Estimator(
                "doubly robust, chances of labels fitted",
                _robust,
                why="style and verdict hold all that moved both label and human; one of two models is right",
            ),
            Estimator("weighted by known chances of labels", _weighted, why="the chances of labels were recorded"),
            Estimator("by style and verdict", _cells, why="within style and verdict labels are random"),
            *_WRONG,
        ),
        _TABLE.sample,
        BY,
    )


_WORLD: Final = KnownWorld(
    name="selected labels",
    question="Humans labelled the doubtful answers only: what share of all answers would they approve?",
    edges=_TABLE.edges,
    world=_TABLE.program,
    facts={},
    queries=(_query(),),
    sites=_TABLE.names,
    law=_TABLE.law,
    assumptions=(
        "Style and the judge's verdict hold all that moved both who was labelled and what the human said.",
        "Every kind of answer had some chance of a label.",
    ),
    by=BY,
)


def _study(seed: int) -> Study:
    sample = _WORLD.sample(_ITEMS, seed)
    judged = judged_of(sample)
    asked = tuple(asked_of(query, sample) for query in _WORLD.queries)
    rows = []
    for style in (0, 1):
        for verdict in (0, 1):
            cell = (sample["style"] == style) & (sample["judge"] == verdict)
            seen = cell & judged.labelled
            said = float(judged.human[seen].mean())
            rows.append(
                (
                    ("long" if style else "short") + (", yes" if verdict else ", no"),
                    float(cell.mean()),
                    seen.sum() / cell.sum(),
                    said,
                )
            )
    return Study(
        source=f"{_ITEMS:,} answers drawn from the world, {len(judged.seen)} of them labelled, seed {seed}",
        asked=asked,
        sensitivity=label_odds(judged, seed, _features(sample)),
        figures=(
            Figures(
                title="Who was labelled",
                titles=("answer, judge's verdict", "share of items", "labelled", "approved, of the labelled"),
                rows=tuple(rows),
            ),
        ),
        decision=share_decision(asked[0].answers[0].estimate, "of all answers"),
    )


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("evaluation", _WORLD, _study),)
