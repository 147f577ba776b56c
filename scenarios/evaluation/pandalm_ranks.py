"""Real data: five 7B models of `pandalm_judges` in order, by two LLM judges and few labels of humans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.evaluation.pandalm import JUDGES, Pairs, read_pairs
from ifonly.scenarios.evaluation.sampled import label_odds
from ifonly.scenarios.evaluation.subsets import TITLES, hide_labels, label_subsets, row_of
from ifonly.scenarios.scenario import RealData
from ifonly.scenarios.study import Asked, Figures, Finding, Study
from ifonly.scm.draw import Draw
from ifonly.scm.evaluation.labels import Judged
from ifonly.scm.evaluation.powered import powered, powered_mean, powered_value
from ifonly.scm.evaluation.ranking import Ranked, rank_systems
from ifonly.scm.evaluation.strengths import powered_strengths
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ifonly.scm.policy.logged import Floats

__all__ = ["PANDALM_RANKS", "ranks_figures"]

_LABELS: Final = 200
_REPEATS: Final = 1_000
_JUDGE: Final = "PandaLM-7B"


_TITLE: Final = "Systems in order; intervals and ranks hold for all at once"
_STRENGTHS: Final = "The same by strength, as if all had met the same opponents: log-odds, less the mean of all"


def ranks_figures(ranks: Sequence[Ranked], judges: Mapping[str, float], title: str = _TITLE) -> Figures:
    """The table of a ranking.

    Args:
        ranks: best first.
        judges: the judge's number of each system, without correction.
        title: of the table.
    """
    order = sorted(judges, key=lambda name: -judges[name])
    rows = tuple(
        (
            one.system,
            one.value.value or 0.0,
            one.value.low,
            one.value.high,
            f"{one.best}" if one.best == one.worst else f"{one.best} to {one.worst}",
            judges[one.system],
            f"{1 + order.index(one.system)}",
        )
        for one in ranks
    )
    titles = ("system", "value", "low", "high", "rank", "the judge alone", "its rank")
    return Figures(title=title, titles=titles, rows=rows)


def system_values(pairs: Pairs, human: Floats, judge: Floats) -> dict[str, Value]:
    """The prediction-powered win rate of each system, with influence functions over all pairs and groups of prompts.

    Args:
        pairs: who met whom.
        human: scores, not a number where hidden, shape (n,).
        judge: scores, shape (n,).
    """
    found = {}
    for name in pairs.systems:
        rows = np.flatnonzero(pairs.side(name))
        made = powered_value(Judged(pairs.wins(name, human), pairs.wins(name, judge)))
        influence = np.zeros(len(human))
        influence[rows] = made.influence * len(human) / len(rows)
        found[name] = Value(name, made.value, influence, clusters=pairs.clusters)
    return found


def _study(path: Path, seed: int) -> Study:
    pairs = read_pairs(path)
    human = hide_labels(pairs.human, _LABELS, Draw(seed))
    judge = pairs.judges[_JUDGE]
    ranks = rank_systems(system_values(pairs, human, judge), Draw(seed))
    alone = {name: float(pairs.wins(name, judge).mean()) for name in pairs.systems}
    best, truth = ranks[0].system, {name: float(pairs.wins(name, pairs.human).mean()) for name in pairs.systems}
    rows = []
    for name in pairs.systems:
        for told in JUDGES.values():
            full, scores = pairs.wins(name, pairs.human), pairs.wins(name, pairs.judges[told])
            rows.append(row_of(f"{name}, {told}", label_subsets(full, scores, 60, Draw(seed), _REPEATS)))
    asked = tuple(_asked(name, pairs, human, truth[name]) for name in (one.system for one in ranks))
    order = sorted(truth, key=lambda name: -truth[name])
    held = sum(one.best <= 1 + order.index(one.system) <= one.worst for one in ranks)
    return Study(
        source=f"{len(human)} pairs of five 7B models; the majority of three humans is known for all, and hidden for "
        f"all but {_LABELS}, seed {seed}; judge {_JUDGE}",
        asked=asked,
        sensitivity=label_odds(Judged(pairs.wins(best, human), pairs.wins(best, judge)), seed),
        figures=(
            ranks_figures(ranks, alone),
            _by_strength(pairs, human, judge, seed),
            Figures(
                title="Intervals over 1,000 random sets of 60 labels of a system's pairs, against the mean of all",
                titles=TITLES,
                rows=tuple(rows),
            ),
        ),
        decision=_decision(ranks),
        notes=(
            f"By all labels the order is {', '.join(order)}; the ranks left open hold {held} of {len(order)} of these.",
            "Opponents are those that each model met: a win rate is over its pairs. A strength assumes that log-odds "
            "are differences of strengths (Bradley and Terry 1952).",
        ),
    )


def _by_strength(pairs: Pairs, human: Floats, judge: Floats, seed: int) -> Figures:
    def strengths(labels: Floats) -> dict[str, Value]:
        return powered_strengths(pairs.first, pairs.second, Judged(labels, judge, pairs.clusters))

    ranks = rank_systems(strengths(human), Draw(seed))
    return ranks_figures(ranks, {name: one.value for name, one in strengths(judge).items()}, _STRENGTHS)


def _asked(name: str, pairs: Pairs, human: Floats, truth: float) -> Asked:
    judged = Judged(pairs.wins(name, human), pairs.wins(name, pairs.judges[_JUDGE]))
    best, alone = powered(judged, finite=True), powered(judged, 0.0, finite=True)
    taken = powered_mean(judged.judge, judged.judge, judged.judge[:0])
    why = "labels are given at random"
    return Asked(
        name=f"win rate of {name} in these pairs, by the majority of humans",
        truth=truth,
        naive=Finding(
            name="naive",
            estimate=taken.estimate().model_copy(update={"rung": "observed"}),
            why=f"{_JUDGE}'s verdicts taken for the humans'",
            error=taken.value - truth,
        ),
        answers=(
            Finding(name="prediction-powered, tuned", estimate=best.estimate(), why=why, error=best.value - truth),
            Finding(name="human labels alone", estimate=alone.estimate(), why=why, error=alone.value - truth),
        ),
    )


def _decision(ranks: Sequence[Ranked]) -> str:
    open_ = [one.system for one in ranks if one.best == 1]
    if len(open_) == 1:
        return f"Take {open_[0]}: it is surely the best of the five by humans."
    return f"Take one of {', '.join(open_)}: {_LABELS} labels do not tell which of them is best by humans."


# The same data, asked for the order of all five: of `own_favourite`.
PANDALM_RANKS: Final = RealData("pandalm_judges", _study)
