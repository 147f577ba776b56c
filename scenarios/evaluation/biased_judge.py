"""An LLM judge that likes long answers, what is shown first, and its own family; a few human labels.

    style ----> human ----> judge <---- position, own
      +----------------------^                            labelled: at random

Each item is a pair of answers; 1 means that ours wins. Ours is the longer one (style) in .6 of the pairs, is shown
first (position) in .7, and is of the judge's family (own) in .3.

P(human prefers ours) = .3 + .3 style
P(judge prefers ours) = .15 + .35 human + .3 style + .08 position + .1 own

Truth: the win rate by humans is .3 + .3 x .6 = .48. Naive: the judge's, .15 + .35 x .48 + .3 x .6 + .08 x .7 + .1 x .3
= .584. Were ours always the longer one, humans would prefer it .3 more often than were it always the shorter; the judge
says .405. Part of the judge's agreement with humans is that both like long answers: kappa within style is what quality
alone makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ifonly.scenarios.evaluation.pandalm import PANDALM
from ifonly.scenarios.evaluation.sampled import BY, estimator_of, human_error, judged_of, label_odds, mean_of_values
from ifonly.scenarios.known import Estimator, KnownWorld, Query, sampled_query
from ifonly.scenarios.scenario import Scenario, asked_of
from ifonly.scenarios.study import Figures, Study
from ifonly.scenarios.tabular import Site, Tabular
from ifonly.scm.evaluation.agreement import kappa
from ifonly.scm.evaluation.leaning import leanings
from ifonly.scm.evaluation.misclassified import rates, rates_by, rogan_gladen
from ifonly.scm.evaluation.powered import powered, powered_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.scenarios.known import Sample, Values
    from ifonly.scm.estimate import Estimate
    from ifonly.scm.evaluation.labels import Judged
    from ifonly.scm.policy.logged import Floats

__all__ = ["SCENARIOS"]

_LABELS: Final = 0.05
_ITEMS: Final = 4_000
_CAUSES: Final = ("style", "position", "own")

_TABLE: Final = Tabular(
    {
        "style": Site((0.4, 0.6)),
        "position": Site((0.3, 0.7)),
        "own": Site((0.7, 0.3)),
        "human": Site(lambda style: 0.3 + 0.3 * style, ("style",)),
        "judge": Site(
            lambda human, style, position, own: 0.15 + 0.35 * human + 0.3 * style + 0.08 * position + 0.1 * own,
            ("human", *_CAUSES),
        ),
        "labelled": Site((1 - _LABELS, _LABELS)),
    }
)
# P(judge prefers ours) = _START + .35 human + .3 style, with position and own at their means.
_START: Final = 0.15 + 0.08 * 0.7 + 0.1 * 0.3


def _features(sample: Sample) -> Mapping[str, Floats]:
    return {name: sample[name] for name in _CAUSES}


def _difference(sample: Sample, level: float, tuning: float | None = None) -> Estimate:
    """Between long and short answers, which are other items: style is assigned by chance here."""
    judged = judged_of(sample)
    long, short = (powered(judged.take(sample["style"] == value), tuning) for value in (1, 0))
    return long.less(short).estimate(level)


def _judges_difference(sample: Sample, level: float) -> Estimate:
    """The judge's own, all items taken for labelled."""
    long, short = (sample["judge"][sample["style"] == value] for value in (1, 0))
    none = long[:0]
    return powered_mean(long, long, none).less(powered_mean(short, short, none)).estimate(level)


def _borrowed(judged: Judged, sample: Sample, level: float) -> Estimate:
    """Rates counted on short answers alone, as on a benchmark of those."""
    short = judged.take(sample["style"] == 0)
    return rogan_gladen(judged.judge[~judged.labelled], rates(short), level)


