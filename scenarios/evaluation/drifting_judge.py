"""A judge whose model was changed half way through the year; most labels are from before.

    week ---> human ---> judge <--- week        week ---> labelled

Equally many answers in each of 52 weeks. P(human yes) = .4 + .25 week / 51: answers get better. The judge says yes
with .1 + .7 human in the first 26 weeks, and with .4 + .5 human from then on: the new one is milder, and worse.
P(labelled) is .12 in the first 26 weeks and .03 in the others.

Truth: .525 over the year, .4 + .25 x 45 / 51 = .621 in the last quarter. Naive: the judge corrected by one number that
is counted on all labels, most of which are of the old judge; for the last quarter, the judge corrected by the rates of
the first 26 weeks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ifonly.scenarios.evaluation.sampled import BY, estimator_of, judged_of, label_odds, mean_of_values, share_decision
from ifonly.scenarios.known import Estimator, KnownWorld, Query, sampled_query
from ifonly.scenarios.scenario import Scenario, asked_of
from ifonly.scenarios.study import Figures, Picture, Series, Study
from ifonly.scenarios.tabular import Site, Tabular
from ifonly.scm.draw import Draw
from ifonly.scm.evaluation.drifting import judge_drift, slices
from ifonly.scm.evaluation.misclassified import rates, rates_by, rogan_gladen
from ifonly.scm.evaluation.powered import powered
from ifonly.scm.evaluation.stratified import stratified_mean

if TYPE_CHECKING:
    from ifonly.scenarios.known import Sample
    from ifonly.scm.estimate import Estimate
    from ifonly.scm.evaluation.drifting import JudgeDrift
    from ifonly.scm.evaluation.labels import Judged
    from ifonly.scm.policy.logged import Floats

__all__ = ["SCENARIOS"]

_ITEMS: Final = 8_000
_WEEKS: Final = 52
_QUARTER: Final = 13
_LAST: Final = 39
_CHANGE: Final = 26
_WEEK: Final = np.arange(_WEEKS)


def _human(week: Any) -> Any:
    return 0.4 + 0.25 * week / (_WEEKS - 1)


def _judge(human: Any, week: Any) -> Any:
    return (0.1 + 0.7 * human) * (week < _CHANGE) + (0.4 + 0.5 * human) * (week >= _CHANGE)


def _chance(week: Any) -> Any:
    """Of a label."""
    return 0.12 * (week < _CHANGE) + 0.03 * (week >= _CHANGE)


_TABLE: Final = Tabular(
    {
        "week": Site((1 / _WEEKS,) * _WEEKS),
        "human": Site(_human, ("week",)),
        "judge": Site(_judge, ("human", "week")),
        "labelled": Site(_chance, ("week",)),
    }
)
# E[judge | week]: the judge's chance is linear in the human's verdict.
_SAYS: Final = _judge(_human(_WEEK), _WEEK)


def _pooled_limit() -> float:
    """Mean of the judge over unlabelled items, plus the mean error over labelled ones."""
    seen, rest = (chances / chances.sum() for chances in (_chance(_WEEK), 1 - _chance(_WEEK)))
    return float(rest @ _SAYS + seen @ (_human(_WEEK) - _SAYS))


def _borrowed_limit() -> float:
    """The judge's share in the last quarter, by a sensitivity of .8 and a specificity of .9."""
    return (float(_SAYS[_LAST:].mean()) + 0.9 - 1) / (0.8 + 0.9 - 1)


def _last(sample: Sample) -> Judged:
    return judged_of(sample).take(sample["week"] >= _LAST)


def _quarters(sample: Sample) -> Floats:
    quarters: Floats = sample["week"] // _QUARTER
    return quarters


def _borrowed(sample: Sample, level: float) -> Estimate:
    early = judged_of(sample).take(sample["week"] < _CHANGE)
    return rogan_gladen(_last(sample).judge, rates(early), level)


def _year() -> Query:
    return sampled_query(
        "share that humans approve, over the year",
        (0.525, lambda: _TABLE.mean(lambda v: v["human"])),
        (_pooled_limit(), "one correction for two judges"),
        (
            Estimator(
                "prediction-powered by quarter",
                lambda sample, level: stratified_mean(judged_of(sample), _quarters(sample).tolist()).estimate(level),
                why="labels are random within a quarter, and the judge is one there",
            ),
            Estimator(
                "prediction-powered before and after the change",
                lambda sample, level: stratified_mean(
                    judged_of(sample), slices(sample["week"], (float(_CHANGE),)).tolist()
                ).estimate(level),
                why="the change is where it was found; labels are random on each side of it",
            ),
            Estimator(
                "human labels alone",
                estimator_of(lambda judged, level: mean_of_values(judged.human[judged.seen], level)),
                right=False,
                why="most labels are from when answers were worse",
            ),
            Estimator(
                "naive",
                estimator_of(lambda judged, level: powered(judged, 1.0).estimate(level)),
                right=False,
                why="one correction for two judges",
            ),
        ),
        _TABLE.sample,
        BY,
    )


