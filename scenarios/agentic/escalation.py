"""Cheap model first, dear model where it failed: what is the dear one worth, and what the cascade?

    hard ---> cheap ---> solved <--- first           first: which model is asked first, by chance
      +-----> dear ---------^

P(hard) = .4, unseen;  P(first = dear) = .2, by chance: an exploration
P(cheap solves) = .8 - .5 hard;  P(dear solves) = .95 - .35 hard
Cheap first: the dear model is asked where the cheap one failed, and its answer counts then.

Truth: put first, the dear model solves .81. Naive: of what was escalated to it, it solves .705, as that is the hard
part. Truth: the cascade solves .882. Naive, from both models' own records as if they failed independently: .924.

Real data: AgentDojo, whose models all met the same tasks, under a price table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.agentic.contrasts import shifted
from ifonly.scenarios.agentic.escalation_real import real_study
from ifonly.scenarios.agentic.steps import Step, Steps
from ifonly.scenarios.known import Estimator, KnownWorld, law_of, mean_of, sampled_query
from ifonly.scenarios.scenario import RealData, Scenario, asked_of
from ifonly.scenarios.study import Study
from ifonly.scm.clustered import clustered_mean
from ifonly.scm.nested import Sampling

if TYPE_CHECKING:
    from ifonly.scenarios.known import Sample
    from ifonly.scm.estimate import Estimate

__all__ = ["SCENARIOS"]

_BY: Final = Sampling(particles=10_000, seed=0, level=1 - 1e-6)
_DRAWN: Final = 4_000

_STEPS: Final = Steps(
    (
        Step("hard", lambda cell: 1 * (cell < 8)),  # noqa: PLR2004 -- .4 in twentieths
        Step("first", lambda cell: 1 * (cell < 4)),  # noqa: PLR2004 -- .2
        Step("cheap", lambda cell, hard: 1 * (cell < 16 - 10 * hard), ("hard",)),
        Step("dear", lambda cell, hard: 1 * (cell < 19 - 7 * hard), ("hard",)),
        Step(
            "solved",
            lambda cell, first, cheap, dear: dear + (1 - first) * cheap * (1 - dear),
            ("first", "cheap", "dear"),
            (1.0,),
        ),
    )
)


def _escalated(sample: Sample, level: float) -> Estimate:
    """The dear model's record on what was escalated."""
    asked = (sample["first"] == 0) & (sample["cheap"] == 0)
    return clustered_mean(sample["dear"][asked]).estimate(level, "observed")


def _put_first(sample: Sample, level: float) -> Estimate:
    return clustered_mean(sample["solved"][sample["first"] == 1]).estimate(level)


def _cascade(sample: Sample, level: float) -> Estimate:
    return clustered_mean(sample["solved"][sample["first"] == 0]).estimate(level)


def _independent(sample: Sample, level: float) -> Estimate:
    """1 - (1 - p)(1 - q) from each model's own record, with the error of both records."""
    first = sample["first"] == 1
    cheap, dear = clustered_mean(sample["cheap"][~first]), clustered_mean(sample["solved"][first])
    value = 1 - (1 - cheap.value) * (1 - dear.value)
    error = np.hypot((1 - dear.value) * cheap.standard_error, (1 - cheap.value) * dear.standard_error)
    whole = clustered_mean(sample["solved"])
    scale = float(error / whole.standard_error)
    return type(whole)(value, scale * whole.parts, whole.clusters).estimate(level, "observed")


_QUERIES: Final = (
    sampled_query(
        "the dear model first",
        (0.81, lambda: mean_of(_STEPS.units, lambda do: do({"first": 1})["solved"])),
        ((0.12 * 0.95 + 0.28 * 0.6) / 0.4, "what is escalated is the hard part"),
        (
            Estimator("tasks put to it first", _put_first, why="a random fifth of the tasks went to it first"),
            Estimator("naive", _escalated, right=False, why="its record on what was escalated, which is the hard part"),
        ),
        _STEPS.sample,
        _BY,
    ),
    sampled_query(
        "the cascade",
        (1 - 0.6 * 0.2 * 0.05 - 0.4 * 0.7 * 0.4, lambda: mean_of(_STEPS.units, lambda do: do({"first": 0})["solved"])),
        (1 - 0.4 * 0.19, "both records, as if failures were independent"),
        (
            Estimator("tasks that it met", _cascade, why="tasks were put to it by chance"),
            Estimator(
                "naive",
                _independent,
                right=False,
                why="both records, as if failures were independent: both fail on hard",
            ),
        ),
        _STEPS.sample,
        _BY,
    ),
)

_WORLD: Final = KnownWorld(
    name="escalation",
    question="Is the dear model worth its price, if it only ever sees what the cheap one failed at?",
    edges=_STEPS.edges,
    world=_STEPS.world,
    facts={"first": 0, "cheap": 0, "dear": 0},
    queries=_QUERIES,
    sites=_STEPS.sites,
    law=lambda: law_of(_STEPS.units, _STEPS.sites),
    assumptions=(
        "which model was asked first was left to chance on some tasks",
        "a failure is noticed, and leaves nothing behind that the second attempt meets",
    ),
    by=_BY,
    hidden=frozenset({"hard"}),
)


def _study(seed: int) -> Study:
    sample = _WORLD.sample(_DRAWN, seed)
    asked = tuple(asked_of(query, sample) for query in _QUERIES)
    first, cascade = (one.answers[0].estimate for one in asked)
    share = float((sample["cheap"][sample["first"] == 0] == 0).mean())
    return Study(
        source=f"{_DRAWN:,} tasks, a fifth of them to the dear model first",
        asked=asked,
        sensitivity=shifted(cascade, "a failure is noticed, and leaves nothing behind", (0.02, 0.05)),
        decision=f"Keep the cascade: it solves {cascade.value or 0:.2f} and asks the dear model for {share:.0%} of "
        f"tasks; put first, it solves {first.value or 0:.2f}. Its {asked[0].naive.estimate.value or 0:.2f} of what is "
        "escalated says how hard that is, not how good it is.",
    )


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("routing", _WORLD, _study, RealData("agentdojo_runs", real_study)),)