def _win_rate() -> Query:
    return sampled_query(
        "our win rate, by humans",
        (0.3 + 0.3 * 0.6, lambda: _TABLE.mean(lambda v: v["human"])),
        (_START + 0.35 * 0.48 + 0.3 * 0.6, "the judge's verdicts taken for the humans'"),
        (
            Estimator(
                "prediction-powered, tuned",
                estimator_of(lambda judged, level: powered(judged).estimate(level)),
                why="labels are given at random",
            ),
            Estimator(
                "Rogan-Gladen",
                estimator_of(lambda judged, level: rogan_gladen(judged.judge[~judged.labelled], rates(judged), level)),
                why="labels are random given the human's verdict; rates are those of these items",
            ),
            Estimator(
                "human labels alone",
                estimator_of(lambda judged, level: powered(judged, 0.0).estimate(level)),
                why="labels are given at random; the judge is not used",
            ),
            Estimator(
                "Rogan-Gladen, rates of short answers",
                lambda sample, level: _borrowed(judged_of(sample), sample, level),
                right=False,
                why="rates counted on items of another style",
            ),
            Estimator(
                "naive",
                lambda sample, level: mean_of_values(sample["judge"], level),
                right=False,
                why="the judge's verdicts taken for the humans'",
            ),
        ),
        _TABLE.sample,
        BY,
    )


def _effect() -> Query:
    def brute() -> float:
        long, short = (_TABLE.mean(lambda v: v["human"], lambda v, s=s: v["style"] == s) for s in (1, 0))  # type: ignore[misc]
        return long - short

    return sampled_query(
        "win rate were ours always the longer one, less were it always the shorter",
        (0.3, brute),
        (0.35 * 0.3 + 0.3, "the judge's own difference"),
        (
            Estimator(
                "prediction-powered difference",
                _difference,
                why="labels are given at random; style has no common cause",
            ),
            Estimator(
                "human labels alone",
                lambda sample, level: _difference(sample, level, 0.0),
                why="the same, without judge",
            ),
            Estimator("naive", _judges_difference, right=False, why="the judge's own difference"),
        ),
        _TABLE.sample,
        BY,
        span=(-1.0, 1.0),
    )


def _leaning() -> Query:
    def brute() -> float:
        """The mean over human verdicts, as they come, of the judge's difference between styles."""
        total = 0.0
        for h in (0, 1):
            long, short = (
                _TABLE.mean(lambda v: v["judge"], lambda v, h=h, s=s: v["human"] == h and v["style"] == s)  # type: ignore[misc]
                for s in (1, 0)
            )
            total += _TABLE.mean(lambda v, h=h: v["human"] == h) * (long - short)  # type: ignore[misc]
        return total

    return sampled_query(
        "what length alone adds to the judge's verdict, the human's held",
        (0.3, brute),
        (0.35 * 0.3 + 0.3, "all of the judge's difference taken for bias, also what humans like"),
        (
            Estimator(
                "controlled direct effect",
                lambda sample, level: leanings(judged_of(sample), _features(sample))["style"].estimate(level),
                why="the human's verdict is all the quality there is; effects add up",
            ),
            Estimator("naive", _judges_difference, right=False, why="the whole difference taken for bias"),
        ),
        _TABLE.sample,
        BY,
        span=(-1.0, 1.0),
    )


def _kappas() -> tuple[float, float]:
    """Within style and plain: kappa = 2 Cov(judge, human) / P(they would differ if independent)."""
    shares, h = (0.4, 0.6), (0.3, 0.6)
    j = [_START + 0.35 * h[s] + 0.3 * s for s in (0, 1)]
    within = 2 * 0.35 * sum(w * p * (1 - p) for w, p in zip(shares, h, strict=True))
    chance = sum(w * (p * (1 - q) + (1 - p) * q) for w, p, q in zip(shares, h, j, strict=True))
    mean, all_j = 0.48, _START + 0.35 * 0.48 + 0.18
    cov = 0.35 * mean * (1 - mean) + 0.3 * 0.3 * 0.4 * 0.6
    return within / chance, 2 * cov / (mean * (1 - all_j) + (1 - mean) * all_j)


