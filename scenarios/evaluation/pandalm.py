"""Real data: PandaLM's test set, three humans beside two LLM judges on pairs of answers by five 7B models.

`pandalm_judges` (../shared/data, SOURCE.md): 698 pairs with the majority of three annotators (first answer 1, tie .5,
second 0), GPT-3.5's and PandaLM-7B's verdicts, and lengths. A verdict that could not be read (18 of GPT-3.5's) counts
as a tie. All items are labelled, so that most labels can be hidden and the answer checked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.agents.tables import Table, read_table
from ifonly.scenarios.evaluation.sampled import human_error, label_odds
from ifonly.scenarios.evaluation.subsets import TITLES, hide_labels, label_subsets, row_of
from ifonly.scenarios.scenario import RealData
from ifonly.scenarios.study import Asked, Figures, Finding, Picture, Series, Study
from ifonly.scm.draw import Draw
from ifonly.scm.evaluation.agreement import agreement, kappa
from ifonly.scm.evaluation.labels import Judged
from ifonly.scm.evaluation.leaning import leanings
from ifonly.scm.evaluation.powered import Powered, powered, powered_mean
from ifonly.scm.policy.logged import group_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["JUDGES", "PANDALM", "Pairs", "read_pairs"]

FILE: Final = "pairs.jsonl.gz"
# Columns of the two judges, with their names.
JUDGES: Final = {"judge_gpt35": "GPT-3.5", "judge_pandalm7b": "PandaLM-7B"}
_HUMANS: Final = ("annotator1", "annotator2", "annotator3")
_WINS: Final = {"1": 1.0, "2": 0.0}
_VOTES: Final = frozenset({"0", *_WINS})
_OURS: Final = "llama-7b"
_LABELS: Final = 60
_SUBSETS: Final = (30, 60, 120)
_REPEATS: Final = 1_000


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs.

    Attributes:
        first: system of each first answer.
        second: system of each second answer.
        human: majority of annotators, 1 for the first answer, .5 for a tie, shape (n,).
        judges: verdicts by judge, shape (n,) each.
        longer: 1 where the first answer is the longer one, .5 where they are as long, shape (n,).
        clusters: of pairs with the same instruction, shape (n,).
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    human: Floats
    judges: Mapping[str, Floats]
    longer: Floats
    clusters: Ints

    @property
    def systems(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(sorted({*self.first, *self.second}))

    def side(self, system: str) -> Floats:
        """1 where a system gave the first answer, -1 the second, 0 where it has no part, shape (n,)."""
        return np.array(
            [(a == system) - (b == system) for a, b in zip(self.first, self.second, strict=True)], dtype=float
        )

    def wins(self, system: str, scores: Floats) -> Floats:
        """Scores as wins of a system, over the pairs that it takes part in, shape (m,)."""
        side = self.side(system)
        won: Floats = 0.5 + side[side != 0] * (scores[side != 0] - 0.5)
        return won


def read_pairs(path: Path) -> Pairs:
    """Read the pairs.

    Args:
        path: ``pairs.jsonl.gz``, or the folder that holds it.

    Raises:
        InputError: it cannot be read, or a pair has no majority.
        UnknownName: a column is missing.
    """
    table = read_table([path / FILE if path.is_dir() else path])
    keys = [key.split("_") for key in table.texts("cmp_key")]
    first, second = (tuple(key[place] for key in keys) for place in (0, 1))
    asked = [f"{a}\n{b}" for a, b in zip(table.texts("instruction"), table.texts("input"), strict=True)]
    lengths = [np.array(table.numbers(f"r{side}_chars")) for side in (1, 2)]
    return Pairs(
        first,
        second,
        _majority(table),
        {name: _scores(table, column) for column, name in JUDGES.items()},
        0.5 + 0.5 * np.sign(lengths[0] - lengths[1]),
        group_numbers(np.unique(asked, return_inverse=True)[1], len(asked)),
    )


def _scores(table: Table, column: str) -> Floats:
    return np.array([_WINS.get(text.removesuffix(".0"), 0.5) for text in table.texts(column)])


def _majority(table: Table) -> Floats:
    for column in _HUMANS:
        odd = [row for row, text in enumerate(table.texts(column), 1) if text.removesuffix(".0") not in _VOTES]
        if odd:
            what = "no pair has a human's vote" if len(odd) == len(table) else f"{len(odd)} pairs have no human's vote"
            fix = "Votes are 0 (tie), 1 or 2; leave pairs without out, or have them labelled."
            raise InputError(table.name, what, fix, record=odd[0], field=column)
    votes = list(zip(*(_scores(table, column).tolist() for column in _HUMANS), strict=True))
    found = [Counter(three).most_common(1)[0] for three in votes]
    split = [row for row, (_, count) in enumerate(found, 1) if count == 1]
    if split:
        raise InputError(
            table.name, f"{len(split)} pairs have three different votes", "Leave them out.", record=split[0]
        )
    return np.array([vote for vote, _ in found])


def _study(path: Path, seed: int) -> Study:
    pairs = read_pairs(path)
    human = pairs.wins(_OURS, pairs.human)
    kept = hide_labels(human, _LABELS, Draw(seed))
    judges = {name: pairs.wins(_OURS, scores) for name, scores in pairs.judges.items()}
    items = {name: Judged(kept, scores) for name, scores in judges.items()}
    asked = tuple(_asked(name, one, float(human.mean())) for name, one in items.items())
    rows, curves = _coverage(human, judges, seed)
    best = asked[0].answers[0].estimate
    return Study(
        source=f"{len(human)} pairs of {_OURS} and four other 7B models; the majority of three humans is known for "
        f"all, and hidden for all but {_LABELS}, seed {seed}",
        asked=asked,
        sensitivity=(*label_odds(next(iter(items.values())), seed), *human_error(best)),
        figures=(
            Figures(
                title="Intervals over 1,000 random sets of labels, against the mean of all", titles=TITLES, rows=rows
            ),
            _trust(pairs),
            _lean(pairs),
        ),
        pictures=(curves,),
        decision=_decision(best, {name: float(scores.mean()) for name, scores in judges.items()}),
        notes=("A verdict that could not be read counts as a tie; so does a tie of the humans.",),
    )


def _asked(name: str, judged: Judged, truth: float) -> Asked:
    seen = judged.labelled
    finite, alone = powered(judged, finite=True), powered(judged, 0.0, finite=True)
    taken = powered_mean(judged.judge, judged.judge, judged.judge[:0])
    naive = Finding(
        name="naive",
        estimate=taken.estimate().model_copy(update={"rung": "observed"}),
        why=f"{name}'s verdicts taken for the humans'",
        error=taken.value - truth,
    )
    why = "labels are given at random"
    return Asked(
        name=f"win rate of {_OURS} in these pairs, by the majority of humans; judge {name}, {int(seen.sum())} labels",
        truth=truth,
        naive=naive,
        answers=(
            _finding("prediction-powered, tuned", finite, truth, f"{why}; weight of the judge {finite.tuning:.2f}"),
            _finding("human labels alone", alone, truth, why),
        ),
    )


def _finding(name: str, found: Powered, truth: float, why: str) -> Finding:
    return Finding(name=name, estimate=found.estimate(), why=why, error=found.value - truth)


def _coverage(
    human: Floats, judges: Mapping[str, Floats], seed: int
) -> tuple[tuple[tuple[str | float, ...], ...], Picture]:
    rows = []
    widths: dict[str, list[float]] = {"labels alone": []}
    for name, scores in judges.items():
        widths[name] = []
        for labels in _SUBSETS:
            found = label_subsets(human, scores, labels, Draw(seed), _REPEATS)
            rows.append(row_of(name, found))
            widths[name].append(found.width)
            if len(widths["labels alone"]) < len(_SUBSETS):
                widths["labels alone"].append(found.width_alone)
    sizes = tuple(map(float, _SUBSETS))
    series = [Series(name=name, x=sizes, y=tuple(values)) for name, values in widths.items()]
    return tuple(rows), Picture(
        title="Width of 95 % intervals", x="human labels", y="mean width over 1,000 random sets", series=tuple(series)
    )


def _trust(pairs: Pairs) -> Figures:
    rows: list[tuple[str | float, ...]] = []
    strata = pairs.longer.tolist()
    for name, scores in pairs.judges.items():
        judged = Judged(pairs.human, scores, pairs.clusters)
        for told, value in (
            ("same verdict", agreement(judged)),
            ("kappa", kappa(judged)),
            ("kappa within length", kappa(judged, strata)),
        ):
            made = value.estimate()
            rows.append((f"{name}: {told}", value.value, made.low, made.high))
    return Figures(
        title="Agreement with the majority, all pairs", titles=("judge", "value", "low", "high"), rows=tuple(rows)
    )


def _lean(pairs: Pairs) -> Figures:
    rows: list[tuple[str | float, ...]] = []
    for name, scores in pairs.judges.items():
        made = leanings(Judged(pairs.human, scores, pairs.clusters), {"longer": pairs.longer})["longer"].estimate()
        rows.append((f"{name}: the first answer is the longer one", made.value or 0.0, made.low, made.high))
    return Figures(
        title="What length adds to a judge's verdict, the humans' held, all pairs",
        titles=("judge", "adds", "low", "high"),
        rows=tuple(rows),
    )


def _decision(best: Estimate, judges: Mapping[str, float]) -> str:
    alone = " and ".join(f"{name} {share:.2f}" for name, share in judges.items())
    told = f"judges alone say {alone}"
    if best.low > 0.5:  # noqa: PLR2004 -- as often as not
        return f"Take {_OURS}: humans prefer it to the other four on the whole; {told}."
    if best.high < 0.5:  # noqa: PLR2004
        return f"Do not take {_OURS}: humans prefer the others; {told}."
    return (
        f"With {_LABELS} labels it is open whether humans prefer {_OURS} ({told}): have more pairs labelled at random."
    )


# PandaLM's test set, as the real data of `biased_judge`.
PANDALM: Final = RealData("pandalm_judges", _study)
