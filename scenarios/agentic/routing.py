"""Which model should answer today, where a router's log is confounded, questions get harder, and money is short?

    late ---> hard ---> large ---> correct
               |                      ^
               +----------------------+

P(late) = .5: the recent half of the log;  P(hard | late) = .3 + .4 late: questions get harder
P(large | hard) = .2 + .6 hard: hard questions go to the large model
P(correct | hard, large) = .9 - .6 hard, by the large model .95 - .25 hard

Asked is the worth *today*, late = 1. Truth: all to the small model .48; the large one gains .295 over it; the large
one where it is hard .76. Naive: the small model's mean in the log is .78, as it was given easy questions in easy
times, and the large one seems to gain -.03. Standardising over difficulty as the whole log has it gives .6: it sets the
routing right and not the time.

Real data: RouteLLM's prompts, of which both models' answers are known (`ifonly.scenarios.routing`); every estimator at
length, and policies designed under a budget: ``ifonly bench routing``, ``ifonly policy``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.agentic.contrasts import shifted
from ifonly.scenarios.agentic.routing_real import real_study
from ifonly.scenarios.agentic.steps import Step, Steps
from ifonly.scenarios.known import Estimator, KnownWorld, law_of, mean_of, sampled_query
from ifonly.scenarios.scenario import RealData, Scenario, asked_of
from ifonly.scenarios.study import Figures, Study
from ifonly.scm.nested import Sampling
from ifonly.scm.strata import standardised

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ifonly.scenarios.known import Query, Respond, Sample
    from ifonly.scm.clustered import Clustered
    from ifonly.scm.estimate import Estimate

__all__ = ["SCENARIOS"]

_BY: Final = Sampling(particles=10_000, seed=0, level=1 - 1e-6)
_DRAWN: Final = 4_000
_PRICE: Final = 20.0
"""Of a call to the large model, in calls to the small one."""

_STEPS: Final = Steps(
    (
        Step("late", lambda cell: cell, weights=(0.5, 0.5)),
        Step("hard", lambda cell, late: 1 * (cell < 6 + 8 * late), ("late",)),
        Step("large", lambda cell, hard: 1 * (cell < 4 + 12 * hard), ("hard",)),
        Step(
            "correct", lambda cell, hard, large: 1 * (cell < 18 - 12 * hard + large * (1 + 7 * hard)), ("hard", "large")
        ),
    )
)
_TODAY: Final = {"late": 1}


def _worth(sample: Sample, taken: NDArray[np.bool_], mode: str) -> Clustered:
    """What a policy is worth: raw means; standardised over difficulty; and over that of today."""
    strata = np.zeros(len(taken)) if mode == "naive" else sample["hard"]
    return standardised(taken, sample["correct"], strata, target=sample["late"] if mode == "right" else None)


def _small(sample: Sample) -> NDArray[np.bool_]:
    return np.asarray(sample["large"] == 0)


def _where_hard(sample: Sample) -> NDArray[np.bool_]:
    return np.asarray(sample["large"] == sample["hard"])


def _value(taken: Callable[[Sample], NDArray[np.bool_]], mode: str) -> Callable[[Sample, float], Estimate]:
    return lambda sample, level: _worth(sample, taken(sample), mode).estimate(level)


def _gain(mode: str) -> Callable[[Sample, float], Estimate]:
    def estimate(sample: Sample, level: float) -> Estimate:
        small = _small(sample)
        return _worth(sample, ~small, mode).plus(_worth(sample, small, mode), -1.0).estimate(level)

    return estimate


def _query(
    name: str,
    known: tuple[float, Callable[[Respond], float]],
    naive: float,
    of: Callable[[str], Callable[[Sample, float], Estimate]],
    span: tuple[float, float] = (0.0, 1.0),
) -> Query:
    truth, unit = known
    return sampled_query(
        name,
        (truth, lambda: mean_of(_STEPS.units, unit, _TODAY)),
        (naive, "raw means of the runs in which it was so"),
        (
            Estimator(
                "standardised, to today's difficulty",
                of("right"),
                why="difficulty is logged, and a question of one difficulty is as it was",
            ),
            Estimator("naive", of("naive"), right=False, why="raw means: the small model got the easy questions"),
            Estimator(
                "standardised, to the whole log's difficulty",
                of("stale"),
                right=False,
                why="questions have become harder since",
            ),
        ),
        _STEPS.sample,
        _BY,
        span=span,
    )


_QUERIES: Final = (
    _query(
        "all to the small model, today",
        (0.48, lambda do: do({"large": 0})["correct"]),
        (0.4 * 0.9 + 0.1 * 0.3) / 0.5,
        lambda mode: _value(_small, mode),
    ),
    _query(
        "the large model where it is hard, today",
        (0.76, lambda do: do({"large": do({})["hard"]})["correct"]),
        0.8,
        lambda mode: _value(_where_hard, mode),
    ),
    _query(
        "the large model instead of the small, today",
        (0.295, lambda do: do({"large": 1})["correct"] - do({"large": 0})["correct"]),
        (0.1 * 0.95 + 0.4 * 0.7) / 0.5 - (0.4 * 0.9 + 0.1 * 0.3) / 0.5,
        _gain,
        (-1.0, 1.0),
    ),
)

_WORLD: Final = KnownWorld(
    name="routing",
    question="Which model should answer today, if hard questions went to the large one, and budgets are short?",
    edges=_STEPS.edges,
    world=_STEPS.world,
    facts={"hard": 1, "large": 1, "correct": 0},
    queries=_QUERIES,
    sites=_STEPS.sites,
    law=lambda: law_of(_STEPS.units, _STEPS.sites),
    assumptions=(
        "what moved both the routing and the answer is logged",
        "only how often questions of a kind come has changed, not how well a model answers them",
        "every kind of question went to both models at times",
    ),
    by=_BY,
)


def _study(seed: int) -> Study:
    sample = _WORLD.sample(_DRAWN, seed)
    asked = tuple(asked_of(query, sample) for query in _QUERIES)
    table = _costs(sample)
    hard = float(sample["hard"][sample["late"] == 1].mean())
    return Study(
        source=f"{_DRAWN:,} routed questions, {hard:.0%} of today's hard",
        asked=asked,
        figures=(table,),
        sensitivity=shifted(
            asked[2].answers[0].estimate, "what moved both the routing and the answer is logged", (0.05, 0.1)
        ),
        decision=f"Send what is hard to the large model and the rest to the small one: "
        f"{asked[1].answers[0].estimate.value or 0:.2f} right today, {_saved(hard):.0%} cheaper than all to the large "
        f"one. Do not go by the small model's {asked[0].naive.estimate.value or 0:.2f} in the log: today it would be "
        f"{asked[0].answers[0].estimate.value or 0:.2f}.",
    )


def _saved(hard: float) -> float:
    return 1 - (hard * _PRICE + 1 - hard) / _PRICE


def _costs(sample: Sample) -> Figures:
    """Worth and cost today of three policies."""
    hard = float(sample["hard"][sample["late"] == 1].mean())
    rows = []
    for name, taken, share in (
        ("all small", _small(sample), 0.0),
        ("large where hard", _where_hard(sample), hard),
        ("all large", ~_small(sample), 1.0),
    ):
        made = _worth(sample, taken, "right").estimate()
        rows.append((name, share * _PRICE + 1 - share, made.value or 0.0, made.low, made.high))
    return Figures(
        title=f"worth and cost today, a call to the large model costing {_PRICE:g} to the small one",
        titles=("policy", "cost", "right", "low", "high"),
        rows=tuple(rows),
    )


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("routing", _WORLD, _study, RealData("routellm_routing", real_study)),)
