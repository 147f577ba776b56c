"""A costly model was run on few prompts, a cheap one on all: the cheap one's results stand in for the costly one's.

    hard ---> small
      |
      +-----> large         run (which prompts the large model was run on): at random

No judge at all: what predicts whether the large model is right is whether the small one was. Six prompts in ten are
hard. P(small right | hard) = .9 - .5 hard, P(large right | hard) = .95 - .25 hard.

Truth: the large model is right in .95 - .25 x .6 = .8, and .2 more often than the small one. Naive: the small model's
score, with the gain that the large one had on the prompts which the small one failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.evaluation.routellm import ROUTELLM
from ifonly.scenarios.evaluation.sampled import BY, judged_of, label_odds, mean_of_values
from ifonly.scenarios.known import Estimator, KnownWorld, Query, sampled_query
from ifonly.scenarios.scenario import Scenario, asked_of
from ifonly.scenarios.study import Study
from ifonly.scenarios.tabular import Site, Tabular
from ifonly.scm.evaluation.labels import Judged
from ifonly.scm.evaluation.powered import powered
from ifonly.scm.evaluation.stratified import labels_needed

if TYPE_CHECKING:
    from ifonly.scenarios.known import Sample
    from ifonly.scm.estimate import Estimate

__all__ = ["SCENARIOS"]

_ITEMS: Final = 5_000
_HALF: Final = 0.02

_TABLE: Final = Tabular(
    {
        "hard": Site((0.4, 0.6)),
        "small": Site(lambda hard: 0.9 - 0.5 * hard, ("hard",)),
        "large": Site(lambda hard: 0.95 - 0.25 * hard, ("hard",)),
        "run": Site((0.95, 0.05)),
    }
)


def _items(sample: Sample) -> Judged:
    return judged_of(sample, "large", "small", "run")


def _gain(sample: Sample) -> Judged:
    """Large less small, predicted by small: of every prompt the small one's result is known."""
    items = _items(sample)
    return Judged(items.human - items.judge, items.judge)


def _reversed(sample: Sample, level: float) -> Estimate:
    """Less small: the gain falls where the small one is right, and PPI++ gives no negative weight."""
    gain = _gain(sample)
    return powered(Judged(gain.human, -gain.judge)).estimate(level)


def _failed(sample: Sample, level: float) -> Estimate:
    """The large model's share among prompts that the small one failed, taken for its gain."""
    items = _items(sample)
    rows = items.labelled & (items.judge == 0)
    return mean_of_values(items.human[rows], level)


def _level() -> Query:
    return sampled_query(
        "how often the large model is right, on all prompts",
        (0.95 - 0.25 * 0.6, lambda: _TABLE.mean(lambda v: v["large"])),
        (0.9 - 0.5 * 0.6, "the small model's score taken for the large one's"),
        (
            Estimator(
                "prediction-powered, tuned",
                lambda sample, level: powered(_items(sample)).estimate(level),
                why="the prompts that the large model was run on were drawn at random",
            ),
            Estimator(
                "its own runs alone",
                lambda sample, level: powered(_items(sample), 0.0).estimate(level),
                why="the same, without the small model",
            ),
            Estimator(
                "naive",
                lambda sample, level: mean_of_values(sample["small"], level),
                right=False,
                why="the small model's score taken for the large one's",
            ),
        ),
        _TABLE.sample,
        BY,
    )


def _better() -> Query:
    def brute() -> float:
        return _TABLE.mean(lambda v: v["large"] - v["small"])

    missed = _TABLE.mean(lambda v: v["large"], lambda v: not v["small"])
    return sampled_query(
        "how much more often the large model is right",
        (0.8 - 0.6, brute),
        (missed, "how often it is right where the small one failed"),
        (
            Estimator(
                "prediction-powered, tuned",
                _reversed,
                why="the prompts that the large model was run on were drawn at random",
            ),
            Estimator(
                "prompts with both alone",
                lambda sample, level: powered(_gain(sample), 0.0).estimate(level),
                why="the same, without the other prompts",
            ),
            Estimator("naive", _failed, right=False, why="how often it is right where the small one failed"),
        ),
        _TABLE.sample,
        BY,
        span=(-1.0, 1.0),
    )


_WORLD: Final = KnownWorld(
    name="stand in",
    question="The costly model was run on few prompts, the cheap one on all: how good is the costly one?",
    edges=_TABLE.edges,
    world=_TABLE.program,
    facts={},
    queries=(_level(), _better()),
    sites=_TABLE.names,
    law=_TABLE.law,
    assumptions=(
        "Which prompts the costly model was run on was left to chance.",
        "All prompts are those that we care about.",
    ),
    by=BY,
    hidden=frozenset({"hard"}),
)


def _study(seed: int) -> Study:
    sample = _WORLD.sample(_ITEMS, seed)
    items = _items(sample)
    asked = tuple(asked_of(query, sample) for query in _WORLD.queries)
    gain, needed = asked[1].answers[0].estimate, labels_needed(items, _HALF)
    more = f"{needed:,} runs would tell its score within {_HALF:g}."
    decision = f"The costly model is right {gain.low:.2f} to {gain.high:.2f} more often. {more}"
    return Study(
        source=f"{_ITEMS:,} prompts drawn from the world, {int(np.sum(sample['run']))} run on both models, seed {seed}",
        asked=asked,
        sensitivity=label_odds(items, seed),
        decision=decision,
    )


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("evaluation", _WORLD, _study, ROUTELLM),)