def _quarter() -> Query:
    return sampled_query(
        "share that humans approve, in the last quarter",
        (0.4 + 0.25 * 45 / 51, lambda: _TABLE.mean(lambda v: v["human"], lambda v: v["week"] >= _LAST)),
        (_borrowed_limit(), "the judge of today corrected by the rates of yesterday's"),
        (
            Estimator(
                "prediction-powered, labels of the quarter",
                lambda sample, level: powered(_last(sample)).estimate(level),
                why="labels are random within the quarter",
            ),
            Estimator(
                "human labels of the quarter alone",
                lambda sample, level: powered(_last(sample), 0.0).estimate(level),
                why="the same, without the judge",
            ),
            Estimator(
                "naive",
                _borrowed,
                right=False,
                why="Rogan-Gladen with rates counted before the change",
            ),
        ),
        _TABLE.sample,
        BY,
    )


_WORLD: Final = KnownWorld(
    name="drifting judge",
    question="Our judge may have changed since we had answers labelled: are the answers getting better?",
    edges=_TABLE.edges,
    world=_TABLE.program,
    facts={},
    queries=(_year(), _quarter()),
    sites=_TABLE.names,
    law=_TABLE.law,
    assumptions=(
        "Within a stretch of time, which answers were labelled was left to chance.",
        "Within a stretch of time, the judge is one and the same.",
        "Humans did not change: what they approve of now they would have approved of then.",
    ),
    by=BY,
)


def _study(seed: int) -> Study:
    sample = _WORLD.sample(_ITEMS, seed)
    judged, weeks = judged_of(sample), sample["week"]
    asked = tuple(asked_of(query, sample) for query in _WORLD.queries)
    found = judge_drift(judged, weeks, Draw(seed))
    counted = rates_by(judged, np.where(weeks < found.at, "before", "after").tolist())
    rows: list[tuple[str | float, ...]] = []
    for name in ("before", "after"):
        se, sp = counted[name].sensitivity(), counted[name].specificity()
        rows.append((name, se.value or 0.0, se.low, se.high, sp.value or 0.0, sp.low, sp.high))
    return Study(
        source=f"{_ITEMS:,} answers drawn from the world, {len(judged.seen)} of them labelled, seed {seed}",
        asked=asked,
        sensitivity=label_odds(judged.take(weeks >= _LAST), seed),
        figures=(
            Figures(
                title=f"The judge before and after week {found.at:g}, the likeliest change",
                titles=("labels", "sensitivity", "low", "high", "specificity", "low", "high"),
                rows=tuple(rows),
            ),
        ),
        pictures=(_picture(sample),),
        decision=_decision(found, asked[1].answers[0].estimate),
        notes=(f"Change of the judge: likeliest in week {found.at:g}; p = {found.p_value:.3f} of no change.",),
    )


def _picture(sample: Sample) -> Picture:
    judged, quarters = judged_of(sample), _quarters(sample)
    at = tuple(range(_WEEKS // _QUARTER))
    corrected = [powered(judged.take(quarters == quarter)).estimate() for quarter in at]
    x = tuple(float(1 + quarter) for quarter in at)
    return Picture(
        title="By quarter",
        x="quarter",
        y="share approved",
        series=(
            Series(
                name="corrected by the labels of the quarter",
                x=x,
                y=tuple(one.value or 0.0 for one in corrected),
                low=tuple(one.low for one in corrected),
                high=tuple(one.high for one in corrected),
            ),
            Series(name="the judge alone", x=x, y=tuple(float(judged.judge[quarters == one].mean()) for one in at)),
            Series(name="truth", x=x, y=tuple(float(_human(_WEEK[one == _WEEK // _QUARTER]).mean()) for one in at)),
        ),
    )


def _decision(found: JudgeDrift, best: Estimate) -> str:
    if found.p_value > 0.05:  # noqa: PLR2004 -- the usual level
        return "No change of the judge is to be seen: one correction will do; go on labelling a few answers a week."
    return f"The judge changed about week {found.at:g}: correct each stretch by its own labels. " + share_decision(
        best, "in the last quarter"
    )


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("evaluation", _WORLD, _study),)