def _agreement() -> Query:
    def differ(v: Values) -> float:
        return float(v["human"] != v["judge"])

    def brute() -> float:
        chance = 0.0
        for s in (0, 1):
            h, j = (_TABLE.mean(lambda v, k=k: v[k], lambda v, s=s: v["style"] == s) for k in ("human", "judge"))  # type: ignore[misc]
            chance += _TABLE.mean(lambda v, s=s: v["style"] == s) * (h * (1 - j) + (1 - h) * j)  # type: ignore[misc]
        return 1 - _TABLE.mean(differ) / chance

    within, plain = _kappas()
    return sampled_query(
        "agreement of judge and human that quality makes (kappa)",
        (within, brute),
        (plain, "agreement because both like long answers counted, too"),
        (
            Estimator(
                "kappa within style",
                lambda sample, level: kappa(judged_of(sample), sample["style"].tolist()).estimate(level),
                why="style is the only common cause beside quality",
            ),
            Estimator(
                "naive",
                estimator_of(lambda judged, level: kappa(judged).estimate(level)),
                right=False,
                why="plain kappa: agreement that both have from style counted, too",
            ),
        ),
        _TABLE.sample,
        BY,
        span=(-1.0, 1.0),
    )


_WORLD: Final = KnownWorld(
    name="biased judge",
    question="A judge prefers our answers, and we have a few human labels: how often do humans prefer them?",
    edges=_TABLE.edges,
    world=_TABLE.program,
    facts={},
    queries=(_win_rate(), _effect(), _leaning(), _agreement()),
    sites=_TABLE.names,
    law=_TABLE.law,
    assumptions=(
        "Which items humans labelled was left to chance.",
        "A human's verdict is what we want to know; humans err, too, and the sensitivity says what that would do.",
        "For the effect of length: whose answer is longer has no cause that also moves the verdict.",
        "For what length adds to the judge: the human's verdict holds all of the quality that the judge should see.",
    ),
    by=BY,
)


def _study(seed: int) -> Study:
    sample = _WORLD.sample(_ITEMS, seed)
    judged = judged_of(sample)
    asked = tuple(asked_of(query, sample) for query in _WORLD.queries)
    best = asked[0].answers[0].estimate
    rows = []
    for name in _CAUSES:
        for value, counted in sorted(rates_by(judged, sample[name].tolist()).items(), key=lambda pair: str(pair[0])):
            se, sp = counted.sensitivity(), counted.specificity()
            rows.append((f"{name} = {value:g}", se.value or 0.0, se.low, se.high, sp.value or 0.0, sp.low, sp.high))
    moved = leanings(judged, _features(sample))
    added = [(name, *_told(value.estimate())) for name, value in moved.items()]
    return Study(
        source=f"{_ITEMS:,} pairs drawn from the world, {len(judged.seen)} of them labelled, seed {seed}",
        asked=asked,
        sensitivity=(*label_odds(judged, seed), *human_error(best)),
        figures=(
            Figures(
                title="How often the judge is right",
                titles=("items", "sensitivity", "low", "high", "specificity", "low", "high"),
                rows=tuple(rows),
            ),
            Figures(
                title="What moves the judge, the human's verdict held",
                titles=("feature", "adds", "low", "high"),
                rows=tuple(added),
            ),
        ),
        decision=_decision(best),
    )


def _told(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value or 0.0, estimate.low, estimate.high


def _decision(best: Estimate) -> str:
    if best.low > 0.5:  # noqa: PLR2004 -- a coin's
        return "Ship ours: humans prefer it, and what the judge gets wrong does not change that."
    if best.high < 0.5:  # noqa: PLR2004
        return "Do not ship ours: the judge prefers it, and humans prefer the other."
    return "Do not ship on the judge's word: by humans it is open which is better; label more pairs, drawn at random."


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("evaluation", _WORLD, _study, PANDALM),)
